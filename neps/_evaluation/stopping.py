"""When one evaluation should stop, and whether it was told: behind `should_stop`, signals, and the limit of its time.

`Signals` asks it how long to wait before the first one interrupts, `Fence` whether the time is over, and `evaluate`
whether what run_pipeline returns is a result. Whoever evaluates makes one for each evaluation.
"""

from __future__ import annotations

import dataclasses
import math
import os
import signal
import time
from collections.abc import Callable
from typing import Literal

from neps._evaluation.current import MARGIN, Cut
from neps._evaluation.walltime import WALLTIME, Walltime

__all__ = ["UNLIMITED", "Allowance", "RanOut", "Stopping", "WalltimeOver"]

_PATIENCE = 20.0
"""SLURM kills 30 s after SIGTERM, and handing the trial back takes some time, too."""
_BEFORE_THE_END = 30.0
_IMPATIENT = (signal.SIGTERM, signal.SIGINT)
"""Those after which little time is left, or somebody waits; others are sent a while before the end."""


class WalltimeOver(Exception):  # noqa: N818 - what an evaluation ended by, which is no error
    """Stands for what ended an evaluation whose run_pipeline was told that the walltime of its job is nearly over."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """How much of max_seconds_per_trial an evaluation has that begins now; all moments by the monotonic clock.

    `seconds`: the limit. `ends`: when it is over for this trial, at the earliest now. `latest`: until when it may go on
    beyond that which has not shown yet how often it asks. `resumed`: whether earlier attempts have used some of it, so
    that it may be over before run_pipeline can ask. `asks_within`: in how many seconds it asked and had returned then.
    """

    seconds: float = math.inf
    ends: float = math.inf
    latest: float = math.inf
    resumed: bool = False
    asks_within: float | None = None


UNLIMITED = Allowance()


@dataclasses.dataclass(frozen=True, slots=True)
class RanOut:
    """An evaluation was told that the walltime is short, by `margin`; it `had` so many seconds of it when it began."""

    had: float
    margin: float


class Stopping:
    """When an evaluation, which begins now, should stop.

    Args:
        signalled: whether a signal asks this worker to end.
        lost: whether the attempt is another's by now.
        allowance: the time that its trial has.
        walltime: that of the job.
        on_short: called once where it says that the walltime is short, with the margin; with None for a run inside.
    """

    def __init__(
        self,
        signalled: Callable[[], bool] = lambda: False,
        lost: Callable[[], bool] = lambda: False,
        *,
        allowance: Allowance = UNLIMITED,
        walltime: Walltime = WALLTIME,
        on_short: Callable[[float | None], object] = lambda _: None,
    ) -> None:
        self.leaving = False
        """Whether it was told to stop, and what it returns is no result."""
        self.by: Literal["walltime", "stop"] = "walltime"
        """For what, where neither a signal nor `neps stop` has come to this worker, and it still holds the attempt."""
        self.ran_out: RanOut | None = None
        """Whether it was told so here since the walltime of the job is short."""
        self.agree: Callable[[bool], bool] = lambda told: told
        """Called with each answer of `should_stop`, for the one that several processes give."""
        self.limit = allowance.seconds
        """max_seconds_per_trial."""
        self.ends = allowance.ends
        """When the time of the trial is over, by the monotonic clock."""
        self.resumed = allowance.resumed
        """Whether earlier attempts have used some of it."""
        self._allowance = allowance
        self._signalled, self._lost, self._on_short = signalled, lost, on_short
        self._walltime = walltime
        self._process = os.getpid()
        self._asks = self._told = False
        self._began = self._asked_at = time.monotonic()
        self._had = walltime.known
        self._longest, self._margin, self._calls = 0.0, MARGIN, 0
        self._first_sign = math.inf

    # For run_pipeline

    def seconds_left(self) -> float | None:
        """Until the job or the time of the trial ends."""
        left = self._walltime.left()
        if math.isinf(self.ends):
            return left
        of_trial = self.ends - time.monotonic()
        return of_trial if left is None else min(left, of_trial)

    def should_stop(self, margin: float) -> bool:
        """Whether to save and return, which takes `margin` seconds. Once True, it stays so."""
        now = time.monotonic()
        gap, self._asked_at = now - self._asked_at, now
        self._longest = gap if self._calls < 2 else max(self._longest, gap)  # noqa: PLR2004 - before the first, it set up
        self._calls += 1
        self._margin, self._asks = margin, True
        if not self.leaving and self._must_leave():
            self.leaving = self._told = True
        elif now >= self.ends:
            self._told = True
        return self.agree(self._told)

    def _must_leave(self) -> bool:
        if self._signalled() or self._lost():
            return True
        left = self._walltime.left()
        if left is None or left > self._needed:
            return False
        self.ran_out = self.out_of_walltime(self._margin)
        self._on_short(self._margin)
        return True

    @property
    def _needed(self) -> float:
        """Seconds from when it should stop until it has returned: it asks, and then it saves."""
        return self._longest + self._margin

    def cut_short(self, by: Cut) -> None:
        """A run inside of it has left before it was done: so what it comes to is no result, either."""
        self.leaving = self._told = True
        self.by = "stop" if by == "stop" else "walltime"
        if by == "walltime":
            self._on_short(None)

    # For who evaluates

    def patience(self, signum: int) -> float:
        """For how many seconds a signal may wait before it interrupts: not at all where nobody asks. In its handler."""
        if not self._asks or self._process != os.getpid():
            return 0.0
        left = self._walltime.known
        if signum in _IMPATIENT or left is None:
            return _PATIENCE
        return max(_PATIENCE, min(self._needed, left - _BEFORE_THE_END))

    def out_of_walltime(self, margin: float) -> RanOut:
        """It was told so now, by this margin."""
        left = self._walltime.known or 0.0
        return RanOut(left + time.monotonic() - self._began if self._had is None else self._had, margin)

    @property
    def is_over(self) -> bool:
        """Whether the time of the trial is over."""
        return time.monotonic() >= self.ends

    def gets_on(self) -> None:
        """It reports or saves: who asks at all, does so soon."""
        self._first_sign = min(self._first_sign, time.monotonic())

    @property
    def asks_within(self) -> float | None:
        """In how many seconds it asks again and has returned, as far as it has shown that."""
        return round(self._needed, 3) if self._calls > 1 else None

    @property
    def is_overdue(self) -> bool:
        """Whether it has gone on beyond that: who asks, or may do so, first has the time to ask, save and return."""
        now = time.monotonic()
        return now >= self.ends and now >= self._due

    @property
    def _due(self) -> float:
        known, needed = self._allowance.asks_within, self._needed if self._asks else 0.0
        if self._calls > 1:
            return self.ends + needed
        if known is not None:
            return self.ends + max(known, needed)
        if not (self._asks or self._allowance.resumed):
            return self.ends
        return max(self.ends + needed, min(self._first_sign + self._margin, self._allowance.latest))
