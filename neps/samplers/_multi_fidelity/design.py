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
    """What there is of both.

    Args:
        eta: the factor between rungs.
        size: `initial_design_size`; None for the usual one.
        default_first: whether the first trial is the default configuration.
    """

    eta: float
    size: int | None
    default_first: bool

    @abc.abstractmethod
    def next(
        self,
        history: History,
        number: int,
        generator: np.random.Generator,
        levels: Sequence[float],
        rungs: Sequence[float],
    ) -> Run | None:
        """What trial `number` runs; None once the model is to be asked."""


@attrs.frozen
class Halving(Design):
    """Successive halving from the lowest rung, or the lowest of which no more than 81 have to begin for one to finish.

    A rung promotes its best once as many results are in as there are places in it. Who would have to wait for results
    begins one more at the lowest rung, and asks the model later. What a user has enqueued at another fidelity takes a
    place of the lowest. Where too few begin there, since the space is finite, the model alone says what goes on.
    """

    def next(
        self,
        history: History,
        number: int,
        generator: np.random.Generator,
        levels: Sequence[float],
        rungs: Sequence[float],
    ) -> Run | None:
        """See `Design.next`."""
        steps = min(len(rungs) - 1, whole_powers(_LARGEST_BRACKET, self.eta))
        rungs = rungs[len(rungs) - 1 - steps :]
        size = self.size or max(rounded_up(self.eta**steps), usual_size(history.space))
        first = InitialDesign(size, self.default_first).decide(history, number, generator)
        if isinstance(first, Suggestion):
            return Run(first.config, level_of(rungs[0], levels), first.metadata)
        return self._promotion(history, levels, self._sizes(size, levels, rungs))

    def _sizes(self, size: int, levels: Sequence[float], rungs: Sequence[float]) -> Mapping[int, int]:
        """How many of so many reach which levels, from the lowest. Where several rungs are one level, the lowest is."""
        sizes = dict[int, int]()
        for rung, fidelity in enumerate(rungs):
            sizes.setdefault(level_of(fidelity, levels), rounded_down(size / self.eta**rung))
        return sizes

    def _promotion(self, history: History, levels: Sequence[float], sizes: Mapping[int, int]) -> Run | None:
        """The continuation with which the highest rung goes on that can; None where all wait, or all are over."""
        decided = [trial for trial in history.trials if trial.decision is not None]
        continued = {trial.previous for trial in decided}
        at: dict[int, list[Trial]] = {level: [] for level in sizes}
        for trial in decided:
            at.get(level_of(trial.fidelity, levels), []).append(trial)
        lowest = next(iter(sizes))
        elsewhere = sum(_was_asked_for(trial) and level_of(trial.fidelity, levels) != lowest for trial in decided)
        needed = {**sizes, lowest: sizes[lowest] - elsewhere}
        for level, above in reversed(list(itertools.pairwise(sizes))):
            if sum(trial.ended for trial in at[level]) < needed[level] or len(at[above]) >= sizes[above]:
                continue
            if best := min(
                (t for t in at[level] if ranks(t) and t.number not in continued), key=loss_key, default=None
            ):
                return Run(best.config, above, {"by": "promotion"}, best.number)
        return None


def _was_asked_for(trial: Trial) -> bool:
    """Whether a user has given its configuration, or it is the default one."""
    return trial.enqueued or (trial.decision is not None and trial.decision.metadata.get("by") == "default")


@attrs.frozen
class Spread(Design):
    """At each rung as often as Hyperband begins configurations there, and nobody goes on before the model is asked.

    Args:
        eta: see `Design`.
        size: see `Design`. The usual one is as many as cost one full evaluation at the lowest fidelity, but 8 at most.
        default_first: see `Design`.
        highest: whether some begin at the highest rung.
    """

    highest: bool

    def next(
        self,
        history: History,
        number: int,
        generator: np.random.Generator,
        levels: Sequence[float],
        rungs: Sequence[float],
    ) -> Run | None:
        """See `Design.next`."""
        design = fidelity_design(history.space, self.size, default_first=self.default_first, largest=_LARGEST_SPREAD)
        first = design.decide(history, number, generator)
        if not isinstance(first, Suggestion):
            return None
        return Run(first.config, level_of(rungs[self._rung(number, len(rungs))], levels), first.metadata)

    def _rung(self, number: int, rung_count: int) -> int:
        """Where trial `number` begins.

        The lowest rungs show the model most configurations, but only the highest show it what these are worth.
        Multiples of the golden ratio, of which the whole part is dropped, are spread evenly however many there are.
        """
        brackets = hyperband_brackets(rung_count, self.eta)
        if not self.highest:
            brackets = brackets[:-1] or brackets
        begun = list(itertools.accumulate(bracket.sizes[0] for bracket in brackets))
        return bisect.bisect_right(begun, (number - 1) * _GOLDEN % 1.0 * begun[-1])
