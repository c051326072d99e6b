"""A model's source of new configurations: those that promise most at the highest fidelity, once results are enough.

`mobster` and `priorband` compose it. The model is in `_model_based.fidelity_proposal`, which needs scipy and is
imported when it is first asked.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs

from neps._fidelity import fidelity_run
from neps.samplers import _settings as settings
from neps.samplers._drawing.initial_design import InitialDesign, usual_size
from neps.samplers._multi_fidelity.fidelity import fidelity_of
from neps.samplers._multi_fidelity.sources import Beginning, Drawn, Source

if TYPE_CHECKING:
    from neps._models.acquisition import Acquisition
    from neps._models.terms import LogPrior
    from neps._trial import Trial
    from neps.samplers._model_based.axes import Axes
    from neps.samplers._model_based.priors import PriorTerm
    from neps.space import SearchSpace

__all__ = ["Model", "fidelity_design"]

_LARGEST = 16


def fidelity_design(
    space: SearchSpace, size: int | None, *, default_first: bool = False, largest: int = _LARGEST
) -> InitialDesign:
    """How much is evaluated before a model over configurations and fidelities is asked.

    Args:
        space: of the run.
        size: `initial_design_size`. None: at the lowest fidelity results are cheap, but say little. So as many as cost
            no more than one full evaluation, but `largest` at most; or as many as without a fidelity, where that is
            more.
        default_first: whether the first trial is the default configuration.
        largest: see `size`.
    """
    fidelity = fidelity_of(space)
    cheap = int(min(fidelity.upper / fidelity.lower, largest))
    return InitialDesign(size or max(cheap, usual_size(space)), default_first)


@attrs.frozen
class Model(Source):
    """What a Gaussian process over configurations and fidelities expects to improve most, at the highest fidelity.

    Args:
        fallback: where they come from while results are too few, and where nothing is new.
        initial_design_size: how many results there must be before the model is asked, at least 1; None: see
            `fidelity_design`.
        random_interleave_prob: the probability, from 0 to 1, that the fallback draws instead. None: wherever that draws
            uniformly, and it is no setting.
        prior: what is added to log expected improvement, less of it where the fallback's prior has lost its share; None
            adds nothing.
    """

    fallback: Source
    initial_design_size: int | None = attrs.field(converter=settings.initial_design_size)
    random_interleave_prob: float | None = attrs.field(
        default=None,
        converter=attrs.converters.optional(settings.random_interleave_prob),
    )
    prior: PriorTerm | None = None

    @property
    def needs_prior(self) -> bool:  # type: ignore[override] # as what it is composed of
        """See `Source.needs_prior`."""
        return self.prior is not None or self.fallback.needs_prior

    def settings(self) -> dict[str, Any]:
        """See `Sampler.settings`."""
        interleaved = self.random_interleave_prob
        return {
            **self.fallback.settings(),
            "initial_design_size": self.initial_design_size,
            **({} if interleaved is None else {"random_interleave_prob": interleaved}),
            **({} if self.prior is None else {"prior_weight": self.prior.prior_weight}),
        }

    def check(self, space: SearchSpace) -> None:
        """See `Source.check`."""
        self.fallback.check(space)

    def configuration(self, begins: Beginning) -> Drawn:
        """See `Source.configuration`: what the model says, once there are results enough."""
        drawn, generator = self.fallback.configuration(begins), begins.generator()
        interleaved = self.random_interleave_prob
        skipped = drawn[1]["by"] == "random" if interleaved is None else generator.random() < interleaved
        if skipped or not fidelity_design(begins.history.space, self.initial_design_size).is_over(begins.history):
            return drawn
        from neps.samplers._model_based.fidelity_proposal import new_configuration

        term = None if self.prior is None else functools.partial(self._term, self.prior, begins)
        return new_configuration(begins.history, begins.rungs, generator, term) or drawn

    def _term(
        self, prior: PriorTerm, begins: Beginning, axes: Axes, decided: Sequence[Trial], improvement: Acquisition
    ) -> LogPrior:
        run = fidelity_run(decided) / begins.rungs[-1]
        return prior.term(axes.space, improvement, max(run, 1.0), share=self.fallback.prior_share(begins))
