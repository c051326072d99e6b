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
        >>> plain_data('[{"lr": 1e-05}]', ""), plain_data("lr: 1e-05", ".yaml")
        ([{'lr': 1e-05}], {'lr': 1e-05})
    """
    return READERS.get(suffix.lower(), _yaml)(text)


class _Loader(yaml.SafeLoader):
    """YAML in which 1e-5 is a number, as in YAML 1.2, and no key may be there twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's
        """A mapping."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        _check_once([key for key in keys if isinstance(key, str)])
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+$"), list("-+.0123456789")
)


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
