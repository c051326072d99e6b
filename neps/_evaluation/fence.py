"""Fencing: an evaluation that is taken over, or whose time is over, ends at its next report, `save` or `load`.

Who notices the takeover, when the time is over, and what becomes of an evaluation that does none of these for long, is
decided elsewhere.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from typing import TypeVar

from neps.errors import TakenOverError, TimeLimitError

__all__ = ["Fence", "Fenced", "TimeOver", "check"]

_logger = logging.getLogger("neps.evaluation")
T = TypeVar("T")


class Fenced(BaseException):
    """Raised inside run_pipeline: this attempt has been taken over, so nothing that it does counts any more."""


class TimeOver(BaseException):
    """Raised inside run_pipeline: max_seconds_per_trial is over. Let it pass: the trial then ends as failed."""

    def __init__(self, fence: Fence) -> None:
        super().__init__("max_seconds_per_trial is over")
        self.fence = fence


class Fence:
    """Lets another thread end one call; for each evaluation a new one.

    Nothing is ever raised at an arbitrary bytecode: such an exception may strike inside an import, which leaves half a
    module behind, or in a callback of C code. The call itself asks, by `check`, and is told each time that it does.

    Args:
        abandon: called in a thread of its own where the call goes on for `grace` seconds after `interrupt`, once. The
            call doesn't return meanwhile: so whatever `abandon` does to the process strikes nothing but this call.
        grace: in seconds.
        is_overdue: whether its time is over, and `check` is to raise for that.
        on_sign: called before that where the call reports or saves.

    Example:
        >>> fence = Fence()
        >>> fence.call(len, "abc")
        3
        >>> fence.interrupt()  # too late: nothing happens
    """

    def __init__(
        self,
        abandon: Callable[[], object] | None = None,
        grace: float = 0.0,
        is_overdue: Callable[[], bool] = lambda: False,
        on_sign: Callable[[], object] = lambda: None,
    ) -> None:
        self.broken = False
        """Whether the call was interrupted, or will be as soon as it begins."""
        self.is_overdue, self.on_sign = is_overdue, on_sign
        self._waits = False
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
        self.await_end()

    def await_end(self) -> None:
        """Have the call abandoned if it goes on for the grace from now on; do nothing at a second time."""
        if self._abandon is None or self._waits:
            return
        self._waits = True
        try:
            threading.Thread(target=self._wait, args=(self._abandon,), name="neps-fence", daemon=True).start()
        except (RuntimeError, MemoryError) as error:
            _logger.warning(
                "Another worker has taken over the trial that this one evaluates, or its time is over. Its next call "
                "of neps.report or neps.checkpoint ends it. Without one, it runs to its end, because no thread can be "
                "started: %s.",
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


def check(*, loads: bool = False) -> None:
    """Go on only where the evaluation that calls goes on, too; anywhere else it does nothing.

    Args:
        loads: whether it is about to begin, rather than to report or to save.

    Raises:
        Fenced: in the evaluating thread, if it was taken over.
        TimeOver: in the evaluating thread, if its time is over.
        neps.errors.TakenOverError, neps.errors.TimeLimitError: in another thread of the process, where all that it
            evaluates is of one thread.
    """
    mine = [fence for fence in _running if fence.process == os.getpid()]  # a forked child inherits its parent's
    if not loads:
        for fence in mine:
            fence.on_sign()
    struck = [fence for fence in mine if fence.broken or fence.is_overdue()]
    own = [fence for fence in struck if fence.thread == threading.get_ident()]
    if own:
        raise Fenced if any(fence.broken for fence in own) else TimeOver(own[0])
    if struck and len({fence.thread for fence in mine}) == 1:
        raise _elsewhere(struck)


def _elsewhere(struck: list[Fence]) -> TakenOverError | TimeLimitError:
    """What is raised in other threads."""
    if any(fence.broken for fence in struck):
        return TakenOverError(
            "another worker has taken over the trial that this process evaluates, because this one was silent for "
            "longer than lease_seconds. Its result will be dropped. End this thread. A longer lease_seconds tolerates "
            "longer silences."
        )
    return TimeLimitError("max_seconds_per_trial is over for the trial that this process evaluates. End this thread.")
