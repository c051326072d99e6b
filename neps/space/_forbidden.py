"""Forbidden combinations of values: what `SearchSpace(forbid=…)` takes, and whether a configuration is one of them.

`SearchSpace` calls it. How large a part of the space is forbidden, `neps.space._counting` says.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs
import numpy as np

from neps.errors import SpaceError, shown
from neps.space._activity import Test, resolved, tests_of
from neps.space._conditions import Conditions, conditions
from neps.space._parameter import Parameter
from neps.space._values import Value

__all__ = ["Forbidden", "Forbidding", "Rule"]

_DRAWS = 20_000


@attrs.frozen(repr=False)
class Rule:
    """A function of the user that says whether a configuration is forbidden. Only its name is stored.

    Two are equal if both have the same function, not just one of that name: what is remembered of a space is asked
    for by the space, and all lambdas have one name.

    Attributes:
        name: the function's name.
        function: what says it; None where the rule was read, and nobody here has the function.
    """

    name: str
    function: Callable[[dict[str, Value]], Any] | None = attrs.field(eq=id, default=None)

    def __repr__(self) -> str:
        return self.name

    __str__ = __repr__

    def plain(self) -> str:
        """As it is written to neps.yaml."""
        return self.name

    def forbids(self, config: Mapping[str, Value]) -> bool:
        """What the function says; nothing is forbidden where there is none."""
        if self.function is None:
            return False
        try:
            answer = self.function(dict(config))
        except Exception as error:
            msg = (
                f"forbid: {self.name} raised {type(error).__name__}: {error} for {shown(dict(config))}. Inactive "
                "parameters are not in a configuration: use config.get(name)."
            )
            raise SpaceError(msg) from error
        if isinstance(answer, bool | np.bool_):
            return bool(answer)
        msg = (
            f"forbid: {self.name} returned {shown(answer)} for {shown(dict(config))}, but it must return True for a "
            "forbidden configuration, and else False."
        )
        raise SpaceError(msg)


Forbidding = Mapping[str, object] | Callable[[dict[str, Any]], bool] | Rule
"""What a user gives as forbidden, and what comes of it."""


class Forbidden:
    """All that is forbidden in a space.

    Args:
        given: mappings of names to a value, a list of values or a comparison, which are forbidden if all hold; and
            functions that take a configuration (without fidelities), and return True if it is forbidden.
        parameters: of the space, with resolved conditions.
    """

    def __init__(self, given: object, parameters: Mapping[str, Parameter]) -> None:
        self.clauses: tuple[Conditions | Rule, ...] = tuple(
            _clause(f"forbid[{index}]", each, parameters) for index, each in enumerate(_listed(given))
        )
        self._fidelities = [name for name, parameter in parameters.items() if parameter.is_fidelity]
        self._parameters = parameters

    @functools.cached_property
    def combinations(self) -> tuple[tuple[Test, ...], ...]:
        """The clauses that are no functions."""
        return tuple(tests_of(each, self._parameters) for each in self.clauses if isinstance(each, Conditions))

    @functools.cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The functions."""
        return tuple(each for each in self.clauses if isinstance(each, Rule))

    def found(self, config: Mapping[str, Value]) -> str | None:
        """What forbids a configuration of the space, for people; None if nothing does."""
        found = self.combination(config)
        if found is None and self.rules:
            plain = {name: value for name, value in config.items() if name not in self._fidelities}
            return next((f"{rule.name} says so" for rule in self.rules if rule.forbids(plain)), None)
        return found

    def found_twice(self, config: Mapping[str, Value]) -> str | None:
        """The same, asked twice.

        Raises:
            SpaceError: if the answers differ, so that workers would disagree.
        """
        first, second = self.found(config), self.found(config)
        if first == second:
            return first
        one, other = (f"it is forbidden ({each})" if each else "it is allowed" for each in (first, second))
        msg = (
            f"forbid: of {shown(dict(config))}, {one}, and when asked once more, {other}. What a function says must "
            "depend on the configuration alone: take out what is random, or changes."
        )
        raise SpaceError(msg)

    def combination(self, config: Mapping[str, Value]) -> str | None:
        """The first forbidden combination in a configuration, or in a part of one."""
        for tests in self.combinations:
            if all(test.parent in config and test.holds(config[test.parent]) for test in tests):
                return " and ".join(map(str, tests))
        return None

    def drawn(self, draw: Callable[[], dict[str, Value]]) -> dict[str, Value]:
        """What is drawn, again and again until it is allowed.

        Raises:
            SpaceError: if that takes too long.
        """
        config = draw()
        if not self.clauses:
            return config
        for _ in range(_DRAWS):
            if self.found(config) is None:
                return config
            config = draw()
        msg = (
            f"forbid: all of {_DRAWS} configurations that were drawn are forbidden, the last one, {shown(config)}, by "
            f"this: {self.found(config)}. Forbid less, or narrow the parameters."
        )
        raise SpaceError(msg)


def _listed(given: object) -> Iterable[object]:
    if isinstance(given, list | tuple):
        return given
    msg = (
        f"forbid is {shown(given)}, but it must be a list of combinations: write "
        'forbid=[{"optimizer": "sgd", "batch_size": neps.at_least(512)}].'
    )
    raise SpaceError(msg)


def _clause(what: str, given: object, parameters: Mapping[str, Parameter]) -> Conditions | Rule:
    if isinstance(given, Rule):
        return given
    if callable(given):
        return Rule(str(getattr(given, "__name__", type(given).__name__)), given)
    return resolved(what, conditions(what, given), parameters)
