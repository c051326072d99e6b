"""Freeze-thaw Bayesian optimization: after each step of fidelity, a model says what to continue or to begin.

Used through `searcher="freeze_thaw"`. The model-based step is in `neps.samplers.fidelity_proposal`, which needs scipy
and is imported when the first model is fitted.
"""

from __future__ import annotations

import bisect
import dataclasses
import itertools
import math
from typing import TYPE_CHECKING

from neps.errors import ArgumentError
from neps.fidelity import evenly_spaced, hyperband_brackets
from neps.samplers.fidelity_design import fidelity_design
from neps.samplers.initial_design import InitialDesign
from neps.samplers.multi_fidelity import MultiFidelity, fidelity_of
from neps.samplers.protocol import Done, Suggestion, Wait
from neps.samplers.settings import number as checked_number
from neps.samplers.settings import probability
from neps.space import Integer
from neps.trial import Place

if TYPE_CHECKING:
    import numpy as np

    from neps.budget import Budget
    from neps.history import History
    from neps.space import SearchSpace

__all__ = ["FreezeThaw"]

_MOST_LEVELS = 1000
_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
_TOLERANCE = 1e-9


@dataclasses.dataclass(frozen=True, slots=True)
class FreezeThaw(MultiFidelity):
    """Bayesian optimization that freezes configurations, and thaws those that promise most for what they cost.

    A Gaussian process over configurations and fidelities predicts each one's loss at the highest fidelity. After each
    step there is a choice: continue any configuration from its checkpoint, or begin the new one with the highest
    expected improvement. The one is taken whose expected improvement is largest per expected cost, given that it may be
    given up again after each further step: an index of optimal stopping (Weitzman 1979, "Optimal search for the best
    alternative"), from which follows what is thawed and how long it runs.

    The idea is that of Swersky et al. (2014, "Freeze-thaw Bayesian optimization"), who choose what to run by the
    entropy of the optimum. The process and the choice are our own: no shape of learning curves is assumed, and nothing
    is learned beforehand from other runs, as in ifBO (Rakotoarison et al. 2024). DyHPO (Wistuba et al. 2022) chooses by
    what the next step improves; here it is what the last one does.

    A step costs what such steps have cost on average, where `run_pipeline` returns costs, and else its share of the
    fidelity. Reported learning curves are learned from where they pass rungs. Failed evaluations, and losses that
    aren't finite, count as the worst loss seen, and are never continued. Priors are ignored: a default is only looked
    at with `sample_default_first`.

    Args:
        eta: the factor between the fidelities at which there is a choice, above 1. Default 3.
        step: the difference between them instead, above 0, and a whole number where the fidelity is one; a step of 1
            decides after each epoch. There may be 1000 steps at most. None (the default) takes factors, and so makes
            far fewer trials.
        initial_design_size: how many results there must be before a model is trusted, at least 1; until then points of
            a Sobol sequence begin, at each rung as often as Hyperband begins configurations there. None (the default):
            as many as cost one full evaluation at the lowest fidelity, but 16 at most, and no fewer than
            `BayesianOptimization` has.
        sample_default_first: whether the first configuration is the default one. Default False.
        sample_default_at_target: whether that runs at the highest fidelity before all else. Default False.

    Raises:
        ArgumentError: if an argument isn't of its kind; from `check`, if the space hasn't exactly one fidelity, its
            lower bound isn't above 0, the step isn't whole where the fidelity is, or far too small, or there is no
            default and one is asked for.

    Example:
        >>> FreezeThaw(step=1).settings()["step"]
        1.0
    """

    step: float | None = None
    initial_design_size: int | None = None
    random_interleave_prob: float = 0.0

    def __post_init__(self) -> None:
        """Check the settings."""
        MultiFidelity.__post_init__(self)
        object.__setattr__(
            self, "initial_design_size", InitialDesign(self.initial_design_size, default_first=False).size
        )
        interleave = probability("random_interleave_prob", self.random_interleave_prob)
        object.__setattr__(self, "random_interleave_prob", interleave)
        if self.step is not None:
            object.__setattr__(self, "step", checked_number("step", self.step, above=0.0))

    def check(self, space: SearchSpace) -> None:
        """Refuse a space without one fidelity, and a step that isn't whole where the fidelity is, or far too small."""
        MultiFidelity.check(self, space)
        if self.step is None:
            return
        fidelity = fidelity_of(space)
        if isinstance(fidelity, Integer) and self.step != int(self.step):
            raise ArgumentError(
                f"step is {self.step:g}, but the fidelity {space.fidelity!r} is a whole number: give a whole step."
            )
        if (least := (fidelity.upper - fidelity.lower) / _MOST_LEVELS) > self.step:
            raise ArgumentError(
                f"step is {self.step:g}, but the fidelity {space.fidelity!r} from {fidelity.lower:g} to "
                f"{fidelity.upper:g} may have {_MOST_LEVELS} steps at most: give a step of at least {least:g}, "
                "or leave it out, for steps by factors of eta."
            )

    def levels(self, space: SearchSpace) -> tuple[float, ...]:
        """The fidelities at which there is a choice, from the lowest."""
        if self.step is None:
            return self.rungs(space)
        fidelity = fidelity_of(space)
        return evenly_spaced(fidelity.lower, fidelity.upper, self.step)

    def _beginning(self, space: SearchSpace, number: int) -> int:
        """The level at which a trial of the initial design begins.

        Over trials, each rung is as frequent as in Hyperband's brackets: the lowest ones show the model most
        configurations, but only the highest show it what these are worth. Multiples of the golden ratio, of which
        the whole part is dropped, are spread evenly however many there are.
        """
        levels, rungs = self.levels(space), self.rungs(space)
        begun = list(itertools.accumulate(bracket.sizes[0] for bracket in hyperband_brackets(len(rungs), self.eta)))
        rung = rungs[bisect.bisect_right(begun, (number - 1) * _GOLDEN % 1.0 * begun[-1])]
        return bisect.bisect_right(levels, rung * (1.0 + _TOLERANCE)) - 1

    def decide(
        self,
        history: History,
        number: int,
        budget: Budget,  # noqa: ARG002
        generator: np.random.Generator,
    ) -> Suggestion | Wait | Done:
        """A point of the initial design, a trial's continuation, or a new configuration."""
        space, levels = history.space, self.levels(history.space)
        if (target := self.default_at_target(space, number)) is not None:
            return target
        default_first = self.sample_default_first and not self.sample_default_at_target
        design = fidelity_design(space, self.initial_design_size, default_first=default_first)
        first = design.decide(history, number, generator)
        if isinstance(first, Suggestion):
            level = self._beginning(space, number)
            return dataclasses.replace(first, config=space.at_fidelity(first.config, levels[level]), place=Place(level))
        if not any(trial.ended and trial.decision is not None for trial in history.trials):
            return Wait("the first result: all configurations have begun")
        from neps.samplers.fidelity_proposal import continuation

        found = continuation(history, levels, self.rungs(space), generator, self.random_interleave_prob)
        if found is None:
            if history.pending:
                return Wait(f"running trials ({len(history.pending)}), which may be continued: no configuration is new")
            return Done("every configuration has been evaluated, and the promising ones up to the highest fidelity")
        config, previous, rung, reasons = found
        return Suggestion(
            config=space.at_fidelity(config, levels[rung]),
            previous=previous.number if previous is not None else None,
            place=Place(rung),
            reasons=reasons,
        )
