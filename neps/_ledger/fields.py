"""The fields of a document, each read as exactly what it must be: types, ranges, lengths. What doesn't fit raises.

Whatever comes through here may be computed with, compared, printed and sent on without a further look.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar, overload

from neps._trial import MOST_PLACES, Value
from neps.errors import shown

__all__ = [
    "LONGEST_TEXT",
    "WrongError",
    "any_number",
    "config",
    "configs",
    "cost",
    "counted",
    "equal",
    "flag",
    "forbidden",
    "get",
    "long_text",
    "mapping",
    "mappings",
    "moment",
    "named",
    "need",
    "number",
    "numbers",
    "place",
    "present",
    "run_name",
    "text",
    "texts",
    "whole",
]

_T = TypeVar("_T")
LONGEST_TEXT = 1000
_LONGEST_TIME = 100
_LARGEST = 2**63
_RUN = re.compile(r"[A-Za-z0-9_-]{1,64}")
_YEARS = (1970, 9999)


class WrongError(ValueError):
    """A field's value isn't what it must be. The field's name is put before, where it is known."""

    def __init__(self, value: object, rule: str, name: str = "") -> None:
        super().__init__(f"{name} is {shown(value)}, {rule}".lstrip())
        self.value, self.rule = value, rule


def need(fields: Mapping[str, Any], name: str, read: Callable[[object], _T]) -> _T:
    """A field that must be there, as `read` makes of it.

    Raises:
        KeyError: if it isn't there.
        ValueError: if it is wrong.
    """
    value = fields[name]
    try:
        return read(value)
    except WrongError as error:
        raise WrongError(error.value, error.rule, name) from error
    except (ValueError, OverflowError) as error:
        raise WrongError(value, "not of its kind", name) from error


@overload
def get(fields: Mapping[str, Any], name: str, read: Callable[[object], _T]) -> _T | None: ...
@overload
def get(fields: Mapping[str, Any], name: str, read: Callable[[object], _T], default: _T) -> _T: ...
def get(fields: Mapping[str, Any], name: str, read: Callable[[object], _T], default: _T | None = None) -> _T | None:
    """A field that may be absent.

    Raises:
        ValueError: if it is wrong.
    """
    return default if fields.get(name) is None else need(fields, name, read)


def whole(value: object, least: int = 0, most: int = _LARGEST) -> int:
    """An int between bounds, no bool."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise WrongError(value, "not a whole number")
    if not least <= value <= most:
        raise WrongError(value, f"not between {shown(least)} and {shown(most)}")
    return value


def counted(value: object) -> int:
    """A number that is counted from 1: a trial's or an attempt's."""
    return whole(value, least=1)


def place(value: object) -> int:
    """A bracket, rung or slot: counted from 0, and never further than anybody counts."""
    return whole(value, most=MOST_PLACES)


def equal(expected: int, value: object) -> int:
    """A whole number that is known beforehand: the trial's or the attempt's, which the file's name says, too."""
    if whole(value) != expected:
        raise WrongError(value, f"not {expected}")
    return expected


def any_number(value: object) -> float:
    """A float; NaN and infinities are numbers, too."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WrongError(value, "not a number")
    return float(value)


def number(value: object) -> float:
    """A finite number; an int stays one."""
    if not math.isfinite(any_number(value)):
        raise WrongError(value, "not finite")
    return value if isinstance(value, int) and abs(value) <= _LARGEST else any_number(value)


def numbers(value: object) -> list[float]:
    """A list of numbers; whoever shows it relies on that."""
    if not isinstance(value, list):
        raise WrongError(value, "not a list of numbers")
    return [any_number(item) for item in value]


def texts(value: object) -> tuple[str, ...]:
    """A list of names."""
    if not isinstance(value, list):
        raise WrongError(value, "not a list of texts")
    return tuple(text(item) for item in value)


def forbidden(value: object) -> tuple[dict[str, Any] | str, ...]:
    """A list of mappings and names."""
    if not isinstance(value, list):
        raise WrongError(value, "not a list of mappings and texts")
    return tuple(named(item) if isinstance(item, dict) else text(item) for item in value)


def cost(value: object) -> float:
    """A cost, of which a budget can make a sum."""
    if not (math.isfinite(any_number(value)) and any_number(value) >= 0):
        raise WrongError(value, "not a finite number of at least 0")
    return any_number(value)


def flag(value: object) -> bool:
    """True or False."""
    if not isinstance(value, bool):
        raise WrongError(value, "neither true nor false")
    return value


def text(value: object) -> str:
    """A text of one line or so: a name, a host."""
    if len(long_text(value)) > LONGEST_TEXT:
        raise WrongError(value, f"longer than {LONGEST_TEXT} characters")
    return long_text(value)


def long_text(value: object) -> str:
    """A text, however long."""
    if not isinstance(value, str):
        raise WrongError(value, "not a text")
    return value


def run_name(value: object) -> str:
    """A run's identifier, of which folders' names are made."""
    if not _RUN.fullmatch(text(value)):
        raise WrongError(value, "not a run's identifier: up to 64 letters, digits, _ and -")
    return text(value)


def moment(value: object) -> datetime:
    """A time that `documents.now` wrote. PyYAML turns unquoted ones into datetimes by itself."""
    if isinstance(value, str) and len(value) <= _LONGEST_TIME:
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime) or not _YEARS[0] <= value.year < _YEARS[1]:
        raise WrongError(value, "not a time")
    return value if value.tzinfo is not None else value.replace(tzinfo=UTC)


def mapping(value: object) -> dict[Any, Any]:
    """A mapping of whatever is in it."""
    if not isinstance(value, dict):
        raise WrongError(value, "not a mapping")
    return value


def named(value: object) -> dict[str, Any]:
    """A mapping by names: keyword arguments."""
    return {text(name): item for name, item in mapping(value).items()}


def present(value: object) -> dict[Any, Any]:
    """A mapping without its nulls, which stand for what is absent."""
    return {name: item for name, item in mapping(value).items() if item is not None}


def config(value: object) -> Mapping[str, Value]:
    """A configuration: scalars by name. Whether it belongs to the space, the view looks."""
    for name, item in mapping(value).items():
        if not isinstance(name, str) or not (item is None or isinstance(item, str | int | float)):
            raise WrongError({name: item}, "not a scalar by its name")
    return mapping(value)


def configs(value: object) -> tuple[Mapping[str, Value], ...]:
    """A list of configurations, which may be parts of some."""
    return tuple(map(config, mappings(value)))


def mappings(value: object) -> tuple[dict[Any, Any], ...]:
    """A list of mappings."""
    if not isinstance(value, list):
        raise WrongError(value, "not a list")
    return tuple(map(mapping, value))
