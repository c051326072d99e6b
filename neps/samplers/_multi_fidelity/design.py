"""What `freeze_thaw` evaluates before its model is asked: where configurations begin, and which go on.

NumPy only. Rungs are the fidelities at which configurations begin, levels those at which there is a choice: indices of
levels say where a trial runs to.
"""

from __future__ import annotations

import abc
import bisect
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from neps._fidelity import hyperband_brackets, level_of, whole_powers
from neps._ranking import loss_key, ranks
from neps._rounding import rounded_down, rounded_up
from neps.samplers._drawing.initial_design import InitialDesign, usual_size
from neps.samplers._multi_fidelity.modelled import fidelity_design
from neps.samplers._protocol import Suggestion

if TYPE_CHECKING:
    import numpy as np

    from neps._history import History
    from neps._trial import Trial, Value
    from neps.space import SearchSpace

__all__ = ["Design", "Halving", "Run", "Spread"]

_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
_LARGEST_BRACKET, _LARGEST_SPREAD = 81, 8


@attrs.frozen
class Run:
    """A configuration that is to run to a level, as the continuation of the trial `previous`, or from its beginning."""

    config: Mapping[str, Value]
    level: int
    metadata: Mapping[str, Any]
    previous: int | None = None


@attrs.frozen
class Design(abc.ABC):
    """What both designs share: points of a Sobol sequence, until there are results enough.

    Args:
        eta: the factor between rungs.
        size: `initial_design_size`; None for the usual one.
        default_first: whether the first trial is the default configuration.
    """

    eta: float
    size: int | None
    default_first: bool

    def next(
        self,
        history: History,
        number: int,
        generator: np.random.Generator,
        levels: Sequence[float],
        rungs: Sequence[float],
    ) -> Run | None:
        """What trial `number` runs; None once the model is to be asked."""
        first = self._points(history.space, rungs).decide(history, number, generator)
        if isinstance(first, Suggestion):
            return Run(first.config, level_of(self._begins(number, rungs), levels), first.metadata)
        return self._promotion(history, levels, rungs)

    @abc.abstractmethod
    def _points(self, space: SearchSpace, rungs: Sequence[float]) -> InitialDesign:
        """How many begin."""

    @abc.abstractmethod
    def _begins(self, number: int, rungs: Sequence[float]) -> float:
        """The rung at which trial `number` begins."""

    def _promotion(self, history: History, levels: Sequence[float], rungs: Sequence[float]) -> Run | None:  # noqa: ARG002
        """A continuation that needs no model; unless overridden none."""
        return None


@attrs.frozen
class Halving(Design):
    """Successive halving from the lowest rung, or the lowest of which no more than 81 have to begin for one to finish.

    A rung promotes its best once as many results are in as there are places in it. Who would have to wait for results
    begins one more at the lowest rung, and asks the model later. What a user has enqueued at another fidelity takes a
    place of the lowest. Where too few begin there, since the space is finite, the model alone says what goes on.
    """

    def _points(self, space: SearchSpace, rungs: Sequence[float]) -> InitialDesign:
        usual = max(rounded_up(self.eta ** self._steps(rungs)), usual_size(space))
        return InitialDesign(self.size or usual, self.default_first)

    def _begins(self, number: int, rungs: Sequence[float]) -> float:  # noqa: ARG002
        return rungs[-1 - self._steps(rungs)]

    def _steps(self, rungs: Sequence[float]) -> int:
        """How many rungs are above the one at which it begins."""
        return min(len(rungs) - 1, whole_powers(_LARGEST_BRACKET, self.eta))

    def _promotion(self, history: History, levels: Sequence[float], rungs: Sequence[float]) -> Run | None:
        """The continuation with which the highest rung goes on that can; None where all wait, or all are over."""
        sizes = self._sizes(history.space, levels, rungs)
        decided = [trial for trial in history.trials if trial.decision is not None]
        continued = {trial.previous for trial in decided}
        at: dict[int, list[Trial]] = {level: [] for level in sizes}
        for trial in decided:
            at.get(level_of(trial.fidelity, levels), []).append(trial)
        lowest = next(iter(sizes))
        elsewhere = sum(map(_was_asked_for, decided)) - sum(map(_was_asked_for, at[lowest]))
        needed = {**sizes, lowest: sizes[lowest] - elsewhere}
        for level, above in reversed(list(itertools.pairwise(sizes))):
            best = min((t for t in at[level] if ranks(t) and t.number not in continued), key=loss_key, default=None)
            complete = sum(trial.ended for trial in at[level]) >= needed[level]
            if best is not None and complete and len(at[above]) < sizes[above]:
                return Run(best.config, above, {"by": "promotion"}, best.number)
        return None

    def _sizes(self, space: SearchSpace, levels: Sequence[float], rungs: Sequence[float]) -> Mapping[int, int]:
        """How many reach which levels, from the lowest. Where several rungs are one level, the lowest counts."""
        size, sizes = self._points(space, rungs).size or 0, dict[int, int]()
        for step, rung in enumerate(rungs[-1 - self._steps(rungs) :]):
            sizes.setdefault(level_of(rung, levels), rounded_down(size / self.eta**step))
        return sizes


def _was_asked_for(trial: Trial) -> bool:
    """Whether a user has given its configuration, or it is the default one."""
    return trial.enqueued or (trial.decision is not None and trial.decision.metadata.get("by") == "default")


@attrs.frozen
class Spread(Design):
    """At each rung as often as Hyperband begins configurations there, and nobody goes on before the model is asked.

    The lowest rungs show the model most configurations, but only the highest show it what these are worth.

    Args:
        eta: see `Design`.
        size: see `Design`. The usual one is as many as cost one full evaluation at the lowest fidelity, but 8 at most.
        default_first: see `Design`.
        highest: whether some begin at the highest rung.
    """

    highest: bool

    def _points(self, space: SearchSpace, rungs: Sequence[float]) -> InitialDesign:  # noqa: ARG002
        return fidelity_design(space, self.size, default_first=self.default_first, largest=_LARGEST_SPREAD)

    def _begins(self, number: int, rungs: Sequence[float]) -> float:
        """Multiples of the golden ratio, of which the whole part is dropped, are spread evenly however many."""
        brackets = hyperband_brackets(len(rungs), self.eta)
        if not self.highest:
            brackets = brackets[:-1] or brackets
        begun = list(itertools.accumulate(bracket.sizes[0] for bracket in brackets))
        return rungs[bisect.bisect_right(begun, (number - 1) * _GOLDEN % 1.0 * begun[-1])]
