"""Parameters as plain data, for neps.yaml and for messages about it.

Only the translation of single parameters lives here, in both directions, and their comparison; `SearchSpace` calls it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from neps.errors import SpaceError, nearest, shown
from neps.space.parameters import AnyParameter, Categorical, Constant, Float, Integer

__all__ = ["describe", "differing", "parameter_from"]

_TYPES: dict[str, type[AnyParameter]] = {
    "float": Float,
    "integer": Integer,
    "categorical": Categorical,
    "constant": Constant,
}
_NAMES = {kind: name for name, kind in _TYPES.items()}


def describe(parameter: AnyParameter) -> dict[str, object]:
    """What defines a parameter: its type, and each argument; the default and its confidence where there is one.

    Example:
        >>> describe(Float(0, 1, default=0.5))["default_confidence"], describe(Categorical(["a", "b"]))
        ('low', {'type': 'categorical', 'choices': ['a', 'b']})
    """
    described: dict[str, object] = {"type": _NAMES[type(parameter)]}
    for field in _arguments(type(parameter)):
        value = getattr(parameter, field.name)
        described[field.name] = list(value) if isinstance(value, tuple) else value
    if described.get("default") is None:
        for key in ("default", "default_confidence"):
            described.pop(key, None)
    return described


def parameter_from(name: str, described: Mapping[str, object]) -> AnyParameter:
    """The parameter that `describe` described as `described`; `name` is for messages.

    Raises:
        SpaceError: if the type or a key is unknown or missing, or the values make no parameter.
    """
    if not isinstance(described, Mapping):
        msg = f"Parameter {name!r} is described by {shown(described)}, but it must be a mapping with a type."
        raise SpaceError(msg)
    arguments: dict[str, Any] = dict(described)
    kind = str(arguments.pop("type", None))
    if kind not in _TYPES:
        known = ", ".join(_TYPES)
        msg = f"Parameter {name!r}: type is {shown(kind)}, but it must be one of {known}.{nearest(kind, _TYPES)}"
        raise SpaceError(msg)
    _check_keys(name, kind, arguments)
    try:
        return _TYPES[kind](**arguments)
    except SpaceError as error:
        msg = f"Parameter {name!r}: {error}"
        raise SpaceError(msg) from error


def differing(here: Mapping[str, AnyParameter], there: Mapping[str, AnyParameter]) -> list[str]:
    """What differs between two sets of parameters, a line each."""
    lines: list[str] = []
    for name in [*here, *(name for name in there if name not in here)]:
        if name not in here or name not in there:
            lines.append(f"{name}: only in {'this call' if name in here else 'the run'}")
        elif difference := _difference(describe(here[name]), describe(there[name])):
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
    fields = _arguments(_TYPES[kind])
    known = [field.name for field in fields]
    for key in arguments:
        if key not in known:
            has = f"a {kind} has {', '.join(known)}"
            msg = f"Parameter {name!r}: {shown(key)} is unknown: {has}.{nearest(str(key), known)}"
            raise SpaceError(msg)
    for field in fields:
        if field.default is dataclasses.MISSING and field.name not in arguments:
            msg = f"Parameter {name!r}: {field.name!r} is missing: add it."
            raise SpaceError(msg)


def _arguments(kind: type[AnyParameter]) -> list[dataclasses.Field[Any]]:
    return [field for field in dataclasses.fields(kind) if field.init]
