"""Whole numbers: all between two bounds, or those at even steps."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import ClassVar

import attrs

from neps._calling import public
from neps.space import _values as values
from neps.space._conditions import Conditions
from neps.space._elsewhere import ELSEWHERE
from neps.space._number import Number, checked_range, within
from neps.space._parameter import checked_conditions, checked_prior
from neps.space._prior import Confidence
from neps.space._scale import Row

__all__ = ["Integer"]


@attrs.frozen(init=False, repr=False, slots=False)
class Integer(Number):
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
        step: how far apart the values are, from `lower` to `upper`, which must be one of them. None (the default) and
            1: all whole numbers between the bounds. Not with `log` or `is_fidelity`.
        active_if: when a configuration has this parameter; see `Categorical`. Not with `is_fidelity`.

    Raises:
        SpaceError: if these arguments describe no range.

    Example:
        >>> Integer(8, 512, log=True)
        Integer(8, 512, log=True)
        >>> Integer(16, 100, step=16)
        Traceback (most recent call last):
        neps.errors.SpaceError: Integer: upper is 100, but steps of 16 from 16 lead to 96 and then beyond: write
        upper=96, or another step.
        >>> Integer(1, 2.5)
        Traceback (most recent call last):
        neps.errors.SpaceError: Integer: upper is 2.5, but it must be an int: write a whole number, or use
        neps.Float.
    """

    kind: ClassVar[str] = "integer"
    whole: ClassVar[bool] = True
    later: ClassVar[tuple[str, ...]] = ("step", "active_if")

    lower: int
    upper: int
    log: bool
    is_fidelity: bool
    step: int | None
    default: int | None = None
    default_confidence: Confidence = "low"
    active_if: Conditions | None = None

    @public("neps.Integer", ELSEWHERE, hidden=1)
    def __init__(  # noqa: PLR0913 - what defines a range
        self,
        lower: int,
        upper: int,
        log: bool = False,  # noqa: FBT001, FBT002 - users write it by name, and may not
        is_fidelity: bool = False,  # noqa: FBT001, FBT002 - the same
        default: int | None = None,
        default_confidence: Confidence = "low",
        *,
        step: int | None = None,
        active_if: Mapping[str, object] | None = None,
    ) -> None:
        fields = checked_range(Integer, lower, upper, log, is_fidelity, step)
        condition = checked_conditions("Integer", active_if, is_fidelity=fields[3])
        self.__attrs_init__(*fields)
        self.__attrs_init__(*fields, *checked_prior(self, default, default_confidence), condition)

    number = staticmethod(values.whole)

    def parse(self, value: object) -> int:
        """`value` as a plain int within the bounds; a SpaceError says why it is not one."""
        return within(self, values.whole("the value", value))

    @staticmethod
    def spaced(lower: float, upper: float, step: float) -> range:
        """See `Number`."""
        return range(int(lower), int(upper) + 1, int(step))

    @functools.cached_property
    def axis(self) -> Row:
        """See `Parameter`."""
        return Row(range(self.lower, self.upper + 1, self.step or 1), self.lower if self.log else None)
