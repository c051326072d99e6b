"""PriorBand: Hyperband whose new configurations come from the user's prior, from near the incumbent, or at random.

Used through `searcher="priorband"`, and by default where there are a fidelity and a prior. NumPy only. What results say
about prior and incumbent is in `neps.samplers.ensemble`.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar

from neps.fidelity import hyperband_brackets
from neps.samplers.ensemble import followed
from neps.samplers.hyperband import Hyperband
from neps.samplers.multi_fidelity import MultiFidelity, slot_generator
from neps.samplers.mutation import mutated_in_some
from neps.samplers.priors import with_confidence
from neps.samplers.settings import number as checked_number
from neps.samplers.settings import one_of, probability

if TYPE_CHECKING:
    from neps.fidelity import Vacancy
    from neps.history import History
    from neps.space import SearchSpace
    from neps.space.parameters import Confidence
    from neps.trial import Trial, Value

__all__ = ["PriorBand"]

_CONFIDENCES = ("low", "medium", "high")


@dataclasses.dataclass(frozen=True, slots=True)
class PriorBand(Hyperband):
    """Hyperband with an ensemble of three ways to draw new configurations (Mallik et al. 2023, "PriorBand").

    At rung r one of 1 + `eta`^r is drawn uniformly: cheap evaluations explore. The others come from the prior, until
    results speak for something else: once as much fidelity was run as the first bracket takes, and a trial has finished
    at the highest, they are shared between the prior and the incumbent. The shares are in proportion of how dense the
    best configurations of a rung lie under the prior, and under a prior that is moved to the incumbent. What comes from
    the incumbent is a mutation of it: each parameter changes with probability `inc_mutation_rate`, and at least one
    does; a number by a normal step on its own (log) scale, cut off at the bounds, a categorical to any other choice.

    Brackets, promotions and failures are as of `Hyperband`. Which way a place draws, and what, depends on seed, bracket
    and slot; as long as the incumbent has no share, on nothing else, so that bracket is the same for any number of
    workers. Later it depends on the results that were seen when it was decided.

    It differs from the authors' implementation in that the incumbent is the best of the highest fidelity, instead of
    the best at any, that all fidelity that was run counts as spent, that a mutation always changes something, and that
    sizes of brackets are those of `Hyperband`.

    Args:
        eta: the reduction factor: the best 1/eta of a rung are promoted, to eta times the fidelity; above 1. Default 3.
        sample_default_first: whether the first configuration is the default one. Default True.
        sample_default_at_target: whether that runs at the highest fidelity before all else, outside the brackets.
            Default False.
        prior_confidence: "low", "medium" or "high", for all parameters that have a default, instead of each one's own
            `default_confidence`. None (the default) leaves them their own.
        inc_mutation_rate: the probability, from 0 to 1, that a parameter of the incumbent is changed. Default 0.5.
        inc_mutation_std: the standard deviation of a number's step, as a share of its range, above 0. Default 0.25.

    Raises:
        ArgumentError: if an argument isn't of its kind; from `check`, if the space hasn't exactly one fidelity, its
            lower bound isn't above 0, or no parameter has a default.

    Example:
        >>> PriorBand(prior_confidence="high").settings()["inc_mutation_rate"]
        0.5
    """

    from_prior: ClassVar[bool] = True

    sample_default_first: bool = True
    prior_confidence: Confidence | None = None
    inc_mutation_rate: float = 0.5
    inc_mutation_std: float = 0.25

    def __post_init__(self) -> None:
        """Check the settings."""
        MultiFidelity.__post_init__(self)
        object.__setattr__(self, "inc_mutation_rate", probability("inc_mutation_rate", self.inc_mutation_rate))
        object.__setattr__(self, "inc_mutation_std", checked_number("inc_mutation_std", self.inc_mutation_std, above=0))
        if self.prior_confidence is not None:
            confidence = one_of("prior_confidence", self.prior_confidence, _CONFIDENCES)
            object.__setattr__(self, "prior_confidence", confidence)

    def new_configuration(
        self, history: History, bracket: int, place: Vacancy
    ) -> tuple[dict[str, Value], dict[str, Any]]:
        """See `MultiFidelity.new_configuration`: one way is drawn, and then a configuration in that way."""
        generator = slot_generator(history.seed, bracket, place.slot)
        prior = with_confidence(history.space, self.prior_confidence)
        uniform, lot = 1.0 / (1.0 + self.eta**place.rung), generator.random()
        if lot < uniform:
            return prior.sample(generator), {"by": "random"}
        evidence = self.evidence(history)
        if evidence is not None:
            incumbent, share = evidence
            if lot >= 1.0 - (1.0 - uniform) * share:
                config = mutated_in_some(
                    prior, incumbent.config, self.inc_mutation_rate, self.inc_mutation_std, generator
                )
                return config, {"by": "incumbent", "incumbent": incumbent.number, "share": round(share, 4)}
        return prior.sample_prior(generator), {"by": "prior"}

    def evidence(self, history: History) -> tuple[Trial, float] | None:
        """The incumbent and its share of what isn't drawn uniformly, once it has one; see `ensemble.followed`."""
        prior = with_confidence(history.space, self.prior_confidence)
        return followed(history, prior, self.eta, self._first_brackets_fidelity(history.space))

    def _first_brackets_fidelity(self, space: SearchSpace) -> float:
        """What a full first bracket runs, where promotions go on from checkpoints."""
        levels = self.rungs(space)
        sizes = hyperband_brackets(len(levels), self.eta)[0].sizes
        steps = zip(levels, (0.0, *levels), strict=False)
        return sum(size * (end - begin) for size, (end, begin) in zip(sizes, steps, strict=True))
