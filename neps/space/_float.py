"""Real numbers: all between two bounds, or those at even steps."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import ClassVar

import attrs

from neps._calling import public
from neps.errors import SpaceError
from neps.space._conditions import Conditions
from neps.space._elsewhere import ELSEWHERE
from neps.space._number import Number, checked_range, within
from neps.space._parameter import checked_conditions, checked_prior
from neps.space._prior import Confidence
from neps.space._scale import Axis, Line, Multiples, Row
from neps.space._values import LARGEST_INTEGER, finite

__all__ = ["Float"]


@attrs.frozen(init=False, repr=False, slots=False)
class Float(Number):
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
        step: how far apart the values are, from `lower` to `upper`, which must be one of them. They are the decimal
            numbers that one would write: 0.3, not 3 * 0.1. None (the default): all between the bounds. Not with `log`
            or `is_fidelity`.
        active_if: when a configuration has this parameter; see `Categorical`. Not with `is_fidelity`.

    Raises:
        SpaceError: if these arguments describe no range.

    Example:
        >>> Float(1e-5, 1e-1, log=True, default=1e-3, default_confidence="high")
        Float(1e-05, 0.1, log=True, default=0.001, default_confidence='high')
        >>> list(Float(0, 0.4, step=0.1).every_value(most=10))
        [0.0, 0.1, 0.2, 0.3, 0.4]
        >>> Float(1, 0)
        Traceback (most recent call last):
        neps.errors.SpaceError: Float: lower is 1.0 and upper is 0.0, but lower must not be above upper: swap them.
    """

    kind: ClassVar[str] = "float"
    whole: ClassVar[bool] = False
    later: ClassVar[tuple[str, ...]] = ("step", "active_if")

    lower: float
    upper: float
    log: bool
    is_fidelity: bool
    step: float | None
    default: float | None = None
    default_confidence: Confidence = "low"
    active_if: Conditions | None = None

    @public("neps.Float", ELSEWHERE, hidden=1)
    def __init__(  # noqa: PLR0913 - what defines a range
        self,
        lower: float,
        upper: float,
        log: bool = False,  # noqa: FBT001, FBT002 - users write it by name, and may not
        is_fidelity: bool = False,  # noqa: FBT001, FBT002 - the same
        default: float | None = None,
        default_confidence: Confidence = "low",
        *,
        step: float | None = None,
        active_if: Mapping[str, object] | None = None,
    ) -> None:
        fields = checked_range(Float, lower, upper, log, is_fidelity, step)
        condition = checked_conditions("Float", active_if, is_fidelity=fields[3])
        self.__attrs_init__(*fields)
        self.__attrs_init__(*fields, *checked_prior(self, default, default_confidence), condition)

    number = staticmethod(finite)

    def parse(self, value: object) -> float:
        """`value` as a plain float within the bounds (ints are converted); a SpaceError says why it is not one."""
        return within(self, finite("the value", value))

    @staticmethod
    def spaced(lower: float, upper: float, step: float) -> Multiples:
        """See `Number`."""
        largest = max(abs(lower), abs(upper))
        if step < 2 * math.ulp(largest) or (upper / step - lower / step) > LARGEST_INTEGER:
            msg = (
                f"Float: step is {step}, but numbers up to {largest} can't be told apart at such steps: make it "
                "larger, or leave it out."
            )
            raise SpaceError(msg)
        return Multiples.between(lower, upper, step)

    @functools.cached_property
    def axis(self) -> Axis:
        """See `Parameter`."""
        if self.step is None:
            return Line(self.lower, self.upper, self.log)
        return Row(self.spaced(self.lower, self.upper, self.step))
