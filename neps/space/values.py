"""Values of parameters as plain Python: what users write becomes one, or is refused."""

from __future__ import annotations

import numpy as np

from neps.errors import SpaceError, shown

__all__ = ["Value", "equal_values", "plain"]

Value = int | float | str | bool | None
"""What a parameter may be: any YAML scalar, as plain Python."""


def plain(what: str, value: object) -> Value:
    """`value` as a plain Python scalar: NumPy scalars, enums and other subclasses converted, -0.0 made 0.0.

    Args:
        what: what the value is, to begin an error message with.
        value: any object.

    Raises:
        SpaceError: if it is none of str, int, float, bool or None.
    """
    scalar = value.item() if isinstance(value, np.generic) else value
    if scalar is None or isinstance(scalar, bool):
        return scalar
    if isinstance(scalar, str):
        text = str.__str__(scalar)  # an enum's own str() is its name
        if not text.isascii() and text != text.encode(errors="replace").decode():
            msg = (
                f"{what} is {shown(value)}, which is not valid Unicode (half of a surrogate pair). Write another text."
            )
            raise SpaceError(msg)
        return text
    if isinstance(scalar, int):
        return int(scalar)
    if isinstance(scalar, float):
        return float(scalar) + 0.0  # -0.0 equals 0.0 but is written differently
    msg = f"{what} is {shown(value)}, but it must be a str, int, float, bool or None: write its name, for example."
    raise SpaceError(msg)


def equal_values(one: Value, other: Value) -> bool:
    """Whether two plain values are the same to a user: 1 and 1.0 are, 1 and True are not."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)
