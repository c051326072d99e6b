"""Bayesian optimization with the user's prior, which counts less with each result.

Used through `searcher="pibo"`, and by default where a parameter has a default. The prior as a term of the acquisition
function is in `neps.samplers._model_based.priors`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs

from neps.errors import ArgumentError
from neps.samplers._drawing.initial_design import InitialDesign
from neps.samplers._model_based.model_search import Improvement, ModelSearch
from neps.samplers._model_based.priors import PriorTerm, SobolThenPrior, size_with_prior

if TYPE_CHECKING:
    import numpy as np

    from neps._budget import Budget
    from neps._history import History
    from neps._models.acquisition import LogExpectedImprovement
    from neps._models.terms import LogPrior
    from neps._trial import Trial
    from neps.samplers._model_based.axes import Axes
    from neps.samplers._protocol import Suggestion
    from neps.space import Confidence, SearchSpace

__all__ = ["PiBO"]


def PiBO(
    initial_design_size: int | None = None,
    *,
    sample_default_first: bool = True,
    random_interleave_prob: float = 0.0,
    prior_weight: float = 10.0,
    prior_confidence: Confidence | None = None,
) -> ModelSearch:
    """Maximises expected improvement times π^(r a β / n), where π is the prior and n the number of results.

    As πBO (Hvarfner et al. 2022, equation 6), but for r and a. β is a constant: how long the prior is trusted depends
    on the results that are in, not on a budget that may be raised. Pending trials aren't counted in n, since nothing
    was learnt from them yet; failed ones are. With π^(β / n) alone, a confident prior in the wrong place holds the
    search there for hundreds of evaluations: it may be e^16 times denser there in each dimension. So two factors from 0
    to 1 ask the results:

    - r: does the model still agree? The mean expected improvement over a sample of the prior, relative to that over a
      uniform one. It is 1 for as long as the prior looks where there is most to gain.
    - a: is the best, as the model predicts it, where the prior expects it? The share of a sample of the prior that is
      no more probable under it than the best. It is about 1 near the centre, and falls as soon as something better is
      found outside (Box 1980).

    With both at 1 the method is the paper's. Both need results from elsewhere. So the default configuration is
    evaluated first, and then points of a Sobol sequence, as in `BayesianOptimization`, where the paper samples the
    prior. Samples of the prior are drawn only once the initial design has begun, and its results aren't in.

    In all else it is like `BayesianOptimization`: a failed evaluation counts as the upper quartile, a fidelity is
    fixed at its upper bound, a finite space is searched once.

    Args:
        initial_design_size: how many trials to make before a model is trusted, at least 1. None (the default) means
            half of what `BayesianOptimization` makes, but at least 2.
        sample_default_first: whether the first trial is the default configuration, as part of the initial design.
            Default True.
        random_interleave_prob: the probability, from 0 to 1, that a trial after the initial design is drawn at random
            instead, uniformly, whatever the prior says. Default 0.
        prior_weight: β, above 0: after so many results the prior counts as much as expected improvement does, before
            more, and later less. Default 10, the paper's for budgets of about 100 evaluations.
        prior_confidence: "low", "medium" or "high", for all parameters that have a default, instead of each one's own
            `default_confidence`. None (the default) leaves them their own.

    Raises:
        ArgumentError: if an argument isn't of its kind; from `check`, if no parameter has a default.

    Example:
        >>> PiBO(prior_confidence="high").settings()["prior_confidence"]
        'high'
    """
    prior = PriorTerm(prior_weight, prior_confidence)
    draw = SobolThenPrior(initial_design_size, prior.prior_confidence)
    design = InitialDesign(initial_design_size, sample_default_first, draw, size_with_prior)
    return ModelSearch("PiBO", design, random_interleave_prob, _TimesPrior(prior))


@attrs.frozen
class _TimesPrior(Improvement):
    """Expected improvement times the prior, to a power that falls with each result."""

    prior: PriorTerm

    def check(self, space: SearchSpace) -> None:
        """Refuse a space without a prior."""
        if not space.has_prior:
            raise ArgumentError(
                "pibo needs a prior, but no parameter of the search space has a default. "
                "Give at least one a default, as in Float(0, 1, default=0.3), or use bayesian_optimization."
            )
        self.prior.check(space)

    def settings(self) -> dict[str, Any]:
        """See `Sampler.settings`."""
        return attrs.asdict(self.prior)

    def promising(self, history: History, budget: Budget, generator: np.random.Generator) -> Suggestion:  # noqa: ARG002
        """See `Improvement.promising`."""
        from neps.samplers._model_based.proposal import propose

        return propose(history, generator, self._term)

    def _term(self, axes: Axes, decided: Sequence[Trial], improvement: LogExpectedImprovement) -> LogPrior:
        agreed = self.prior.agreement(axes.space, improvement.incumbent)
        return self.prior.term(axes.space, improvement, sum(trial.ended for trial in decided), share=agreed)
