"""A block of parameters that a configuration has once or several times, each with values of its own."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import attrs

from neps._calling import public
from neps.errors import SpaceError, shown
from neps.space._block import Block, Nest, checked_block, checked_member, plain_name
from neps.space._conditions import Condition, at_least
from neps.space._elsewhere import ELSEWHERE
from neps.space._integer import Integer
from neps.space._number import checked_range
from neps.space._parameter import Parameter, checked_conditions, checked_prior
from neps.space._prior import Confidence
from neps.space._values import Value

__all__ = ["Repeat"]

_MOST = 1000


@attrs.frozen(init=False, repr=False, slots=False, eq=False)
class Repeat(Integer, Nest):
    """How often there is a block of parameters; each time it has values of its own.

    A `SearchSpace` makes flat parameters of it: of `{"layer": Repeat({"width": Integer(16, 512)}, 1, 5)}` one named
    `layer`, which is how many there are, and `layer.1.width` to `layer.5.width`; `layer.3.width` is active if there are
    at least three. `run_pipeline` gets a list: `layer=[{"width": 64}, {"width": 32}]`, or `[64, 32]` if the block is a
    single parameter.

    Args:
        block: a dict of parameters, whose names have no dots, or a single parameter; among them other repeats and
            choices. Or the names alone, or None for a single one, where the space has the flat parameters.
        lower: how often at least, 0 or more.
        upper: how often at most, up to 1000.
        default: how often the user expects to be good. None means no prior.
        default_confidence: "low", "medium" or "high"; see `Integer`.
        active_if: when a configuration has it; see `Choice`.

    Raises:
        SpaceError: if these arguments describe no repeated block.

    Example:
        >>> from neps.space import SearchSpace
        >>> space = SearchSpace({"layer": Repeat(Integer(16, 512), 1, 3)})
        >>> space["layer.3"]
        Integer(16, 512, active_if={'layer': at_least(3)})
        >>> space.handed({"layer": 2, "layer.1": 64, "layer.2": 32})
        {'layer': [64, 32]}
    """

    kind: ClassVar[str] = "repeat"
    later: ClassVar[tuple[str, ...]] = ("active_if",)

    block: tuple[str, ...] | None = None
    _inside: dict[str, Parameter] | Parameter | None = None

    @public("neps.Repeat", ELSEWHERE, hidden=1)
    def __init__(
        self,
        block: Block | Sequence[str] | None,
        lower: int,
        upper: int,
        default: int | None = None,
        default_confidence: Confidence = "low",
        *,
        active_if: Mapping[str, object] | None = None,
    ) -> None:
        _check_order(lower, upper)
        fields = checked_range(Repeat, lower, upper, False, False, None)  # noqa: FBT003 - neither log nor a fidelity
        _check_bounds(fields[0], fields[1])
        names, inside = _names_and_inside(block)
        condition = checked_conditions("Repeat", active_if)
        self.__attrs_init__(*fields)
        self.__attrs_init__(*fields, *checked_prior(self, default, default_confidence), condition, names, inside)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Repeat):
            return NotImplemented
        return super().__eq__(other) and (self.block, self._inside) == (other.block, other._inside)

    __hash__ = Integer.__hash__

    @property
    def requires(self) -> tuple[str, ...]:
        """See `Parameter`."""
        return self.kind, *super().requires

    def blocks(self) -> Iterator[tuple[str, Block]]:
        """See `Nest`."""
        if self._inside is not None:
            for number in range(1, self.upper + 1):
                yield str(number), self._inside

    def alone(self) -> Parameter:
        """See `Nest`."""
        return self.with_prior(block=self.block)

    def condition(self, part: str) -> Condition | None:
        """See `Nest`."""
        return at_least(max(int(part), self.lower)) if part in self._all_parts else None

    @functools.cached_property
    def _all_parts(self) -> frozenset[str]:
        return frozenset(self.parts(self.upper))

    def parts(self, value: Value) -> Sequence[str]:
        """See `Nest`."""
        return [str(number) for number in range(1, self.parse(value) + 1)]

    def nested(self, value: Value, contents: Sequence[object]) -> object:  # noqa: ARG002 - it is how many there are
        """See `Nest`."""
        return list(contents)

    def unnested(self, given: object) -> tuple[Value, Mapping[str, object]] | None:
        """See `Nest`."""
        if not isinstance(given, list | tuple):
            return None
        return len(given), {str(number): content for number, content in enumerate(given, start=1)}

    def has(self, short: str) -> bool:
        """See `Nest`."""
        return not short if self.block is None else short in self.block

    def _arguments(self) -> Iterator[tuple[str, Any]]:
        inside = self._inside
        return ((name, inside if inside and name == "block" else value) for name, value in super()._arguments())


def _check_order(lower: object, upper: object) -> None:
    for given in (lower, upper):
        if isinstance(given, Parameter | Mapping):
            msg = (
                f"Repeat: the block comes first, but {shown(given)} comes later: write "
                "neps.Repeat(block, lower, upper)."
            )
            raise SpaceError(msg)


def _check_bounds(lower: int, upper: int) -> None:
    if lower < 0:
        msg = f"Repeat: lower is {lower}, but nothing can be there fewer than 0 times: write 0 or more."
        raise SpaceError(msg)
    if not 1 <= upper <= _MOST:
        msg = f"Repeat: upper is {upper}, but it must be from 1 to {_MOST}: each time has parameters of its own."
        raise SpaceError(msg)


def _names_and_inside(block: object) -> tuple[tuple[str, ...] | None, Any]:
    """The names of a block's parameters (None for a single parameter), and these, if they are given."""
    if block is None:
        return None, None
    if isinstance(block, Parameter):
        return None, checked_member("Repeat: block", block)
    if isinstance(block, list | tuple):
        return tuple(plain_name("Repeat: the name of a parameter in block", name) for name in block), None
    if isinstance(block, Mapping) and block:
        inside = checked_block("Repeat: block", block)
        return tuple(inside), inside
    msg = (
        f"Repeat: block is {shown(block)}, but it must be a parameter, or a dict of at least one: write "
        '{"width": neps.Integer(16, 512)}.'
    )
    raise SpaceError(msg)
