"""Regularized evolution: the best of a few recent trials is changed in one parameter; old trials are forgotten.

Used through `searcher="regularized_evolution"`. It fits no model, so it needs NumPy only and decides in milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from neps._ranking import rank_key
from neps.errors import ArgumentError
from neps.samplers import _settings as settings
from neps.samplers._drawing.claimed import Claimed
from neps.samplers._drawing.initial_design import InitialDesign, in_full
from neps.samplers._drawing.mutation import mutated_in_one
from neps.samplers._protocol import Done, Sampler, Suggestion
from neps.space import Value

if TYPE_CHECKING:
    import numpy as np

    from neps._budget import Budget
    from neps._history import History
    from neps.space import SearchSpace

__all__ = ["RegularizedEvolution"]

_DEVIATION = 0.15
_MUTATIONS = 20


@attrs.frozen
class RegularizedEvolution(Sampler):
    """Evolution with ageing (Real et al. 2019, algorithm 1), for any number of workers.

    It begins with points of a scrambled Sobol sequence, and goes on with them while fewer results are in than the
    population has members. From then on the population is the last `population_size` trials that have ended. Of
    these, `sample_size` are drawn without replacement, and the best of them is the parent: a copy of it with another
    value of one parameter is evaluated next. Last means the highest numbers: every worker sees these in the same
    order, whichever trial took longest and whatever the clocks say. So a trial ages by what was decided after it, and
    leaves the population in the end, however good it is: a loss that was low by luck isn't built upon for ever.

    Each active parameter with more than one value is as likely to be changed. Of a categorical, each other choice is as
    likely. A number takes a step on its own (log) scale: a normal one, with a standard deviation of 0.15 of the range,
    cut off at the bounds; an integer always changes. What becomes active by a change is drawn. A failed evaluation, or
    a loss that isn't finite, is worse than any other; equals win by lot. A configuration that is claimed or forbidden
    is changed further, until it is a new one; in a finite space none is suggested twice, and the search is done when
    all are claimed. Priors are ignored, but where parameters become active: a default is only looked at with
    `sample_default_first`. A fidelity is fixed at its upper bound.

    Args:
        population_size: how many trials may become parents, at least 1. Default 20, since most searches are shorter
            than the paper's, which has 100.
        sample_size: how many of them compete to be one, from 1 (any may, by chance) to `population_size` (the best one
            is). Default 10.
        sample_default_first: whether the first trial is the default configuration. Default False.

    Raises:
        ArgumentError: if an argument isn't of its kind, or `sample_size` is above `population_size`; from `check`, if
            `sample_default_first` is True and no parameter has a default.

    Example:
        >>> RegularizedEvolution(population_size=50).settings()
        {'population_size': 50, 'sample_size': 10, 'sample_default_first': False}
    """

    population_size: int = attrs.field(default=20, converter=settings.population_size)
    sample_size: int = attrs.field(default=10, converter=settings.sample_size)
    sample_default_first: bool = attrs.field(default=False, converter=settings.sample_default_first)

    def __attrs_post_init__(self) -> None:
        """Refuse a tournament of more than there are."""
        if self.sample_size > self.population_size:
            raise ArgumentError(
                f"sample_size must be at most population_size, which is {self.population_size}, not "
                f"{self.sample_size}: lower sample_size (half of the population is a good start), or raise the other."
            )

    def check(self, space: SearchSpace) -> None:
        """Refuse `sample_default_first` where there is no default."""
        self._design().check(space)

    def settings(self) -> dict[str, Any]:
        """See `Sampler.settings`."""
        return attrs.asdict(self)

    def decide(
        self,
        history: History,
        number: int,
        budget: Budget,  # noqa: ARG002
        generator: np.random.Generator,
    ) -> Suggestion | Done:
        """A point of the initial design, or a child of a recent trial."""
        first = self._design().decide(history, number, generator)
        if first is not None:
            return first
        ended = [*in_full(history), *(t for t in history.trials if t.ended and t.decision is not None)]
        population = ended[-self.population_size :]
        tournament = generator.choice(self.population_size, size=self.sample_size, replace=False)
        parent = min((population[index] for index in tournament), key=rank_key)
        config = _child(Claimed.of(history), parent.config, generator)
        return Suggestion(config=config, metadata={"by": "mutation", "parent": parent.number})

    def _design(self) -> InitialDesign:
        return InitialDesign(self.population_size, default_first=self.sample_default_first)


def _child(claimed: Claimed, parent: Mapping[str, Value], generator: np.random.Generator) -> dict[str, Value]:
    """The parent with one mutation, or as many more as make it a new configuration; where 20 do not, any new one."""
    config = dict(parent)
    for _ in range(_MUTATIONS):
        config = mutated_in_one(claimed.space, config, _DEVIATION, generator)
        if config not in claimed and claimed.space.is_allowed(config):
            return config
    return claimed.another(generator)
