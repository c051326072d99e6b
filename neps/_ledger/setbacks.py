"""How often a trial has died, or stalled for want of storage or time, since it last got further. From its files alone.

So all workers agree on when a trial is given up, whoever opens its next attempt.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math

from neps._ledger.documents import UnreadableDocumentError
from neps._ledger.records import AttemptEnd, End
from neps._ledger.retrying import RETRY
from neps._ledger.trial_folder import TrialFolder

__all__ = ["Setbacks"]

_FOR_CHECKPOINTS = 10
"""A checkpoint alone is progress for so many times as many attempts: who always dies in one place may save new ones."""


@dataclasses.dataclass(frozen=True, slots=True)
class Setbacks:
    """Attempts that ended without progress, since the last that made some, and since the trial was last retried.

    `deaths`: those that died; `stalls`: those that were left since the storage failed. `unreported_deaths` and
    `unreported_stalls`: the same since the last progress that a report shows, whatever was saved. `short_jobs`: those
    that were left since their jobs were too short for any progress.
    """

    deaths: int = 0
    stalls: int = 0
    unreported_deaths: int = 0
    unreported_stalls: int = 0
    short_jobs: int = 0

    def died_too_often(self, most: int) -> bool:
        """Whether a trial that may die `most` times is to be given up."""
        return self.deaths >= most or self.unreported_deaths >= _FOR_CHECKPOINTS * most

    def stalled_too_often(self, most: int) -> bool:
        """The same for storage that failed."""
        return self.stalls >= most or self.unreported_stalls >= _FOR_CHECKPOINTS * most

    def one_more_stall(self) -> Setbacks:
        """With an attempt that is about to be left so."""
        stalls, unreported = self.stalls + 1, self.unreported_stalls + 1
        return dataclasses.replace(self, stalls=stalls, unreported_stalls=unreported)

    @classmethod
    def of(cls, folder: TrialFolder, attempt: int, bearable: int) -> Setbacks:
        """Those of a trial up to an attempt, that one included; more than there are, while fewer than `bearable`.

        Raises:
            OSError: if the filesystem fails, which says nothing.
        """
        most = cls._counted(folder, attempt, set(), set())
        if max(most.deaths, most.stalls, most.short_jobs) < bearable:  # the usual case: no curve need be read
            return most
        return cls._counted(folder, attempt, *_advanced(folder, attempt))

    @staticmethod
    def advanced(folder: TrialFolder, attempt: int) -> bool:
        """Whether an attempt, the last one, has made progress.

        Raises:
            OSError: if the filesystem fails, which says nothing.
        """
        return any(attempt in advanced for advanced in _advanced(folder, attempt))

    @classmethod
    def _counted(cls, folder: TrialFolder, last: int, saved: set[int], reported: set[int]) -> Setbacks:
        found = cls()
        for attempt in range(1, last + 1):
            if attempt in reported:
                found = cls()
                continue
            if attempt in saved:
                found = dataclasses.replace(found, deaths=0, stalls=0, short_jobs=0)
            with contextlib.suppress(UnreadableDocumentError):
                start, end = folder.start(attempt), folder.end(attempt)
                if start is not None and start.after == RETRY:  # opened by `neps retry`, which evaluates nothing
                    found = cls()
                elif end is not None:
                    found = found._with(end, advanced=attempt in saved)
        return found

    def _with(self, end: AttemptEnd, *, advanced: bool) -> Setbacks:
        died, stalled = end.end is End.DIED, end.needs_bytes is not None
        return Setbacks(
            self.deaths + (died and not advanced),
            self.stalls + (stalled and not advanced),
            self.unreported_deaths + died,
            self.unreported_stalls + stalled,
            self.short_jobs + end.job_too_short,
        )


def _advanced(folder: TrialFolder, last: int) -> tuple[set[int], set[int]]:
    """The attempts that saved a checkpoint, and those that reported a step beyond all that were reported before."""
    saved, reported, furthest = set(), set(), -math.inf
    for attempt in range(1, last + 1):
        reached = max(folder.curve(attempt).points(), default=-math.inf)
        if reached > furthest:
            reported.add(attempt)
        if folder.has_saved(attempt):
            saved.add(attempt)
        furthest = max(furthest, reached)
    return saved, reported
