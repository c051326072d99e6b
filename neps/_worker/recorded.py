"""What is recorded of an evaluation, as the user's settings have it, and what is raised where they don't allow for it.

Values only: `evaluating` calls it between an evaluation and its publication.
"""

from __future__ import annotations

import dataclasses

from neps._evaluation import Evaluated
from neps._ledger.trial_folder import TrialFolder
from neps._outcome import Outcome
from neps._worker.settings import Settings
from neps.errors import EvaluationError, gist

__all__ = ["error_of", "recorded"]


def recorded(outcome: Outcome, settings: Settings, seconds: float) -> Outcome:
    """The outcome with the costs and losses that the user wants recorded.

    Args:
        outcome: what the evaluation came to.
        settings: the user's.
        seconds: how long it took.
    """
    if settings.cost_is_duration:
        outcome = _timed(outcome, seconds)
    loss, cost = settings.loss_value_on_error, settings.cost_value_on_error
    if not outcome.success:
        return dataclasses.replace(
            outcome,
            loss=outcome.loss if loss is None else loss,
            cost=outcome.cost if cost is None else cost,
        )
    return dataclasses.replace(outcome, cost=cost) if _lacks_cost(outcome, settings) else outcome


_LACKS_RANK = "environment variable RANK expected"
_WITHOUT_TORCHRUN = (
    "So init_process_group was called, but torchrun has not started this process: start the script with torchrun, as "
    "docs/distributed.md shows. "
)


def error_of(evaluated: Evaluated, settings: Settings, folder: TrialFolder) -> EvaluationError | None:
    """What this worker raises once the recorded outcome is published; None where the user tolerates it."""
    outcome = evaluated.outcome
    if outcome.success:
        return _missing_cost(outcome, settings, folder) if _lacks_cost(outcome, settings) else None
    tolerated = settings.tolerates_errors or evaluated.out_of_time  # the user has set the limit
    return None if tolerated else _failure(evaluated, folder)


def _timed(outcome: Outcome, seconds: float) -> Outcome:
    """Seconds are the cost; what was returned as one is kept beside."""
    returned = {} if outcome.cost is None else {"cost": outcome.cost}
    return dataclasses.replace(outcome, cost=seconds, info_dict=returned | dict(outcome.info_dict))


def _lacks_cost(outcome: Outcome, settings: Settings) -> bool:
    """Whether a budget needs a cost of a success that returned none."""
    return settings.budget.counting_costs is not None and outcome.lacks_cost


def _missing_cost(outcome: Outcome, settings: Settings, folder: TrialFolder) -> EvaluationError:
    return EvaluationError(
        f"trial {folder.number} returned the loss {outcome.loss:g}, but no cost, which "
        f"{settings.budget.counting_costs} needs. Its loss is kept in {folder.path}, and counts. Start again after "
        'one of these: have run_pipeline return {"loss": …, "cost": …}; pass cost="duration", so that seconds are the '
        "cost; or pass cost_value_on_error=…, the cost to count for this trial."
    )


def _failure(evaluated: Evaluated, folder: TrialFolder) -> EvaluationError:
    root, what = folder.directory.parent, gist(evaluated.outcome.error)
    alone = _WITHOUT_TORCHRUN if _LACKS_RANK in (evaluated.outcome.error or "") else ""
    error = EvaluationError(
        f"trial {folder.number} failed: {what}. {alone}The error is recorded in {folder.path}. Fix it and "
        "start again: the run goes on with the next trial. To try this trial again, run "
        f"`neps retry {root} {folder.number}`. With ignore_errors=True, workers go on after failures by themselves."
    )
    error.__cause__ = evaluated.exception
    return error
