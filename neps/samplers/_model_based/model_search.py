"""Bayesian optimization, composed: an initial design × what the model's expected improvement is weighed with.

The searchers are `bayesian_optimization`, `pibo` and `cost_cooling` in `_single_fidelity`, each one composition. The
model-based step is in `proposal`, which needs scipy and is imported when the first model is fitted.
"""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, ClassVar, final

import attrs

from neps.samplers import _settings as settings
from neps.samplers._drawing.initial_design import InitialDesign, interleaved
from neps.samplers._protocol import Done, Sampler, Suggestion

if TYPE_CHECKING:
    import numpy as np

    from neps._budget import Budget
    from neps._history import History
    from neps.space import SearchSpace

__all__ = ["Improvement", "ModelSearch"]


class Improvement(abc.ABC):
    """Which improvement is looked for: expected improvement, by itself or weighed with something else."""

    needs_max_cost_total: ClassVar[bool] = False
    """See `Sampler.needs_max_cost_total`."""

    def check(self, space: SearchSpace) -> None:  # noqa: B027 - most take every space
        """Raise `neps.errors.ArgumentError` if it can't be looked for in a space."""

    def settings(self) -> dict[str, Any]:
        """See `Sampler.settings`; unless overridden it has none."""
        return {}

    @abc.abstractmethod
    def promising(self, history: History, budget: Budget, generator: np.random.Generator) -> Suggestion:
        """The configuration that promises most."""


@final
@attrs.frozen(repr=False)
class ModelSearch(Sampler):
    """An initial design, then what a model of all losses finds most promising.

    Args:
        name: of the constructor in `neps.samplers` that composes it.
        design: what is evaluated before the model is asked.
        random_interleave_prob: the probability, from 0 to 1, that a later trial is drawn uniformly instead.
        improvement: what the model looks for.
    """

    tolerates_stale_history: ClassVar[bool] = True

    name: str
    design: InitialDesign
    random_interleave_prob: float = attrs.field(converter=settings.random_interleave_prob)
    improvement: Improvement

    def __repr__(self) -> str:
        """As its constructor is called."""
        return f"{self.name}({', '.join(f'{name}={value!r}' for name, value in self.settings().items())})"

    @property
    def needs_max_cost_total(self) -> bool:  # type: ignore[override] # one class for those that do and don't
        """See `Sampler.needs_max_cost_total`."""
        return self.improvement.needs_max_cost_total

    def check(self, space: SearchSpace) -> None:
        """Refuse a space without the prior, or the default, that it needs."""
        self.improvement.check(space)
        self.design.check(space)

    def settings(self) -> dict[str, Any]:
        """See `Sampler.settings`: those of all its parts. The budget is none of them."""
        interleaved = {"random_interleave_prob": self.random_interleave_prob}
        return {**self.design.settings(), **interleaved, **self.improvement.settings()}

    def decide(
        self, history: History, number: int, budget: Budget, generator: np.random.Generator
    ) -> Suggestion | Done:
        """A point of the initial design, now and then a random one, or the most promising configuration."""
        first = self.design.decide(history, number, generator)
        drawn = first or interleaved(history, self.random_interleave_prob, generator)
        return drawn or self.improvement.promising(history, budget, generator)
