"""What a run has spent and has reserved, of cost and of fidelity, and whether its budget leaves room for a trial."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from fractions import Fraction

from neps._budget.costs import KnownCosts
from neps._budget.limits import Budget, Limit
from neps._fidelity import FidelityStep
from neps._rounding import has_reached
from neps._trial import Decision, Trial

__all__ = ["Spending"]

_LARGEST = sys.float_info.max


class Spending:
    """What is known of a run, summed exactly, in whatever order: ten times 0.1 is 1.

    Call `seen` for each trial that becomes known, in any order, and again when it has a result or is reopened.

    Fidelity counts as soon as it is decided, since nothing about it is left to learn: a trial that continues another
    one from k to m counts m - k, any other m, whether it runs, succeeds or fails. So whether trial N may start depends
    on decisions 1 to N - 1 alone, which every worker has seen, and it is exact with any number of workers.

    Args:
        cost_if_missing: what a success counts, and is known to have cost, that returned no cost; None: nothing.
    """

    def __init__(self, cost_if_missing: float | None = None) -> None:
        self._if_missing = cost_if_missing
        self._trials: dict[int, Trial] = {}
        self._continued_by: dict[int, set[int]] = {}
        self._damaged: set[int] = set()
        self._spent = Fraction(0)
        self._fidelity = Fraction(0)
        self._costs = KnownCosts()

    def seen(self, trial: Trial) -> None:
        """A trial is known, or stands differently now."""
        concerned = [trial.number, *self._continued_by.get(trial.number, ())]  # whose steps begin at its fidelity
        self._count(concerned, -1)
        self._trials[trial.number] = trial
        if trial.previous is not None:
            self._continued_by.setdefault(trial.previous, set()).add(trial.number)
        self._count(concerned, 1)

    def gone(self, number: int) -> None:
        """The folder of a trial was removed: nothing is known of its number any more."""
        concerned = [number, *self._continued_by.get(number, ())]
        self._count(concerned, -1)
        self._trials.pop(number, None)
        self._count(concerned, 1)

    def _count(self, numbers: Iterable[int], sign: int) -> None:
        """Count those of these trials that are known in, or out again."""
        for number in numbers:
            if (trial := self._trials.get(number)) is not None:
                self._count_one(trial, sign)

    def _count_one(self, trial: Trial, sign: int) -> None:
        step, result = FidelityStep.of(trial.decision, self._trials), trial.result
        if step is not None:
            self._fidelity += sign * step.width
        if trial.spent:
            self._spent += sign * Fraction(min(trial.spent, _LARGEST))
        if result is None:
            return
        if trial.damaged and result.outcome.cost is None:
            (self._damaged.add if sign > 0 else self._damaged.discard)(trial.number)
        elif result.outcome.success and result.outcome.account_for_cost:
            self._count_success(step, result.outcome.cost, sign)

    def _count_success(self, step: FidelityStep | None, returned: float | None, sign: int) -> None:
        cost = self._if_missing if returned is None else returned
        if cost is None:
            return
        self._costs.add(step, Fraction(cost), sign)
        if returned is None:  # else it is in what the trial has spent
            self._spent += sign * Fraction(cost)

    # What is spent

    @property
    def fidelity(self) -> float:
        """The fidelity that all decided trials run."""
        return _float(self._fidelity)

    @property
    def mean(self) -> float | None:
        """The mean cost of a success, or None while none is known."""
        mean = self._costs.mean
        return None if mean is None else _float(mean)

    @property
    def total(self) -> float:
        """What was spent. A damaged trial, where its cost is lost, counts as expected: nothing while none is known."""
        return self.total_with([])

    def total_with(self, pending: Iterable[Decision]) -> float:
        """What was spent and what is reserved by decisions without a result."""
        damaged = (self._trials[number].decision for number in self._damaged)
        open_ended = sum((self._reserved(decision) for decision in (*damaged, *pending)), Fraction(0))
        return _float(self._spent + open_ended)

    # What a trial is expected to cost

    def expected_cost(self, decision: Decision | None) -> float | None:
        """By what others have cost: the mean of those that ran the same step of fidelity.

        While there are none, what a unit of fidelity has cost, times the step's width; without a fidelity, the mean of
        all. None while no cost is known. It is stored with the decision, so it is finite: what lies beyond all floats
        is the largest of them, which no budget exceeds.
        """
        expected = self._costs.expected(FidelityStep.of(decision, self._trials))
        return None if expected is None else min(_float(expected), _LARGEST)

    def _reserved(self, decision: Decision | None) -> Fraction:
        if decision is not None and decision.reserved_cost is not None:
            return Fraction(decision.reserved_cost)
        return Fraction(self.expected_cost(decision) or 0.0)

    # Whether a trial may start

    def limit(self, budget: Budget, pending: Iterable[Decision], *, expected: bool) -> Limit | None:
        """Why no trial may start on account of its fidelity or its cost, or None.

        Args:
            budget: the run's.
            pending: the decisions without a result.
            expected: whether the user has said what a trial is expected to cost.
        """
        if budget.max_fidelity_total is not None and has_reached(self._fidelity, budget.max_fidelity_total):
            spent = f"max_fidelity_total={budget.max_fidelity_total:g} is spent ({self.fidelity:g})"
            return Limit(done=True, reason=spent)
        if budget.max_cost_total is not None:
            return self._cost_limit(budget.max_cost_total, list(pending), expected=expected)
        return None

    def _cost_limit(self, most: float, waiting: list[Decision], *, expected: bool) -> Limit | None:
        if has_reached(self.total, most):
            return Limit(done=True, reason=f"max_cost_total={most:g} is spent ({self.total:g})")
        if waiting and self.mean is None and not expected:
            first = waiting[0].number
            reason = f"trial {first} to return the first cost (expected_cost=… avoids this wait)"
            return Limit(done=False, reason=reason, first_cost_of=first)
        if waiting and has_reached(self.total_with(waiting), most):
            running = "1 running trial" if len(waiting) == 1 else f"{len(waiting)} running trials"
            reason = f"{running}, expected to use up max_cost_total={most:g} (a higher one lets more trials start)"
            return Limit(done=False, reason=reason)
        return None


def _float(amount: Fraction) -> float:
    """The nearest float: infinity beyond them all."""
    try:
        return float(amount)
    except OverflowError:
        return math.inf
