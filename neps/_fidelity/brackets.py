"""Brackets: how many configurations begin at which rung, and how many go on to each higher one."""

from __future__ import annotations

import dataclasses
import functools

from neps._rounding import rounded_down, rounded_up

__all__ = ["Bracket", "hyperband_brackets", "successive_halving_bracket"]


@dataclasses.dataclass(frozen=True, slots=True)
class Bracket:
    """A bracket of successive halving.

    Args:
        lowest: the rung at which its configurations begin, counted from 0.
        sizes: how many trials it has there, and at each rung above; at least 1 each, and never more than below.
    """

    lowest: int
    sizes: tuple[int, ...]


@functools.lru_cache(maxsize=64)
def successive_halving_bracket(rung_count: int, eta: float, early_stopping_rate: int = 0) -> Bracket:
    """The bracket of successive halving that begins `early_stopping_rate` rungs above the lowest.

    Its sizes are those of Hyperband's bracket that begins there (Li et al. 2018, "Hyperband", algorithm 1), so that
    one configuration is expected to reach the highest rung, or a few.

    Args:
        rung_count: how many rungs there are, at least 1.
        eta: above 1.
        early_stopping_rate: from 0 to `rung_count` - 1.

    Example:
        >>> successive_halving_bracket(5, 3)
        Bracket(lowest=0, sizes=(81, 27, 9, 3, 1))
    """
    s_max, s = rung_count - 1, rung_count - 1 - early_stopping_rate
    n = rounded_up((s_max + 1) / (s + 1) * eta**s)
    return Bracket(early_stopping_rate, tuple(rounded_down(n * eta**-i) for i in range(s + 1)))


@functools.lru_cache(maxsize=16)
def hyperband_brackets(rung_count: int, eta: float) -> tuple[Bracket, ...]:
    """Hyperband's brackets, from the one that begins lowest to the one that only runs the highest rung.

    n = ⌈(s_max + 1) / (s + 1) · eta^s⌉ configurations begin in bracket s, as in algorithm 1 of Li et al. (2018,
    "Hyperband"), and ⌊n · eta^-i⌋ are at its rung i. Their table 1 differs: it has 27, 9 and 6 where the algorithm has
    34, 15 and 8.

    Example:
        >>> [bracket.sizes for bracket in hyperband_brackets(5, 3)]
        [(81, 27, 9, 3, 1), (34, 11, 3, 1), (15, 5, 1), (8, 2), (5,)]
    """
    return tuple(successive_halving_bracket(rung_count, eta, rate) for rate in range(rung_count))
