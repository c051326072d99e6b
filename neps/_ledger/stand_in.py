"""The process that touches a worker's lock while the worker can't: a C call may hold its GIL for longer than the lease.

Started while the first attempt is opened, and again whenever it ends; it dies with the worker (see `touching`, the
program). Where it can't run, the heartbeat's own thread is all there is, as it is all that is needed while the GIL is
free.
"""

from __future__ import annotations

import contextlib
import logging
import marshal
import os
import re
import signal
import sys
import threading
import time

from neps._ledger import touching
from neps._ledger.touching import NOTHING, UNFIT, Lock, encode

__all__ = ["StandIn"]

_logger = logging.getLogger("neps.ledger")
_START_SECONDS = 5.0
_STABLE_SECONDS = 10.0
_BRIEF_RUNS = 3
_LONGEST_PAUSE = 60.0


class _UnfitError(Exception):
    """The program can't run here, now or later."""


class StandIn:
    """Stands in for a worker's heartbeat thread whenever that is overdue.

    A direct child, so that the worker reaps it also where no init does; in a session of its own and with all signals
    blocked, so that only its worker's end, or SIGKILL, ends it. Whoever waits for children until none is left
    (`os.wait` in a loop) waits for it, too.

    Args:
        period: seconds within which the thread touches.
    """

    def __init__(self, period: float) -> None:
        self._period = period
        self._content = NOTHING
        self._shown = _Shown()
        self._changed = threading.Condition()
        self._begun = threading.Event()
        self._stopping = self._warned = False
        self._thread: threading.Thread | None = None
        self._pid: int | None = None

    def begin(self) -> None:
        """Start the process in the background, if it isn't yet: an attempt is about to be opened."""
        if self._thread is None:
            self._start()

    def show(self, lock: Lock, beaten: float) -> None:
        """Say what is held, and when (`time.monotonic`) it was touched last, or opened. Returns once that is known."""
        self._say(encode(lock, beaten))
        self.begin()
        if not self._begun.is_set():
            self._begun.wait(_START_SECONDS)  # at the start, and where user code has closed the descriptor

    def hide(self) -> None:
        """Nothing is held any more. What is touched late all the same is no open attempt's: see `touching.touch`."""
        self._say(NOTHING)

    def stop(self) -> None:
        """End the process, and reap it."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
            self._kill()
        if self._thread is not None and self._thread.ident is not None:
            self._thread.join(_START_SECONDS)
        self._shown.close()

    def _say(self, content: bytes) -> None:
        with self._changed:
            self._content = content
            if self._pid is not None and not self._shown.write(content):
                self._begun.clear()
                self._kill()  # the next one is told

    def _kill(self) -> None:
        if self._pid is not None:
            with contextlib.suppress(OSError):
                os.kill(self._pid, signal.SIGKILL)

    def _start(self) -> None:
        # The kernel ends the process with the thread that has started it: so that stays, and waits for it meanwhile.
        self._thread = threading.Thread(target=self._attend, name="neps-stand-in", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:
            self._warn(str(error))
            self._begun.set()

    def _attend(self) -> None:
        """Start the process, wait for its end, start it again; until `stop`, or for good where it is unfit."""
        pace = _Pace()
        while not self._stopping:
            began = time.monotonic()
            try:
                code = self._run_once()
            except _UnfitError as error:
                self._warn(str(error))
                return
            except OSError as error:
                self._warn(str(error))
                code = None
            finally:
                self._begun.set()
            pace.ended(time.monotonic() - began)
            if pace.is_odd(code):
                self._warn(f"it ended with exit status {code}; it is tried again")
            with self._changed:
                self._changed.wait_for(lambda: self._stopping or not self._begun.is_set(), pace.pause)

    def _run_once(self) -> int | None:
        """Start the process and wait for its end; its exit code, or None where nobody knows.

        Raises:
            OSError: if it can't be started now.
            _UnfitError: if it could do nothing here.
        """
        with self._changed:
            if self._stopping:
                return None
            self._pid = pid = self._spawn()
        self._begun.set()
        try:
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        except ChildProcessError:  # user code has waited for it
            code = None
        with self._changed:
            self._pid = None
        if code == UNFIT:
            raise _UnfitError("it can't be made to end with this process, or can't see this process in /proc")
        return code

    def _spawn(self) -> int:
        interpreter = sys.executable
        if sys.platform != "linux" or getattr(sys, "frozen", False) or not _is_python(interpreter):
            raise _UnfitError(f"it needs Linux and a Python interpreter; sys.executable is {interpreter!r}")
        arguments = map(str, (os.getpid(), threading.get_native_id(), self._period))
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        try:
            descriptor = self._shown.renew(self._content)
            return os.posix_spawn(
                interpreter,
                [interpreter, "-I", "-S", "-E", "-c", touching.LOADER, "neps-heartbeat", *arguments],
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, descriptor, 0),
                    (os.POSIX_SPAWN_DUP2, null, 1),
                    (os.POSIX_SPAWN_DUP2, null, 2),
                ],
                setsigmask=signal.valid_signals(),
            )
        finally:
            os.close(null)

    def _warn(self, why: str) -> None:
        if not self._warned:
            self._warned = True
            _logger.log(
                logging.WARNING if sys.platform == "linux" else logging.INFO,
                "No helper process for this worker's heartbeat (%s). A call that holds the GIL for longer than "
                "lease_seconds (%g s) makes other workers take its trial over.",
                why,
                3 * self._period,
            )


def _is_python(interpreter: str | None) -> bool:
    """Whether it can be started with a program; where Python is embedded, it may be anything."""
    return re.fullmatch(r"/(.*/)?python[^/]*", interpreter or "", re.DOTALL) is not None


class _Pace:
    """How long to `pause` before the process is started again: the longer, the more often it has ended soon."""

    def __init__(self) -> None:
        self.pause, self._brief_runs = 0.0, 0

    def ended(self, seconds: float) -> None:
        """It ran for so long."""
        stable = seconds > _STABLE_SECONDS
        self.pause = 0.0 if stable else min(max(0.1, 2 * self.pause), _LONGEST_PAUSE)
        self._brief_runs = 0 if stable else self._brief_runs + 1

    def is_odd(self, code: int | None) -> bool:
        """Whether something else is wrong than that somebody has killed it: then it may run the next time."""
        return code is not None and (code > 0 or self._brief_runs == _BRIEF_RUNS)


class _Shown:
    """What the process reads: an unnamed file, rewritten in place, so that a short trial wakes nobody.

    User code may close every descriptor, and open its own under the same number: nothing is written there.
    """

    def __init__(self) -> None:
        self._descriptor = -1
        self._identity: tuple[int, int] | None = None

    def renew(self, content: bytes) -> int:
        """Another file, with this content; its descriptor."""
        self.close()
        self._descriptor = _unnamed_file()
        self._identity = self._seen()
        os.pwrite(self._descriptor, content, 0)
        os.pwrite(self._descriptor, _program(), touching.SIZE)
        return self._descriptor

    def write(self, content: bytes) -> bool:
        """Rewrite it: False if it is there no more."""
        try:
            return self._seen() == self._identity and os.pwrite(self._descriptor, content, 0) == len(content)
        except OSError:
            return False

    def close(self) -> None:
        """Close it, unless user code has."""
        with contextlib.suppress(OSError):
            if self._identity is not None and self._seen() == self._identity:
                os.close(self._descriptor)
        self._identity = None

    def _seen(self) -> tuple[int, int]:
        status = os.fstat(self._descriptor)
        return status.st_dev, status.st_ino


def _program() -> bytes:
    """The program, compiled as it was imported: compiling it there would take a megabyte more."""
    get_code = getattr(touching.__spec__ and touching.__spec__.loader, "get_code", None)  # the machinery's abc is slow
    code = get_code and get_code(touching.__name__)
    if code is None:
        raise _UnfitError(f"there is no code of {touching.__name__}")
    return marshal.dumps(code)


def _unnamed_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("neps-heartbeat", os.MFD_CLOEXEC)
    import tempfile  # where Python was built for an old libc, and slow to import

    descriptor, path = tempfile.mkstemp(prefix="neps-heartbeat-")
    os.unlink(path)  # noqa: PTH108
    return descriptor
