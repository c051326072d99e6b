"""Parameters as plain data, for neps.yaml and for messages about it.

Only the translation of single parameters lives here, in both directions, and their comparison; `SearchSpace` calls it.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from neps.errors import SpaceError, nearest, shown
from neps.space.categorical import Categorical
from neps.space.constant import Constant
from neps.space.float import Float
from neps.space.integer import Integer
from neps.space.parameter import Parameter, arguments_of

__all__ = ["KINDS", "REQUIREMENTS", "differing", "parameter_from"]

KINDS: dict[str, type[Parameter]] = {kind.kind: kind for kind in (Float, Integer, Categorical, Constant)}
"""All types of parameters, by their names in neps.yaml. A new one is added here, and has a file of its own."""

REQUIREMENTS = frozenset(name for kind in KINDS.values() for name in kind.later)
"""What a definition may require of its readers, and this version can do."""


def parameter_from(name: str, described: Mapping[str, object]) -> Parameter:
    """The parameter whose `definition` is `described`; `name` is for messages.

    Raises:
        SpaceError: if the type or a key is unknown or missing, or the values make no parameter.
    """
    if not isinstance(described, Mapping):
        msg = f"Parameter {name!r} is described by {shown(described)}, but it must be a mapping with a type."
        raise SpaceError(msg)
    arguments: dict[str, Any] = dict(described)
    kind = str(arguments.pop("type", None))
    if kind not in KINDS:
        known = ", ".join(KINDS)
        msg = f"Parameter {name!r}: type is {shown(kind)}, but it must be one of {known}.{nearest(kind, KINDS)}"
        raise SpaceError(msg)
    _check_keys(name, kind, arguments)
    try:
        return KINDS[kind](**arguments)
    except SpaceError as error:
        msg = f"Parameter {name!r}: {error}"
        raise SpaceError(msg) from error


def differing(here: Mapping[str, Parameter], there: Mapping[str, Parameter]) -> list[str]:
    """What differs between two sets of parameters, a line each."""
    lines: list[str] = []
    for name in [*here, *(name for name in there if name not in here)]:
        if name not in here or name not in there:
            lines.append(f"{name}: only in {'this call' if name in here else 'the run'}")
        elif difference := _difference(here[name].definition(), there[name].definition()):
            lines.append(f"{name}: {difference}")
    if not lines and list(here) != list(there):
        lines.append(f"the order of the parameters is {', '.join(there)} in the run and {', '.join(here)} in this call")
    return lines


def _difference(here: Mapping[str, object], there: Mapping[str, object]) -> str:
    """What differs, as text: compared as written, since 1 == 1.0 == True in Python."""
    if here["type"] != there["type"]:
        return f"type is {there['type']} in the run and {here['type']} in this call"
    texts = []
    for key in dict.fromkeys([*here, *there]):
        mine, theirs = (repr(side[key]) if key in side else "not given" for side in (here, there))
        if mine != theirs:
            texts.append(f"{key} is {theirs} in the run and {mine} in this call")
    return ", ".join(texts)


def _check_keys(name: str, kind: str, arguments: Mapping[str, object]) -> None:
    known = arguments_of(KINDS[kind])
    for key in arguments:
        if key not in known:
            has = f"a {kind} has {', '.join(known)}"
            msg = f"Parameter {name!r}: {shown(key)} is unknown: {has}.{nearest(str(key), known)}"
            raise SpaceError(msg)
    for key, argument in known.items():
        if argument.default is inspect.Parameter.empty and key not in arguments:
            msg = f"Parameter {name!r}: {key!r} is missing: add it."
            raise SpaceError(msg)
