"""Bayesian optimization: a few Sobol points, then what a Gaussian process expects to improve most.

Used through `searcher="bayesian_optimization"`, and by default. The model-based step is in `neps.samplers.proposal`,
which needs scipy and is imported when the first model is fitted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from neps.errors import ArgumentError
from neps.samplers.protocol import Done, Sampler, Suggestion
from neps.samplers.sequences import sobol_sequence

if TYPE_CHECKING:
    from neps.budget import Budget
    from neps.history import History
    from neps.space import SearchSpace
    from neps.trial import Value

__all__ = ["BayesianOptimization"]

_LARGEST_DESIGN = 4


@dataclasses.dataclass(frozen=True, slots=True)
class BayesianOptimization(Sampler):
    """Minimises with a Gaussian process and log expected improvement; pending trials count at their predicted loss.

    It begins with points of a scrambled Sobol sequence, and goes on with them while fewer results are in than the
    initial design has trials. A failed evaluation, or a loss that isn't finite, counts as the worst loss seen. In a
    finite space no configuration is suggested twice, and the search is done when all are claimed. Priors are
    ignored: a default is only looked at with `sample_default_first`. A fidelity is fixed at its upper bound.

    Args:
        initial_design_size: how many trials to make before a model is trusted, at least 1. None (the default) means one
            more than the space has dimensions, but 4 at most: the model's prior is good enough to learn from few
            trials, and a run of 5 evaluations should profit from it.
        sample_default_first: whether the first trial is the default configuration, as part of the initial design.
            Default False.

    Raises:
        ArgumentError: if an argument isn't of its kind; from `check`, if `sample_default_first` is True and no
            parameter has a default.

    Example:
        >>> BayesianOptimization(initial_design_size=8).settings()
        {'initial_design_size': 8, 'sample_default_first': False}
    """

    bears_old_view: ClassVar[bool] = True

    initial_design_size: int | None = None
    sample_default_first: bool = False

    def __post_init__(self) -> None:
        """Check the settings."""
        size, first = self.initial_design_size, self.sample_default_first
        if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 1):
            raise ArgumentError(f"initial_design_size must be a whole number of at least 1, or None, not {size!r}.")
        if not isinstance(first, bool):
            raise ArgumentError(f"sample_default_first must be True or False, not {first!r}.")

    def check(self, space: SearchSpace) -> None:
        """Refuse `sample_default_first` where there is no default."""
        if self.sample_default_first and not space.has_prior:
            raise ArgumentError(
                "sample_default_first=True needs a default, but no parameter of the search space has one. "
                "Give at least one a default, as in Float(0, 1, default=0.3), or leave sample_default_first out."
            )

    def settings(self) -> dict[str, Any]:
        """See `Sampler.settings`; an `initial_design_size` of None stays None, and follows the space."""
        return dataclasses.asdict(self)

    def decide(
        self,
        history: History,
        number: int,
        budget: Budget,  # noqa: ARG002
        generator: np.random.Generator,
    ) -> Suggestion | Done:
        """A point of the initial design, or the most promising configuration."""
        space = history.space
        claimed = {_values(space, trial.config) for trial in history.trials if trial.decision is not None}
        if space.size is not None and len(claimed) >= space.size:
            return Done(f"the search space is exhausted: all its {space.size} configurations are claimed")
        results = sum(trial.ended and trial.decision is not None for trial in history.trials)
        design = self.initial_design_size or min(space.dimensions + 1, _LARGEST_DESIGN)
        if results >= design:
            return _from_model(history, generator)
        config = self._initial(history, number)
        while space.size is not None and _values(space, config) in claimed:
            config = space.sample(generator)
        return Suggestion(config=config, reasons={"by": "initial design"})

    def _initial(self, history: History, number: int) -> dict[str, Value]:
        space = history.space
        default = space.default_config() if self.sample_default_first and number == 1 else None
        return default or space.decode(sobol_sequence(space.dimensions, history.seed).point(number - 1))


def _from_model(history: History, generator: np.random.Generator) -> Suggestion:
    from neps.samplers.proposal import propose

    # A caller that has set numpy to raise must not lose its worker to an underflow in exp(-r).
    with np.errstate(all="ignore"):
        config, log_improvement = propose(history, generator)
    return Suggestion(config=config, reasons={"by": "model", "log_expected_improvement": log_improvement})


def _values(space: SearchSpace, config: Mapping[str, Value]) -> tuple[Value, ...]:
    """What tells configurations apart."""
    return tuple(config[name] for name in space.searched)
