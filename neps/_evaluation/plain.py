"""Turns what users return or raise into plain data and text that a safe YAML dumper takes and a loader gives back.

But for `as_number` nothing here raises, whatever the value does: an odd value must never cost a trial. Used for
info_dict, errors, and numbers that users give.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import math
import numbers
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["as_number", "clean", "element_count", "plain", "plain_mappings", "text", "unwrapped"]

_MAX_TEXT = 10_000
_MAX_ARRAY = 1_000
_LONGEST_TYPE = 100
_MAX_DEPTH = 20
_MAX_VALUES = 100_000
_MAX_CHARACTERS = 1_000_000
_MAX_KEY = 2**64  # readers refuse larger numbers as keys
_MAX_BITS = 2_000  # Python refuses to print much longer integers, and so to dump them
_TOO_LONG = f"<left out: more than {_MAX_CHARACTERS} characters>"
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def plain(value: object) -> Any:
    """The value as None, bool, int, float, str, list and dict, all of exactly these types.

    NumPy and torch scalars and arrays of up to 1000 elements become numbers and lists, and tables as small (pandas)
    dicts of lists; larger ones are left out, and their place says so. Tuples and sets become lists; dates become
    ISO 8601; keys that aren't scalars, and everything else, become text. Bounded: texts at 10,000 characters (1,000,000
    in all), nesting at 20 levels, and 100,000 values in all; what is left out is marked.

    Example:
        >>> from pathlib import PurePosixPath
        >>> plain({"path": PurePosixPath("a/b"), "pair": (1, 2.5), ("k", 1): None})
        {'path': 'a/b', 'pair': [1, 2.5], "['k', 1]": None}
    """
    return _Conversion().convert(value, ())


def plain_mappings(**mappings: Mapping[Any, Any]) -> list[dict[Any, Any]]:
    """Each of some mappings as `plain` makes it, within the bounds of one value: the first has most of the room.

    One that can't be read is text under its keyword: {"info_dict": "…"}.

    Example:
        >>> plain_mappings(metrics={"accuracy": 0.9}, info_dict={"pair": (1, 2)})
        [{'accuracy': 0.9}, {'pair': [1, 2]}]
    """
    conversion = _Conversion()
    converted = ((name, conversion.convert(mapping, ())) for name, mapping in mappings.items())
    return [mapping if isinstance(mapping, dict) else {name: mapping} for name, mapping in converted]


def text(value: object, limit: int = _MAX_TEXT) -> str:
    """`str(value)`, made safe by `clean`; says so where the object can't be shown."""
    try:
        return clean(str(value), limit)
    except BaseException as error:  # noqa: BLE001 - a broken __str__ may raise anything at all
        return f"<{type(value).__name__}: it can't be shown as text, since __str__ raised {type(error).__name__}>"


def clean(string: str, limit: int = _MAX_TEXT) -> str:
    r"""The string without what YAML or a terminal can't hold, and without its middle if it's longer than `limit`.

    Example:
        >>> clean("nul \0, escape \x1b, half a pair \ud800")
        'nul \\x00, escape \\x1b, half a pair \\ud800'
    """
    string = str.__str__(string)  # an instance of a subclass becomes a str proper
    if len(string) > limit:
        head, tail = string[: limit // 2], string[-(limit // 2) :]
        string = f"{head} [… {len(string) - limit} characters left out …] {tail}"
    return _UNPRINTABLE.sub(lambda match: ascii(match[0])[1:-1], string)


def element_count(value: Any) -> int | None:
    """How many elements an array or tensor has (a NumPy scalar: 1), None for everything else.

    Told by what it can do, not by its type, so that neither NumPy nor torch need be imported.
    """
    if not (callable(getattr(value, "item", None)) and callable(getattr(value, "tolist", None))):
        return None
    size = value.numel() if callable(getattr(value, "numel", None)) else getattr(value, "size", None)
    return size if isinstance(size, int) else None


def as_number(value: Any) -> float | None:
    """The number that a value is: a bool or complex one isn't, an array or tensor of one element is. Else None.

    Raises:
        OverflowError: if it is an integer beyond a float's range.

    Example:
        >>> as_number(3), as_number(True), as_number("3")
        (3.0, None, None)
    """
    if type(value) is float:
        return value
    number = unwrapped(value)
    if isinstance(number, numbers.Number) and not isinstance(number, bool | complex):
        return float(number)  # type: ignore[arg-type]
    return None


def unwrapped(value: Any) -> object:
    """What is in an array or tensor of one element; everything else as it is."""
    return value.item() if element_count(value) == 1 else value


def _array_size(value: Any) -> int | None:
    """How many elements an array, a tensor or a table has; None for everything else."""
    if (count := element_count(value)) is not None:
        return count
    shape = getattr(value, "shape", None)
    if not isinstance(shape, tuple) or not all(isinstance(length, int) for length in shape):
        return None
    return math.prod(shape)


def _type_name(value: object) -> str:
    return clean(type(value).__name__, _LONGEST_TYPE)


class _Conversion:
    """One conversion, which counts values and characters: shared and nested lists can stand for more than memory holds.

    And whoever reads a result refuses one that is larger than this makes it.
    """

    def __init__(self) -> None:
        self._left, self._characters = _MAX_VALUES, _MAX_CHARACTERS

    def convert(self, value: object, parents: tuple[int, ...]) -> Any:
        converted = self._convert(value, parents)
        if isinstance(converted, str):
            if len(converted) > self._characters:
                return _TOO_LONG
            self._characters -= len(converted)
        return converted

    def _convert(self, value: object, parents: tuple[int, ...]) -> Any:
        self._left -= 1
        try:
            if isinstance(value, Mapping | list | tuple | set | frozenset):
                return self._container(value, parents)
            if value is None or isinstance(value, bool | int | float | str):
                return _scalar(value)
            if isinstance(value, dt.date | dt.time):
                return clean(value.isoformat())
            if (size := _array_size(value)) is not None:
                return self._array(value, size, parents)
        except BaseException:  # noqa: BLE001, S110 - user code ran, and may raise anything at all
            pass
        return text(value)

    def _array(self, value: Any, size: int, parents: tuple[int, ...]) -> Any:
        """Lists, or a note: the text of a large array is mostly dots."""
        is_small, inside = size <= _MAX_ARRAY, (*parents, id(value))
        if is_small and element_count(value) is not None:
            return self.convert(value.tolist(), inside) if len(parents) < _MAX_DEPTH else text(value)
        if is_small and callable(getattr(value, "to_dict", None)):
            with contextlib.suppress(Exception):  # not as pandas has it
                return self.convert(value.to_dict("list"), inside)
        shape = " × ".join(map(str, value.shape))
        return f"<left out: {_type_name(value)} of {shape} values; lists hold up to {_MAX_ARRAY}, so save it as a file>"

    def _container(self, value: Any, parents: tuple[int, ...]) -> Any:
        # Not its text: that of lists which share lists can be exponentially long.
        if id(value) in parents:
            return f"<{type(value).__name__} that contains itself>"
        if len(parents) >= _MAX_DEPTH:
            return f"<{type(value).__name__} nested more than {_MAX_DEPTH} deep>"
        parents = (*parents, id(value))
        if isinstance(value, Mapping):
            return self._mapping(value, parents)
        items: list[Any] = []
        for item in value:
            if self._left <= 0:
                return [*items, f"<left out: more than {_MAX_VALUES} values>"]
            items.append(self.convert(item, parents))
        return items

    def _mapping(self, value: Mapping[Any, Any], parents: tuple[int, ...]) -> dict[Any, Any]:
        items: dict[Any, Any] = {}
        for key, item in value.items():
            if self._left <= 0:
                return items | {f"<left out: more than {_MAX_VALUES} values>": None}
            name = self.convert(key, parents)
            if name is _TOO_LONG:  # as a name of several it would keep only the last of them
                return items | {_TOO_LONG: None}
            if isinstance(name, list | dict) or (isinstance(name, int) and abs(name) > _MAX_KEY):
                name = text(name)
            items[name] = self.convert(item, parents)
        return items


def _scalar(value: float | str | None) -> float | str | None:
    if isinstance(value, str):
        return clean(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        return float.__float__(value)
    number = int.__int__(value)
    return number if number.bit_length() <= _MAX_BITS else clean(hex(number))
