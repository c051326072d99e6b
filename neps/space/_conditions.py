"""Conditions on the values of other parameters: what `active_if` and `forbid` hold, immutable and comparable.

What a condition says lives here, not what it means in a space: `neps.space._activity` knows the parents.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from neps._calling import public
from neps.errors import SpaceError, nearest, shown
from neps.space._values import Value, told_apart

__all__ = [
    "Comparison",
    "Condition",
    "Conditions",
    "OneOf",
    "at_least",
    "at_most",
    "conditions",
    "less_than",
    "more_than",
]

_RELATIONS: dict[str, Callable[[Any, Any], bool]] = {
    "at_least": operator.ge,
    "more_than": operator.gt,
    "at_most": operator.le,
    "less_than": operator.lt,
}
_LOWER = ("at_least", "more_than")


@attrs.frozen(repr=False)
class OneOf:
    """The value is one of these: one or more, all different."""

    values: tuple[Value, ...] = attrs.field(eq=repr)  # 1, 1.0 and True are different values

    def __repr__(self) -> str:
        return repr(self.values[0] if len(self.values) == 1 else list(self.values))

    def __str__(self) -> str:
        return f"is {' or '.join(map(shown, self.values))}"

    def plain(self) -> list[Value]:
        """As it is written to neps.yaml."""
        return list(self.values)

    def among(self, rank: float, ranks: tuple[float, ...]) -> bool:
        """Whether it holds for what stands at `rank`, if its values stand at `ranks`."""
        return rank in ranks


@attrs.frozen(repr=False)
class Comparison:
    """The value lies on one side of each bound, in the order of the parameter that it is of.

    Made by `at_least`, `more_than`, `at_most` and `less_than`; `&` joins two of them.

    Example:
        >>> at_least(2) & less_than(8)
        at_least(2) & less_than(8)
    """

    bounds: tuple[tuple[str, Value], ...] = attrs.field(eq=repr)

    def __attrs_post_init__(self) -> None:
        _one_bound_a_side([relation for relation, _ in self.bounds])

    @property
    def values(self) -> tuple[Value, ...]:
        """All bounds."""
        return tuple(bound for _, bound in self.bounds)

    def __and__(self, other: object) -> Comparison:
        if not isinstance(other, Comparison):
            return NotImplemented
        return Comparison(tuple(sorted(self.bounds + other.bounds, key=lambda bound: [*_RELATIONS].index(bound[0]))))

    def __repr__(self) -> str:
        return " & ".join(f"{relation}({bound!r})" for relation, bound in self.bounds)

    def __str__(self) -> str:
        return "is " + " and ".join(f"{relation.replace('_', ' ')} {shown(bound)}" for relation, bound in self.bounds)

    def plain(self) -> dict[str, Value]:
        """As it is written to neps.yaml."""
        return dict(self.bounds)

    def among(self, rank: float, ranks: tuple[float, ...]) -> bool:
        """Whether it holds for what stands at `rank`, if its bounds stand at `ranks`."""
        return all(_RELATIONS[name](rank, bound) for (name, _), bound in zip(self.bounds, ranks, strict=True))


Condition = OneOf | Comparison


@public("neps.at_least")
def at_least(bound: Value) -> Comparison:
    """For `active_if` and `forbid`: a number, or a choice of an ordered Categorical, that is `bound` or above it.

    Example:
        >>> import neps
        >>> neps.Integer(8, 512, active_if={"layers": neps.at_least(2)})
        Integer(8, 512, active_if={'layers': at_least(2)})
    """
    return _comparison({"at_least": bound})


@public("neps.at_most")
def at_most(bound: Value) -> Comparison:
    """For `active_if` and `forbid`: a number, or a choice of an ordered Categorical, that is `bound` or below it.

    Example:
        >>> import neps
        >>> neps.Float(0, 1, active_if={"layers": neps.at_least(2) & neps.at_most(4)})
        Float(0.0, 1.0, active_if={'layers': at_least(2) & at_most(4)})
    """
    return _comparison({"at_most": bound})


@public("neps.more_than")
def more_than(bound: Value) -> Comparison:
    """For `active_if` and `forbid`: a number, or a choice of an ordered Categorical, above `bound`.

    Example:
        >>> import neps
        >>> neps.Categorical(["uniform", "channel"], active_if={"dropout": neps.more_than(0.0)})
        Categorical(('uniform', 'channel'), active_if={'dropout': more_than(0.0)})
    """
    return _comparison({"more_than": bound})


@public("neps.less_than")
def less_than(bound: Value) -> Comparison:
    """For `active_if` and `forbid`: a number, or a choice of an ordered Categorical, below `bound`.

    Example:
        >>> import neps
        >>> neps.Constant("small", active_if={"layers": neps.less_than(3)})
        Constant('small', active_if={'layers': less_than(3)})
    """
    return _comparison({"less_than": bound})


def _comparison(given: Mapping[str, object]) -> Comparison:
    for relation in given:
        if relation not in _RELATIONS:
            hint = nearest(str(relation), _RELATIONS)
            msg = f"a comparison is {shown(relation)}, but it must be one of {', '.join(_RELATIONS)}: write that.{hint}"
            raise SpaceError(msg)
    return Comparison(
        tuple((name, told_apart(f"the bound of {name}", given[name])) for name in _RELATIONS if name in given)
    )


def _one_bound_a_side(relations: Sequence[str]) -> None:
    sides = ["below" if relation in _LOWER else "above" for relation in relations]
    if len({*sides}) < len(sides) or not sides:
        msg = (
            f"a comparison has the bounds {', '.join(relations) or 'none'}, but it must have one from below, one from "
            "above, or both: leave the others out."
        )
        raise SpaceError(msg)


@attrs.frozen(repr=False)
class Conditions(Mapping[str, Condition]):
    """Conditions on several parameters, by their names, in alphabetical order: all must hold."""

    _pairs: tuple[tuple[str, Condition], ...]

    def __getitem__(self, name: str) -> Condition:
        return dict(self._pairs)[name]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __repr__(self) -> str:
        return repr(dict(self._pairs))

    def __str__(self) -> str:
        return " and ".join(f"{name} {condition}" for name, condition in self._pairs)

    def plain(self) -> dict[str, object]:
        """As they are written to neps.yaml."""
        return {name: condition.plain() for name, condition in self._pairs}


def conditions(what: str, given: object) -> Conditions:
    """What a user has written, or what neps.yaml says.

    Args:
        what: what it is, to begin an error message with.
        given: a mapping of names to a value, a list of values, a comparison, or a mapping of `_RELATIONS` to bounds.

    Raises:
        SpaceError: if it is anything else.

    Example:
        >>> conditions("active_if", {"optimizer": ["sgd", "adam"], "layers": {"at_least": 2}})
        {'layers': at_least(2), 'optimizer': ['sgd', 'adam']}
    """
    if not isinstance(given, Mapping) or not given:
        msg = (
            f"{what} is {shown(given)}, but it must map the names of other parameters to their values: write "
            '{"optimizer": "sgd"}, {"optimizer": ["sgd", "adam"]} or {"layers": neps.at_least(2)}.'
        )
        raise SpaceError(msg)
    for name in given:
        if not isinstance(name, str) or not name:
            msg = f"{what} names {shown(name)}, but it must name a parameter: write its name as a text."
            raise SpaceError(msg)
    return Conditions(
        tuple((str.__str__(name), _condition(f"{what}[{name!r}]", given[name])) for name in sorted(given))
    )


def _condition(what: str, given: object) -> Condition:
    if isinstance(given, OneOf | Comparison):
        return given
    if isinstance(given, Mapping):
        try:
            return _comparison(given)
        except SpaceError as error:
            msg = f"{what}: {error}"
            raise SpaceError(msg) from error
    if callable(given):
        msg = (
            f"{what} is {shown(given)}, but it must be a value, a list of values or a comparison: write "
            "neps.at_least(…), neps.at_most(…), neps.more_than(…) or neps.less_than(…)."
        )
        raise SpaceError(msg)
    if not (values := {repr(value): value for value in (told_apart(what, each) for each in _listed(given))}):
        msg = f"{what} is empty, but at least one value is needed: list those for which the condition holds."
        raise SpaceError(msg)
    return OneOf(tuple(values.values()))


def _listed(given: object) -> Iterable[object]:
    if isinstance(given, set | frozenset):
        return sorted(given, key=repr)
    return given if isinstance(given, list | tuple) else [given]
