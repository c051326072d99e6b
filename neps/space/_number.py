"""What real and whole numbers share: bounds, a scale, steps, and the checks of these. `Float` and `Integer` call it."""

from __future__ import annotations

import abc
import contextlib
from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

from neps.errors import SpaceError
from neps.space._parameter import Parameter
from neps.space._values import flag

__all__ = ["Number", "checked_range", "within"]

_Number = TypeVar("_Number", int, float)


class Number(Parameter):
    """A parameter between bounds: the only type that may be a fidelity.

    Attributes:
        lower: the smallest value.
        upper: the largest one.
        log: whether it is searched on a log scale.
        step: how far apart its values are; None if all numbers between the bounds are.
        whole: whether its values are ints.
    """

    whole: ClassVar[bool]
    lower: float
    upper: float
    log: bool
    step: float | None

    @staticmethod
    @abc.abstractmethod
    def number(what: str, value: object) -> float:
        """A number of this kind; `what` begins the message if it is none."""

    @staticmethod
    @abc.abstractmethod
    def spaced(lower: float, upper: float, step: float) -> Sequence[float]:
        """Numbers of this kind that are `step` apart, from `lower` to the last one that is not above `upper`.

        Raises:
            SpaceError: if they can't be told apart.
        """

    def exact(self, value: float) -> float:
        """A number as run_pipeline expects it: 3.0 is 3 where values are ints."""
        return int(value) if self.whole and isinstance(value, float) and value.is_integer() else value


def checked_range(
    kind: type[Number],
    lower: object,
    upper: object,
    log: object,
    is_fidelity: object,
    step: object,
) -> tuple[Any, Any, bool, bool, Any]:
    """The arguments of a number as plain Python.

    Raises:
        SpaceError: if they describe no range.
    """
    name = kind.__name__
    least, most = kind.number(f"{name}: lower", lower), kind.number(f"{name}: upper", upper)
    is_log, fidelity = flag(f"{name}: log", log), flag(f"{name}: is_fidelity", is_fidelity)
    _check_bounds(name, least, most, log=is_log)
    stride = None if step is None else kind.number(f"{name}: step", step)
    if stride is not None:
        if rule := _against_steps(stride, log=is_log, is_fidelity=fidelity):
            msg = f"{name}: step is {stride}, but {rule}"
            raise SpaceError(msg)
        _check_last(kind, least, most, stride)
    return least, most, is_log, fidelity, None if kind.whole and stride == 1 else stride


def _check_bounds(name: str, lower: float, upper: float, *, log: bool) -> None:
    if lower > upper:
        msg = f"{name}: lower is {lower} and upper is {upper}, but lower must not be above upper: swap them."
        raise SpaceError(msg)
    if log and lower <= 0:
        msg = f"{name}: lower is {lower}, but a log scale needs lower > 0: raise it, or leave out log=True."
        raise SpaceError(msg)


def _check_last(kind: type[Number], lower: float, upper: float, step: float) -> None:
    if (last := kind.spaced(lower, upper, step)[-1]) != upper:
        msg = f"{kind.__name__}: upper is {upper}, but steps of {step} from {lower} lead to {last} and then beyond: "
        msg += "write a smaller step." if last == lower else f"write upper={last}, or another step."
        raise SpaceError(msg)


def _against_steps(step: float, *, log: bool, is_fidelity: bool) -> str | None:
    """Why there can't be such steps, and what to do."""
    if not step > 0:
        return "it must be above 0: write how far apart the values are, or leave it out."
    if log:
        return (
            "steps are even, and a log scale is not: leave out step or log=True, or list the values, as in "
            "neps.Categorical([16, 32, 64], ordered=True)."
        )
    if is_fidelity:
        return (
            "searchers choose the values of a fidelity between its bounds: leave it out, and round in run_pipeline "
            "where you have to."
        )
    return None


def within(parameter: Number, number: _Number) -> _Number:
    """A number, if it lies between the bounds and on a step.

    Raises:
        SpaceError: if not.
    """
    inside, step = parameter.lower <= number <= parameter.upper, parameter.step
    if inside and step is None:
        return number
    if step is not None:
        values = parameter.spaced(parameter.lower, parameter.upper, step)
        with contextlib.suppress(ValueError):
            return values[values.index(number)]  # type: ignore[return-value] # of the same kind
    rule = f"must lie between {parameter.lower} and {parameter.upper}: change it, or widen the bounds."
    if inside:
        rule = f"must be {parameter.lower} plus a multiple of {step}: change it, or the step."
    msg = f"the value is {number}, but it {rule}"
    raise SpaceError(msg)
