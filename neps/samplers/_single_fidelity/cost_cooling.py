"""Bayesian optimization that looks for cheap configurations first, and for good ones at any cost in the end.

Used through `searcher="cost_cooling"`, which needs `max_cost_total`. The model-based step is in
`neps.samplers._model_based.proposal`, the cost as a term of it in `neps._models.terms`.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

import attrs
import numpy as np

from neps._budget import Spending
from neps.samplers._drawing.initial_design import InitialDesign, is_initial
from neps.samplers._model_based.model_search import Improvement, ModelSearch

if TYPE_CHECKING:
    from neps._budget import Budget
    from neps._history import History
    from neps._models.terms import PredictedMean
    from neps._trial import Trial
    from neps.samplers._model_based.axes import Axes
    from neps.samplers._protocol import Suggestion

__all__ = ["CostCooling"]

_LEARNT_FROM = 100


def CostCooling(
    initial_design_size: int | None = None, *, sample_default_first: bool = False, random_interleave_prob: float = 0.0
) -> ModelSearch:
    """Maximises expected improvement per cost^α, where α falls from 1 to 0 (EI-cool of Lee et al. 2020).

    With the whole budget left, an improvement that costs half is as good as one twice as large; as the budget is used
    up, costs matter less, so that the search ends at the best configurations, however expensive. With T for
    `max_cost_total`, α = (T - what was spent) / (T - what the initial design has spent), within 0 and 1; running
    trials count at their expected cost, since that will be spent whatever is decided next. T is that of the call of
    `neps.run` that decides: a budget that is raised makes costs matter again.

    What a configuration costs is predicted by a second Gaussian process, of the logarithm of the costs of evaluations
    that succeeded and count (`account_for_cost`); past 100 of them, of 100 that are spread evenly. What a failed one
    cost says nothing of its configuration. A cost of 0 counts as the lowest cost above 0 that was seen. While no cost
    is known, this is Bayesian optimization. In all else it is like `BayesianOptimization`: priors are ignored, a
    fidelity is fixed at its upper bound, a finite space is searched once.

    Args:
        initial_design_size: how many trials to make before a model is trusted, at least 1. None (the default) means one
            more than the space has dimensions, but 8 at most.
        sample_default_first: whether the first trial is the default configuration, as part of the initial design.
            Default False.
        random_interleave_prob: the probability, from 0 to 1, that a trial after the initial design is drawn at random
            instead, uniformly. Default 0.

    Raises:
        ArgumentError: if an argument isn't of its kind; from `check`, if `sample_default_first` is True and no
            parameter has a default; from `neps.run`, if it is called without `max_cost_total`.

    Example:
        >>> CostCooling(initial_design_size=8).settings()
        {'initial_design_size': 8, 'sample_default_first': False, 'random_interleave_prob': 0.0}
    """
    design = InitialDesign(initial_design_size, sample_default_first, goes_on_while_equal=True)
    return ModelSearch("CostCooling", design, random_interleave_prob, _PerCost())


@attrs.frozen
class _PerCost(Improvement):
    """Expected improvement per cost, to a power that falls as the budget is used up."""

    needs_max_cost_total: ClassVar[bool] = True

    def promising(self, history: History, budget: Budget, generator: np.random.Generator) -> Suggestion:
        """See `Improvement.promising`."""
        from neps.samplers._model_based.proposal import propose

        exponent = _cooled(history, budget)
        known = [trial for trial in history.trials if _is_measured(trial)]
        tells = exponent > 0.0 and any(trial.cost for trial in known)
        term = functools.partial(_log_cost, known, -exponent) if tells else None
        # A cheap optimum may be predicted better than what costs more: the whole uncertainty counts against that.
        found = propose(history, generator, term, exploration=1.0 if tells else None)
        return dataclasses.replace(found, metadata={**found.metadata, "cost_exponent": exponent})


def _cooled(history: History, budget: Budget) -> float:
    """α, from 1 after the initial design to 0 when the budget is spent; 1 without a budget, which is never spent."""
    total = budget.max_cost_total
    if total is None:
        return 1.0
    left = total - _spent(history.trials, budget)
    at_first = total - _spent(filter(is_initial, history.trials), budget)
    return min(max(left / at_first, 0.0), 1.0) if at_first > 0.0 else 0.0


def _spent(trials: Iterable[Trial], budget: Budget) -> float:
    """What these trials have cost, and what those that run are expected to."""
    spending, running = Spending(budget.cost_if_missing), []
    for trial in trials:
        spending.seen(trial)
        if not trial.ended and trial.decision is not None:
            running.append(trial.decision)
    return spending.total_with(running)


def _log_cost(known: Sequence[Trial], weight: float, axes: Axes, *_: object) -> PredictedMean:
    """The logarithm of the cost, but for a constant, times `weight`, as a term; one cost must be above 0."""
    from neps._models.fitting import fit
    from neps._models.terms import PredictedMean

    costs = np.array([trial.cost or 0.0 for trial in known])
    part = np.linspace(0, len(known) - 1, min(len(known), _LEARNT_FROM)).astype(np.intp)
    logarithms = np.log(np.maximum(costs, costs[costs > 0.0].min()))[part]
    centred = logarithms - logarithms.mean()
    scale = float(centred.std()) or 1.0
    points = axes.encode(known[index].config for index in part)
    return PredictedMean(fit(points, centred / scale, axes.choices), weight * scale)


def _is_measured(trial: Trial) -> bool:
    """Whether it is known what evaluating its configuration costs, when nothing fails."""
    outcome = trial.outcome if trial.decision is not None else None
    if outcome is None or outcome.cost is None or not math.isfinite(outcome.cost):
        return False
    return outcome.success and outcome.account_for_cost
