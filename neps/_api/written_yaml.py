"""YAML as people write it by hand: 1e-5 is a number, yes and no are texts, and no key may be there twice.

Only reading text lives here. Files of search spaces and of configurations are read by it; the run's own documents by
`neps._ledger.parsing`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import yaml

from neps.errors import SpaceError, shown

try:
    from yaml import CSafeLoader as _CSafeLoader
except ImportError:  # a PyYAML that was built without libyaml: the same data, ten times slower
    from yaml import SafeLoader as _CSafeLoader  # type: ignore[assignment]

__all__ = ["check_once", "read_yaml"]

_BOOL, _FLOAT = "tag:yaml.org,2002:bool", "tag:yaml.org,2002:float"


def read_yaml(text: str | bytes) -> Any:
    """The one document in `text`, by the rules of YAML 1.2 for numbers and booleans.

    Raises:
        SpaceError: if a key is there twice.
        yaml.YAMLError, ValueError: if it isn't YAML.

    Example:
        >>> read_yaml("{lr: 1e-5, choices: [yes, no, true], on: 010.5}")
        {'lr': 1e-05, 'choices': ['yes', 'no', True], 'on': 10.5}
    """
    try:
        return yaml.load(text, _Quick)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError:
        return yaml.load(text, _Precise)  # noqa: S506 - the same; it says better what is wrong, and where


class _Quick(_CSafeLoader):
    """With the changes above."""


class _Precise(yaml.SafeLoader):
    """The same in Python."""


def _mapping(loader: Any, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
    check_once([key for key in keys if isinstance(key, str)])
    return dict(loader.construct_mapping(node, deep=True))


for _loader in (_Quick, _Precise):
    _loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in known if tag != _BOOL]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    _loader.add_implicit_resolver(_BOOL, re.compile(r"(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
    _loader.add_implicit_resolver(
        _FLOAT, re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+$"), list("-+.0123456789")
    )
    _loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def check_once(keys: Sequence[str]) -> None:
    """Refuse a key that is there twice in one mapping.

    Raises:
        SpaceError: if there is one.
    """
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            msg = f"the key {shown(key)} is there twice in one mapping: leave one out."
            raise SpaceError(msg)
        seen.add(key)
