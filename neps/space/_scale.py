"""Between values and the unit interval: pure arithmetic, exact at the edges. Priors are not here.

Real numbers lie on a `Line`, linear or logarithmic. Values that follow each other stand in a `Row`: each owns a bin,
an interval of [0, 1], and stands at its centre. Each parameter has one of the two as its `axis`.

Exact: bounds, choices, and whole numbers as long as their bins are wide enough to hold a float: every range of up
to 2^53 + 1 values, and on a log scale those whose topmost bin is wider than 4e-16, such as 1 to 10^13. Beyond, [0, 1]
has fewer floats than the range has values; a value then comes back within 1e-15 of the unit interval.
"""

from __future__ import annotations

import abc
import bisect
import dataclasses
import functools
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from neps.space._values import Value

__all__ = ["Axis", "Bins", "Line", "Multiples", "Row"]

_LN2 = math.log(2.0)
_SLACK = Fraction(1, 10**9)


class Axis(abc.ABC):
    """Where the values of a parameter lie in [0, 1]."""

    __slots__ = ()

    @property
    @abc.abstractmethod
    def count(self) -> int | None:
        """How many values there are; None for infinitely many."""

    @abc.abstractmethod
    def position(self, value: Value) -> float:
        """Where one of the values lies."""

    @abc.abstractmethod
    def value(self, unit: float) -> Value:
        """The value at a position in [0, 1]."""

    @abc.abstractmethod
    def cell(self, value: Value) -> tuple[float, float]:
        """The positions that are this value, from the first to the last; the same twice for a real number."""

    @abc.abstractmethod
    def rank(self, value: Value) -> float:
        """What one of the values is compared by: of two values in their order, the later has the larger one."""

    @abc.abstractmethod
    def another(self, value: Value, reached: float) -> Value:
        """The value at `reached`; if that is `value`, and others are apart from it, its neighbour on that side."""

    @abc.abstractmethod
    def every_value(self, most: int) -> Sequence[Value] | None:
        """All values in their order, if there are at most so many, or somebody has listed them."""


@dataclasses.dataclass(frozen=True, slots=True)
class Line(Axis):
    """Real numbers from `lower` to `upper`: 0.0 and 1.0 are the bounds, 0.5 a single value.

    Example:
        >>> Line(1e-4, 1.0, log=True).position(0.01), Line(1e-4, 1.0, log=True).value(1.0)
        (0.5, 1.0)
    """

    lower: float
    upper: float
    log: bool = False

    @property
    def count(self) -> int | None:
        """See `Axis`."""
        return 1 if self.lower == self.upper else None

    def position(self, value: Value) -> float:
        """See `Axis`."""
        number, lower, upper = float(value), self.lower, self.upper  # type: ignore[arg-type] # a number: it is on the line
        if lower == upper:
            return 0.5
        if self.log:
            return min(_log_ratio(number, lower) / _log_ratio(upper, lower), 1.0)
        return _linear_position(number, lower, upper)

    def value(self, unit: float) -> Value:
        """See `Axis`."""
        if unit in {0.0, 1.0}:
            return self.upper if unit else self.lower
        return (_log_value if self.log else _linear_value)(unit, self.lower, self.upper)

    def cell(self, value: Value) -> tuple[float, float]:
        """See `Axis`."""
        return (0.0, 1.0) if self.count == 1 else (self.position(value),) * 2

    def rank(self, value: Value) -> float:
        """See `Axis`."""
        return float(value)  # type: ignore[arg-type] # a number: it is on the line

    def another(self, value: Value, reached: float) -> Value:  # noqa: ARG002 - never reached again
        """See `Axis`."""
        return self.value(reached)

    def every_value(self, most: int) -> Sequence[Value] | None:  # noqa: ARG002 - one, or too many
        """See `Axis`."""
        return (self.lower,) if self.count == 1 else None


@dataclasses.dataclass(frozen=True, slots=True)
class Row(Axis):
    """Values that follow each other: numbers by size, choices in their order.

    Args:
        values: all of them, which are compared by ==; a tuple if somebody has listed them.
        lower: the first one, if they are the whole numbers from there on, on a log scale; None for bins of one width.

    Example:
        >>> Row(range(1, 6)).position(1), Row(range(1, 6)).value(0.3), Row(("a", "b")).cell("b")
        (0.1, 2, (0.5, 1.0))
    """

    values: Sequence[Value]
    lower: int | None = None

    @property
    def count(self) -> int:
        """See `Axis`."""
        return len(self.values)

    @property
    def bins(self) -> Bins:
        """The intervals that the values own."""
        return Bins(len(self.values), self.lower)

    def position(self, value: Value) -> float:
        """See `Axis`."""
        return self.bins.centre(self.values.index(value))

    def value(self, unit: float) -> Value:
        """See `Axis`."""
        return self.values[self.bins.index(unit)]

    def cell(self, value: Value) -> tuple[float, float]:
        """See `Axis`."""
        index = self.values.index(value)
        return self.bins.edge(index), self.bins.edge(index + 1)

    def rank(self, value: Value) -> float:
        """See `Axis`."""
        return self.values.index(value)

    def another(self, value: Value, reached: float) -> Value:
        """See `Axis`."""
        index, old = self.bins.index(reached), self.values.index(value)
        if index == old:
            upwards = index < self.count - 1 and (reached > self.position(value) or index == 0)
            index += 1 if upwards else -1
        return self.values[index]

    def every_value(self, most: int) -> Sequence[Value] | None:
        """See `Axis`."""
        return self.values if self.count <= most or isinstance(self.values, tuple) else None


@dataclasses.dataclass(frozen=True, slots=True)
class Bins:
    """`count` intervals that fill [0, 1], numbered from 0.

    They are equally wide, or, on a log scale, bin i is as wide as log((lower + i + 1/2) / (lower + i - 1/2)), so that
    each whole number k owns what lies between k - 1/2 and k + 1/2.

    Args:
        count: how many there are, at least 1.
        lower: the whole number of bin 0 on a log scale, at least 1; None if all are equally wide.
    """

    count: int
    lower: int | None = None

    def edge(self, index: int) -> float:
        """Where bin `index` begins, and the one before ends; 0.0 for 0 and 1.0 for `count`."""
        if self.lower is None:
            return index / self.count
        # k - 1/2 is not a float for k above 2^52, and the logs of two neighbours there are equal: ints are exact.
        origin = 2 * self.lower - 1
        return math.log1p(2 * index / origin) / math.log1p(2 * self.count / origin)

    def centre(self, index: int) -> float:
        """The middle of bin `index`, or its beginning where the middle rounds to the next bin."""
        begin, end = self.edge(index), self.edge(index + 1)
        middle = (begin + end) / 2 if self.lower else (2 * index + 1) / (2 * self.count)
        return middle if self.index(middle) == index else begin

    def index(self, unit: float) -> int:
        """The bin that holds `unit`, a float in [0, 1]."""
        if self.lower is None:
            # A float times count rounds, which moves values near an edge into the wrong bin. Ratios of ints do not.
            numerator, denominator = unit.as_integer_ratio()
            return min(numerator * self.count // denominator, self.count - 1)
        return bisect.bisect_right(range(self.count), unit, key=self.edge) - 1


@dataclasses.dataclass(frozen=True, slots=True)
class Multiples(Sequence[float]):
    """The numbers lower + k · step, each the float that one would write: 0.3, where 3 * 0.1 is 0.30000000000000004.

    Args:
        numerators: of the numbers, as fractions.
        denominator: of all of them.

    Example:
        >>> list(Multiples.between(0.1, 0.7, 0.2)), Multiples.between(0.0, 1.0, 0.1).index(3 * 0.1)
        ([0.1, 0.3, 0.5, 0.7], 3)
    """

    numerators: range
    denominator: int

    @classmethod
    @functools.lru_cache(maxsize=64)
    def between(cls, lower: float, upper: float, step: float) -> Multiples:
        """Those from `lower` to `upper`, or to the last one before."""
        written = [Fraction(repr(number)) for number in (lower, upper, step)]
        denominator = math.lcm(*(number.denominator for number in written))
        first, last, stride = (int(number * denominator) for number in written)
        return cls(range(first, last + 1, stride), denominator)

    def __len__(self) -> int:
        return len(self.numerators)

    def __getitem__(self, index: int) -> float:  # type: ignore[override] # nobody cuts slices
        return self.numerators[index] / self.denominator

    def index(self, value: Any, start: int = 0, stop: int | None = None) -> int:
        """The place of a number, which may be off by a billionth of a step; ValueError if none is there."""
        place = (Fraction(value) * self.denominator - self.numerators.start) / self.numerators.step
        index = min(max(round(place), 0), len(self) - 1)
        found = abs(place - index) <= _SLACK or self[index] == value
        if not found or not start <= index < (len(self) if stop is None else stop):
            raise ValueError(value)
        return index


def _linear_position(number: float, lower: float, upper: float) -> float:
    if math.isinf(upper - lower):  # the range is wider than the largest float: halve everything
        return _linear_position(number / 2, lower / 2, upper / 2)
    return (number - lower) / (upper - lower)


def _linear_value(unit: float, lower: float, upper: float) -> float:
    if math.isinf(upper - lower):
        return 2 * _linear_value(unit, lower / 2, upper / 2)
    return min(max(lower + unit * (upper - lower), lower), upper)


def _log_ratio(large: float, small: float) -> float:
    """log(large / small) to full precision, where log(large) - log(small) would cancel and large / small overflow."""
    if large <= 2 * small:
        return math.log1p((large - small) / small)
    (large, high), (small, low) = math.frexp(large), math.frexp(small)
    return math.log(large / small) + (high - low) * _LN2


def _log_value(unit: float, lower: float, upper: float) -> float:
    """The value upper * (lower / upper) ** (1 - unit), through powers of 2, which neither overflow nor round.

    From the upper end, since that only shrinks: from the lower one a subnormal bound would have few digits to grow
    from, and rounding could carry a value beyond the largest float.
    """
    distance = (1 - unit) * _log_ratio(upper, lower)
    halvings = math.floor(distance / _LN2)
    mantissa, exponent = math.frexp(upper)
    mantissa *= math.exp(halvings * _LN2 - distance)
    return min(max(math.ldexp(mantissa, exponent - halvings), lower), upper)
