"""Processes that run_pipeline starts, such as the ranks of torchrun: they report, and save, for its evaluation.

While an attempt is evaluated, its worker has its name in the environment, which children inherit. They look themselves
whether it is still the open one. `neps.report` and `neps.checkpoint` act through here; docs/format.md specifies the
variable.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import re
import threading
import time
from contextlib import AbstractContextManager

from neps._evaluation import report
from neps._evaluation.reporting import Take, reported_elsewhere
from neps._ledger.claims import Hold
from neps._ledger.layout import Layout
from neps._ledger.trial_folder import TrialFolder

__all__ = ["ATTEMPT", "announced", "inherited", "named", "report"]

ATTEMPT = "NEPS_ATTEMPT"
"""The environment variable: `K WORKER FOLDER`."""

_logger = logging.getLogger("neps.evaluation")
_NAME = re.compile(r"([1-9][0-9]{0,8}) (\S+) (/.*)/config_([1-9][0-9]{0,17})", re.DOTALL)
_SECONDS_BETWEEN_LOOKS = 1.0


class _Announced:
    """While it lasts, the variable has this name; a class of its own, since each trial pays for it."""

    __slots__ = ("name", "thread")

    def __init__(self, name: str) -> None:
        self.name, self.thread = name, threading.get_ident()

    def __enter__(self) -> None:
        with _changing:
            if not _announced:
                _outer[:] = [os.environ.get(ATTEMPT)]
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


def announced(hold: Hold) -> AbstractContextManager[None]:
    """While this lasts, processes that are started belong to the attempt; afterwards the variable is as it was before.

    Where several threads evaluate at once nobody can tell whose a process is: then it is nobody's.
    """
    return _Announced(f"{hold.attempt} {hold.worker} {hold.folder.path}")


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
    name = _announced[-1].name if _announced else _outer[0]
    if len(_announced) > 1 and any(announced.thread != _announced[0].thread for announced in _announced):
        name = None
    if name is None:
        with contextlib.suppress(KeyError):
            del os.environ[ATTEMPT]
    else:
        os.environ[ATTEMPT] = name


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
