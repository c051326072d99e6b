"""What PriorBand makes of results: whether to follow the incumbent, and how much of the prior's share it takes over.

NumPy only. `priorband` calls it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from neps.fidelity import FidelityStep
from neps.space import Constant, SearchSpace, Value

if TYPE_CHECKING:
    from neps.history import History
    from neps.trial import Trial

__all__ = ["followed"]

_TOLERANCE = 1e-9


def followed(history: History, prior: SearchSpace, eta: float, budget: float) -> tuple[Trial, float] | None:
    """The incumbent, and its share, from 0 to 1, of what is not drawn uniformly: the rest is the prior's.

    The best 1 / eta of the highest rung in which eta or more have a finite loss are evidence for both: each has a
    density under the prior, and one under the prior that is moved to the incumbent, its defaults replaced by the
    incumbent's values. The shares are in proportion of the sums of these, weighted by rank: k for the best of k, 1 for
    the last (Mallik et al. 2023, "PriorBand", section 5).

    Args:
        history: what is known.
        prior: the search space, with the confidences that count.
        eta: above 1.
        budget: how much fidelity must have been run before, by trials that have ended; from k to m counts m - k.

    Returns:
        None as long as less was run, no trial at the highest fidelity has a finite loss, or no rung has so many.
    """
    incumbent = history.best
    if incumbent is None or not math.isfinite(incumbent.rank_key) or incumbent.fidelity != prior.highest_fidelity:
        return None
    best = _best_of_a_rung(history.trials, eta)
    if not best or not _has_run(history, budget):
        return None
    return incumbent, _share(best, prior, _moved(prior, incumbent.config))


def _has_run(history: History, budget: float) -> bool:
    run = 0.0
    for trial in history.trials:
        if trial.ended and (step := FidelityStep.of(trial.decision, history.by_number)) is not None:
            run += max(step.end - step.begin, 0.0)
            if run >= budget * (1 - _TOLERANCE):
                return True
    return False


def _best_of_a_rung(trials: Iterable[Trial], eta: float) -> list[Trial]:
    """The best 1 / eta of the highest rung with eta or more finite losses, in order; none if there is no such rung."""
    rungs: dict[int, list[Trial]] = {}
    for trial in trials:
        if trial.decision is not None and trial.decision.rung is not None and math.isfinite(trial.rank_key):
            rungs.setdefault(trial.decision.rung, []).append(trial)
    full = [rung for rung, members in rungs.items() if len(members) >= eta]
    members = sorted(rungs[max(full)], key=lambda trial: (trial.rank_key, trial.number)) if full else []
    return members[: math.floor(len(members) / eta + _TOLERANCE)]


def _moved(prior: SearchSpace, config: Mapping[str, Value]) -> SearchSpace:
    """The prior around a configuration: each confidence stays, and is low where there was no default."""
    parameters = dict(prior.parameters)
    for name in prior.searched:
        parameter = parameters[name]
        if not isinstance(parameter, Constant):
            parameters[name] = dataclasses.replace(parameter, default=config[name])  # type: ignore[arg-type]
    return SearchSpace(parameters)


def _share(best: Sequence[Trial], prior: SearchSpace, around: SearchSpace) -> float:
    """The share of `around`, from 0 to 1; densities are compared as logarithms, since they may be beyond all floats."""
    logs = np.array([[space.log_prior(trial.config) for trial in best] for space in (prior, around)])
    scores = np.exp(logs - logs.max()) @ np.arange(len(best), 0, -1, dtype=np.float64)
    return float(scores[1] / scores.sum())
