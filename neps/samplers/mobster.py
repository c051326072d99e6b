"""Searches over fidelities whose new configurations come from a model over configurations and fidelities.

Used through `searcher="mobster"` and `"priorband_bo"`. The model is in `neps.samplers.fidelity_proposal`, which needs
scipy and is imported when it is first used.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

from neps.fidelity import fidelity_run
from neps.samplers.asha import AsyncHyperband
from neps.samplers.fidelity_design import fidelity_design
from neps.samplers.initial_design import InitialDesign
from neps.samplers.multi_fidelity import MultiFidelity, slot_generator
from neps.samplers.priorband import PriorBand
from neps.samplers.priors import log_prior, promise, with_confidence
from neps.samplers.settings import number as checked_number
from neps.samplers.settings import probability

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neps.fidelity import Vacancy
    from neps.history import History
    from neps.models.acquisition import Acquisition
    from neps.models.terms import LogPrior
    from neps.samplers.axes import Axes
    from neps.trial import Trial, Value

__all__ = ["MOBSTER", "PriorBandBO"]


@dataclasses.dataclass(frozen=True, slots=True)
class MOBSTER(AsyncHyperband):
    """Asynchronous Hyperband whose new configurations are those with the highest expected improvement.

    As Klein et al. (2020, "Model-based asynchronous hyperparameter and neural architecture search"): brackets and
    promotions are those of `AsyncHyperband`, and a Gaussian process over configurations and fidelities, which knows of
    all results and of what is pending, says where to begin. The process is that of `FreezeThaw`, and improvement is
    expected at the highest fidelity from the beginning, where they take the highest rung with results enough.

    Args:
        eta: the reduction factor: the best 1/eta of a rung are promoted, to eta times the fidelity; above 1. Default 3.
        sample_default_first: whether the first configuration of the first bracket is the default one. Default False.
        sample_default_at_target: whether that runs at the highest fidelity before all else, outside the brackets.
            Default False.
        initial_design_size: how many results there must be before a model is trusted, at least 1; until then new
            configurations are random. None (the default): as many as cost one full evaluation at the lowest fidelity,
            but 16 at most, and no fewer than `BayesianOptimization` has.

    Raises:
        ArgumentError: if an argument isn't of its kind; from `check`, if the space hasn't exactly one fidelity, its
            lower bound isn't above 0, or there is no default and one is asked for.

    Example:
        >>> MOBSTER(initial_design_size=10).settings()["initial_design_size"]
        10
    """

    initial_design_size: int | None = None
    random_interleave_prob: float = 0.0

    def __post_init__(self) -> None:
        """Check the settings."""
        AsyncHyperband.__post_init__(self)
        object.__setattr__(
            self, "initial_design_size", InitialDesign(self.initial_design_size, default_first=False).size
        )
        interleave = probability("random_interleave_prob", self.random_interleave_prob)
        object.__setattr__(self, "random_interleave_prob", interleave)

    def new_configuration(
        self, history: History, bracket: int, place: Vacancy
    ) -> tuple[dict[str, Value], dict[str, Any]]:
        """See `MultiFidelity.new_configuration`: what the model says, once there are results enough."""
        generator = slot_generator(history.seed, bracket, place.slot)
        drawn = generator.random() < self.random_interleave_prob
        if drawn or not fidelity_design(history.space, self.initial_design_size).is_over(history):
            return MultiFidelity.new_configuration(self, history, bracket, place)
        from neps.samplers.fidelity_proposal import new_configuration

        proposed = new_configuration(history, self.rungs(history.space), generator)
        return proposed or MultiFidelity.new_configuration(self, history, bracket, place)


@dataclasses.dataclass(frozen=True, slots=True)
class PriorBandBO(PriorBand):
    """PriorBand whose new configurations come from a model, once there are results enough.

    Brackets are those of `PriorBand`, and so are new configurations until `initial_design_size` results are in. Then
    they are those with the highest expected improvement at the highest fidelity, by the process of `FreezeThaw`, times
    the prior to a power that falls with what has been run: `prior_weight` over full evaluations, and less where
    the model has learned that the prior is wrong, as in `PiBO` (Hvarfner et al. 2022).

    Args:
        eta: see `PriorBand`.
        sample_default_first: see `PriorBand`. Default True.
        sample_default_at_target: see `PriorBand`. Default False.
        prior_confidence: see `PriorBand`. Default None.
        inc_mutation_rate: see `PriorBand`. Default 0.5.
        inc_mutation_std: see `PriorBand`. Default 0.25.
        initial_design_size: how many results there must be before a model is trusted, at least 1. None (the default):
            as for `MOBSTER`.
        prior_weight: see above, above 0. Default 3.

    Raises:
        ArgumentError: as `PriorBand`.

    Example:
        >>> PriorBandBO(prior_weight=5).settings()["prior_weight"]
        5.0
    """

    initial_design_size: int | None = None
    prior_weight: float = 3.0

    def __post_init__(self) -> None:
        """Check the settings."""
        PriorBand.__post_init__(self)
        object.__setattr__(
            self, "initial_design_size", InitialDesign(self.initial_design_size, default_first=False).size
        )
        object.__setattr__(self, "prior_weight", checked_number("prior_weight", self.prior_weight, above=0.0))

    def new_configuration(
        self, history: History, bracket: int, place: Vacancy
    ) -> tuple[dict[str, Value], dict[str, Any]]:
        """See `MultiFidelity.new_configuration`: what model and prior say, once there are results enough."""
        drawn = PriorBand.new_configuration(self, history, bracket, place)
        if drawn[1]["by"] == "random" or not fidelity_design(history.space, self.initial_design_size).is_over(history):
            return drawn
        from neps.samplers.fidelity_proposal import new_configuration

        evidence = self.evidence(history)
        term = functools.partial(self._term, 1.0 - evidence[1] if evidence is not None else 1.0)
        generator = slot_generator(history.seed, bracket, place.slot)
        return new_configuration(history, self.rungs(history.space), generator, term) or drawn

    def _term(self, share: float, axes: Axes, decided: Sequence[Trial], improvement: Acquisition) -> LogPrior:
        space = with_confidence(axes.space, self.prior_confidence)
        run = fidelity_run(decided) / self.rungs(axes.space)[-1]
        return log_prior(space, promise(space, improvement) * share * self.prior_weight / max(run, 1.0))
