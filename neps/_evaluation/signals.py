"""Signals, around a whole run of a worker: remembered always, raised only in calls that may be interrupted.

Where raising would leave half an import behind, or go nowhere, it is put off. A second signal ends the process,
whatever user code does (see `watching`). Handlers are restored at the end, and then the process ends as the signal
does. What a worker does on the way (end its attempt as left) is the worker's business.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, NoReturn, Self, TypeVar

from neps._evaluation.actions import set_action
from neps._evaluation.watching import REPEAT_SECONDS, Watch

__all__ = ["Interruption", "Signals"]

T = TypeVar("T")

_logger = logging.getLogger("neps.evaluation")
_ALWAYS = (signal.SIGTERM, signal.SIGINT)
_IF_DEFAULT = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP, signal.SIGXCPU)
_POKES = (signal.SIGURG, signal.SIGWINCH)
"""One of those that nobody handles, and that do nothing by default: to look again whether to raise."""
_STOP = 0
"""In the place of a signal's number: what is put off is that `stop` was called."""
_SECONDS_TO_CATCH_UP = 1.0
_LONGEST_PUT_OFF = 20.0
"""SLURM kills 30 s after SIGTERM, and an attempt that is handed back is no death."""
_IMPORTS = ("<frozen importlib._bootstrap>", "<frozen importlib._bootstrap_external>")
_SWALLOWING = frozenset(
    f"{holder}.__init__.<locals>.{callback}"
    for holder, callback in (
        ("WeakSet", "_remove"),
        ("WeakKeyDictionary", "remove"),
        ("WeakValueDictionary", "remove"),
    )
) | {"finalize.__call__"}
"""Callbacks that the interpreter runs at any time, as it does `__del__`: what they raise is only printed."""


class Interruption(BaseException):
    """Raised inside run_pipeline when a signal asks the process to end (SIGINT raises KeyboardInterrupt instead).

    And when `neps stop` asks the worker to leave. Save what is needed and let it pass. `signum` is the signal's number,
    None for `neps stop`.
    """

    def __init__(self, signum: int | None) -> None:
        super().__init__(f"interrupted by {'neps stop' if signum is None else signal.Signals(signum).name}")
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
        self.stopping = False
        """Whether `stop` was called, which stays, too: the worker leaves, and the process goes on."""
        self._watch: Watch | None = None
        self._patience: Callable[[int], float] | None = None
        self._put_off: int | None = None
        self._raise_from = self._raise_at = 0.0
        self._first_at: float | None = None
        self._raised: BaseException | None = None
        self._region: FrameType | None = None
        self._process = os.getpid()
        self._previous: dict[int, Any] = {}
        self._last: dict[int, float] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self.active = True
            self.stopping = any(around.leaving for around in _active)  # what run_pipeline runs itself need not begin
            _active.append(self)
            for signum in (*_ALWAYS, *_IF_DEFAULT):
                action = signal.getsignal(signum)
                # None: installed by C code, which couldn't be restored.
                if action is not None and (signum in _ALWAYS or _is_default(signum, action)):
                    self._previous[signum] = action
                    signal.signal(signum, self._handle)
            self._watch = Watch(_is_handled, self._install_poke(), self._may_raise)
            self._watch.begin()
        return self

    def _install_poke(self) -> signal.Signals | None:
        poke = next((signum for signum in _POKES if signal.getsignal(signum) is signal.SIG_DFL), None)
        if poke is not None:
            self._previous[poke] = signal.SIG_DFL
            signal.signal(poke, self._check_again)
        return poke

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._watch is not None:
            self._watch.stop()
        for signum, action in self._previous.items():
            signal.signal(signum, action)
        if self.active:
            self.active = False
            _active.remove(self)

    @property
    def first(self) -> int | None:
        """The first signal that has come, be it that the main thread hasn't handled it yet."""
        return self._watch.first if self.received is None and self._watch is not None else self.received

    @property
    def leaving(self) -> bool:
        """Whether the worker is to leave, as the main thread knows: by a signal, or by `stop`."""
        return self.received is not None or self.stopping

    def stop(self) -> None:
        """Have the worker leave as a signal does, but for the process, which goes on. From any thread, however often.

        Raises `Interruption` in the call that may be interrupted, as soon as that does no harm.
        """
        if self.leaving:
            return
        around = _active.index(self) if self in _active else len(_active)
        for signals in [self, *_active[around + 1 :]]:  # what run_pipeline runs itself ends by the same exception
            signals.stopping = True
        now, patience = time.monotonic(), self._patience(_STOP) if self._patience is not None else 0.0
        # Whoever goes on afterwards goes on with whole modules.
        self._put_off, self._raise_from, self._raise_at = _STOP, now + patience, math.inf
        if self._watch is None or not self._watch.ask_again():
            _logger.warning(
                "`neps stop` asks this worker to leave. It leaves once its trial has ended: run_pipeline can't be "
                "interrupted, because neps.run was not called in the main thread, or the process can't open any more "
                "files."
            )

    @property
    def noticed(self) -> bool:
        """Whether the worker is to leave, be it by a signal that the main thread hasn't handled yet."""
        return self.leaving or self.first is not None

    def give_back(self) -> int | None:
        """For good, have each signal do what it did before this context; from any thread. The first that has come.

        None if none had come until then: from now on one acts at once, so none is lost between this and an exec.
        """
        for signum, action in self._previous.items():
            if signal.getsignal(signum) == self._handle:
                set_action(signum, ignored=action is signal.SIG_IGN)
        if self._watch is None:
            return self.received
        self._watch.catch_up(_SECONDS_TO_CATCH_UP)
        return self.first

    def be_patient(self, patience: Callable[[int], float] | None) -> None:
        """Ask `patience`, from now on, for how many seconds the first signal waits before it interrupts; None: not."""
        self._patience = patience

    @contextlib.contextmanager
    def last_words(self, words: Callable[[], object]) -> Iterator[None]:
        """Have `words` called, meanwhile, in another thread before a second signal ends the process."""
        if self._watch is not None:
            self._watch.last_words = words
        try:
            yield
        finally:
            if self._watch is not None:
                self._watch.last_words = None

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
            if self.leaving:
                raise self.interruption(self.received)
            return function(*args)
        finally:
            self._region = self._put_off = None

    def wait(self, seconds: float) -> None:
        """Sleep for so long, or until a signal comes; not at all if one has come."""
        try:
            self.interruptible(time.sleep, seconds)
        except BaseException:
            if not self.leaving:
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
        _end_as(self.received)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        # No logging and no locks: it may run within itself and within whoever holds them.
        if os.getpid() != self._process:
            # A child that C code has forked inherits this handler, but not the parent's attempt.
            signal.signal(signum, self._previous[signum])
            os.kill(os.getpid(), signum)
            return
        if self.received is None:
            self.received = signum
        self._call_users(signum, frame)
        if self._watch is not None and self is _active[-1]:  # else the watch of the run inside hands it on
            self._watch.tell(signum)
        if self._is_new(signum) and _is_inside(self._region, frame) and not self._is_put_off(signum, frame):
            raise self.interruption(signum)

    def _call_users(self, signum: int, frame: FrameType | None) -> None:
        """Call the handler that the user had installed."""
        action = self._previous[signum]
        if callable(action) and action is not signal.default_int_handler:
            try:
                action(signum, frame)
            except BaseException as raised:  # noqa: BLE001 - it is raised on where that is safe
                self._raised = self._raised or raised

    def _is_put_off(self, signum: int, frame: FrameType | None) -> bool:
        """Put an interruption off where it would do harm, or where run_pipeline is about to end by itself."""
        # The handler of a run inside run_pipeline calls this one, and puts off itself.
        if self is not _active[-1] or self._watch is None:
            return False
        now, patience = time.monotonic(), self._patience_with(signum)
        if not (patience or _is_delicate(self._region, frame)):
            return False
        # Who goes on after a KeyboardInterrupt goes on with whole modules; the others end the process.
        seconds = math.inf if signum == signal.SIGINT else _LONGEST_PUT_OFF
        self._put_off, self._raise_from, self._raise_at = signum, now + patience, now + max(seconds, patience)
        self._watch.patience = patience
        if not self._watch.ask_again():  # after that: it may ask at once
            self._put_off = None
            return False
        return True

    def _patience_with(self, signum: int) -> float:
        """Seconds that a signal waits: only the first one does, and what comes at the same time."""
        now = time.monotonic()
        self._first_at = now if self._first_at is None else self._first_at
        if self._patience is None or now - self._first_at >= REPEAT_SECONDS:
            return 0.0
        return self._patience(signum)

    def _check_again(self, signum: int, frame: FrameType | None) -> None:
        """Raise what was put off, or let it be asked again; see `Watch.ask_again`."""
        if self._put_off is not None and _is_inside(self._region, frame):
            if not self._is_time_for(frame):
                return  # it was a moment ago
            signum, self._put_off = self._put_off, None
            self._asked()
            raise self.interruption(None if signum == _STOP else signum)
        self._asked()

    def _may_raise(self) -> bool:
        """Whether it seems so to another thread."""
        frame = sys._current_frames().get(threading.main_thread().ident or 0)  # noqa: SLF001
        return self._is_time_for(frame)

    def _is_time_for(self, frame: FrameType | None) -> bool:
        """Whether to raise now what was put off."""
        now = time.monotonic()
        return now >= self._raise_at or (now >= self._raise_from and not _is_delicate(self._region, frame))

    def _asked(self) -> None:
        if self._watch is not None:
            self._watch.asked()

    def _is_new(self, signum: int) -> bool:
        # The second of the two would only strike the cleaning up after the first.
        now = time.monotonic()
        last, self._last[signum] = self._last.get(signum), now
        return last is None or now - last >= REPEAT_SECONDS

    def interruption(self, signum: int | None) -> BaseException:
        """What a signal raises, or, without one, `stop`."""
        if self._raised is not None:
            return self._raised
        return KeyboardInterrupt() if signum == signal.SIGINT else Interruption(signum)


def _is_handled(signum: int) -> bool:
    """Whether a signal would come to a handler of `Signals`, rather than to one that run_pipeline has installed."""
    action = signal.getsignal(signum) if signum in (*_ALWAYS, *_IF_DEFAULT) else None
    return any(action == signals._handle for signals in list(_active))  # noqa: SLF001 - of this module's own class


def _end_as(signum: int) -> NoReturn:
    """End the process as a signal does by default."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    signal.signal(signum, signal.SIG_DFL)
    os.kill(os.getpid(), signum)
    # The first process of a container survives that, and a blocked signal is kept back.
    raise SystemExit(128 + signum)


def _is_inside(region: FrameType | None, frame: FrameType | None) -> bool:
    """Whether a frame is of a call inside the region."""
    while frame is not None and frame is not region:
        frame = frame.f_back
    return frame is not None


def _is_delicate(region: FrameType | None, frame: FrameType | None) -> bool:
    """Whether an exception in this frame would leave half a module, or be swallowed by the interpreter."""
    while frame is not None and frame is not region:
        code = frame.f_code
        if code.co_filename in _IMPORTS or code.co_name == "__del__" or code.co_qualname in _SWALLOWING:
            return True
        frame = frame.f_back
    return False


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
        if signals._watch is not None:  # noqa: SLF001 - of this module's own class
            signals._watch.unhook()  # noqa: SLF001
        for signum, action in signals._previous.items():  # noqa: SLF001 - of this module's own class
            signal.signal(signum, action)
    _active.clear()
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
