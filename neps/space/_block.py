"""Blocks: parameters that stand inside of another one, a `Choice` or a `Repeat`, which says when they are there.

What a block may hold is checked here. How blocks become flat parameters, and values nested data, `_nesting` says.
"""

from __future__ import annotations

import abc
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from neps.errors import SpaceError, shown
from neps.space._conditions import Condition
from neps.space._parameter import Parameter
from neps.space._values import Value

__all__ = ["Block", "Nest", "checked_block", "plain_name"]

Block = Mapping[str, Parameter] | Parameter
"""Parameters by name, or a single one."""


class Nest(Parameter):
    """A parameter whose value says which blocks there are, each under the name of its part."""

    @abc.abstractmethod
    def blocks(self) -> Iterable[tuple[str, Block]]:
        """All blocks that there may be, by their parts; nothing once they are parameters of a space."""

    @abc.abstractmethod
    def alone(self) -> Parameter:
        """The same without its blocks."""

    @abc.abstractmethod
    def condition(self, part: str) -> Condition | None:
        """When a part is there; None if it never is."""

    @abc.abstractmethod
    def parts(self, value: Value) -> Sequence[str]:
        """Which parts there are if the parameter has this value."""

    @abc.abstractmethod
    def nested(self, value: Value, contents: Sequence[object]) -> object:
        """Plain data of the value and what its parts hold, in their order."""

    @abc.abstractmethod
    def unnested(self, given: object) -> tuple[Value, Mapping[str, object]] | None:
        """The value, and what each part holds: the inverse of `nested`. None where a value alone is given.

        Raises:
            SpaceError: if it is nested, but not as this parameter is.
        """

    @abc.abstractmethod
    def has(self, short: str) -> bool:
        """Whether a part may have a parameter of this name; an empty one means that it is a single parameter."""


def plain_name(what: str, given: object) -> str:
    """A name that can be joined to others by dots.

    Raises:
        SpaceError: if it is none.
    """
    if isinstance(given, str) and given and "." not in given:
        return str.__str__(given)
    msg = (
        f"{what} is {shown(given)}, but it must be a text that is not empty and has no dot: dots separate it from the "
        "names around it. Rename it."
    )
    raise SpaceError(msg)


def checked_block(what: str, given: object) -> dict[str, Parameter]:
    """A copy of a block of named parameters.

    Raises:
        SpaceError: if it is none.
    """
    if not isinstance(given, Mapping):
        msg = f"{what} is {shown(given)}, but it must map names to parameters: write a dict, {{}} for no parameters."
        raise SpaceError(msg)
    if getattr(given, "forbid", ()):
        msg = f"{what} has forbidden combinations of its own: pass them to the SearchSpace around it, with full names."
        raise SpaceError(msg)
    names = [plain_name(f"{what}: a parameter's name", name) for name in given]
    return {name: checked_member(f"{what}[{name!r}]", given[name]) for name in names}


def checked_member(what: str, given: Any) -> Parameter:
    """A parameter that may stand in a block.

    Raises:
        SpaceError: if it isn't one.
    """
    if not isinstance(given, Parameter):
        msg = f"{what} is {shown(given)}, but it must be a parameter, such as neps.Float(0, 1) or neps.Constant(3)."
        raise SpaceError(msg)
    if given.is_fidelity:
        msg = f"{what} is a fidelity, but every configuration has its fidelity: put it at the top of pipeline_space."
        raise SpaceError(msg)
    return given
