"""Bayesian optimization: a few Sobol points, then what a Gaussian process expects to improve most.

Used through `searcher="bayesian_optimization"`, and by default. The model-based step is in `model_based.proposal`,
which needs scipy and is imported when the first model is fitted.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar

from neps.samplers.drawing.initial_design import InitialDesign, interleaved
from neps.samplers.protocol import Done, Sampler, Suggestion
from neps.samplers.settings import probability

if TYPE_CHECKING:
    import numpy as np

    from neps.budget import Budget
    from neps.history import History
    from neps.space import SearchSpace

__all__ = ["BayesianOptimization"]


@dataclasses.dataclass(frozen=True, slots=True)
class BayesianOptimization(Sampler):
    """Minimises with a Gaussian process and log expected improvement; pending trials count at their predicted loss.

    Of the model's standard deviation 0.3 counts in expected improvement, which makes for better short runs; or all of
    it, where there are categories: an untried one has no neighbours to be judged by.
    It begins with points of a scrambled Sobol sequence, and goes on with them while fewer results are in than the
    initial design has trials. A failed evaluation, or a loss that isn't finite, counts as the worst loss seen. In a
    finite space no configuration is suggested twice, and the search is done when all are claimed. Priors are
    ignored: a default is only looked at with `sample_default_first`, and pibo is what uses them. A fidelity is fixed at
    its upper bound.

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

    bears_old_view: ClassVar[bool] = True

    initial_design_size: int | None = None
    sample_default_first: bool = False
    random_interleave_prob: float = 0.0

    def __post_init__(self) -> None:
        """Check the settings."""
        object.__setattr__(self, "initial_design_size", self._design().size)
        interleave = probability("random_interleave_prob", self.random_interleave_prob)
        object.__setattr__(self, "random_interleave_prob", interleave)

    def check(self, space: SearchSpace) -> None:
        """Refuse `sample_default_first` where there is no default."""
        self._design().check(space)

    def settings(self) -> dict[str, Any]:
        """See `Sampler.settings`; an `initial_design_size` of None stays None, and follows the space.

        The budget is none of them.
        """
        return dataclasses.asdict(self)

    def decide(
        self, history: History, number: int, budget: Budget, generator: np.random.Generator
    ) -> Suggestion | Done:
        """A point of the initial design, now and then a random one, or the most promising configuration."""
        first = self._design().decide(history, number, generator)
        drawn = first or interleaved(history, self.random_interleave_prob, generator)
        return drawn or self._from_model(history, budget, generator)

    def _design(self) -> InitialDesign:
        return InitialDesign(self.initial_design_size, self.sample_default_first)

    def _from_model(self, history: History, budget: Budget, generator: np.random.Generator) -> Suggestion:  # noqa: ARG002
        from neps.samplers.model_based.proposal import propose

        return propose(history, generator)
