"""Parameters as plain data, for neps.yaml and for messages about it.

Only the translation of single parameters lives here, in both directions, and their comparison; `SearchSpace` calls it.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from neps._calling import meant
from neps.errors import SpaceError, nearest, shown
from neps.space._categorical import Categorical
from neps.space._choice import Choice
from neps.space._constant import Constant
from neps.space._elsewhere import ELSEWHERE
from neps.space._float import Float
from neps.space._integer import Integer
from neps.space._parameter import Parameter, arguments_of
from neps.space._repeat import Repeat

__all__ = ["FORBID", "KINDS", "REQUIREMENTS", "differing", "parameters_from"]

_TYPES: tuple[type[Parameter], ...] = (Float, Integer, Categorical, Constant, Choice, Repeat)
KINDS = {kind.kind: kind for kind in _TYPES}
"""All types of parameters, by their names in neps.yaml. A new one is added here, and has a file of its own."""

FORBID = "forbid"
"""What a space requires if it has forbidden combinations."""

REQUIREMENTS = frozenset([FORBID, *(name for kind in _TYPES for name in kind.later), Choice.kind, Repeat.kind])
"""What a definition may require of its readers, and this version can do."""


def parameters_from(definition: Mapping[str, Mapping[str, object]]) -> dict[str, Parameter]:
    """The parameters whose definitions these are, by name.

    Raises:
        SpaceError: if a type or a key is unknown or missing, or the values make no parameter.
    """
    if not isinstance(definition, Mapping):
        msg = (
            f"space is {shown(definition)}, but it must map names to parameters: write space: "
            "{lr: {type: float, lower: 0.1, upper: 1}}, without dashes."
        )
        raise SpaceError(msg)
    return {name: _parameter_from(name, described) for name, described in definition.items()}


def _parameter_from(name: str, described: Mapping[str, object]) -> Parameter:
    if not isinstance(described, Mapping):
        msg = f"Parameter {name!r} is described by {shown(described)}, but it must be a mapping with a type."
        raise SpaceError(msg)
    arguments: dict[str, Any] = dict(described)
    kind = _kind(name, arguments)
    _check_keys(name, kind, arguments)
    arguments |= _inside(name, kind, arguments)
    try:
        return KINDS[kind](**arguments)
    except SpaceError as error:
        msg = f"Parameter {name!r}: {error}"
        raise SpaceError(msg) from error


def _kind(name: str, arguments: dict[str, Any]) -> str:
    """Its type, which is taken out of the arguments."""
    known = ", ".join(KINDS)
    if "type" not in arguments:
        msg = f"Parameter {name!r} has {shown(list(arguments))}, but no type: add one of {known}."
        raise SpaceError(msg)
    kind = str(arguments.pop("type"))
    if kind not in KINDS:
        hint = nearest(kind, KINDS) or next((f" Did you mean {each!r}?" for each in KINDS if each.startswith(kind)), "")
        msg = f"Parameter {name!r}: type is {shown(kind)}, but it must be one of {known}.{hint}"
        raise SpaceError(msg)
    return kind


def _inside(name: str, kind: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What is inside of a choice or a repeat, where it is nested: in files that people have written."""
    if kind == Choice.kind and isinstance(options := arguments["choices"], Mapping):
        return {"choices": {option: _block_from(f"{name}.{option}", block) for option, block in options.items()}}
    if kind == Repeat.kind and isinstance(block := arguments["block"], Mapping):
        single = isinstance(block.get("type"), str)
        return {"block": _parameter_from(f"{name}.1", block) if single else _block_from(f"{name}.1", block)}
    return {}


def _block_from(path: str, described: object) -> dict[str, Parameter]:
    """The parameters of a block."""
    if described is not None and not isinstance(described, Mapping):
        msg = f"Parameter {path!r} is described by {shown(described)}, but it must map names to parameters."
        raise SpaceError(msg)
    return {name: _parameter_from(f"{path}.{name}", each) for name, each in (described or {}).items()}


def differing(here: Mapping[str, Parameter], there: Mapping[str, Parameter]) -> list[str]:
    """What differs between two sets of parameters, a line each.

    Example:
        >>> differing({"lr": Float(0, 0.2)}, {"lr": Float(0, 0.1), "w": Integer(1, 2)})
        ['lr: upper is 0.1 in the run and 0.2 in this call', 'w: only in the run']
    """
    names = dict.fromkeys([*here, *there])
    differences = {name: _difference(here.get(name), there.get(name)) for name in names}
    lines = [f"{name}: {difference}" for name, difference in differences.items() if difference]
    if not lines and list(here) != list(there):
        lines.append(f"the order of the parameters is {', '.join(there)} in the run and {', '.join(here)} in this call")
    return lines


def _difference(mine: Parameter | None, theirs: Parameter | None) -> str:
    """What differs, as text; empty for nothing."""
    if mine is None or theirs is None:
        return f"only in {'the run' if mine is None else 'this call'}"
    if mine.kind != theirs.kind:
        return f"type is {theirs.kind} in the run and {mine.kind} in this call"
    return _differing_arguments(mine.definition(), theirs.definition())


def _differing_arguments(here: Mapping[str, object], there: Mapping[str, object]) -> str:
    """Compared as written, since 1 == 1.0 == True in Python."""
    texts = []
    for key in dict.fromkeys([*here, *there]):
        new, old = (repr(side[key]) if key in side else "not given" for side in (here, there))
        if new != old:
            texts.append(f"{key} is {old} in the run and {new} in this call")
    return ", ".join(texts)


def _check_keys(name: str, kind: str, arguments: Mapping[str, object]) -> None:
    known = arguments_of(KINDS[kind])
    for key in arguments:
        if key not in known:
            has = f"a {kind} has {', '.join(known)}"
            msg = f"Parameter {name!r}: {shown(key)} is unknown: {has}.{meant(str(key), known, ELSEWHERE)}"
            raise SpaceError(msg)
    for key, argument in known.items():
        if argument.default is inspect.Parameter.empty and key not in arguments:
            msg = f"Parameter {name!r}: {key!r} is missing: add it."
            raise SpaceError(msg)
