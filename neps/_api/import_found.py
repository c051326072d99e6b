"""A result from elsewhere, and what is asked of its numbers and files. What imports it says `import_sources`."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from neps._evaluation.plain import as_number
from neps._trial import Value
from neps.errors import ArgumentError, shown
from neps.space import Parameter

__all__ = ["LARGEST", "LOSSES", "Found", "Named", "choices_of", "cost_of", "number_of", "text_of"]

LOSSES = ("loss", "objective_to_minimize")
"""What a loss is called, here and in NePS."""
LARGEST = 1 << 28
"""Characters of a file."""


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """A result from elsewhere; a loss of None is a failure."""

    config: Mapping[str, Any]
    loss: float | None
    cost: float | None = None


Named = Iterator[tuple[str, Found]]
"""Results, and what each is called in messages."""


def number_of(name: str, value: object) -> float | None:
    """A loss or a cost; None is none. `name` is what messages call it."""
    if value is None or (number := as_number(value)) is not None:
        return None if value is None else number
    raise ArgumentError(f"{name} is {shown(value)}; it must be a number, or None for a failure. Nothing was imported.")


def cost_of(name: str, value: object) -> float | None:
    """The same of a cost, which is finite and not negative."""
    cost = number_of(name, value)
    if cost is not None and not (math.isfinite(cost) and cost >= 0):
        rule = "it must be a finite number of at least 0"
        raise ArgumentError(f"{name} is {shown(value)}; {rule}. Nothing was imported.")
    return cost


def text_of(path: Path) -> str:
    """All of a text file."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # spreadsheets begin with a byte-order mark
            text = file.read(LARGEST + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise ArgumentError(f"{path} can't be read: {error}") from error
    if len(text) > LARGEST:
        raise ArgumentError(
            f"{path} has more than {LARGEST >> 20} Mi characters: leave out the columns that aren't needed, or cut it "
            "into several files. Nothing was imported."
        )
    return text


def choices_of(parameter: Parameter) -> Sequence[Value]:
    """The categories of a parameter; none of a number."""
    return (parameter.every_value(parameter.categories) or ()) if parameter.categories else ()
