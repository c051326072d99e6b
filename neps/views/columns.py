"""An info_dict as columns of a table: `info.KEY`, with nested keys dotted, as in `info.validation.accuracy`.

Lists are JSON. Beyond 200 columns the rest stands in one more, `info`, as JSON too: nothing is left out.
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
    names = dict.fromkeys(name for info in info_dicts for name, _ in _flat(info, _PREFIX))
    first = list(itertools.islice(names, _MOST))
    return [*first, _PREFIX] if len(names) > _MOST else first


def cells(info: Mapping[Any, Any], names: Collection[str]) -> dict[str, object]:
    """The cells of one row, by column.

    Example:
        >>> cells({"of": {"a": 1, "b": [2, 3]}}, ["info.of.a", "info.of.b"])
        {'info.of.a': 1, 'info.of.b': '[2, 3]'}
    """
    filled = {name: _cell(value) for name, value in _flat(info, _PREFIX) if name in names}
    rest = {name: value for name, value in _flat(info, _PREFIX) if name not in names}
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
