"""What a worker may do next: evaluate a trial that it holds, pause, or leave."""

from __future__ import annotations

import dataclasses

from neps.ledger.standing import Standing
from neps.ledger.trial_folder import TrialFolder

__all__ = ["Held", "Leave", "Pause", "Step"]


@dataclasses.dataclass(frozen=True, slots=True)
class Held:
    """A trial whose last attempt this worker has opened."""

    folder: TrialFolder
    standing: Standing


@dataclasses.dataclass(frozen=True, slots=True)
class Pause:
    """Nothing to do for now. `reason` completes "waiting for …"; `brief` where it is a matter of milliseconds."""

    reason: str
    brief: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Leave:
    """Nothing left to claim. `reason` says why."""

    reason: str


Step = Held | Pause | Leave
