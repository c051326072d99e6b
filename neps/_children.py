"""Processes that run_pipeline starts, such as the ranks of torchrun: they report, and save, for its evaluation.

While an attempt is evaluated, its worker has its name in the environment, which children inherit. They look themselves
whether it is still the open one. `neps.report`, `neps.current_trial` and `neps.checkpoint` act through here;
docs/format.md specifies the variables.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import os
import re
import threading
import time
from contextlib import AbstractContextManager
from types import MappingProxyType

from neps._evaluation import Allowance, CurrentTrial, Stopping, current_trial, report
from neps._evaluation.current import trial_elsewhere
from neps._evaluation.reporting import Take, reported_elsewhere
from neps._ledger.claims import Hold
from neps._ledger.definition import find_definition
from neps._ledger.documents import UnreadableDocumentError
from neps._ledger.handed_back import HandedBack
from neps._ledger.layout import Layout
from neps._ledger.trial_folder import TrialFolder
from neps.errors import DirectoryError, TimeLimitError

__all__ = [
    "ATTEMPT",
    "TRIAL_END_TIME",
    "announced",
    "check_time",
    "current_trial",
    "inherited",
    "named",
    "report",
]

ATTEMPT = "NEPS_ATTEMPT"
"""The environment variable: `K WORKER FOLDER`."""
TRIAL_END_TIME = "NEPS_TRIAL_END_TIME"
"""Where the attempt has one: Unix seconds."""

_logger = logging.getLogger("neps.evaluation")
_NAME = re.compile(r"([1-9][0-9]{0,8}) (\S+) (/.*)/config_([1-9][0-9]{0,17})", re.DOTALL)
_SECONDS_BETWEEN_LOOKS = 1.0


class _Announced:
    """While it lasts, the variable has this name; a class of its own, since each trial pays for it."""

    __slots__ = ("ends", "name", "thread")

    def __init__(self, name: str, ends: float) -> None:
        self.name, self.thread = name, threading.get_ident()
        self.ends = None if ends == math.inf else f"{time.time() + ends - time.monotonic():.3f}"

    def __enter__(self) -> None:
        with _changing:
            if not _announced:
                _outer[:] = [os.environ.get(ATTEMPT), os.environ.get(TRIAL_END_TIME)]
            _announced.append(self)
            _set()

    def __exit__(self, *_: object) -> None:
        with _changing:
            if self in _announced:  # else this is a forked child
                _announced.remove(self)
                _set()


_announced: list[_Announced] = []
"""The attempts that this process evaluates; a forked child begins with none."""
_outer: list[str | None] = []
_changing = threading.Lock()


def announced(hold: Hold, ends: float = math.inf) -> AbstractContextManager[None]:
    """While this lasts, processes that are started belong to the attempt; afterwards the variables are as before.

    Where several threads evaluate at once nobody can tell whose a process is: then it is nobody's.

    Args:
        hold: the attempt's.
        ends: when its max_seconds_per_trial is over, by the monotonic clock.
    """
    return _Announced(f"{hold.attempt} {hold.worker} {hold.folder.path}", ends)


def inherited() -> Hold | None:
    """The attempt for which this process was started; None in others, and in the one that evaluates it."""
    return None if _announced else named(os.environ.get(ATTEMPT, ""))


@functools.lru_cache(maxsize=1)
def named(name: str) -> Hold | None:
    """The attempt of this name, a value of the variable; None if it is none.

    The same object for the same name, by which what belongs to it is found again.

    Example:
        >>> hold = named("2 host-1-0a1b /results/config_3")
        >>> hold.attempt, hold.worker, hold.folder.path
        (2, 'host-1-0a1b', '/results/config_3')
    """
    if not (match := _NAME.fullmatch(name)):
        return None
    return Hold(TrialFolder(Layout(match[3]), int(match[4])), int(match[1]), match[2])


def _set() -> None:
    name, ends = (_announced[-1].name, _announced[-1].ends) if _announced else _outer
    if len(_announced) > 1 and any(announced.thread != _announced[0].thread for announced in _announced):
        name = ends = None
    for variable, value in ((ATTEMPT, name), (TRIAL_END_TIME, ends)):
        if value is not None:
            os.environ[variable] = value
        elif variable in os.environ:
            with contextlib.suppress(KeyError):
                del os.environ[variable]


def _after_fork() -> None:
    global _changing  # noqa: PLW0603 - another thread may have held it
    _changing = threading.Lock()
    _announced.clear()


os.register_at_fork(after_in_child=_after_fork)


class _Curve:
    """Appends each report to the attempt's curve at once: nobody says when a child ends, and many do without notice."""

    def __init__(self, hold: Hold) -> None:
        self._hold = hold
        self._file = hold.curve(begun=True)
        self._look_at = 0.0
        self._lost = False
        self._writing = threading.Lock()
        self._unwritten: list[tuple[float, float]] = []

    def __call__(self, step: float, loss: float) -> None:
        check_time()
        with self._writing:
            if self._is_lost():
                return
            self._unwritten.append((step, loss))
            try:
                self._file.append(self._unwritten)
                self._unwritten.clear()
            except OSError as error:
                _logger.debug("Reported losses can't be written: %s. Trying again with the next.", error)

    def _is_lost(self) -> bool:
        if not self._lost and time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + _SECONDS_BETWEEN_LOOKS
            self._lost = self._hold.is_lost()
            if self._lost:
                _logger.warning(
                    "neps.report does nothing any more in process %d: attempt %d of trial %d, for which it was "
                    "started, has ended or was taken over. See %s",
                    os.getpid(),
                    self._hold.attempt,
                    self._hold.folder.number,
                    self._hold.folder.path,
                )
        return self._lost


@functools.lru_cache(maxsize=1)
def _curve(_process: int, hold: Hold) -> Take:
    return _Curve(hold)


def _curve_of_parent() -> Take | None:
    hold = inherited()
    return None if hold is None else _curve(os.getpid(), hold)


reported_elsewhere(_curve_of_parent)


class _Lost:
    """Whether an attempt is lost, by a look each second."""

    def __init__(self, hold: Hold) -> None:
        self._hold, self._lost, self._look_at = hold, False, 0.0

    def __call__(self) -> bool:
        if not self._lost and time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + _SECONDS_BETWEEN_LOOKS
            self._lost = self._hold.is_lost()
        return self._lost


@functools.lru_cache(maxsize=1)
def _stopping(_process: int, hold: Hold) -> Stopping:
    """When this process should stop, by what it can know: the worker's signals are none of that."""
    ends = math.inf
    with contextlib.suppress(KeyError, ValueError):
        ends = float(os.environ[TRIAL_END_TIME]) - time.time() + time.monotonic()
    earlier = HandedBack.before(hold.folder, hold.attempt) if math.isfinite(ends) else HandedBack()
    allowance = Allowance(ends=ends, resumed=earlier.seconds > 0, asks_within=earlier.asks_within)
    return Stopping(lost=_Lost(hold), allowance=allowance, on_short=hold.mark_stopped)


@functools.lru_cache(maxsize=1)
def _trial(process: int, hold: Hold) -> CurrentTrial:
    root, number = hold.folder.directory.parent, hold.folder.number
    try:
        definition = find_definition(str(root))
        committed = TrialFolder(Layout(root, definition.run), number).decision() if definition is not None else None
    except (UnreadableDocumentError, OSError) as error:
        raise DirectoryError(f"trial {number} can't be read: {error}. See {hold.folder.path}") from error
    if committed is None:
        raise DirectoryError(f"trial {number}, for which this process was started, is gone. See {hold.folder.path}")
    decision, _ = committed
    previous = None if decision.previous is None else root / f"config_{decision.previous}"
    return CurrentTrial(
        number=number,
        attempt=hold.attempt,
        seed=decision.seed,
        config=MappingProxyType(dict(decision.config)),
        pipeline_directory=hold.folder.directory,
        previous_pipeline_directory=previous if previous is not None and previous.is_dir() else None,
        when=_stopping(process, hold),
    )


def _trial_of_parent() -> CurrentTrial | None:
    hold = inherited()
    return None if hold is None else _trial(os.getpid(), hold)


def check_time(*, loads: bool = False) -> None:
    """In a process that run_pipeline has started: go on only while the time of the trial isn't over.

    Args:
        loads: whether it is about to begin, rather than to report or to save.

    Raises:
        neps.errors.TimeLimitError: if it is.
    """
    hold = inherited()
    if hold is None or TRIAL_END_TIME not in os.environ:
        return
    stopping = _stopping(os.getpid(), hold)
    if not loads:
        stopping.gets_on()
    if stopping.is_overdue:
        raise TimeLimitError(
            f"max_seconds_per_trial is over for trial {hold.folder.number}, for which this process was started. End it."
        )


trial_elsewhere(_trial_of_parent)
