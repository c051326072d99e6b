"""How many configurations a space has, and which share of it is allowed, without listing them.

Parameters are taken one after the other, parents first. All that is remembered of the ones before are those that later
conditions and forbidden combinations look at, and of their values only which of these hold. `SearchSpace` calls it.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from neps.errors import SpaceError
from neps.space._activity import Activity, Test
from neps.space._forbidden import Forbidden
from neps.space._parameter import Parameter
from neps.space._scale import Line, Row
from neps.space._values import Value

__all__ = ["Extent", "parts"]

_MOST_STATES = 5_000
_MOST_PARAMETERS = 1_000
_MOST_LISTED = 10_000
_LEAST_ALLOWED = 1e-3
_INACTIVE = -1


@dataclasses.dataclass(frozen=True, slots=True)
class Total:
    """How much there is of something: `count` values (None for infinitely many), and its mass, in [0, 1].

    Attributes:
        count: how many.
        uniform: the mass if each parameter is drawn uniformly, on its own scale.
        prior: the mass if it is drawn from the prior.
    """

    count: int | None = 0
    uniform: float = 0.0
    prior: float = 0.0

    def __add__(self, other: Total) -> Total:
        count = None if self.count is None or other.count is None else self.count + other.count
        return Total(count, self.uniform + other.uniform, self.prior + other.prior)

    def __mul__(self, other: Total) -> Total:
        count = None if self.count is None or other.count is None else self.count * other.count
        return Total(count, self.uniform * other.uniform, self.prior * other.prior)


ONE = Total(1, 1.0, 1.0)
Part = tuple[Value, Total]
"""Values of a parameter that no test tells apart: one of them, and how many there are."""
_States = dict[tuple[int, ...], Total]
"""How much there is, by the parts in which the remembered parameters are."""


def parts(parameter: Parameter, tests: Sequence[Test]) -> list[Part]:
    """The values of a parameter, divided into those for which the same of the tests hold.

    Single points of a range of real numbers, which nothing but a hit of a float would find, are left out.
    """
    found: dict[tuple[bool, ...], Part] = {}
    for value, amount in _pieces(parameter, {bound for test in tests for bound in test.condition.values}):
        held = tuple(test.holds(value) for test in tests)
        first, before = found.get(held, (value, Total()))
        found[held] = first, before + amount
    return list(found.values())


def _pieces(parameter: Parameter, landmarks: set[Value]) -> Iterator[Part]:
    """A parameter's values, cut into pieces at some of them."""
    axis = parameter.axis
    if not parameter.searched or parameter.count == 1:
        yield parameter.from_unit(1.0), ONE
    elif isinstance(axis, Row):
        places = range(axis.count) if parameter.categories else [axis.values.index(value) for value in landmarks]
        for begin, end in itertools.pairwise(sorted({0, axis.count, *places, *(place + 1 for place in places)})):
            yield axis.values[begin], _amount(parameter, axis.bins.edge(begin), axis.bins.edge(end), end - begin)
    elif isinstance(axis, Line):
        for low, high in itertools.pairwise(sorted({0.0, 1.0, *map(axis.position, landmarks)})):
            yield axis.value((low + high) / 2), _amount(parameter, low, high, None)


def _amount(parameter: Parameter, begin: float, end: float, count: int | None) -> Total:
    width = end - begin
    share = width if (prior := parameter.prior) is None else math.exp(prior.log_density(begin, end)) * width
    return Total(count, width, share)


class _Count:
    """One count: of the states that the remembered parameters can be in, each with its amount.

    Args:
        parameters: all parameters of the space; fidelities are left out.
        tests: the conditions of each.
        forbidden: combinations, each of tests that all hold.
    """

    def __init__(
        self,
        parameters: Mapping[str, Parameter],
        tests: Mapping[str, Sequence[Test]],
        forbidden: Sequence[Sequence[Test]],
    ) -> None:
        looking: dict[str, list[Test]] = {name: [] for name in parameters}
        for test in itertools.chain(*tests.values(), *forbidden):
            looking[test.parent].append(test)
        self._tests = {name: tests[name] for name, parameter in parameters.items() if not parameter.is_fidelity}
        self._parts = {name: parts(parameters[name], looking[name]) for name in self._tests}
        self._needs = {name: _parents(conditions) for name, conditions in self._tests.items()}
        self._clauses = [(_parents(clause), clause) for clause in forbidden]
        self._awaited: dict[str, list[set[str]]] = {name: [] for name in self._tests}
        users = [({name}, parents) for name, parents in self._needs.items()]
        for awaited, names in (*users, *((names, names) for names, _ in self._clauses)):
            for name in names:
                self._awaited[name].append(awaited)

    def total(self) -> Total | None:
        """What is allowed; None if that takes too long to tell."""
        if len(self._needs) > _MOST_PARAMETERS:
            return None
        remembered: list[str] = []
        states: _States = {(): ONE}
        done: set[str] = set()
        while name := self._next(done, remembered):
            done.add(name)
            names = [*remembered, name]
            kept = [index for index, each in enumerate(names) if self._is_needed(each, done)]
            states = self._after(states, names, kept, done)
            if len(states) > _MOST_STATES:
                return None
            remembered = [names[index] for index in kept]
        return sum(states.values(), Total())

    def _after(self, states: _States, names: list[str], kept: list[int], done: set[str]) -> _States:
        """The states once the last of the names has been taken, of which only `kept` are remembered."""
        closing = [clause for among, clause in self._clauses if names[-1] in among and among <= done]
        after: _States = {}
        for state, amount in states.items():
            for part, share in self._ways(names, state):
                whole = (*state, part)
                if not any(self._all_hold(clause, names, whole) for clause in closing):
                    key = tuple(whole[index] for index in kept)
                    after[key] = after.get(key, Total()) + amount * share
        return after

    def _next(self, done: set[str], remembered: list[str]) -> str | None:
        """The parameter after which least is remembered; of several, one that follows from what was last."""
        ready = [name for name, parents in self._needs.items() if name not in done and parents <= done]
        at_once = (name for name in ready if not self._is_needed(name, done | {name}))
        return next(at_once, None) or min(ready, key=lambda name: self._cost(name, done, remembered), default=None)

    def _cost(self, name: str, done: set[str], remembered: list[str]) -> tuple[int, int]:
        after = done | {name}
        depth = max((remembered.index(parent) for parent in self._needs[name]), default=-1)
        return sum(self._is_needed(each, after) for each in (*remembered, name)), -depth

    def _is_needed(self, name: str, done: set[str]) -> bool:
        return any(not each <= done for each in self._awaited[name])

    def _ways(self, names: list[str], state: tuple[int, ...]) -> Iterable[tuple[int, Total]]:
        """The parts that the last of the names may be in, if the ones before are in this state."""
        if not self._all_hold(self._tests[names[-1]], names, state):
            return ((_INACTIVE, ONE),)
        return ((index, amount) for index, (_, amount) in enumerate(self._parts[names[-1]]))

    def _all_hold(self, tests: Sequence[Test], names: list[str], state: tuple[int, ...]) -> bool:
        for test in tests:
            part = state[names.index(test.parent)]
            if part == _INACTIVE or not test.holds(self._parts[test.parent][part][0]):
                return False
        return True


def _parents(tests: Iterable[Test]) -> set[str]:
    return {test.parent for test in tests}


class Extent:
    """How much there is in a space, and what of it is forbidden.

    Args:
        parameters: all parameters of the space.
        activity: its conditions.
        forbidden: what is forbidden.
    """

    def __init__(self, parameters: Mapping[str, Parameter], activity: Activity, forbidden: Forbidden) -> None:
        self._parameters, self._activity, self._forbidden = parameters, activity, forbidden

    @functools.cached_property
    def size(self) -> int | None:
        """See `SearchSpace`."""
        if not self._forbidden.rules:
            return self._count
        configs = self.every_config(_MOST_LISTED)
        return None if configs is None else len(configs)

    def every_config(self, most: int) -> list[dict[str, Value]] | None:
        """See `SearchSpace`."""
        if self._count is None or self._count > most:
            return None
        found: list[dict[str, Value]] = [{}]
        for name in self._activity.order:
            found = [longer for config in found for longer in self._longer(config, name)]
        ordered = (self._activity.configuration(config.__getitem__) for config in found)
        return [config for config in ordered if self._forbidden.found(config) is None]

    def _longer(self, config: dict[str, Value], name: str) -> Iterator[dict[str, Value]]:
        """A configuration of what is before a parameter, with each of its values; forbidden combinations left out."""
        parameter, axis = self._parameters[name], self._parameters[name].axis
        if not self._activity.holds(name, config):
            yield config
        elif not parameter.searched:
            yield config | {name: parameter.from_unit(1.0)}
        else:
            longer = (config | {name: value} for value in axis.every_value(axis.count or 0) or ())
            yield from (each for each in longer if self._forbidden.combination(each) is None)

    @functools.cached_property
    def log_allowed(self) -> float:
        """The logarithm of how much likelier an allowed configuration is under the prior than uniformly."""
        if not self._forbidden.combinations or self._total is None:
            return 0.0
        return math.log(self._total.prior / self._total.uniform)

    def check(self) -> None:
        """Make sure that not nearly everything is forbidden, as far as that can be told.

        Raises:
            SpaceError: if it is.
        """
        if self._forbidden.combinations and (total := self._total) and min(total.uniform, total.prior) < _LEAST_ALLOWED:
            uniform, prior, least = (f"{100 * share:.2g} %" for share in (total.uniform, total.prior, _LEAST_ALLOWED))
            msg = (
                f"forbid leaves {uniform} of the space, and {prior} of its prior, but at least {least} must be "
                "allowed: narrow the parameters, or write them with active_if."
            )
            raise SpaceError(msg)

    @functools.cached_property
    def _count(self) -> int | None:
        """The size without functions."""
        if not self._activity.is_conditional and not self._forbidden.combinations:
            counts = [parameter.count for parameter in self._parameters.values() if parameter.searched]
            return None if None in counts else math.prod(count for count in counts if count is not None)
        return self._total.count if self._total is not None else None

    @functools.cached_property
    def _total(self) -> Total | None:
        return _Count(self._parameters, self._activity.tests, self._forbidden.combinations).total()
