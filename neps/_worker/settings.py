"""What the user asked of this worker, checked and resolved. Values only."""

from __future__ import annotations

import dataclasses
import enum

from neps._budget import Budget, ExpectedCost
from neps.callbacks import Callback

__all__ = ["Keep", "OnTimeLimit", "Settings"]


class Keep(enum.StrEnum):
    """Which checkpoints stay on the disk beside those that somebody may need."""

    ALL = "all"
    PROMOTABLE = "promotable"
    """Those of trials that reached the highest fidelity, too: they are finished models. And the incumbent's."""
    BEST = "best"
    """The incumbent's alone."""


class OnTimeLimit(enum.StrEnum):
    """What an evaluation comes to whose max_seconds_per_trial is over."""

    FAIL = "fail"
    LAST_REPORT = "last_report"
    """The loss of its last report; a failure where it has none."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The arguments of `neps.run` that are this worker's own: they may differ between workers and restarts."""

    budget: Budget
    max_evaluations_per_run: int | None = None
    max_seconds_per_run: float | None = None
    max_seconds_per_trial: float | None = None
    on_time_limit: OnTimeLimit = OnTimeLimit.FAIL
    wait_for_all: bool = False
    expected_cost: ExpectedCost | None = None
    cost_is_duration: bool = False
    ignore_errors: bool = False
    loss_value_on_error: float | None = None
    cost_value_on_error: float | None = None
    max_attempts: int = 3
    keep_checkpoints: Keep = Keep.ALL
    callbacks: tuple[Callback, ...] = ()

    @property
    def tolerates_errors(self) -> bool:
        """Whether this worker goes on after a failure in its own evaluation."""
        return self.ignore_errors or (self.loss_value_on_error is not None and self.knows_cost_of_failures)

    @property
    def knows_cost_of_failures(self) -> bool:
        """Whether a failed evaluation has a cost to record."""
        return self.cost_is_duration or self.cost_value_on_error is not None
