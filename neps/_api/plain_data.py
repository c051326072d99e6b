"""What users write in YAML and JSON files, as plain data; what it means, the callers know.

Not for the run's own documents: `neps._ledger.documents` reads these.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from neps.errors import SpaceError, shown

__all__ = ["READERS", "plain_data"]


def plain_data(text: str, suffix: str) -> Any:
    """What a text holds, by how the name of its file ends: JSON after .json, else YAML, which JSON is, too.

    Raises:
        SpaceError: if a key is there twice in a mapping.
        ValueError, yaml.YAMLError, RecursionError: if it can't be read.

    Example:
        >>> plain_data('[{"lr": 1e-05}]', ""), plain_data("{lr: 1e-05, act: no, width: 010}", ".yaml")
        ([{'lr': 1e-05}], {'lr': 1e-05, 'act': 'no', 'width': 10})
    """
    return READERS.get(suffix.lower(), _yaml)(text)


class _Loader(yaml.SafeLoader):
    """YAML as in its version 1.2, with merge keys: 1e-5 is a number, 010 is ten, yes, 1:30 and 2024-01-01 are texts.

    And no key may be there twice.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's
        """A mapping."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value if key.tag != f"{_TAG}merge"]
        _check_once([key for key in keys if isinstance(key, str)])
        return super().construct_mapping(node, deep)

    def construct_whole_number(self, node: yaml.ScalarNode) -> int:
        """In decimal digits, or after 0o or 0x in others."""
        text = str(node.value)
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))


_TAG = "tag:yaml.org,2002:"
_DIGITS = "0123456789"
_FLOAT = r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
_Loader.yaml_implicit_resolvers = {}
for _kind, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+" + _DIGITS)),
    ("float", _FLOAT, list("-+." + _DIGITS)),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(_TAG + _kind, re.compile(f"(?:{_pattern})$"), _first)
_Loader.add_constructor(f"{_TAG}int", _Loader.construct_whole_number)


def _check_once(keys: list[str]) -> None:
    for index, key in enumerate(keys):
        if key in keys[:index]:
            msg = f"the key {shown(key)} is there twice in one mapping: leave one out."
            raise SpaceError(msg)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    _check_once([key for key, _ in pairs])
    return dict(pairs)


def _yaml(text: str) -> Any:
    return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader


def _json(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_pairs)


READERS: Mapping[str, Callable[[str], Any]] = {".yaml": _yaml, ".yml": _yaml, ".json": _json}
"""By how the name of a file ends."""
