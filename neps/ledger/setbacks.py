"""How often a trial has died, or stalled for want of storage, since it last got further. From its files alone.

So all workers agree on when a trial is given up, whoever opens its next attempt.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math

from neps.ledger.documents import UnreadableDocumentError
from neps.ledger.records import End
from neps.ledger.retrying import RETRY
from neps.ledger.trial_folder import TrialFolder

__all__ = ["Setbacks"]


@dataclasses.dataclass(frozen=True, slots=True)
class Setbacks:
    """Attempts that ended without progress, since the last that made some, and since the trial was last retried.

    `deaths`: those that died; `stalls`: those that were left since the storage failed.
    """

    deaths: int = 0
    stalls: int = 0

    @classmethod
    def of(cls, folder: TrialFolder, attempt: int, bearable: int) -> Setbacks:
        """Those of a trial up to an attempt, that one included; more than there are, while fewer than `bearable`.

        Raises:
            OSError: if the filesystem fails, which says nothing.
        """
        most = cls._counted(folder, attempt, set())
        if max(most.deaths, most.stalls) < bearable:  # the usual case: no curve need be read
            return most
        return cls._counted(folder, attempt, set(_advanced(folder, attempt)))

    @classmethod
    def _counted(cls, folder: TrialFolder, last: int, advanced: set[int]) -> Setbacks:
        deaths = stalls = 0
        for attempt in range(1, last + 1):
            if attempt in advanced:
                deaths = stalls = 0
                continue
            with contextlib.suppress(UnreadableDocumentError):
                start, end = folder.start(attempt), folder.end(attempt)
                if start is not None and start.after == RETRY:  # opened by `neps retry`, which evaluates nothing
                    deaths = stalls = 0
                elif end is not None:
                    deaths += end.end is End.DIED
                    stalls += end.needs_bytes is not None
        return cls(deaths, stalls)


def _advanced(folder: TrialFolder, last: int) -> list[int]:
    """The attempts that saved a checkpoint, or reported a step beyond all that were reported before."""
    advanced, furthest = [], -math.inf
    for attempt in range(1, last + 1):
        reached = max(folder.curve(attempt).points(), default=-math.inf)
        if reached > furthest or folder.has_saved(attempt):
            advanced.append(attempt)
        furthest = max(furthest, reached)
    return advanced
