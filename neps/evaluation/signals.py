"""Signals, around a whole run of a worker: remembered always, raised only in calls that may be interrupted.

Handlers are restored at the end, and then the process ends as the signal does. What a worker does on the way
(end its attempt as left) is the worker's business.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self, TypeVar

__all__ = ["Interruption", "Signals"]

T = TypeVar("T")

_ALWAYS = (signal.SIGTERM, signal.SIGINT)
_IF_DEFAULT = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP, signal.SIGXCPU)
_REPEAT_SECONDS = 1.0


class Interruption(BaseException):
    """Raised inside run_pipeline when a signal asks the process to end (SIGINT raises KeyboardInterrupt instead).

    Save what is needed and let it pass. `signum` is the signal's number.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(signum).name}")
        self.signum = signum


class Signals:
    """A context manager that handles SIGTERM and SIGINT, and SIGUSR1, SIGUSR2, SIGHUP and SIGXCPU where they'd kill.

    A handler that the user had installed is called first; if it raises, that is the interruption. Outside the main
    thread Python can't handle signals: everything here then does nothing, and `active` is False.

    Example:
        >>> with Signals() as signals:
        ...     signals.interruptible(len, "abc")
        3
        >>> signals.leave()  # none was received
    """

    def __init__(self) -> None:
        self.active = False
        """Whether signals are handled now."""
        self.received: int | None = None
        """The first signal that came, which stays: look at it wherever leaving is safe."""
        self._raised: BaseException | None = None
        self._region: FrameType | None = None
        self._process = os.getpid()
        self._previous: dict[int, Any] = {}
        self._last: dict[int, float] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self.active = True
            _active.append(self)
            for signum in (*_ALWAYS, *_IF_DEFAULT):
                action = signal.getsignal(signum)
                # None: installed by C code, which couldn't be restored.
                if action is not None and (signum in _ALWAYS or _is_default(signum, action)):
                    self._previous[signum] = action
                    signal.signal(signum, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for signum, action in self._previous.items():
            signal.signal(signum, action)
        if self.active:
            self.active = False
            _active.remove(self)

    def interruptible(self, function: Callable[..., T], *args: object) -> T:
        """Call `function(*args)`; a signal, if one comes or has come, raises inside it and nowhere else.

        Raises:
            KeyboardInterrupt: for SIGINT.
            Interruption: for other signals, unless the user's own handler raised: then that exception.
        """
        if not self.active:
            return function(*args)
        # That a signal struck inside is told by this frame being on the stack. A flag wouldn't do: the signal that
        # comes between its last use and its reset raises in code that must not be interrupted.
        self._region = sys._getframe()  # noqa: SLF001
        try:
            if self.received is not None:
                raise self._interruption(self.received)
            return function(*args)
        finally:
            self._region = None

    def wait(self, seconds: float) -> None:
        """Sleep for so long, or until a signal comes; not at all if one has come."""
        try:
            self.interruptible(time.sleep, seconds)
        except BaseException:
            if self.received is None:
                raise

    def leave(self) -> None:
        """End the process as the first signal does, after the context has been left. Returns if there was none.

        Raises:
            KeyboardInterrupt: for SIGINT.
            BaseException: what the user's own handler raised.
        """
        if self.received is None:
            return
        if self._raised is not None:
            raise self._raised
        if self.received == signal.SIGINT:
            raise KeyboardInterrupt
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        signal.signal(self.received, signal.SIG_DFL)
        os.kill(os.getpid(), self.received)
        # The first process of a container survives that, and a blocked signal is kept back.
        raise SystemExit(128 + self.received)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        # No logging and no locks: it may run within itself and within whoever holds them.
        action = self._previous[signum]
        if os.getpid() != self._process:
            # A child that C code has forked inherits this handler, but not the parent's attempt.
            signal.signal(signum, action)
            os.kill(os.getpid(), signum)
            return
        if self.received is None:
            self.received = signum
        if callable(action) and action is not signal.default_int_handler:
            try:
                action(signum, frame)
            except BaseException as raised:  # noqa: BLE001 - it is raised on where that is safe
                self._raised = self._raised or raised
        if self._is_new(signum) and self._strikes_inside(frame):
            raise self._interruption(signum)

    def _is_new(self, signum: int) -> bool:
        # timeout, srun and shells signal a process and then its group. The second of the two would only strike the
        # cleaning up after the first.
        now = time.monotonic()
        last, self._last[signum] = self._last.get(signum), now
        return last is None or now - last >= _REPEAT_SECONDS

    def _strikes_inside(self, frame: FrameType | None) -> bool:
        region = self._region
        while frame is not None and frame is not region:
            frame = frame.f_back
        return frame is not None

    def _interruption(self, signum: int) -> BaseException:
        if self._raised is not None:
            return self._raised
        return KeyboardInterrupt() if signum == signal.SIGINT else Interruption(signum)


def _is_default(signum: int, action: Any) -> bool:
    """Whether a signal has its default action, also as C code sees it (faulthandler installs handlers in C)."""
    if action is not signal.SIG_DFL:
        return False
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return True
    caught = next((line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")), "0")
    return not int(caught, 16) >> (signum - 1) & 1


# A forked child gets the user's own actions back at once. Left to the handler, a signal that comes before the child has
# run any Python is remembered by it, and forgotten: `multiprocessing.Pool` then waits for ever for a child that it has
# told to end. So signals are blocked around the fork.

_active: list[Signals] = []
_forking = threading.local()


def _before_fork() -> None:
    handled = (*_ALWAYS, *_IF_DEFAULT) if _active else ()
    _forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, handled)


def _after_fork_in_parent() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


def _after_fork_in_child() -> None:
    for signals in reversed(_active):
        for signum, action in signals._previous.items():  # noqa: SLF001 - of this module's own class
            signal.signal(signum, action)
    _active.clear()
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
