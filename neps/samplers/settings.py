"""Settings of samplers that are numbers, checked. Samplers call it when they are made."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence

from neps.errors import ArgumentError, nearest

__all__ = ["number", "one_of", "probability", "whole"]


def number(name: str, value: object, *, above: float = -math.inf) -> float:
    """A finite number greater than `above`, as a plain float.

    Raises:
        ArgumentError: if it is anything else.
    """
    converted = _real(value)
    if not above < converted < math.inf:
        raise ArgumentError(f"{name} must be a finite number greater than {above:g}, not {value!r}.")
    return converted


def probability(name: str, value: object) -> float:
    """A number from 0 to 1, as a plain float.

    Raises:
        ArgumentError: if it is anything else.
    """
    converted = _real(value)
    if not 0.0 <= converted <= 1.0:
        raise ArgumentError(f"{name} must be a number from 0 to 1, not {value!r}.")
    return converted


def whole(name: str, value: object, *, least: int, or_none: bool = False) -> int:
    """A whole number of at least `least`, as a plain int.

    Raises:
        ArgumentError: if it is anything else. The message allows for None where `or_none`.
    """
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < least:
        raise ArgumentError(
            f"{name} must be a whole number of at least {least}{', or None' if or_none else ''}, not {value!r}."
        )
    return int(value)


def one_of(name: str, value: object, choices: Sequence[str]) -> str:
    """One of these texts, as plain str.

    Raises:
        ArgumentError: if it is anything else. The message allows for None.
    """
    if not isinstance(value, str) or value not in choices:
        listed = ", ".join(map(repr, choices))
        raise ArgumentError(f"{name} must be {listed} or None, not {value!r}.{nearest(str(value), choices)}")
    return next(choice for choice in choices if choice == value)


def _real(value: object) -> float:
    """The number, infinity for one beyond all floats, or NaN for anything else."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf
