"""Values that are the same in every configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import attrs

from neps._calling import public
from neps.errors import SpaceError, shown
from neps.space._conditions import Conditions
from neps.space._elsewhere import ELSEWHERE
from neps.space._parameter import Parameter, checked_conditions
from neps.space._scale import Row
from neps.space._values import Value, equal_values, scalar, told_apart

__all__ = ["Constant"]


@attrs.frozen(init=False, repr=False, slots=False)
class Constant(Parameter):
    """A value that every configuration has, and that is not searched.

    Args:
        value: a str, int, float (not NaN), bool or None.
        active_if: when a configuration has it; see `Categorical`.

    Raises:
        SpaceError: if the value is anything else.

    Example:
        >>> Constant("cifar10")
        Constant('cifar10')
    """

    kind: ClassVar[str] = "constant"
    later: ClassVar[tuple[str, ...]] = ("active_if",)

    value: Value
    active_if: Conditions | None = None
    _type: str = attrs.field(init=False)
    # Without it Constant(1) and Constant(True) would compare equal.

    @public("neps.Constant", ELSEWHERE, hidden=1)
    def __init__(self, value: Value, *, active_if: Mapping[str, object] | None = None) -> None:
        self.__attrs_init__(told_apart("Constant: value", value), checked_conditions("Constant", active_if))

    @_type.default
    def _type_of_value(self) -> str:
        return type(self.value).__name__

    def parse(self, value: object) -> Value:
        """The constant, if `value` equals it (True is not 1); a SpaceError otherwise."""
        if equal_values(self.value, scalar("the value", value)):
            return self.value
        msg = f"the value is {shown(value)}, but this is a constant: use {shown(self.value)}, or search it instead."
        raise SpaceError(msg)

    @property
    def axis(self) -> Row:
        """See `Parameter`."""
        return Row((self.value,))

    @property
    def searched(self) -> bool:
        """See `Parameter`."""
        return False
