"""Whether what is left of the job's walltime suffices for another evaluation, by what others like it have taken.

`Claims` and the loop ask before they begin one. What an evaluation that runs does about it is in `neps._evaluation`.
"""

from __future__ import annotations

import sys
from fractions import Fraction

from neps._budget import KnownCosts
from neps._evaluation.walltime import Walltime
from neps._fidelity import FidelityStep
from neps._trial import Decision, Trial

__all__ = ["TimeLeft"]


class TimeLeft:
    """What one worker knows of it. Call `seen` for each trial that becomes known, and again when it has a result.

    An evaluation is begun all the same

    - if it is this worker's first: else a job that is hardly longer than a trial would never begin one, and neither
      would the next job;
    - if it takes longer than the whole job: such trials go on from checkpoints, in one job after the other;
    - while nobody knows how long one takes.

    Args:
        walltime: the job's.
        most: max_seconds_per_trial, None without.
    """

    def __init__(self, walltime: Walltime, most: float | None = None) -> None:
        self._walltime = walltime
        self._trials: dict[int, Trial] = {}
        self._uncounted: dict[int, Trial] = {}
        self._most = sys.float_info.max if most is None else most
        self._durations = KnownCosts()
        self._passed: set[int] = set()  # counted, or never to be
        self.begun = False
        """Whether this worker has begun an evaluation."""
        self.is_first = False
        """Whether the last one that it has begun was its first."""

    def seen(self, trial: Trial) -> None:
        """A trial is known, or stands differently now."""
        self._trials[trial.number] = self._uncounted[trial.number] = trial
        if trial.awaits_tell:  # how long its job takes, says nothing of how long run_pipeline does
            self._passed.add(trial.number)

    def gone(self, number: int) -> None:
        """The folder of a trial was removed: how long it took is as true as before."""

    def begin(self) -> None:
        """An evaluation begins."""
        self.begun, self.is_first = True, not self.begun

    def lacks(self, decision: Decision) -> str | None:
        """Why an evaluation of this isn't begun, for all that is left; None if it may be."""
        if not self.begun or self._walltime.known is None:
            return None
        self._count()
        expected = self._durations.expected(FidelityStep.of(decision, self._trials))
        if expected is None or self._walltime.known >= expected or expected > self._walltime.whole:
            return None
        left = self._walltime.latest()  # it may have been given more time
        if left is None or left >= expected:
            return None
        return (
            f"{max(0.0, left):.0f} s of the job's walltime are left, and a trial like the next one takes "
            f"{float(expected):.0f} s on average"
        )

    def _count(self) -> None:
        """Look at what was seen since the last time: where no end of the job is known, that is never needed."""
        for number, trial in self._uncounted.items():
            if trial.duration is not None and trial.succeeded and number not in self._passed:
                self._passed.add(number)
                seconds = Fraction(min(max(trial.duration, 0.0), self._most))
                self._durations.add(FidelityStep.of(trial.decision, self._trials), seconds)
        self._uncounted.clear()
