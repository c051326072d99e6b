"""Values of parameters as plain Python: what users write becomes one, or is refused."""

from __future__ import annotations

import math

import numpy as np

from neps.errors import SpaceError, shown

__all__ = ["LARGEST_INTEGER", "Value", "equal_values", "finite", "flag", "scalar", "told_apart", "whole"]

Value = int | float | str | bool | None
"""What a parameter may be: any YAML scalar, as plain Python."""

LARGEST_INTEGER = 2**53
"""Bound of integers: up to here each one is a float as well, so no reader of the files rounds it."""


def scalar(what: str, value: object) -> Value:
    """`value` as a plain Python scalar: NumPy scalars, enums and other subclasses converted, -0.0 made 0.0.

    Args:
        what: what the value is, to begin an error message with.
        value: any object.

    Raises:
        SpaceError: if it is none of str, int, float, bool or None.
    """
    plain = value.item() if isinstance(value, np.generic) else value
    if plain is None or isinstance(plain, bool):
        return plain
    if isinstance(plain, str):
        return _text(what, str.__str__(plain))  # an enum's own str() is its name
    if isinstance(plain, int):
        return int(plain)
    if isinstance(plain, float):
        return float(plain) + 0.0  # -0.0 equals 0.0 but is written differently
    msg = f"{what} is {shown(value)}, but it must be a str, int, float, bool or None: write its name, for example."
    raise SpaceError(msg)


def _text(what: str, text: str) -> str:
    if not text.isascii() and text != text.encode(errors="replace").decode():
        msg = f"{what} is {shown(text)}, which is not valid Unicode (half of a surrogate pair). Write another text."
        raise SpaceError(msg)
    return text


def told_apart(what: str, value: object) -> Value:
    """A scalar that equals itself: anything but NaN."""
    plain = scalar(what, value)
    if isinstance(plain, float) and math.isnan(plain):
        msg = f"{what} is nan, which isn't equal to itself: use None or a text instead."
        raise SpaceError(msg)
    return plain


def finite(what: str, value: object) -> float:
    """A finite float, of an int or a float."""
    plain = scalar(what, value)
    if isinstance(plain, bool) or not isinstance(plain, int | float):
        msg = f"{what} is {shown(plain)}, but it must be a number: write an int or a float."
        raise SpaceError(msg)
    try:
        plain = float(plain)
    except OverflowError:
        plain = math.inf
    if not math.isfinite(plain):
        msg = f"{what} is {plain}, but it must be finite: write the largest or smallest number that makes sense."
        raise SpaceError(msg)
    return plain


def whole(what: str, value: object) -> int:
    """An int that is a float as well."""
    plain = scalar(what, value)
    if isinstance(plain, bool) or not isinstance(plain, int):
        number = int(plain) if isinstance(plain, float) and plain.is_integer() else "a whole number"
        msg = f"{what} is {shown(plain)}, but it must be an int: write {number}, or use neps.Float."
        raise SpaceError(msg)
    if abs(plain) > LARGEST_INTEGER:
        msg = f"{what} is {shown(plain)}, but it must lie within ±2^53: use neps.Float for larger numbers."
        raise SpaceError(msg)
    return plain


def flag(what: str, value: object) -> bool:
    """True or False."""
    plain = scalar(what, value)
    if isinstance(plain, bool):
        return plain
    msg = f"{what} is {shown(plain)}, but it must be True or False: give other arguments by name, such as default=…."
    raise SpaceError(msg)


def equal_values(one: Value, other: Value) -> bool:
    """Whether two plain values are the same to a user: 1 and 1.0 are, 1 and True are not."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)
