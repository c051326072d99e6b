"""The four kinds of parameter, as values that cannot be built wrong.

What a parameter is and which values it takes lives here; how values map to the unit interval is in `scale`, how
likely they are in `prior`. Users write these; `SearchSpace` holds them.
"""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

import numpy as np

from neps.calling import public
from neps.errors import SpaceError, nearest, shown
from neps.space.elsewhere import ELSEWHERE
from neps.space.values import Value, equal_values, plain

__all__ = [
    "LARGEST_INTEGER",
    "AnyParameter",
    "Categorical",
    "CategoricalParameter",
    "Confidence",
    "Constant",
    "ConstantParameter",
    "Float",
    "FloatParameter",
    "Integer",
    "IntegerParameter",
    "Parameter",
    "Value",
    "equal_values",
    "plain",
]

Confidence = Literal["low", "medium", "high"]

_Number = TypeVar("_Number", int, float)

_Kind = TypeVar("_Kind", bound=type)

_LONGEST_LIST = 300
LARGEST_INTEGER = 2**53
"""Bound of integers: up to here each one is a float as well, so no reader of the files rounds it."""


def _public(kind: _Kind) -> _Kind:
    """Explain calls of the constructor that can't be made."""
    explained = public(f"neps.{kind.__name__}", ELSEWHERE, hidden=1)(kind.__init__)  # type: ignore[misc]
    type.__setattr__(kind, "__init__", explained)
    return kind


class Parameter(abc.ABC):
    """One dimension of a search space: a Float, Integer, Categorical or Constant, and nothing else."""

    __slots__ = ()

    @abc.abstractmethod
    def parse(self, value: object) -> Value:
        """The value as plain Python.

        Raises:
            SpaceError: if it isn't one of this parameter's.
        """


@_public
@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Float(Parameter):
    """A real number to search.

    Args:
        lower: the smallest value, finite; above 0 if `log`.
        upper: the largest value, finite; equal to `lower` for a range of a single value.
        log: search its logarithm instead, for values that span orders of magnitude.
        is_fidelity: how much of an evaluation is run (epochs, samples), instead of something to search.
        default: where the user expects good values: the centre of the prior. None means no prior. Without effect
            on a fidelity.
        default_confidence: "low", "medium" or "high": a prior with a standard deviation of 0.5, 0.25 or 0.125 of
            the range, on the parameter's own (log) scale. Without meaning, and "low", where there is no default.

    Raises:
        SpaceError: if these arguments describe no range.

    Example:
        >>> Float(1e-5, 1e-1, log=True, default=1e-3, default_confidence="high")
        Float(1e-05, 0.1, log=True, default=0.001, default_confidence='high')
        >>> Float(1, 0)
        Traceback (most recent call last):
        neps.errors.SpaceError: Float: lower is 1.0 and upper is 0.0, but lower must not be above upper: swap them.
    """

    lower: float
    upper: float
    log: bool = False
    is_fidelity: bool = False
    default: float | None = None
    default_confidence: Confidence = "low"

    def __post_init__(self) -> None:
        """Make the arguments plain Python and refuse what is no range."""
        _settle_range(self, _finite)

    def __repr__(self) -> str:
        """The call that makes an equal parameter."""
        return _as_call(self, positional=2)

    def parse(self, value: object) -> float:
        """`value` as a plain float within the bounds (ints are converted); a SpaceError says why it is not one."""
        return _within(self, _finite("the value", value))


@_public
@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Integer(Parameter):
    """A whole number to search.

    Args:
        lower: the smallest value, an int within ±2^53; at least 1 if `log`.
        upper: the largest value, an int within ±2^53; equal to `lower` for a range of a single value.
        log: search its logarithm instead, for values that span orders of magnitude.
        is_fidelity: how much of an evaluation is run (epochs, samples), instead of something to search.
        default: where the user expects good values: the centre of the prior. None means no prior. Without effect
            on a fidelity.
        default_confidence: "low", "medium" or "high": a prior with a standard deviation of 0.5, 0.25 or 0.125 of
            the range, on the parameter's own (log) scale. Without meaning, and "low", where there is no default.

    Raises:
        SpaceError: if these arguments describe no range.

    Example:
        >>> Integer(8, 512, log=True)
        Integer(8, 512, log=True)
        >>> Integer(1, 2.5)
        Traceback (most recent call last):
        neps.errors.SpaceError: Integer: upper is 2.5, but it must be an int: write 1, not 1.0, or use neps.Float.
    """

    lower: int
    upper: int
    log: bool = False
    is_fidelity: bool = False
    default: int | None = None
    default_confidence: Confidence = "low"

    def __post_init__(self) -> None:
        """Make the arguments plain Python and refuse what is no range."""
        _settle_range(self, _whole)

    def __repr__(self) -> str:
        """The call that makes an equal parameter."""
        return _as_call(self, positional=2)

    def parse(self, value: object) -> int:
        """`value` as a plain int within the bounds; a SpaceError says why it is not one."""
        return _within(self, _whole("the value", value))


@_public
@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Categorical(Parameter):
    """A choice among values that have no order or distance.

    Args:
        choices: one or more of str, int, float, bool or None, no two of them equal (1, 1.0 and True are). Their
            order is kept, and defines the encoding.
        default: the choice that the user expects to be good. None means no prior, so a choice None cannot be it.
        default_confidence: "low", "medium" or "high": the default is 2, 4 or 6 times as likely as each other
            choice. Without meaning, and "low", where there is no default.

    Raises:
        SpaceError: if the choices are not such values, or the default is not among them.

    Example:
        >>> Categorical(["relu", "tanh", None], default="relu")
        Categorical(('relu', 'tanh', None), default='relu')
        >>> Categorical([0, 1, True])
        Traceback (most recent call last):
        neps.errors.SpaceError: Categorical: choices 1 and True are equal, but each must differ: leave one out.
    """

    choices: Sequence[Value]
    default: Value = None
    default_confidence: Confidence = "low"
    _kinds: tuple[str, ...] = dataclasses.field(init=False, repr=False, default=())
    # Types of the choices: without them (1, 2) and (True, 2) would compare equal.

    def __post_init__(self) -> None:
        """Make the arguments plain Python and refuse choices that cannot be told apart."""
        choices = tuple(_constant("Categorical: a choice", choice) for choice in _listed(self.choices))
        if not choices:
            msg = "Categorical: choices is empty, but at least one is needed: list the values to try."
            raise SpaceError(msg)
        seen: dict[Value, Value] = {}
        for choice in choices:
            if choice in seen:
                twin = seen[choice]
                pair = f"{shown(twin)} and {shown(choice)}"
                msg = f"Categorical: choices {pair} are equal, but each must differ: leave one out."
                raise SpaceError(msg)
            seen[choice] = choice
        _set(self, choices=choices, _kinds=tuple(type(choice).__name__ for choice in choices))
        _settle_default(self)

    def __repr__(self) -> str:
        """The call that makes an equal parameter."""
        return _as_call(self, positional=1)

    def index(self, value: object) -> int:
        """The position of `value` among the choices; a SpaceError where it is none of them."""
        wanted = plain("the value", value)
        for index, choice in enumerate(self.choices):
            if equal_values(choice, wanted):
                return index
        hint = nearest(wanted, [c for c in self.choices if isinstance(c, str)]) if isinstance(wanted, str) else ""
        msg = f"the value is {shown(wanted)}, but it must be one of {shown(list(self.choices), _LONGEST_LIST)}.{hint}"
        raise SpaceError(msg)

    def parse(self, value: object) -> Value:
        """The choice that `value` equals (True is not 1); a SpaceError where it is none of them."""
        return self.choices[self.index(value)]


@_public
@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Constant(Parameter):
    """A value that every configuration has, and that is not searched.

    Args:
        value: a str, int, float (not NaN), bool or None.

    Raises:
        SpaceError: if the value is anything else.

    Example:
        >>> Constant("cifar10")
        Constant('cifar10')
    """

    value: Value
    _kind: str = dataclasses.field(init=False, repr=False, default="")
    # The value's type: without it Constant(1) and Constant(True) would compare equal.

    def __post_init__(self) -> None:
        """Make the value plain Python."""
        value = _constant("Constant: value", self.value)
        _set(self, value=value, _kind=type(value).__name__)

    def __repr__(self) -> str:
        """The call that makes an equal parameter."""
        return _as_call(self, positional=1)

    def parse(self, value: object) -> Value:
        """The constant, if `value` equals it (True is not 1); a SpaceError otherwise."""
        if equal_values(self.value, plain("the value", value)):
            return self.value
        msg = f"the value is {shown(value)}, but this is a constant: use {shown(self.value)}, or search it instead."
        raise SpaceError(msg)


AnyParameter = Float | Integer | Categorical | Constant
"""The closed set of them, where all four have to be told apart."""
"""What a search space is made of."""

FloatParameter = Float
IntegerParameter = Integer
CategoricalParameter = Categorical
ConstantParameter = Constant


def _constant(what: str, value: object) -> Value:
    scalar = plain(what, value)
    if isinstance(scalar, float) and math.isnan(scalar):
        msg = f"{what} is nan, which isn't equal to itself: use None or a text instead."
        raise SpaceError(msg)
    return scalar


def _finite(what: str, value: object) -> float:
    number = plain(what, value)
    if isinstance(number, bool) or not isinstance(number, int | float):
        msg = f"{what} is {shown(number)}, but it must be a number: write an int or a float."
        raise SpaceError(msg)
    try:
        number = float(number)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        msg = f"{what} is {number}, but it must be finite: write the largest or smallest number that makes sense."
        raise SpaceError(msg)
    return number


def _whole(what: str, value: object) -> int:
    number = plain(what, value)
    if isinstance(number, bool) or not isinstance(number, int):
        msg = f"{what} is {shown(number)}, but it must be an int: write 1, not 1.0, or use neps.Float."
        raise SpaceError(msg)
    if abs(number) > LARGEST_INTEGER:
        msg = f"{what} is {shown(number)}, but it must lie within ±2^53: use neps.Float for larger numbers."
        raise SpaceError(msg)
    return number


def _within(parameter: Float | Integer, number: _Number) -> _Number:
    if parameter.lower <= number <= parameter.upper:
        return number
    bounds = f"{parameter.lower} and {parameter.upper}"
    msg = f"the value is {number}, but it must lie between {bounds}: change it, or widen the bounds."
    raise SpaceError(msg)


def _listed(choices: object) -> Sequence[object]:
    if isinstance(choices, np.ndarray) and choices.ndim == 1:
        return list(choices)
    if isinstance(choices, Sequence) and not isinstance(choices, str | bytes):
        return choices
    msg = f"Categorical: choices is {shown(choices)}, but it must be a list or tuple (its order is kept): write [...]."
    raise SpaceError(msg)


def _settle_range(parameter: Float | Integer, convert: Callable[[str, object], float]) -> None:
    """Check the arguments of a numeric parameter and store them as plain Python."""
    kind = type(parameter).__name__
    for name in ("lower", "upper"):
        _set(parameter, **{name: convert(f"{kind}: {name}", getattr(parameter, name))})
    for name in ("log", "is_fidelity"):
        _set(parameter, **{name: _flag(f"{kind}: {name}", getattr(parameter, name))})
    lower, upper = parameter.lower, parameter.upper
    if lower > upper:
        msg = f"{kind}: lower is {lower} and upper is {upper}, but lower must not be above upper: swap them."
        raise SpaceError(msg)
    if parameter.log and lower <= 0:
        msg = f"{kind}: lower is {lower}, but a log scale needs lower > 0: raise it, or leave out log=True."
        raise SpaceError(msg)
    _settle_default(parameter)


def _settle_default(parameter: Float | Integer | Categorical) -> None:
    kind = type(parameter).__name__
    confidence = parameter.default_confidence
    known = ("low", "medium", "high")
    if confidence not in known:
        hint = nearest(str(confidence), known)
        msg = f"{kind}: default_confidence is {shown(confidence)}, but it must be 'low', 'medium' or 'high'.{hint}"
        raise SpaceError(msg)
    if parameter.default is None:
        _set(parameter, default_confidence="low")
        return
    try:
        _set(parameter, default=parameter.parse(parameter.default))
    except SpaceError as error:
        msg = f"{kind}: default: {error}"
        raise SpaceError(msg) from error


def _flag(what: str, value: object) -> bool:
    flag = plain(what, value)
    if isinstance(flag, bool):
        return flag
    msg = f"{what} is {shown(flag)}, but it must be True or False: give other arguments by name, such as default=…."
    raise SpaceError(msg)


def _set(parameter: AnyParameter, **fields: object) -> None:
    for name, value in fields.items():
        object.__setattr__(parameter, name, value)


def _as_call(parameter: AnyParameter, positional: int) -> str:
    """The shortest call that makes an equal parameter: its first arguments, and what differs from the defaults."""
    fields = [field for field in dataclasses.fields(parameter) if field.init]
    values = [getattr(parameter, field.name) for field in fields]
    texts = [repr(value) for value in values[:positional]]
    for field, value in zip(fields[positional:], values[positional:], strict=True):
        if value != field.default:
            texts.append(f"{field.name}={value!r}")
    return f"{type(parameter).__name__}({', '.join(texts)})"
