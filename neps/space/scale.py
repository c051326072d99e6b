"""Between a parameter's values and the unit interval: pure arithmetic, exact at the edges.

A real number has a position in [0, 1], linear or logarithmic. Whole numbers and choices own bins, intervals that
fill [0, 1], and stand at the centre of theirs. Priors are not here. `SearchSpace` and `prior` call it.

Exact: bounds, choices, and whole numbers as long as their bins are wide enough to hold a float: every range of up
to 2^53 + 1 values, and on a log scale those whose topmost bin is wider than 4e-16, such as 1 to 10^13. Beyond, [0, 1]
has fewer floats than the range has values; a value then comes back within 1e-15 of the unit interval.
"""

from __future__ import annotations

import bisect
import dataclasses
import math

from neps.space.parameters import Categorical, Float, Integer, Value

__all__ = ["Bins", "Searchable", "bin_of", "bins", "from_unit", "to_unit"]

Searchable = Float | Integer | Categorical
"""The parameters that have a place in the unit cube."""

_LN2 = math.log(2.0)


def to_unit(parameter: Searchable, value: object) -> float:
    """The position of `value` in [0, 1].

    Args:
        parameter: whose value it is.
        value: one of its values, checked again here.

    Returns:
        0.0 and 1.0 for the bounds of a Float, 0.5 where it has a single value; else the centre of the value's bin.

    Raises:
        SpaceError: if it is not a value of the parameter.

    Example:
        >>> to_unit(Float(1e-4, 1, log=True), 0.01), to_unit(Integer(1, 5), 1), to_unit(Categorical(["a", "b"]), "b")
        (0.5, 0.1, 0.75)
    """
    if not isinstance(parameter, Float):
        return bins(parameter).centre(bin_of(parameter, value))
    number, lower, upper = parameter.parse(value), parameter.lower, parameter.upper
    if lower == upper:
        return 0.5
    if parameter.log:
        return min(_log_ratio(number, lower) / _log_ratio(upper, lower), 1.0)
    return _linear_position(number, lower, upper)


def from_unit(parameter: Searchable, unit: float) -> Value:
    """The value at position `unit`, within the bounds whatever `unit` is: below 0 and above 1 are the ends.

    Args:
        parameter: whose value is wanted.
        unit: the position; not NaN.

    Example:
        >>> from_unit(Float(1e-4, 1, log=True), 1.0), from_unit(Integer(1, 5), 0.3)
        (1.0, 2)
    """
    unit = min(max(unit, 0.0), 1.0)
    if isinstance(parameter, Categorical):
        return parameter.choices[bins(parameter).index(unit)]
    if isinstance(parameter, Integer):
        return parameter.lower + bins(parameter).index(unit)
    if unit in {0.0, 1.0}:
        return parameter.upper if unit else parameter.lower
    if parameter.log:
        return _log_value(unit, parameter.lower, parameter.upper)
    return _linear_value(unit, parameter.lower, parameter.upper)


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


def bins(parameter: Integer | Categorical) -> Bins:
    """The bins of a parameter's values: in order of size, or in the order of its choices."""
    if isinstance(parameter, Categorical):
        return Bins(len(parameter.choices))
    return Bins(parameter.upper - parameter.lower + 1, parameter.lower if parameter.log else None)


def bin_of(parameter: Integer | Categorical, value: object) -> int:
    """The number of the bin that `value` owns."""
    return parameter.index(value) if isinstance(parameter, Categorical) else parameter.parse(value) - parameter.lower


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
