"""Choices: with or without an order, and with names for what no file can hold."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import attrs
import numpy as np

from neps._calling import public
from neps.errors import SpaceError, nearest, shown
from neps.space._conditions import Conditions
from neps.space._elsewhere import ELSEWHERE
from neps.space._parameter import Parameter, checked_conditions, checked_prior
from neps.space._prior import Confidence
from neps.space._scale import Row
from neps.space._values import Value, equal_values, flag, scalar, told_apart

__all__ = ["Categorical"]

_LONGEST_LIST = 300


def _choices(given: object) -> tuple[Value, ...]:
    """The choices, or the names of the objects, as plain values that differ."""
    choices = tuple(map(_name, given) if isinstance(given, Mapping) else map(_choice, _listed(given)))
    if not choices:
        msg = "Categorical: choices is empty, but at least one is needed: list the values to try."
        raise SpaceError(msg)
    seen: dict[Value, Value] = {}
    for choice in choices:
        if choice in seen:
            pair = f"{shown(seen[choice])} and {shown(choice)}"
            msg = f"Categorical: choices {pair} are equal, but each must differ: leave one out."
            raise SpaceError(msg)
        seen[choice] = choice
    return choices


def _listed(choices: object) -> Sequence[object]:
    if isinstance(choices, np.ndarray) and choices.ndim == 1:
        return list(choices)
    if isinstance(choices, Sequence) and not isinstance(choices, str | bytes):
        return choices
    msg = f"Categorical: choices is {shown(choices)}, but it must be a list or tuple (its order is kept): write [...]."
    raise SpaceError(msg)


def _choice(given: object) -> Value:
    if isinstance(given, np.generic | str | int | float | None):
        return told_apart("Categorical: a choice", given)
    msg = (
        f"Categorical: a choice is {shown(given)}, but it must be a str, int, float, bool or None: name other objects, "
        'as in neps.Categorical({"small": SmallNet, "large": LargeNet}).'
    )
    raise SpaceError(msg)


def _name(given: object) -> str:
    if isinstance(given, str) and given:
        return str(scalar("Categorical: the name of a choice", given))
    msg = (
        f"Categorical: the name of a choice is {shown(given)}, but it must be a text that is not empty: write a list "
        'of choices, or names and objects, as in {"small": SmallNet, "large": LargeNet}.'
    )
    raise SpaceError(msg)


@attrs.frozen(init=False, repr=False, slots=False)
class Categorical(Parameter):
    """A choice among values.

    Args:
        choices: one or more of str, int, float, bool or None, no two of them equal (1, 1.0 and True are). Their
            order is kept, and defines the encoding. Or a mapping of names to any objects (classes, functions, tuples):
            run_pipeline and a callable `expected_cost` get the object, and everything else has the name: files,
            histories, samplers, `default`. Processes that only read, and workers whose objects differ, need the names
            alone.
        default: the choice that the user expects to be good. None means no prior, so a choice None cannot be it.
        default_confidence: "low", "medium" or "high": the default is 2, 4 or 6 times as likely as each other
            choice. With `ordered`, the prior is that of an `Integer` for the place in the list. Without meaning, and
            "low", where there is no default.
        ordered: whether neighbours are alike, as sizes are: searchers then see numbers, evenly spaced in this order.
            Default False: as far as anybody knows, any two choices differ as much.
        active_if: when a configuration has this parameter: a mapping of other parameters' names to a value, a list of
            values, or a comparison (`neps.at_least(2)`, `at_most`, `more_than`, `less_than`; with & both hold). All
            must hold, and a condition on a parameter that is itself inactive doesn't. None: always.

    Raises:
        SpaceError: if the choices are not such values, or the default is not among them.

    Example:
        >>> Categorical(["relu", "tanh", None], default="relu")
        Categorical(('relu', 'tanh', None), default='relu')
        >>> Categorical([16, 32, 64], ordered=True).to_unit(32)
        0.5
        >>> Categorical({"adam": dict, "sgd": list}).handed("sgd")
        <class 'list'>
        >>> Categorical([False, True], active_if={"optimizer": "sgd"})
        Categorical((False, True), active_if={'optimizer': 'sgd'})
        >>> Categorical([0, 1, True])
        Traceback (most recent call last):
        neps.errors.SpaceError: Categorical: choices 1 and True are equal, but each must differ: leave one out.
    """

    kind: ClassVar[str] = "categorical"
    later: ClassVar[tuple[str, ...]] = ("ordered", "active_if")

    choices: tuple[Value, ...]
    ordered: bool
    _objects: dict[str, object] = attrs.field(eq=False)
    default: Value = None
    default_confidence: Confidence = "low"
    active_if: Conditions | None = None
    _types: tuple[str, ...] = attrs.field(init=False)
    # Without them the choices (1, 2) and (True, 2) would compare equal.

    @public("neps.Categorical", ELSEWHERE, hidden=1)
    def __init__(
        self,
        choices: Sequence[Value] | Mapping[str, object],
        default: Value = None,
        default_confidence: Confidence = "low",
        *,
        ordered: bool = False,
        active_if: Mapping[str, object] | None = None,
    ) -> None:
        objects = dict(choices) if isinstance(choices, Mapping) else {}
        fields = _choices(choices), flag("Categorical: ordered", ordered), objects
        condition = checked_conditions(type(self).__name__, active_if)
        self.__attrs_init__(*fields)
        self.__attrs_init__(*fields, *checked_prior(self, default, default_confidence), condition)

    @_types.default
    def _types_of_choices(self) -> tuple[str, ...]:
        return tuple(type(choice).__name__ for choice in self.choices)

    def index(self, value: object) -> int:
        """The position of `value` among the choices; a SpaceError where it is none of them."""
        wanted = scalar("the value", value)
        for index, choice in enumerate(self.choices):
            if equal_values(choice, wanted):
                return index
        hint = nearest(wanted, [c for c in self.choices if isinstance(c, str)]) if isinstance(wanted, str) else ""
        msg = f"the value is {shown(wanted)}, but it must be one of {shown(list(self.choices), _LONGEST_LIST)}.{hint}"
        raise SpaceError(msg)

    def parse(self, value: object) -> Value:
        """The choice that `value` equals (True is not 1); a SpaceError where it is none of them."""
        return self.choices[self.index(value)]

    def handed(self, value: Value) -> object:
        """See `Parameter`."""
        return self._objects.get(value, value) if isinstance(value, str) else value

    @functools.cached_property
    def axis(self) -> Row:
        """See `Parameter`."""
        return Row(self.choices)

    @property
    def categories(self) -> int:
        """See `Parameter`."""
        return 0 if self.ordered else len(self.choices)

    def with_prior(self, **changes: Any) -> Self:
        """See `Parameter`."""
        arguments = dict(self._arguments()) | changes
        return type(self)(**(arguments | {"choices": self._objects or self.choices}))
