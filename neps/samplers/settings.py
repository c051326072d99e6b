"""Settings of samplers that are numbers, checked. Samplers call it when they are made."""

from __future__ import annotations

import math
import numbers

from neps.errors import ArgumentError

__all__ = ["number", "probability"]


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


def _real(value: object) -> float:
    """The number, or NaN for anything else."""
    return float(value) if isinstance(value, numbers.Real) and not isinstance(value, bool) else math.nan
