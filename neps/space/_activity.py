"""Which parameters are active: the conditions of a space, checked against its parameters, and their order.

A parameter is active if all its conditions hold, and a condition on an inactive parameter doesn't. `SearchSpace` calls
it. What a condition says, `neps.space._conditions` knows.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

from neps.errors import SpaceError, nearest, shown
from neps.space._conditions import Comparison, Condition, Conditions, OneOf
from neps.space._parameter import Parameter
from neps.space._values import Value, equal_values

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Activity", "Test", "drawn", "parents_first", "resolved", "tests_of"]

_LONGEST_SET = 1000
_LONGEST_CIRCLE = 10
_DRAWS = 1000


@attrs.frozen(eq=False, slots=False)
class Test:
    """A condition on a parameter of the space, ready to be applied to its values.

    Attributes:
        parent: the parameter's name.
        parameter: the parameter.
        condition: what must hold, with the parameter's own values.
    """

    __test__ = False  # for pytest

    parent: str
    parameter: Parameter
    condition: Condition

    @functools.cached_property
    def _bounds(self) -> tuple[float, ...]:
        return tuple(map(self.parameter.axis.rank, self.condition.values))

    @functools.cached_property
    def _accepted(self) -> frozenset[Value] | None:
        """The values for which it holds, if somebody has listed them: no two choices are equal."""
        if isinstance(self.condition, OneOf):
            return frozenset(self.condition.values)
        values = self.parameter.every_value(_LONGEST_SET)
        return None if values is None else frozenset(filter(self._compared, values))

    def holds(self, value: Value) -> bool:
        """Whether it holds for a value of the parameter."""
        return self._compared(value) if self._accepted is None else value in self._accepted

    def _compared(self, value: Value) -> bool:
        return self.condition.among(self.parameter.axis.rank(value), self._bounds)

    def __str__(self) -> str:
        return f"{self.parent} {self.condition}"


class Activity:
    """What decides which parameters of a space are active.

    Args:
        parameters: all parameters of the space, with resolved conditions.

    Attributes:
        is_conditional: whether any parameter has conditions.
        order: the names of all parameters, each behind those that it depends on.
        tests: the conditions of each.
    """

    def __init__(self, parameters: Mapping[str, Parameter]) -> None:
        self.is_conditional = any(parameter.active_if is not None for parameter in parameters.values())
        self._parameters = parameters

    @functools.cached_property
    def tests(self) -> dict[str, tuple[Test, ...]]:
        """See above."""
        return {name: tests_of(each.active_if, self._parameters) for name, each in self._parameters.items()}

    @functools.cached_property
    def order(self) -> tuple[str, ...]:
        """See above."""
        return parents_first({name: [test.parent for test in tests] for name, tests in self.tests.items()})

    def configuration(self, value_of: Callable[[str], Value]) -> dict[str, Value]:
        """What is active if each active parameter has the value that `value_of` says: in the order of the space.

        `value_of` is called once for each of them, and for its parents before it.
        """
        if not self.is_conditional:
            return {name: value_of(name) for name in self._parameters}
        values: dict[str, Value] = {}
        for name in self.order:
            if self.holds(name, values):
                values[name] = value_of(name)
        return {name: values[name] for name in self._parameters if name in values}

    def holds(self, name: str, values: Mapping[str, Value]) -> bool:
        """Whether a parameter is active, if the active ones before it have these values."""
        return all(test.parent in values and test.holds(values[test.parent]) for test in self.tests[name])

    def needed(self, names: Iterable[str]) -> dict[str, list[Test]]:
        """What must hold so that these are active, by the parameter that is tested."""
        tests: dict[str, list[Test]] = {}
        waiting = dict.fromkeys(names)
        for name in (order := list(waiting)):  # which grows
            for test in self.tests[name]:
                tests.setdefault(test.parent, []).append(test)
                if test.parent not in waiting:
                    waiting[test.parent] = None
                    order.append(test.parent)
        return tests

    def why_inactive(self, name: str, values: Mapping[str, Value]) -> str:
        """Which condition of an inactive parameter doesn't hold, and why not, if the active ones have these values."""
        failing = next(
            each for each in self.tests[name] if each.parent not in values or not each.holds(values[each.parent])
        )
        its_value = shown(values[failing.parent]) if failing.parent in values else "inactive"
        return f"it is active only if {failing}, and {failing.parent} is {its_value}"


def drawn(axis: Parameter, tests: Sequence[Test], position: float, generator: np.random.Generator) -> Value:
    """The value at a position; another one if that doesn't pass all tests, and one is found that does."""
    listed = [value for test in tests if isinstance(test.condition, OneOf) for value in test.condition.values]
    found = axis.from_unit(position)
    for _ in range(_DRAWS):
        if all(test.holds(found) for test in tests):
            break
        found = listed[generator.integers(len(listed))] if listed else axis.from_unit(generator.random())
    return found


def tests_of(conditions: Conditions | None, parameters: Mapping[str, Parameter]) -> tuple[Test, ...]:
    """Resolved conditions, ready to be applied."""
    return tuple(Test(name, parameters[name], condition) for name, condition in (conditions or {}).items())


def parents_first(parents: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """All names, each behind its parents: by the length of the longest chain above, and then in the given order.

    Raises:
        SpaceError: if some names are behind each other.

    Example:
        >>> parents_first({"momentum": ["optimizer"], "optimizer": [], "nesterov": ["momentum"]})
        ('optimizer', 'momentum', 'nesterov')
    """
    waiting = {name: len({*above}) for name, above in parents.items()}
    children: dict[str, list[str]] = {name: [] for name in parents}
    for name, above in parents.items():
        for parent in {*above}:
            children[parent].append(name)
    depth = {name: 0 for name, count in waiting.items() if count == 0}
    reached = list(depth)
    for name in reached:  # which grows
        for child in children[name]:
            depth[child] = max(depth.get(child, 0), depth[name] + 1)
            waiting[child] -= 1
            reached += [child] * (waiting[child] == 0)
    if len(reached) == len(parents):
        return tuple(sorted(parents, key=depth.__getitem__))
    circle = _circle(parents, {*parents} - {*reached})
    named = circle if len(circle) <= _LONGEST_CIRCLE else [*circle[:_LONGEST_CIRCLE], "…", circle[-1]]
    msg = (
        f"The conditions lead around in a circle: {named[0]} depends on {', which depends on '.join(named[1:])}. "
        "Remove one of these from active_if: a parameter can't decide whether it is active itself."
    )
    raise SpaceError(msg)


def _circle(parents: Mapping[str, Iterable[str]], waiting: set[str]) -> list[str]:
    """From one that waits to a parent that waits, until one comes again."""
    places: dict[str, int] = {}
    name = next(each for each in parents if each in waiting)
    while name not in places:
        places[name] = len(places)
        name = next(each for each in parents[name] if each in waiting)
    return [*list(places)[places[name] :], name]


def resolved(what: str, given: Conditions, parameters: Mapping[str, Parameter]) -> Conditions:
    """Conditions on parameters of the space, with the values that these have, in their order.

    Args:
        what: whose conditions these are, to begin an error message with.
        given: as they were written.
        parameters: all parameters of the space.

    Raises:
        SpaceError: if a parameter is unknown or a fidelity, or can't have a value.
    """
    return Conditions(tuple((name, _resolved(what, name, each, parameters)) for name, each in given.items()))


def _resolved(what: str, name: str, condition: Condition, parameters: Mapping[str, Parameter]) -> Condition:
    if name not in parameters:
        hint, has = nearest(name, parameters), shown(list(parameters))
        msg = f"{what} names {shown(name)}, but the space has {has}: name one of these.{hint}"
        raise SpaceError(msg)
    parent = parameters[name]
    _check_parent(what, name, parent, compared=isinstance(condition, Comparison))
    try:
        values = tuple(map(parent.parse, condition.values))
    except SpaceError as error:
        texts = isinstance(condition, OneOf) and any(isinstance(value, str) for value in condition.values)
        meant = texts and parent.searched and not parent.categories
        advice = " To compare it, write neps.at_least(2), or in a file {at_least: 2}." if meant else ""
        msg = f"{what}: {name!r}: {error}{advice}"
        raise SpaceError(msg) from error
    if isinstance(condition, Comparison):
        return Comparison(tuple(zip((relation for relation, _ in condition.bounds), values, strict=True)))
    return OneOf(_in_order(parent, values))


def _check_parent(what: str, name: str, parent: Parameter, *, compared: bool) -> None:
    if parent.is_fidelity:
        msg = (
            f"{what} names {name!r}, which is a fidelity, but a configuration stays the same at every fidelity: name "
            "another parameter, or decide in run_pipeline."
        )
        raise SpaceError(msg)
    if compared and not parent.searched:
        msg = f"{what} compares {name!r}, but that is a constant: list its value instead."
        raise SpaceError(msg)
    if compared and parent.categories:
        msg = f"{what} compares {name!r}, but its choices have no order: list them, or write ordered=True there."
        raise SpaceError(msg)


def _in_order(parent: Parameter, values: tuple[Value, ...]) -> tuple[Value, ...]:
    """Each value once, in the order of the parameter."""
    once: list[Value] = []
    for value in values:
        if not any(equal_values(value, each) for each in once):
            once.append(value)
    return tuple(sorted(once, key=parent.axis.rank))
