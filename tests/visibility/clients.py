"""Clients that take turns: each runs in a thread of its own, and only while it is told to, for so many calls.

So what happens is decided by whoever tells them, call by call. Time passes only here: with each call a little, and
while all that may run sleep.
"""

from __future__ import annotations

import errno
import threading
from collections import Counter, deque
from collections.abc import Callable

from visibility.calls import as_caller
from visibility.client_view import ClientView

__all__ = ["Client", "Clock", "Crash", "Fault"]

_CALL_SECONDS = 0.0005
_CHANGES = frozenset({"create", "fsync", "link", "mkdir", "rename", "unlink", "utime", "write"})
_COMPETED_FOR = frozenset({"link", "mkdir", "rename", "unlink"})


class Crash(BaseException):
    """The process is killed at this call: nothing that would clean up after it changes anything any more."""


class Fault:
    """A call that is to fail: `number` says how, `done` whether it is done all the same, its reply being lost.

    The number 0 kills the client at that call. So many changes before it go well as `after` says.
    """

    def __init__(self, number: int, *, done: bool = False, after: int = 0) -> None:
        self.number, self.done, self.after = number, done, after

    def meets(self, call: str) -> bool:
        """Whether it is about this call."""
        return call in (_COMPETED_FOR if self.done else _CHANGES)


class Clock:
    """The time that all clients share, and what is to be done while it passes."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.at_each_step: Callable[[], None] = lambda: None
        self.step = 1.0

    def pass_until(self, moment: float) -> None:
        """Let it pass, in steps."""
        while self.now < moment:
            self.now = min(moment, self.now + self.step)
            self.at_each_step()


class Client:
    """One client, which runs `main` in turns. `trace` is what all clients have done lately, for people."""

    def __init__(self, name: str, view: ClientView, clock: Clock, trace: deque[str], counts: Counter[str]) -> None:
        self.name, self.view, self.clock, self._trace, self._counts = name, view, clock, trace, counts
        self.crashed = self.frozen = self.ended = False
        self.faults: list[Fault] = []
        self.error: BaseException | None = None
        self._left = 0
        self._wakes = 0.0
        self._mine, self._theirs = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.main: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Be ready to run."""
        self._thread.start()

    def run(self, calls: int) -> None:
        """Go on for so many calls, or sleeps."""
        self._left = calls
        while self._left > 0 and not self.ended and not self.frozen:
            if not self.crashed:
                self.clock.pass_until(self._wakes)
            self._mine.release()
            self._theirs.acquire()

    def crash(self) -> None:
        """Kill it."""
        if not self.ended:
            self.crashed, self.frozen = True, False
            self.note("is killed")
            self.run(1)

    @property
    def may_run(self) -> bool:
        """Whether it isn't frozen, killed or at its end."""
        return not (self.ended or self.crashed or self.frozen)

    def note(self, what: str) -> None:
        """For the trace."""
        self._trace.append(f"{self.clock.now:9.3f} {self.name} {what}")

    # As a caller

    def begin(self, call: str) -> int:
        """See `Caller`."""
        self._turn()
        self.clock.now += _CALL_SECONDS
        self._counts["calls"] += 1
        if not self.faults or not self.faults[0].meets(call):
            return 0
        if self.faults[0].number == 0 and threading.current_thread() is not self._thread:
            return 0  # a kill waits for a call of the worker's own, which then unwinds
        if self.faults[0].after:
            self.faults[0].after -= 1
            return 0
        return self._suffer(self.faults.pop(0))

    def _suffer(self, fault: Fault) -> int:
        if fault.number == 0:
            self._counts["kills"] += 1
            self.note("is killed")
            self.crashed = True
            raise Crash
        self._counts["lost replies" if fault.done else "failed calls"] += 1
        return -fault.number if fault.done else fault.number

    def log(self, call: str, path: str, outcome: str) -> None:
        """See `Caller`."""
        self.note(f"{call} {path.removeprefix('/in-memory/')}: {outcome}")

    def now(self) -> float:
        """See `Caller`."""
        return self.clock.now

    def sleep(self, seconds: float) -> None:
        """See `Caller`."""
        self._wakes = self.clock.now + max(seconds, 0.0)
        self._left -= 1
        self._give_back()
        self._wakes = 0.0

    def _turn(self) -> None:
        if threading.current_thread() is not self._thread:  # its heartbeat, which is not put off
            if self.crashed:
                raise Crash
            return
        self._left -= 1
        if self._left < 0 or self.crashed:
            self._give_back()

    def _give_back(self) -> None:
        if not self.crashed:
            self._theirs.release()
            self._mine.acquire()
        if self.crashed:
            raise Crash

    def _run(self) -> None:
        self._mine.acquire()
        try:
            if not self.crashed:
                with as_caller(self):
                    self.main()
        except Crash:
            pass
        except BaseException as error:  # noqa: BLE001 - whoever told it to run has to know
            self.error = error
        finally:
            self.ended = True
            self._theirs.release()


LOST_REPLIES = (errno.EIO, errno.EEXIST, errno.ESTALE)
"""What a client is told of a call that was done."""
FAILURES = (errno.EIO, errno.ENOSPC, errno.ESTALE, errno.EDQUOT)
"""What it is told of one that was not."""
