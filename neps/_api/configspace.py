"""A ConfigurationSpace of ConfigSpace as a SearchSpace: hyperparameters, conditions, forbidden clauses.

`space_from` calls it. ConfigSpace's own objects do all that is asked of them here, so nothing of it is imported.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from neps.errors import SpaceError, shown
from neps.space import (
    Categorical,
    Comparison,
    Confidence,
    Constant,
    Float,
    Integer,
    Parameter,
    SearchSpace,
    less_than,
    more_than,
)

__all__ = ["translated"]

_logger = logging.getLogger("neps.api")
_DEVIATIONS: dict[Confidence, float] = {"low": 0.5, "medium": 0.25, "high": 0.125}
_PLACES = 1000
_Conditions = dict[str, Any]


def translated(space: Any) -> SearchSpace:
    """The same space, of neps.

    A default that somebody has chosen becomes a prior of low confidence. Weights are left out, with a warning, but that
    a choice of weight 0 is never drawn.

    Args:
        space: a ConfigurationSpace.

    Raises:
        SpaceError: if it has something that neps can't express; the message names it, and says what to do.
    """
    conditions: dict[str, _Conditions] = {}
    for each in space.conditions:
        for child, condition in _conditions(each):
            _join(child, conditions.setdefault(child, {}), condition)
    parameters = {}
    for hyperparameter in space.values():
        active_if = conditions.get(str(hyperparameter.name)) or None
        parameters[str(hyperparameter.name)] = _parameter(hyperparameter).with_prior(active_if=active_if)
    return SearchSpace(parameters, [clause for each in space.forbidden_clauses for clause in _forbidden(each)])


# Hyperparameters


def _parameter(given: Any) -> Parameter:
    kind = type(given).__name__
    if kind not in _TYPES:
        msg = (
            f"The hyperparameter {given.name!r} of the ConfigurationSpace is a {kind}, which neps doesn't have: it has "
            f"{', '.join(_TYPES)}. Use one of these."
        )
        raise SpaceError(msg)
    try:
        return _TYPES[kind](given)
    except SpaceError as error:
        msg = f"The hyperparameter {given.name!r} of the ConfigurationSpace: {error}"
        raise SpaceError(msg) from error


def _number(given: Any) -> Parameter:
    """A uniform one, with a default if somebody has chosen it: else ConfigSpace takes the middle."""
    kind = Integer if type(given).__name__ == "UniformIntegerHyperparameter" else Float
    middle = type(given)(given.name, given.lower, given.upper, log=given.log).default_value
    default = None if given.default_value == middle else given.default_value
    return kind(given.lower, given.upper, log=given.log, default=default)


def _normal(given: Any) -> Parameter:
    """A normal distribution is a prior, whose deviation is the nearest that neps has."""
    if given.log:
        msg = (
            "a normal distribution on a log scale can't be translated: write a uniform one with log=True and a default."
        )
        raise SpaceError(msg)
    whole = type(given).__name__ == "NormalIntegerHyperparameter"
    share = given.sigma / (given.upper - given.lower)
    confidence = min(_DEVIATIONS, key=lambda name: abs(math.log(_DEVIATIONS[name] / share)))
    mean = min(max(given.mu, given.lower), given.upper)
    if whole:
        return Integer(given.lower, given.upper, default=round(mean), default_confidence=confidence)
    return Float(given.lower, given.upper, default=mean, default_confidence=confidence)


def _beta(given: Any) -> Parameter:
    """A beta distribution is a prior around its mode, which neps has as a normal one that spreads nearly as far."""
    kind = Integer if type(given).__name__ == "BetaIntegerHyperparameter" else Float
    alpha, beta = given.alpha, given.beta
    if alpha == beta == 1:
        return kind(given.lower, given.upper, log=given.log)
    mode = (alpha - 1) / (alpha + beta - 2)
    places = [(place + 0.5) / _PLACES for place in range(_PLACES)]
    wanted = _spread(mode, [u ** (alpha - 1) * (1 - u) ** (beta - 1) for u in places])
    normal = {
        name: _spread(mode, [math.exp(-0.5 * ((u - mode) / deviation) ** 2) for u in places])
        for name, deviation in _DEVIATIONS.items()
    }
    confidence = min(normal, key=lambda name: abs(normal[name] - wanted))
    most_likely = type(given)(
        given.name, alpha=alpha, beta=beta, lower=given.lower, upper=given.upper, log=given.log
    ).default_value
    return kind(given.lower, given.upper, log=given.log, default=most_likely, default_confidence=confidence)


def _spread(mode: float, densities: Sequence[float]) -> float:
    """How far from the mode values lie, in the root mean square: of densities at even places of [0, 1]."""
    squares = (density * ((place + 0.5) / len(densities) - mode) ** 2 for place, density in enumerate(densities))
    return math.sqrt(math.fsum(squares) / math.fsum(densities))


def _categorical(given: Any) -> Parameter:
    weights = [1.0] * len(given.choices) if given.weights is None else list(given.weights)
    choices = [choice for choice, weight in zip(given.choices, weights, strict=True) if weight > 0]
    if len({weight for weight in weights if weight > 0}) > 1:
        _logger.warning(
            "neps: the weights of %r in the ConfigurationSpace are left out: its choices are equally likely. To prefer "
            "one, give it as the default.",
            given.name,
        )
    first = type(given)(given.name, given.choices, weights=given.weights).default_value
    default = None if given.default_value == first else given.default_value
    return Categorical(choices, default=default)


def _ordinal(given: Any) -> Parameter:
    default = None if given.default_value == given.sequence[0] else given.default_value
    return Categorical(list(given.sequence), ordered=True, default=default)


def _constant(given: Any) -> Parameter:
    return Constant(given.value)


_TYPES: Mapping[str, Callable[[Any], Parameter]] = {
    "UniformFloatHyperparameter": _number,
    "UniformIntegerHyperparameter": _number,
    "NormalFloatHyperparameter": _normal,
    "NormalIntegerHyperparameter": _normal,
    "BetaFloatHyperparameter": _beta,
    "BetaIntegerHyperparameter": _beta,
    "CategoricalHyperparameter": _categorical,
    "OrdinalHyperparameter": _ordinal,
    "Constant": _constant,
    "UnParametrizedHyperparameter": _constant,
}


# Conditions


def _conditions(given: Any) -> Iterator[tuple[str, _Conditions]]:
    """What must hold, all of it, for each child."""
    child, kind = str(given.child.name), type(given).__name__
    if kind == "AndConjunction":
        for each in given.components:
            yield from _conditions(each)
    elif kind == "OrConjunction":
        yield child, _either(child, given)
    elif kind in _CONDITIONS:
        yield child, {str(given.parent.name): _CONDITIONS[kind](given)}
    else:
        msg = (
            f"The condition {shown(str(given))} of the ConfigurationSpace is a {kind}, which neps doesn't have: it has "
            f"{', '.join(_CONDITIONS)}, AndConjunction and OrConjunction. Use one of these."
        )
        raise SpaceError(msg)


def _others(given: Any) -> list[Any]:
    """All values of the parent but one."""
    parent = given.parent
    values = getattr(parent, "choices", None) or getattr(parent, "sequence", None)
    if values is None and hasattr(parent, "value"):
        values = [parent.value]
    if values is None:
        msg = (
            f"The condition {shown(str(given))} of the ConfigurationSpace excludes a number, which neps can't express: "
            "use GreaterThanCondition or LessThanCondition."
        )
        raise SpaceError(msg)
    return [value for value in values if value != given.value]


_CONDITIONS: Mapping[str, Callable[[Any], Any]] = {
    "EqualsCondition": lambda given: [given.value],
    "InCondition": lambda given: list(given.values),
    "NotEqualsCondition": _others,
    "GreaterThanCondition": lambda given: more_than(given.value),
    "LessThanCondition": lambda given: less_than(given.value),
}


def _either(child: str, given: Any) -> _Conditions:
    """Alternatives are expressible if they are values of one parent."""
    found: dict[str, list[Any]] = {}
    for each in given.components:
        name = type(each).__name__
        values = _CONDITIONS[name](each) if name in _CONDITIONS else None
        if not isinstance(values, list):
            break
        found.setdefault(str(each.parent.name), []).extend(values)
    else:
        if len(found) == 1:
            return dict(found)
    msg = (
        f"{child!r} of the ConfigurationSpace is active under an OrConjunction, {shown(str(given))}, but neps can only "
        "express alternatives among the values of one parent. Make two parameters of it, one under each condition."
    )
    raise SpaceError(msg)


def _join(child: str, known: _Conditions, more: _Conditions) -> None:
    """Add conditions that must hold as well."""
    for parent, condition in more.items():
        before = known.get(parent)
        if before is None:
            known[parent] = condition
        elif isinstance(before, Comparison) and isinstance(condition, Comparison):
            known[parent] = before & condition
        elif (
            isinstance(before, list) and isinstance(condition, list) and (both := [v for v in before if v in condition])
        ):
            known[parent] = both
        else:
            msg = (
                f"{child!r} of the ConfigurationSpace has two conditions on {parent!r}, values and a comparison, which "
                "neps can't express together: list the values for which both hold."
            )
            raise SpaceError(msg)


# Forbidden clauses


def _forbidden(given: Any) -> Iterator[Any]:
    """Combinations, and functions for what mappings can't say."""
    kind = type(given).__name__
    if kind == "ForbiddenOrConjunction":
        for each in given.components:
            yield from _forbidden(each)
        return
    parts = list(given.components) if kind == "ForbiddenAndConjunction" else [given]
    together: _Conditions = {}
    for each in parts:
        values = _values(each)
        if values is None or str(each.hyperparameter.name) in together:
            yield _rule(given)
            return
        together[str(each.hyperparameter.name)] = values
    yield together


def _values(clause: Any) -> list[Any] | None:
    match type(clause).__name__:
        case "ForbiddenEqualsClause":
            return [clause.value]
        case "ForbiddenInClause":
            return list(clause.values)
    return None


def _rule(clause: Any) -> Callable[[dict[str, Any]], bool]:
    """A function that says what a clause says; its name is the same in all processes."""
    names = set(_names(clause))

    def forbidden(config: dict[str, Any]) -> bool:
        return names <= config.keys() and bool(clause.is_forbidden_value(config))

    forbidden.__name__ = _described(clause)
    return forbidden


def _names(clause: Any) -> Iterable[str]:
    if hasattr(clause, "components"):
        return [name for each in clause.components for name in _names(each)]
    if hasattr(clause, "left"):
        return [str(clause.left.name), str(clause.right.name)]
    return [str(clause.hyperparameter.name)]


def _described(clause: Any) -> str:
    kind = type(clause).__name__
    if hasattr(clause, "components"):
        return f"{kind}({', '.join(map(_described, clause.components))})"
    values = [repr(clause.value)] if hasattr(clause, "value") else sorted(map(repr, getattr(clause, "values", ())))
    return f"{kind}({', '.join([*_names(clause), *values])})"
