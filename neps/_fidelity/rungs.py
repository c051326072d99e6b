"""Rungs: the fidelities at which configurations are compared, from the lowest to the highest."""

from __future__ import annotations

import bisect
import functools
import math
from collections.abc import Sequence

from neps._rounding import just_above, rounded_down, rounded_up

__all__ = ["evenly_spaced", "level_of", "rungs", "whole_powers"]


@functools.lru_cache(maxsize=64, typed=True)
def rungs(lower: float, upper: float, eta: float, *, whole: bool = False) -> tuple[float, ...]:
    """Geometric from the top: upper, upper / eta, upper / eta², …, and the lower bound as the lowest.

    The lowest step absorbs what doesn't fit: it is a factor of `eta` or more. Where even one step doesn't fit, the only
    rung is the upper bound.

    Args:
        lower: the fidelity's lower bound, above 0.
        upper: its upper bound.
        eta: above 1.
        whole: whether a fidelity is a whole number. Rungs are then rounded, and none comes twice.

    Example:
        >>> rungs(1, 81, 3, whole=True)
        (1, 3, 9, 27, 81)
        >>> [round(rung, 1) for rung in rungs(3.0, 100.0, 3)]
        [3.0, 11.1, 33.3, 100.0]
    """
    steps = whole_powers(upper / lower, eta)
    levels = [upper / eta**k for k in range(max(steps, 1))] + [lower] * (steps > 0)
    if whole:
        levels = [min(max(math.floor(level + 0.5), lower), upper) for level in levels]
    return tuple(sorted(set(levels)))


def evenly_spaced(lower: float, upper: float, step: float) -> tuple[float, ...]:
    """Evenly spaced fidelities: lower, lower + step, lower + 2 step, …, and the upper bound, where the last step ends.

    Args:
        lower: the fidelity's lower bound.
        upper: its upper bound.
        step: above 0; a whole number where the fidelity is one.

    Example:
        >>> evenly_spaced(1, 10, 4)
        (1, 5, 9, 10)
    """
    count = max(rounded_up((upper - lower) / step), 1 if lower < upper else 0)
    return (*(lower + step * k for k in range(count)), upper)


def level_of(fidelity: float | None, levels: Sequence[float]) -> int:
    """The highest of the levels, from the lowest, that a fidelity has reached; -1 below the lowest, and of none.

    Example:
        >>> level_of(5, (1, 3, 9)), level_of(9, (1, 3, 9)), level_of(None, (1, 3, 9))
        (1, 2, -1)
    """
    return bisect.bisect_right(levels, just_above(fidelity or 0.0)) - 1


def whole_powers(ratio: float, eta: float) -> int:
    """⌊log(ratio) / log(eta)⌋, where rounding doesn't cost a whole power: log(243) / log(3) is 4.999… to a float.

    Args:
        ratio: at least 1.
        eta: above 1.

    Example:
        >>> whole_powers(243, 3), whole_powers(242, 3)
        (5, 4)
    """
    return rounded_down(math.log(ratio) / math.log(eta))
