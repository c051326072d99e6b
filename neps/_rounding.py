"""How far floats are trusted where whole numbers, or equal amounts, come out of rounded arithmetic.

Fidelities, brackets and budgets call it.
"""

from __future__ import annotations

import math
from fractions import Fraction

__all__ = ["has_reached", "just_above", "rounded_down", "rounded_up"]

_TOLERANCE = 1e-9
"""Some products, sums and logarithms in a row are off by 1e-15 of themselves each. Counts, rungs and amounts that mean
different things are never this near to each other."""


def rounded_down(count: float) -> int:
    """The whole number below, or the nearest one, where only rounding keeps `count` below it.

    Example:
        >>> rounded_down(4.9999999999), rounded_down(4.9)
        (5, 4)
    """
    return math.floor(count + _TOLERANCE)


def rounded_up(count: float) -> int:
    """The whole number above, or the nearest one, where only rounding keeps `count` above it."""
    return math.ceil(count - _TOLERANCE)


def has_reached(amount: float | Fraction, goal: float) -> bool:
    """Whether an amount is as large as a goal.

    Decimals aren't what a float holds: ten times 0.7 is a little less than 7.
    """
    return amount >= goal * (1 - _TOLERANCE)


def just_above(amount: float) -> float:
    """What an equal amount that was rounded differently doesn't exceed."""
    return amount * (1.0 + _TOLERANCE)
