"""An info_dict as columns of a table: `info.KEY`, with nested keys dotted, as in `info.validation.accuracy`.

Lists are JSON. Beyond 200 columns the rest stands in one more, `info`, as JSON too; and so does what would stand in a
column that the same row has filled already, as of the keys "a.b" and "b" in "a". Nothing is left out.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

__all__ = ["cells", "columns"]

_PREFIX = "info"
_MOST = 200


def columns(info_dicts: Iterable[Mapping[Any, Any]]) -> list[str]:
    """The names of the columns that these need, in the order in which they appear.

    Example:
        >>> columns([{"accuracy": 0.9}, {"of": {"a": 1, "b": [2, 3]}}])
        ['info.accuracy', 'info.of.a', 'info.of.b']
    """
    names, collide = dict[str, None](), False
    for info in info_dicts:
        own = [name for name, _ in _flat(info, _PREFIX)]
        names.update(dict.fromkeys(own))
        collide = collide or len(set(own)) < len(own)
    first = list(itertools.islice(names, _MOST))
    return [*first, _PREFIX] if collide or len(names) > _MOST else first


def cells(info: Mapping[Any, Any], names: Collection[str]) -> dict[str, object]:
    """The cells of one row, by column.

    Example:
        >>> cells({"of": {"a": 1, "b": [2, 3]}}, ["info.of.a", "info.of.b"])
        {'info.of.a': 1, 'info.of.b': '[2, 3]'}
    """
    filled, rest = dict[str, object](), dict[str, Any]()
    for name, value in _flat(info, _PREFIX):
        if name in names and name not in filled:
            filled[name] = _cell(value)
        else:
            while name in rest:
                name += "'"  # noqa: PLW2901 - the same name again
            rest[name] = value
    return filled | ({_PREFIX: _cell(rest)} if rest else {})


def _flat(info: Mapping[Any, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """What isn't a mapping, by its dotted name. Depth is bounded where it is read."""
    for key, value in info.items():
        name = f"{prefix}.{key}"
        if isinstance(value, Mapping) and value:
            yield from _flat(value, name)
        else:
            yield name, value


def _cell(value: Any) -> object:
    if isinstance(value, list | Mapping):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value
