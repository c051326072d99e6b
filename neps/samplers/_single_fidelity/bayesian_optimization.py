"""Bayesian optimization: a few Sobol points, then what a Gaussian process expects to improve most.

Used through `searcher="bayesian_optimization"`, and by default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from neps.samplers._drawing.initial_design import InitialDesign
from neps.samplers._model_based.model_search import Improvement, ModelSearch

if TYPE_CHECKING:
    import numpy as np

    from neps._budget import Budget
    from neps._history import History
    from neps.samplers._protocol import Suggestion

__all__ = ["BayesianOptimization"]


def BayesianOptimization(
    initial_design_size: int | None = None, *, sample_default_first: bool = False, random_interleave_prob: float = 0.0
) -> ModelSearch:
    """Minimises with a Gaussian process and log expected improvement; pending trials count at their predicted loss.

    Of the model's standard deviation 0.3 counts in expected improvement, which makes for better short runs; 0.6 where
    there are conditions; or all of it, where there are categories: an untried one has no neighbours to be judged by.
    It begins with points of a scrambled Sobol sequence, and goes on with them while fewer results are in than the
    initial design has trials, or no two losses differ. A loss that isn't finite counts as the worst loss seen, and a
    failed evaluation as the upper quartile: it may have failed by chance. In a finite space no configuration is
    suggested twice, and the search is done when all are claimed. Priors are ignored: a default is only looked at with
    `sample_default_first`, and pibo is what uses them. A fidelity is fixed at its upper bound.

    Args:
        initial_design_size: how many trials to make before a model is trusted, at least 1. None (the default) means one
            more than the space has dimensions, but 8 at most: the model's prior is good enough to learn from few
            trials, and a short run should profit from it.
        sample_default_first: whether the first trial is the default configuration, as part of the initial design.
            Default False.
        random_interleave_prob: the probability, from 0 to 1, that a trial after the initial design is drawn at random
            instead, uniformly. Default 0.

    Raises:
        ArgumentError: if an argument isn't of its kind; from `check`, if `sample_default_first` is True and no
            parameter has a default.

    Example:
        >>> BayesianOptimization(initial_design_size=8).settings()
        {'initial_design_size': 8, 'sample_default_first': False, 'random_interleave_prob': 0.0}
    """
    design = InitialDesign(initial_design_size, sample_default_first, goes_on_while_equal=True)
    return ModelSearch("BayesianOptimization", design, random_interleave_prob, _Expected())


@attrs.frozen
class _Expected(Improvement):
    """Expected improvement by itself."""

    def promising(self, history: History, budget: Budget, generator: np.random.Generator) -> Suggestion:  # noqa: ARG002
        """See `Improvement.promising`."""
        from neps.samplers._model_based.proposal import propose

        return propose(history, generator)
