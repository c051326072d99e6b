"""The user's prior as a model-based sampler needs it: as a term of an acquisition function, and how far to trust it.

NumPy only, but for `log_prior`. The mathematics of priors is in `neps.space._prior`; `pibo` calls this.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING

import attrs
import numpy as np

from neps.samplers import _settings as settings
from neps.samplers._drawing.initial_design import sobol_point, usual_size
from neps.samplers._drawing.sequences import SobolSequence
from neps.samplers._model_based.axes import axes_of
from neps.space import SearchSpace
from neps.space._prior import TruncatedNormal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from neps._history import History
    from neps._models.acquisition import Acquisition
    from neps._models.terms import LogPrior
    from neps._trial import Value
    from neps.space import Confidence, Parameter

    _Array = NDArray[np.float64]

__all__ = ["PriorTerm", "SobolThenPrior", "agreement", "log_prior", "promise", "size_with_prior", "with_confidence"]

_POINTS = 256


@functools.lru_cache(maxsize=16)
def with_confidence(space: SearchSpace, confidence: Confidence | None) -> SearchSpace:
    """The space with this confidence in each of its defaults; None leaves them their own."""
    if confidence is None:
        return space
    parameters = {name: _confident(parameter, confidence) for name, parameter in space.parameters.items()}
    return SearchSpace(parameters, space.forbid)


def _confident(parameter: Parameter, confidence: Confidence) -> Parameter:
    return parameter if parameter.default is None else parameter.with_prior(default_confidence=confidence)


def size_with_prior(space: SearchSpace) -> int:
    """How many trials an initial design has where a user doesn't say: half as many as without a prior, but at least 2.

    The default, and something to doubt the prior by; what is spent here isn't spent near the default.
    """
    return max((usual_size(space) + 1) // 2, 2)


@attrs.frozen
class SobolThenPrior:
    """What an initial design evaluates: as many Sobol points as it has trials, and then samples of the prior.

    A model that has only seen where the prior looks can't doubt it. What begins beyond the design's size, since other
    workers still run it, tells the model nothing more that it needs, so it is where the user expects good values.

    Args:
        size: `initial_design_size`; see `InitialDesign`.
        confidence: of all defaults; None leaves them their own.
    """

    size: int | None
    confidence: Confidence | None

    def __call__(self, history: History, number: int, generator: np.random.Generator) -> dict[str, Value]:
        """One."""
        if number <= (self.size or size_with_prior(history.space)):
            return sobol_point(history, number, generator)
        return with_confidence(history.space, self.confidence).sample_prior(generator)


def log_prior(space: SearchSpace, weight: float) -> LogPrior:
    """The prior of a space as a term, relative to uniform on the unit cube.

    It is that of `SearchSpace.log_prior`, but that a value in a row has the density of the normal at the middle of its
    bin, not the mean over the bin: a smooth function that can be climbed, and differs little, as bins are narrow. And
    what is inactive counts as it does on average where it is active.
    """
    from neps._models.terms import LogPrior

    centres, precisions = np.zeros((2, space.dimensions))
    tables, highest = {}, 0.0
    for j, parameter in enumerate(space.parameters[name] for name in space.searched):
        prior = parameter.prior
        if prior is None or parameter.count == 1:
            continue
        if isinstance(prior, TruncatedNormal):
            centres[j], precisions[j] = prior.mean, prior.deviation**-2
            highest += prior.log_density(prior.mean, prior.mean)
        else:
            values = parameter.every_value(parameter.categories) or ()
            tables[j] = np.array([parameter.log_density(value) for value in values])
    return LogPrior(centres, precisions, tables, weight, highest)


@attrs.frozen
class PriorTerm:
    """How the prior counts beside expected improvement: as π^(r^`doubt` · `share` · β / `spent`), r of `promise`.

    Args:
        prior_weight: β, above 0.
        prior_confidence: of all defaults; None leaves them their own.
    """

    prior_weight: float = attrs.field(converter=settings.prior_weight)
    prior_confidence: Confidence | None = attrs.field(converter=settings.prior_confidence)

    def check(self, space: SearchSpace) -> None:
        """Refuse a confidence with which nearly all that the prior draws is forbidden."""
        with_confidence(space, self.prior_confidence)

    def term(
        self, space: SearchSpace, improvement: Acquisition, spent: float, *, doubt: float = 1.0, share: float = 1.0
    ) -> LogPrior:
        """What is added to log expected improvement, when so much is spent."""
        prior = with_confidence(space, self.prior_confidence)
        return log_prior(prior, promise(prior, improvement) ** doubt * share * self.prior_weight / spent)

    def agreement(self, space: SearchSpace, incumbent: _Array) -> float:
        """See `agreement`: with the confidence that counts."""
        return agreement(with_confidence(space, self.prior_confidence), incumbent)


def promise(space: SearchSpace, improvement: Acquisition) -> float:
    """How much improvement is expected where the prior would look, relative to anywhere: from 0 to 1, its most.

    The means of expected improvement over a sample of the prior and a uniform one are compared.

    Args:
        space: with a prior.
        improvement: the logarithm of expected improvement.
    """
    anywhere, there = _samples(space)
    means = [float(np.logaddexp.reduce(improvement(points))) for points in (anywhere, there)]
    return math.exp(min(means[1] - means[0], 0.0))


def agreement(space: SearchSpace, incumbent: _Array) -> float:
    """How probable the prior finds what turned out best: the share of a sample of the prior that it finds no more so.

    That is the tail probability by which Box (1980, "Sampling and Bayes' inference in scientific modelling and
    robustness") checks a prior against what was observed. It is about 1 while the best is near the centre, and about 0
    where it is further away than nearly all that the prior draws, in however many dimensions.

    Args:
        space: with a prior.
        incumbent: (d,).
    """
    prior, (_, there) = log_prior(space, 1.0), _samples(space)
    less = np.count_nonzero(prior(there) <= prior(incumbent[None, :]))
    return (1.0 + less) / (1.0 + len(there))


@functools.lru_cache(maxsize=16)
def _samples(space: SearchSpace) -> tuple[_Array, _Array]:
    """Points of the uniform distribution and, at the same quantiles, of the prior: (256, d) each."""
    uniform = SobolSequence(space.dimensions, seed=0).points(0, _POINTS)
    parameters = [space.parameters[name] for name in space.searched]
    columns = [
        [parameter.quantile(probability) for probability in column.tolist()]
        for parameter, column in zip(parameters, uniform.T, strict=True)
    ]
    axes = axes_of(space)
    return axes.rounded(uniform), axes.rounded(np.array(columns).T.reshape(uniform.shape))
