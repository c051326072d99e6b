"""What a parameter's default says about good values: its prior, on the unit interval.

A default and a confidence make a truncated normal or weighted choices; without a default the prior is uniform. Only
the mathematics is here. `SearchSpace` calls it.
"""

from __future__ import annotations

import dataclasses
import math
from statistics import NormalDist

from neps.space.parameters import Categorical, Confidence, Float
from neps.space.scale import Searchable, bin_of, bins, to_unit

__all__ = ["TruncatedNormal", "log_density", "normal", "quantile"]

_DEVIATIONS: dict[Confidence, float] = {"low": 0.5, "medium": 0.25, "high": 0.125}
_WEIGHTS: dict[Confidence, int] = {"low": 2, "medium": 4, "high": 6}

_NARROW = 1e-5
"""In standard deviations: in narrower bins the mass, a difference of two areas, has fewer digits than the density in
the middle, which there is off by less than 3e-10 of itself."""


def quantile(parameter: Searchable, probability: float) -> float:
    """The position in [0, 1] below which the prior has `probability`.

    Args:
        parameter: whose prior is meant.
        probability: in [0, 1].

    Returns:
        The position; for choices, the centre of the bin that it falls in. Decoded positions of uniform
        probabilities are a sample of the prior, in which each whole number has the mass of its bin.
    """
    if parameter.default is None:
        return probability
    if isinstance(parameter, Categorical):
        return bins(parameter).centre(_weighted_choice(parameter, probability))
    return normal(parameter).quantile(probability)


def log_density(parameter: Searchable, value: object) -> float:
    """The logarithm of the prior's density at `value`, relative to uniform on the unit interval.

    For whole numbers and choices it is the mass of the value's bin over the bin's width. 0.0 without a default, and
    where there is a single value.

    Raises:
        SpaceError: if it is not a value of the parameter.
    """
    if parameter.default is None:
        return 0.0
    if isinstance(parameter, Categorical):
        count, weight = len(parameter.choices), _WEIGHTS[parameter.default_confidence]
        own = weight if parameter.index(value) == parameter.index(parameter.default) else 1
        return math.log(own * count / (count - 1 + weight))
    if isinstance(parameter, Float):
        single = parameter.lower == parameter.upper
        return 0.0 if single else normal(parameter).log_density(to_unit(parameter, value))
    intervals, index = bins(parameter), bin_of(parameter, value)
    return normal(parameter).log_mean_density(intervals.edge(index), intervals.edge(index + 1))


def normal(parameter: Searchable) -> TruncatedNormal:
    """The prior of a number that has a default, on its own scale."""
    return TruncatedNormal(to_unit(parameter, parameter.default), _DEVIATIONS[parameter.default_confidence])


def _weighted_choice(parameter: Categorical, probability: float) -> int:
    """The choice at `probability` when the default is `weight` wide and each other choice 1, in their order."""
    default, weight = parameter.index(parameter.default), _WEIGHTS[parameter.default_confidence]
    last = len(parameter.choices) - 1
    place = probability * (last + weight)
    if place < default:
        return int(place)
    return min(int(place - weight) + 1, last) if place >= default + weight else default


@dataclasses.dataclass(frozen=True, slots=True)
class TruncatedNormal:
    """A normal distribution cut off at 0 and 1.

    Args:
        mean: of the normal before it is cut, in [0, 1].
        deviation: its standard deviation, above 0.

    Example:
        >>> TruncatedNormal(0.5, 0.25).quantile(0.5)
        0.5
    """

    mean: float
    deviation: float

    def quantile(self, probability: float) -> float:
        """The position in [0, 1] below which `probability`, in [0, 1], lies."""
        below = _lower_tail(self._standard(0.0)) + probability * self._mass()
        # The area from the nearer end: near 1 a float has no digits left to tell positions in the upper tail apart.
        above = _lower_tail(-self._standard(1.0)) + (1 - probability) * self._mass()
        z = NormalDist().inv_cdf(below) if below < above else -NormalDist().inv_cdf(above)
        return min(max(self.mean + self.deviation * z, 0.0), 1.0)

    def log_density(self, position: float) -> float:
        """The logarithm of the density at a position in [0, 1]."""
        normaliser = self.deviation * math.sqrt(2 * math.pi) * self._mass()
        return -(self._standard(position) ** 2) / 2 - math.log(normaliser)

    def log_mean_density(self, begin: float, end: float) -> float:
        """The logarithm of the mean density between two positions in [0, 1]."""
        if end - begin < _NARROW * self.deviation:
            return self.log_density((begin + end) / 2)
        low, high = self._standard(begin), self._standard(end)
        return math.log(_area(low, high) / (self._mass() * (end - begin)))

    def _standard(self, position: float) -> float:
        return (position - self.mean) / self.deviation

    def _mass(self) -> float:
        """What of the normal lies within [0, 1]: at least 0.47, as the mean does."""
        return _area(self._standard(0.0), self._standard(1.0))


def _lower_tail(z: float) -> float:
    return math.erfc(-z / math.sqrt(2)) / 2


def _area(low: float, high: float) -> float:
    """The standard normal's mass between two points, from the side where its tails are small numbers."""
    return _lower_tail(-low) - _lower_tail(-high) if low > 0 else _lower_tail(high) - _lower_tail(low)
