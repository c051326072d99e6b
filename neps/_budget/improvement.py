"""What has come since the best result so far, and whether that ends the run: a target reached, patience at its end.

Pure: from results alone, and from which of them each decision knew. No clock: whoever sees the same says the same.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable
from fractions import Fraction

from neps._budget.limits import Budget
from neps._ending import Ending
from neps._fidelity import FidelityStep
from neps._ranking import best, better
from neps._rounding import has_reached
from neps._trial import Trial

__all__ = ["Improvement"]

_LARGEST = sys.float_info.max


@dataclasses.dataclass(slots=True)
class _Since:
    """What was tried without an improvement: so many results, worth so many full evaluations, at this cost."""

    results: int = 0
    evaluations: Fraction = Fraction(0)
    cost: Fraction = Fraction(0)


class Improvement:
    """The incumbent, and what was tried since without improving on it. Call `seen` and `gone` as of `Spending`.

    A result counts if it was decided with the incumbent's loss known (`Decision.incumbent`): else a hundred workers
    would lose patience over the trials that already ran when the improvement came. Where a decision doesn't say what it
    knew, a later number than the incumbent's counts. An improvement is a new incumbent: a lower loss, or a finite one
    at a higher fidelity. An equal loss is none, and a failure counts like any other result.

    Args:
        highest: the upper bound of the space's fidelity; None without one.
        cost_if_missing: as of `Spending`.
        trials: those that are known already.

    Example:
        >>> from neps._trial import Decision, Result
        >>> trials = [
        ...     Trial(number=n, decision=Decision(number=n, config={}), result=Result.of(success=True, loss=loss))
        ...     for n, loss in enumerate([3.0, 1.0, 2.0, 1.0], start=1)
        ... ]
        >>> Improvement(trials=trials).ending(Budget(patience=2), number=5).reason
        'no improvement in the last 2 results, since trial 2 (patience=2)'
    """

    def __init__(
        self, highest: float | None = None, cost_if_missing: float | None = None, trials: Iterable[Trial] = ()
    ) -> None:
        self._highest = highest if highest is not None and highest > 0 else None
        self._if_missing = cost_if_missing or 0.0
        self._trials: dict[int, Trial] = {}
        self._last = 0
        self._best: Trial | None = None
        self._since: _Since | None = _Since()
        """None where all have to be counted anew."""
        for trial in trials:
            self.seen(trial)

    def seen(self, trial: Trial) -> None:
        """A trial is known, or stands differently now."""
        before = self._trials.get(trial.number)
        self._trials[trial.number] = trial
        if before is None and trial.number < self._last:  # others may continue it
            self._recount()
        elif before is None or not before.ended:
            self._ended_or_not(trial)
        elif before.result != trial.result:  # retried
            self._recount()
        self._last = max(self._last, trial.number)

    def _ended_or_not(self, trial: Trial) -> None:
        if better(trial, self._best):
            self._best, self._since = trial, None
        elif self._since is not None and self._counts(trial):
            self._add(self._since, trial)

    def gone(self, number: int) -> None:
        """The folder of a trial was removed: nothing is known of its number any more."""
        self._trials.pop(number, None)
        self._recount()

    @property
    def incumbent(self) -> int:
        """The number of the best trial so far; 0 while none has a finite loss."""
        return self._best.number if self._best is not None else 0

    @property
    def tried(self) -> tuple[float, float]:
        """How many full evaluations have brought no improvement since the best result, and what they have cost."""
        since = self._counted()
        return float(since.evaluations), float(since.cost)

    def ending(self, budget: Budget, number: int) -> Ending | None:
        """What ends a run with this budget before trial `number` begins, or None.

        A target counts once it is reached at the highest fidelity: a low fidelity's loss may be of another kind.
        """
        if (target := budget.target_loss) is not None and self._reaches(target):
            reason = f"target_loss={target:g} was reached by trial {self.incumbent}"
            return Ending(reason=reason, number=number, target_loss=target)
        if not budget.has_patience:
            return None
        since = self._counted()
        if budget.patience is not None and has_reached(since.evaluations, budget.patience):
            return Ending(reason=self._results_words(since, budget.patience), number=number, patience=budget.patience)
        if budget.patience_cost is not None and has_reached(since.cost, budget.patience_cost):
            most = budget.patience_cost
            reason = f"no improvement at a cost of {float(since.cost):g}{self._from()} (patience_cost={most:g})"
            return Ending(reason=reason, number=number, patience_cost=most)
        return None

    def _reaches(self, target: float) -> bool:
        trial = self._best
        if trial is None or trial.loss is None or trial.loss > target:
            return False
        return trial.fidelity is None or self._highest is None or trial.fidelity >= self._highest

    def _results_words(self, since: _Since, patience: int) -> str:
        tried = "result" if since.results == 1 else f"{since.results} results"
        if since.results != since.evaluations:
            tried += f", worth {float(since.evaluations):.4g} full evaluation{'s' * (since.evaluations != 1)}"
        return f"no improvement in the last {tried}{self._from()} (patience={patience})"

    def _from(self) -> str:
        return f", since trial {self.incumbent}" if self._best is not None else ", none of which has a finite loss"

    # What counts

    def _recount(self) -> None:
        self._best = best(self._trials.values())
        self._since = None

    def _counted(self) -> _Since:
        if self._since is None:
            self._since = _Since()
            for trial in self._trials.values():
                if self._counts(trial):
                    self._add(self._since, trial)
        return self._since

    def _counts(self, trial: Trial) -> bool:
        """Whether a trial has ended, and was decided with a loss known that is still the best."""
        known = trial.decision.incumbent if trial.decision is not None else None
        if not trial.ended:
            return False
        if known is None or self._best is None:
            return trial.number > self.incumbent
        incumbent = self._trials.get(known)
        return incumbent is not None and (incumbent.fidelity, incumbent.loss) == (self._best.fidelity, self._best.loss)

    def _add(self, since: _Since, trial: Trial) -> None:
        since.results += 1
        since.evaluations += self._evaluations(trial)
        since.cost += Fraction(min(trial.spent, _LARGEST))
        outcome = trial.outcome
        if outcome is not None and outcome.lacks_cost:
            since.cost += Fraction(self._if_missing)

    def _evaluations(self, trial: Trial) -> Fraction:
        """How many full ones it is worth."""
        step = FidelityStep.of(trial.decision, self._trials)
        return Fraction(1) if step is None or self._highest is None else step.width / Fraction(self._highest)
