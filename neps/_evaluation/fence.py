"""Fencing: an evaluation whose attempt somebody else has taken over ends at its next report, `save` or `load`.

Who notices the takeover, and what becomes of an evaluation that does none of these for long, is decided elsewhere.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from typing import TypeVar

from neps.errors import TakenOverError

__all__ = ["Fence", "Fenced", "check"]

_logger = logging.getLogger("neps.evaluation")
T = TypeVar("T")


class Fenced(BaseException):
    """Raised inside run_pipeline: this attempt has been taken over, so nothing that it does counts any more."""


class Fence:
    """Lets another thread end one call; for each evaluation a new one.

    Nothing is ever raised at an arbitrary bytecode: such an exception may strike inside an import, which leaves half a
    module behind, or in a callback of C code. The call itself asks, by `check`, and is told each time that it does.

    Args:
        abandon: called in a thread of its own where the call goes on for `grace` seconds after `interrupt`, once. The
            call doesn't return meanwhile: so whatever `abandon` does to the process strikes nothing but this call.
        grace: in seconds.

    Example:
        >>> fence = Fence()
        >>> fence.call(len, "abc")
        3
        >>> fence.interrupt()  # too late: nothing happens
    """

    def __init__(self, abandon: Callable[[], object] | None = None, grace: float = 0.0) -> None:
        self.broken = False
        """Whether the call was interrupted, or will be as soon as it begins."""
        self.process, self.thread = os.getpid(), threading.get_ident()
        self._abandon, self._grace = abandon, grace
        self._goes_on = threading.Lock()  # held until the call is over: an Event costs more than all the rest
        self._goes_on.acquire()
        self._lock = threading.Lock()

    def interrupt(self) -> None:
        """Have `check` raise in the call; do nothing if it's over, or at a second time. From any thread."""
        if not self._goes_on.locked() or self.broken or self.process != os.getpid():
            return
        self.broken = True
        if self._abandon is None:
            return
        try:
            threading.Thread(target=self._wait, args=(self._abandon,), name="neps-fence", daemon=True).start()
        except (RuntimeError, MemoryError) as error:
            _logger.warning(
                "Another worker has taken over the trial that this one evaluates. Its next call of neps.report "
                "or neps.checkpoint ends it. Without one, it runs to its end, because no thread can be started: %s.",
                error,
            )

    def call(self, function: Callable[..., T], *args: object) -> T:
        """Call `function(*args)`, in which `check` raises `Fenced` after `interrupt`."""
        self.thread = threading.get_ident()
        _running.append(self)
        try:
            if self.broken:
                raise Fenced
            return function(*args)
        finally:
            _running.remove(self)
            with self._lock:
                self._goes_on.release()

    def _wait(self, abandon: Callable[[], object]) -> None:
        if self._goes_on.acquire(timeout=min(self._grace, threading.TIMEOUT_MAX)):
            self._goes_on.release()
            return
        with self._lock:
            if self._goes_on.locked():
                abandon()


_running: list[Fence] = []


def check() -> None:
    """Go on only where the evaluation that calls has not been taken over; anywhere else it does nothing.

    Raises:
        Fenced: in the evaluating thread, if it has.
        neps.errors.TakenOverError: in another thread of the process, where all that it evaluates is of one thread.
    """
    mine = [fence for fence in _running if fence.process == os.getpid()]  # a forked child inherits its parent's
    broken = [fence for fence in mine if fence.broken]
    if not broken:
        return
    if any(fence.thread == threading.get_ident() for fence in broken):
        raise Fenced
    if len({fence.thread for fence in mine}) == 1:
        raise TakenOverError(
            "another worker has taken over the trial that this process evaluates, because this one was silent for "
            "longer than lease_seconds. Its result will be dropped. End this thread. A longer lease_seconds tolerates "
            "longer silences."
        )
