"""Steps of fidelity: how much of it an evaluation really runs, and what a whole search has spent in these terms."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from fractions import Fraction

from neps._trial import Decision, Trial

__all__ = ["FidelitySpent", "FidelityStep", "fidelity_run", "fidelity_spent"]


@dataclasses.dataclass(frozen=True, slots=True)
class FidelityStep:
    """What one evaluation runs: from the fidelity `begin` of the trial that it continues, else from 0, to `end`."""

    begin: float
    end: float

    @property
    def width(self) -> Fraction:
        """How much fidelity that is, exactly; 0 where a trial continues one of no lower fidelity."""
        return max(Fraction(self.end) - Fraction(self.begin), Fraction(0))

    @classmethod
    def of(cls, decision: Decision | None, known: Mapping[int, Trial]) -> FidelityStep | None:
        """The step that was decided; None where there is no fidelity, or the decision is damaged.

        Args:
            decision: of a trial.
            known: trials by number. Where the one that it continues isn't among them, or is damaged, nobody knows where
                it begins, and it counts as one that begins from scratch.
        """
        if decision is None or decision.fidelity is None:
            return None
        previous = known.get(decision.previous) if decision.previous is not None else None
        begin = previous.fidelity if previous is not None else None
        return cls(begin or 0.0, decision.fidelity)


def fidelity_run(trials: Iterable[Trial]) -> float:
    """The fidelity that these trials of a run add up to, where each goes on from the checkpoint of its previous one."""
    return _sum(step.width for step in _steps(trials))


@dataclasses.dataclass(frozen=True, slots=True)
class FidelitySpent:
    """What a search over fidelities has spent, counting each trial with the fidelity that was decided for it.

    Args:
        continued: the fidelity that is run where trials go on from checkpoints: from k to m counts m - k.
        from_scratch: the sum of their fidelities, as if each began anew.
        highest: the upper bound, of which a full evaluation is.
        trials: how many there are.
        at_highest: how many of these reach it.
    """

    continued: float
    from_scratch: float
    highest: float
    trials: int
    at_highest: int

    def __str__(self) -> str:
        """In words, to go on after a noun."""
        full, anew = (f"{amount / self.highest:.1f}" for amount in (self.continued, self.from_scratch))
        trials = "1 trial" if self.trials == 1 else f"{self.trials} trials"
        text = f"{self.continued:g}, as much as {full} full evaluations ({trials}, {self.at_highest} at the highest)"
        return text if self.continued == self.from_scratch else f"{text}; {anew} if each had started from scratch"


def fidelity_spent(trials: Iterable[Trial], highest: float) -> FidelitySpent:
    """What these trials of a run spend; those that failed or still run count like the others.

    Args:
        trials: all that are known.
        highest: the upper bound of the fidelity, above 0.

    Example:
        >>> first = Trial(number=1, decision=Decision(number=1, config={}, fidelity=3))
        >>> second = Trial(number=2, decision=Decision(number=2, config={}, fidelity=9, previous=1))
        >>> print(fidelity_spent([first, second], 9))
        9, as much as 1.0 full evaluations (2 trials, 1 at the highest); 1.3 if each had started from scratch
    """
    steps = _steps(trials)
    return FidelitySpent(
        continued=_sum(step.width for step in steps),
        from_scratch=_sum(Fraction(step.end) for step in steps),
        highest=highest,
        trials=len(steps),
        at_highest=sum(step.end >= highest for step in steps),
    )


def _steps(trials: Iterable[Trial]) -> list[FidelityStep]:
    known = {trial.number: trial for trial in trials}
    return [step for trial in known.values() if (step := FidelityStep.of(trial.decision, known)) is not None]


def _sum(amounts: Iterable[Fraction]) -> float:
    """The nearest float: infinity beyond them all."""
    try:
        return float(sum(amounts))
    except OverflowError:
        return math.inf
