"""What a worker may do next: evaluate a trial that it holds, pause, or leave."""

from __future__ import annotations

import dataclasses

from neps._evaluation import Cut
from neps._ledger.claims import Claim

__all__ = ["Leave", "Pause", "Step"]


@dataclasses.dataclass(frozen=True, slots=True)
class Pause:
    """Nothing to do for now. `reason` completes "waiting for …"; `brief` where it is a matter of milliseconds."""

    reason: str
    brief: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Leave:
    """Nothing left to claim. `reason` says why. `at_once`: nothing else is worth waiting for, either.

    `cut_short_by`: what keeps this worker from doing what is left; None where nothing is, or its share is done.
    """

    reason: str
    at_once: bool = False
    cut_short_by: Cut | None = None


Step = Claim | Pause | Leave
