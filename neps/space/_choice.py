"""A choice among options that have parameters of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from neps._calling import public
from neps.errors import SpaceError, nearest, shown
from neps.space._block import Block, Nest, checked_block, plain_name
from neps.space._categorical import Categorical
from neps.space._conditions import Condition, OneOf
from neps.space._elsewhere import ELSEWHERE
from neps.space._parameter import Parameter
from neps.space._prior import Confidence
from neps.space._values import Value

__all__ = ["Choice"]


class Choice(Categorical, Nest):
    """A choice among options, each with its own parameters, which only configurations that choose it have.

    A `SearchSpace` makes flat parameters of it: of `{"optimizer": Choice({"sgd": {"momentum": Float(0, 1)}, …})}` one
    named `optimizer`, which is the name of the chosen option, and one named `optimizer.sgd.momentum`, which is active
    if that is "sgd". `run_pipeline` gets a dict of one key: `optimizer={"sgd": {"momentum": 0.9}}`.

    Args:
        choices: the options: a mapping of their names, without dots, to dicts of parameters (`{}` for none), among them
            other choices and repeats. Or a list of the names alone.
        default: the name of the option that the user expects to be good. None means no prior.
        default_confidence: "low", "medium" or "high"; see `Categorical`.
        active_if: when a configuration has it; see `Categorical`. In blocks, a name means first the parameter beside,
            then those of the blocks around, then that of the whole space.

    Raises:
        SpaceError: if these are no options, or the default is none of them.

    Example:
        >>> from neps.space import Float, SearchSpace
        >>> choice = Choice({"adam": {}, "sgd": {"momentum": Float(0, 1)}}, default="sgd")
        >>> choice
        Choice({'adam': {}, 'sgd': {'momentum': Float(0.0, 1.0)}}, default='sgd')
        >>> space = SearchSpace({"optimizer": choice})
        >>> space["optimizer.sgd.momentum"]
        Float(0.0, 1.0, active_if={'optimizer': 'sgd'})
        >>> space.handed({"optimizer": "sgd", "optimizer.sgd.momentum": 0.9})
        {'optimizer': {'sgd': {'momentum': 0.9}}}
    """

    kind: ClassVar[str] = "choice"
    later: ClassVar[tuple[str, ...]] = ("active_if",)

    @public("neps.Choice", ELSEWHERE, hidden=1)
    def __init__(
        self,
        choices: Mapping[str, Mapping[str, Parameter]] | Sequence[str],
        default: str | None = None,
        default_confidence: Confidence = "low",
        *,
        active_if: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(_options(choices), default, default_confidence, active_if=active_if)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Choice):
            return NotImplemented
        return super().__eq__(other) and dict(self.blocks()) == dict(other.blocks())

    __hash__ = Categorical.__hash__

    @property
    def requires(self) -> tuple[str, ...]:
        """See `Parameter`."""
        return self.kind, *super().requires

    def blocks(self) -> Iterator[tuple[str, Block]]:
        """See `Nest`."""
        return ((option, block) for option, block in self._objects.items() if isinstance(block, dict) and block)

    def alone(self) -> Parameter:
        """See `Nest`."""
        return self.with_prior(choices=self.choices)

    def condition(self, part: str) -> Condition | None:
        """See `Nest`."""
        return OneOf((part,)) if part in self.choices else None

    def parts(self, value: Value) -> Sequence[str]:
        """See `Nest`."""
        return (str(value),)

    def nested(self, value: Value, contents: Sequence[object]) -> object:
        """See `Nest`."""
        return {value: contents[0]}

    def unnested(self, given: object) -> tuple[Value, Mapping[str, object]] | None:
        """See `Nest`."""
        if not isinstance(given, Mapping):
            return None
        if len(given) == 1 and (option := next(iter(given))) in self.choices:
            return option, {option: given[option]}
        hint = nearest(str(next(iter(given))), map(str, self.choices)) if len(given) == 1 else ""
        msg = f"the value is {shown(dict(given))}, but it must have one key, one of {shown(list(self.choices))}.{hint}"
        raise SpaceError(msg)

    def has(self, short: str) -> bool:
        """See `Nest`."""
        return bool(short) and "." not in short

    def handed(self, value: Value) -> object:
        """See `Parameter`."""
        return value

    def with_prior(self, **changes: Any) -> Choice:
        """See `Parameter`."""
        return Choice(**(dict(self._arguments()) | changes))

    def _arguments(self) -> Iterator[tuple[str, Any]]:
        nested = any(block for _, block in self.blocks())
        return (
            (name, self._objects if nested and name == "choices" else value) for name, value in super()._arguments()
        )


def _options(given: object) -> Any:
    """The options by name, or the names."""
    if isinstance(given, Mapping) and given:
        names = _names(given)
        return {name: checked_block(f"Choice: option {name!r}", given[name]) for name in names}
    if isinstance(given, Iterable) and not isinstance(given, str | Mapping) and (listed := list(given)):
        return _names(listed)
    msg = (
        f"Choice: choices is {shown(given)}, but it must map at least one option to its parameters: write "
        '{"adam": {}, "sgd": {"momentum": neps.Float(0, 1)}}.'
    )
    raise SpaceError(msg)


def _names(given: Iterable[object]) -> list[str]:
    if any(not isinstance(each, str) for each in given):
        msg = f"Choice: options have names, but {shown(list(given))} aren't: write neps.Categorical for plain values."
        raise SpaceError(msg)
    return [plain_name("Choice: the name of an option", name) for name in given]
