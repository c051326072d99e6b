"""Budgets of a run, as arithmetic: may another trial start, and what is it expected to cost?

No files, no clock. The worker asks before it asks its sampler; samplers see the limits.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction

from neps.space import Value
from neps.trial import Decision, Trial

__all__ = ["Budget", "ExpectedCost", "Limit", "Spending"]

ExpectedCost = float | Callable[[Mapping[str, Value]], float]
"""What the user expects one evaluation to cost: a number, or a function of the configuration."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a run may spend over all its workers, for ever. None means no limit.

    `max_evaluations_total` bounds the numbers of trials, `max_cost_total` the sum of returned costs,
    `max_fidelity_total` the sum of the fidelity really run.
    """

    max_evaluations_total: int | None = None
    max_cost_total: float | None = None
    max_fidelity_total: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Limit:
    """Why no trial may start: for now (`done` is False), or for good. `reason` is shown to the user."""

    done: bool
    reason: str


class Spending:
    """The costs that are known of a run, summed exactly, so that ten times 0.1 is 1.

    Call `seen` for each trial that becomes known, and again when it has a result or is reopened.
    """

    def __init__(self) -> None:
        self._spent = Fraction(0)
        self._counted: dict[int, Fraction] = {}
        self._costs = Fraction(0)
        self._count = 0
        self._damaged: dict[int, float | None] = {}

    def seen(self, trial: Trial) -> None:
        """A trial is known, or stands differently now."""
        if trial.result is None and not trial.spent and trial.number not in self._counted:
            return
        spent = Fraction(trial.spent)
        self._spent += spent - self._counted.pop(trial.number, Fraction(0))
        if spent and not trial.succeeded:
            self._counted[trial.number] = spent
        self._damaged.pop(trial.number, None)
        result = trial.result
        if result is not None and result.damaged:
            self._damaged[trial.number] = trial.decision.reserved_cost if trial.decision else None
        elif result is not None and result.success and result.cost is not None and result.account_for_cost:
            self._costs += Fraction(result.cost)
            self._count += 1

    @property
    def mean(self) -> float | None:
        """The mean cost of a success, or None while none is known."""
        return _float(self._costs / self._count) if self._count else None

    @property
    def total(self) -> float:
        """What was spent. A damaged trial counts as it was expected: nothing while no cost is known."""
        return self.total_with([])

    def total_with(self, pending: Iterable[Decision]) -> float:
        """What was spent and what is reserved by decisions without a result."""
        reserved = sum((self._expected(decision.reserved_cost) for decision in pending), Fraction(0))
        damaged = sum(map(self._expected, self._damaged.values()), Fraction(0))
        return _float(self._spent + damaged + reserved)

    def _expected(self, reserved: float | None) -> Fraction:
        if reserved is None:
            reserved = self.mean or 0.0
        return Fraction(reserved)

    def limit(self, budget: Budget, pending: Iterable[Decision], *, expected: bool) -> Limit | None:
        """Why no trial may start on account of its cost, or None.

        Args:
            budget: the run's.
            pending: the decisions without a result.
            expected: whether the user has said what a trial is expected to cost.
        """
        if budget.max_cost_total is None:
            return None
        waiting = list(pending)
        if self.total >= budget.max_cost_total:
            return Limit(done=True, reason=f"max_cost_total={budget.max_cost_total:g} is spent ({self.total:g})")
        if waiting and self.mean is None and not expected:
            reason = f"trial {waiting[0].number} to return the first cost, a wait that expected_cost=… would spare"
            return Limit(done=False, reason=reason)
        if waiting and self.total_with(waiting) >= budget.max_cost_total:
            cost = f"max_cost_total={budget.max_cost_total:g}"
            reason = f"running trials ({len(waiting)}), whose expected cost uses up {cost}: raise it to go on"
            return Limit(done=False, reason=reason)
        return None


def _float(amount: Fraction) -> float:
    """The nearest float: infinity beyond them all."""
    try:
        return float(amount)
    except OverflowError:
        return math.inf
