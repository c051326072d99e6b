"""What evaluations have cost, and what the next one is therefore expected to cost. Sums are exact."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

from neps._fidelity import FidelityStep

__all__ = ["KnownCosts"]


@dataclasses.dataclass(slots=True)
class _Sum:
    """Of so many costs, and of the fidelity that was run for them."""

    cost: Fraction = Fraction(0)
    fidelity: Fraction = Fraction(0)
    count: int = 0

    def add(self, cost: Fraction, fidelity: Fraction, sign: int) -> None:
        self.cost += sign * cost
        self.fidelity += sign * fidelity
        self.count += sign

    @property
    def mean(self) -> Fraction | None:
        return self.cost / self.count if self.count else None


class KnownCosts:
    """The costs of successes, by the step of fidelity that they ran; by None where there is no fidelity."""

    def __init__(self) -> None:
        self._all = _Sum()
        self._scalable = _Sum()
        self._by_step: dict[FidelityStep | None, _Sum] = {}

    def add(self, step: FidelityStep | None, cost: Fraction, sign: int = 1) -> None:
        """Count one cost in, or with a `sign` of -1 out again."""
        width = step.width if step is not None else Fraction(0)
        for each in (self._all, self._by_step.setdefault(step, _Sum())):
            each.add(cost, width, sign)
        if width:
            self._scalable.add(cost, width, sign)

    @property
    def mean(self) -> Fraction | None:
        """Of all costs; None while there is none."""
        return self._all.mean

    def expected(self, step: FidelityStep | None) -> Fraction | None:
        """The mean of the same step; else what a unit of fidelity has cost, times the step's width; else the mean."""
        same = self._by_step.get(step)
        if same is not None and same.count:
            return same.mean
        if step is not None and step.width and self._scalable.count:
            return self._scalable.cost / self._scalable.fidelity * step.width
        return self.mean
