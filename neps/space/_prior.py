"""What a parameter's default says about good values: its prior, on the unit interval.

A default and a confidence make a truncated normal where values have an order, and weights where they have none; without
a default there is no prior, and all is uniform. Only the mathematics is here. `Parameter` calls it.
"""

from __future__ import annotations

import abc
import dataclasses
import math
from typing import Literal

from neps.errors import SpaceError, nearest, shown
from neps.space._scale import Bins

__all__ = ["Confidence", "Prior", "TruncatedNormal", "Weights", "confidence"]

Confidence = Literal["low", "medium", "high"]

_DEVIATIONS: dict[Confidence, float] = {"low": 0.5, "medium": 0.25, "high": 0.125}
_WEIGHTS: dict[Confidence, int] = {"low": 2, "medium": 4, "high": 6}

_NARROW = 1e-5
"""In standard deviations: in narrower bins the mass, a difference of two areas, has fewer digits than the density in
the middle, which there is off by less than 3e-10 of itself."""


def confidence(kind: str, given: Confidence) -> Confidence:
    """The confidence, if it is one; `kind` begins the message."""
    if given in tuple(_DEVIATIONS):
        return given
    hint = nearest(str(given), _DEVIATIONS)
    msg = f"{kind}: default_confidence is {shown(given)}, but it must be 'low', 'medium' or 'high'.{hint}"
    raise SpaceError(msg)


class Prior(abc.ABC):
    """A distribution on [0, 1]."""

    __slots__ = ()

    @abc.abstractmethod
    def quantile(self, probability: float) -> float:
        """The position in [0, 1] below which `probability`, in [0, 1], lies.

        Among weights it is the centre of the bin that it falls in. Decoded positions of uniform probabilities are a
        sample of the prior, in which each value of a row has the mass of its bin.
        """

    @abc.abstractmethod
    def log_density(self, begin: float, end: float) -> float:
        """The logarithm of the mean density, relative to uniform, between two positions, or at one."""


@dataclasses.dataclass(frozen=True, slots=True)
class Weights(Prior):
    """Of `count` values without an order one weighs more: the bin `default` `weight` times as much as each other.

    Example:
        >>> Weights.around(0.5, 3, "low").quantile(0.7)
        0.5
    """

    default: int
    count: int
    weight: int

    @classmethod
    def around(cls, position: float, count: int, confidence: Confidence) -> Weights:
        """With the default at this position, and the weight that a confidence stands for."""
        return cls(Bins(count).index(position), count, _WEIGHTS[confidence])

    def quantile(self, probability: float) -> float:
        """See `Prior`."""
        place, last = probability * (self.count - 1 + self.weight), self.count - 1
        index = self.default
        if place < self.default:
            index = int(place)
        elif place >= self.default + self.weight:
            index = min(int(place - self.weight) + 1, last)
        return Bins(self.count).centre(index)

    def log_density(self, begin: float, end: float) -> float:
        """See `Prior`; between the edges of a bin."""
        own = self.weight if Bins(self.count).index((begin + end) / 2) == self.default else 1
        return math.log(own * self.count / (self.count - 1 + self.weight))


@dataclasses.dataclass(frozen=True, slots=True)
class TruncatedNormal(Prior):
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

    @classmethod
    def around(cls, mean: float, confidence: Confidence) -> TruncatedNormal:
        """With the standard deviation that a confidence stands for."""
        return cls(mean, _DEVIATIONS[confidence])

    def quantile(self, probability: float) -> float:
        """See `Prior`."""
        from statistics import NormalDist

        below = _lower_tail(self._standard(0.0)) + probability * self._mass()
        # The area from the nearer end: near 1 a float has no digits left to tell positions in the upper tail apart.
        above = _lower_tail(-self._standard(1.0)) + (1 - probability) * self._mass()
        z = NormalDist().inv_cdf(below) if below < above else -NormalDist().inv_cdf(above)
        return min(max(self.mean + self.deviation * z, 0.0), 1.0)

    def log_density(self, begin: float, end: float) -> float:
        """See `Prior`."""
        if end - begin < _NARROW * self.deviation:
            normaliser = self.deviation * math.sqrt(2 * math.pi) * self._mass()
            return -(self._standard((begin + end) / 2) ** 2) / 2 - math.log(normaliser)
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
