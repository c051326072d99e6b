"""What PriorBand makes of results: whether to follow the incumbent, and how much of the prior's share it takes over.

NumPy only. `priorband` calls it.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from neps.fidelity import Brackets, FidelityStep
from neps.space import Constant, SearchSpace, Value

if TYPE_CHECKING:
    from neps.history import History
    from neps.trial import Trial

__all__ = ["followed"]

_TOLERANCE = 1e-9

_Values = tuple[Value, ...]
"""Of a configuration, those of the parameters that are searched."""


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
    incumbent = _incumbent(history)
    if incumbent is None or incumbent.fidelity != prior.highest_fidelity:
        return None
    best = _best_of_a_rung(history.brackets, eta)
    if not best or not _has_run(history, budget):
        return None
    values = [tuple(trial.config[name] for name in prior.searched) for trial in (incumbent, *best)]
    return incumbent, _share(prior, values[0], tuple(values[1:]))


def _outside(history: History) -> Iterator[Trial]:
    """The default configuration at the highest fidelity, where that ran before all else."""
    first = history.by_number.get(1)
    if first is not None and first.decision is not None and (first.place is None or first.place.bracket is None):
        yield first


def _incumbent(history: History) -> Trial | None:
    """The best trial of the highest rung, if it has a finite loss."""
    top = history.brackets.highest_rung(1)
    best = history.brackets.best(top, 1) if top is not None else []
    finite = (trial for trial in (*best, *_outside(history)) if math.isfinite(trial.rank_key))
    return min(finite, key=lambda trial: trial.incumbent_key, default=None)


def _has_run(history: History, budget: float) -> bool:
    """Looks at the first brackets alone, as soon as they have run so much."""
    brackets = (history.brackets[number] for number in sorted(history.brackets))
    run = 0.0
    for trial in itertools.chain(_outside(history), itertools.chain.from_iterable(brackets)):
        if trial.ended and (step := FidelityStep.of(trial.decision, history.by_number)) is not None:
            run += max(step.end - step.begin, 0.0)
            if run >= budget * (1 - _TOLERANCE):
                return True
    return False


def _best_of_a_rung(brackets: Brackets, eta: float) -> list[Trial]:
    """The best 1 / eta of the highest rung with eta or more finite losses, in order; none if there is no such rung."""
    rung = brackets.highest_rung(eta)
    return brackets.best(rung, math.floor(brackets.finite(rung) / eta + _TOLERANCE)) if rung is not None else []


@functools.lru_cache(maxsize=16)
def _share(prior: SearchSpace, incumbent: _Values, best: tuple[_Values, ...]) -> float:
    """The share of the prior around the incumbent, from 0 to 1; asked again and again until one of them changes.

    Densities are compared as logarithms, since they may be beyond all floats.
    """
    spaces = (prior, _moved(prior, incumbent))
    configs = [dict(zip(prior.searched, values, strict=True)) for values in best]
    logs = np.array([[space.log_prior(config) for config in configs] for space in spaces])
    scores = np.exp(logs - logs.max()) @ np.arange(len(best), 0, -1, dtype=np.float64)
    return float(scores[1] / scores.sum())


def _moved(prior: SearchSpace, values: _Values) -> SearchSpace:
    """The prior around a configuration: each confidence stays, and is low where there was no default."""
    parameters = dict(prior.parameters)
    for name, value in zip(prior.searched, values, strict=True):
        parameter = parameters[name]
        if not isinstance(parameter, Constant):
            parameters[name] = dataclasses.replace(parameter, default=value)  # type: ignore[arg-type]
    return SearchSpace(parameters)
