"""The spaces that fingerprints are taken in, as plain data, and where a point of the unit cube lies in them.

Nothing here asks neps for a value: a change of its scales must show in what searchers decide, not in what they see.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from neps.space import Categorical, Constant, Float, Integer, SearchSpace

__all__ = ["SPACES", "Described", "active", "is_conditional", "searched", "space_of", "unit_of", "value_at"]

Described = Mapping[str, Mapping[str, Any]]
"""A kind and its arguments, by name."""

_KINDS = {"float": Float, "integer": Integer, "categorical": Categorical, "constant": Constant}


def _float(lower: float, upper: float, **others: Any) -> dict[str, Any]:
    return {"kind": "float", "lower": lower, "upper": upper, **others}


def _integer(lower: int, upper: int, **others: Any) -> dict[str, Any]:
    return {"kind": "integer", "lower": lower, "upper": upper, **others}


def _choice(*choices: Any, **others: Any) -> dict[str, Any]:
    return {"kind": "categorical", "choices": list(choices), **others}


def _expected(value: Any, confidence: str) -> dict[str, Any]:
    return {"default": value, "default_confidence": confidence}


_EPOCHS = {"epochs": _integer(1, 9, is_fidelity=True)}
_SHARE = {"share": _float(0.05, 1.0, is_fidelity=True)}


def _if(parent: str, *values: Any) -> dict[str, list[Any]]:
    return {parent: list(values)}


_BRANCHES = {
    "x": _float(0.0, 1.0),
    "kind": _choice("a", "b", "c"),
    "rate": _float(1e-4, 1.0, log=True, active_if=_if("kind", "a")),
    "depth": _integer(1, 6, active_if=_if("kind", "b", "c")),
    "gate": _float(-1.0, 1.0, active_if=_if("depth", 3, 4, 5, 6)),
    "wide": _choice("no", "yes", active_if=_if("kind", "c")),
}
"""Parents come before what depends on them."""
_EXPECTED_BRANCH = {
    "kind": _choice("a", "b", "c", **_expected("b", "medium")),
    "depth": _integer(1, 6, active_if=_if("kind", "b", "c"), **_expected(4, "high")),
}

SPACES: Mapping[str, Described] = {
    "floats": {"x": _float(-1.0, 1.0), "y": _float(0.0, 10.0), "z": _float(-3.0, 5.0)},
    "log": {"rate": _float(1e-5, 1e-1, log=True), "width": _integer(1, 1000, log=True)},
    "mixed": {
        "rate": _float(1e-5, 1e-1, log=True),
        "layers": _integer(1, 6),
        "activation": _choice("relu", None, 3, 0.5, 1e-3),
        "data": {"kind": "constant", "value": "digits"},
        "dropout": _float(0.0, 0.5),
    },
    "finite": {"layers": _integer(1, 3), "kind": _choice("a", "b", "c", "d"), "wide": _choice("no", "yes")},
    "categories": {"kind": _choice(*(f"kind {number}" for number in range(20))), "x": _float(0.0, 1.0)},
    "many": {f"x{number}": _float(0.0, 1.0) for number in range(12)},
    "good prior": {
        "rate": _float(1e-5, 1e-1, log=True, **_expected(1e-2, "medium")),
        "layers": _integer(1, 6, **_expected(3, "high")),
        "kind": _choice("a", "b", "c", **_expected("b", "low")),
        "free": _float(0.0, 1.0),
    },
    "bad prior": {
        "rate": _float(1e-5, 1e-1, log=True, **_expected(2e-5, "medium")),
        "layers": _integer(1, 6, **_expected(6, "high")),
        "kind": _choice("a", "b", "c", **_expected("c", "low")),
        "free": _float(0.0, 1.0),
    },
    "epochs": {"x": _float(0.0, 1.0), "rate": _float(1e-4, 1.0, log=True), **_EPOCHS},
    "many epochs": {
        "x": _float(0.0, 1.0),
        "rate": _float(1e-4, 1.0, log=True),
        "epochs": _integer(1, 27, is_fidelity=True),
    },
    "share": {"x": _float(0.0, 1.0), "kind": _choice("a", "b", "c"), "size": _integer(1, 64, log=True), **_SHARE},
    "finite epochs": {"layers": _integer(1, 4), "kind": _choice("a", "b", "c"), **_EPOCHS},
    "epochs, good prior": {
        "x": _float(0.0, 1.0, **_expected(0.4, "medium")),
        "rate": _float(1e-4, 1.0, log=True, **_expected(0.05, "high")),
        **_EPOCHS,
    },
    "epochs, bad prior": {
        "x": _float(0.0, 1.0, **_expected(0.95, "medium")),
        "rate": _float(1e-4, 1.0, log=True, **_expected(2e-4, "medium")),
        **_EPOCHS,
    },
    "share, some priors": {
        "x": _float(0.0, 1.0, **_expected(0.3, "high")),
        "kind": _choice("a", "b", "c", **_expected("b", "medium")),
        "size": _integer(1, 64, log=True),
        **_SHARE,
    },
    "branches": _BRANCHES,
    "branches by number": {
        "layers": _integer(1, 3),
        "rate": _float(1e-4, 1.0, log=True),
        "width 2": _float(0.0, 1.0, active_if=_if("layers", 2, 3)),
        "width 3": _float(0.0, 1.0, active_if=_if("layers", 3)),
    },
    "branches, prior": _BRANCHES | _EXPECTED_BRANCH,
    "branches, epochs": _BRANCHES | _EPOCHS,
    "branches, epochs, prior": _BRANCHES | _EXPECTED_BRANCH | _EPOCHS,
}


def space_of(described: Described) -> SearchSpace:
    """The space that neps searches."""
    return SearchSpace({name: _parameter(**arguments) for name, arguments in described.items()})


def _parameter(kind: str, **arguments: Any) -> Any:
    return _KINDS[kind](**arguments)


def searched(described: Described) -> Sequence[str]:
    """The parameters that are neither constant nor a fidelity."""
    return [name for name, each in described.items() if each["kind"] != "constant" and not each.get("is_fidelity")]


def is_conditional(described: Described) -> bool:
    """Whether some parameters exist only under conditions."""
    return any("active_if" in arguments for arguments in described.values())


def active(described: Described, config: Mapping[str, Any]) -> dict[str, Any]:
    """What is active of a configuration that holds a value of each parameter."""
    found = dict[str, Any]()
    for name, arguments in described.items():
        if all(found.get(parent) in values for parent, values in arguments.get("active_if", {}).items()):
            found[name] = config[name]
    return found


def value_at(arguments: Mapping[str, Any], unit: float) -> Any:
    """The value at a place from 0 to 1; of a number, with six digits, so that no processor rounds it otherwise."""
    if arguments["kind"] == "constant":
        return arguments["value"]
    if arguments["kind"] == "categorical":
        choices = arguments["choices"]
        return choices[min(int(unit * len(choices)), len(choices) - 1)]
    lower, upper = arguments["lower"], arguments["upper"]
    number = lower * (upper / lower) ** unit if arguments.get("log") else lower + unit * (upper - lower)
    bounded = min(max(float(f"{number:.6g}"), lower), upper)
    return round(bounded) if arguments["kind"] == "integer" else float(bounded)


def unit_of(arguments: Mapping[str, Any], value: Any) -> float:
    """The way back, from 0 to 1."""
    if arguments["kind"] == "categorical":
        choices: list[Any] = arguments["choices"]
        return (choices.index(value) + 0.5) / len(choices)
    lower, upper = float(arguments["lower"]), float(arguments["upper"])
    if arguments.get("log"):
        return math.log(float(value) / lower) / math.log(upper / lower)
    return (float(value) - lower) / (upper - lower)
