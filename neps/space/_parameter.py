"""What a parameter is: the interface by which spaces, samplers and views know every type of parameter.

A type has a file of its own, and a line in the table of `neps.space._definition`. Nobody else tells types apart.
"""

from __future__ import annotations

import abc
import functools
import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

from neps.errors import SpaceError, shown
from neps.space._conditions import Conditions, conditions
from neps.space._prior import Confidence, Prior, TruncatedNormal, Weights, confidence
from neps.space._scale import Axis
from neps.space._values import Value

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Parameter", "arguments_of", "checked_conditions", "checked_prior"]


class Parameter(abc.ABC):
    """One dimension of a search space: which values it has, where they lie in [0, 1], and how likely each is.

    The types of neps are the only ones: `Float`, `Integer`, `Categorical` and `Constant`, since workers of other
    versions have to read the definition. Samplers and views use the methods here, whatever the type.

    Attributes:
        kind: the type's name in neps.yaml.
        later: arguments that the first version didn't have: a definition has them, and requires readers to know them,
            only where they aren't their defaults.
        default: where the user expects good values; None means no prior.
        default_confidence: how much: "low", "medium" or "high".
        is_fidelity: whether it says how much of an evaluation is run.
        active_if: the conditions on other parameters under which a configuration has it; None means always.
        searched: whether it is an axis of the unit cube: neither a constant nor a fidelity.
        categories: how many values it has, if these have no order; 0 if they have one, and neighbours are near.
        axis: where its values lie.
        prior: how likely they are, as a distribution on [0, 1]; None means uniform.

    Example:
        >>> from neps.space import Float, Integer
        >>> Float(1e-4, 1, log=True).to_unit(0.01), Integer(1, 5).from_unit(0.3), Integer(1, 5).count
        (0.5, 2, 5)
        >>> Integer(16, 64, step=16).every_value(most=10)
        range(16, 65, 16)
    """

    kind: ClassVar[str]
    later: ClassVar[tuple[str, ...]] = ()
    default: Value = None
    default_confidence: Confidence = "low"
    is_fidelity: bool = False
    active_if: Conditions | None = None

    @abc.abstractmethod
    def parse(self, value: object) -> Value:
        """The value as plain Python.

        Raises:
            SpaceError: if it isn't one of this parameter's.
        """

    @property
    @abc.abstractmethod
    def axis(self) -> Axis:
        """See above."""

    @functools.cached_property
    def prior(self) -> Prior | None:
        """See above: a normal around the default, cut off at the ends, or weights where values have no order."""
        if self.default is None:
            return None
        position = self.to_unit(self.default)
        if self.categories:
            return Weights.around(position, self.categories, self.default_confidence)
        return TruncatedNormal.around(position, self.default_confidence)

    @property
    def searched(self) -> bool:
        """See above."""
        return not self.is_fidelity

    @property
    def categories(self) -> int:
        """See above."""
        return 0

    @property
    def count(self) -> int | None:
        """How many values there are; None for infinitely many."""
        return self.axis.count

    @property
    def expected(self) -> Value:
        """The default, or else the middle of the range, on its own scale; the first value where there is no order."""
        return self.from_unit(0.0 if self.categories else 0.5) if self.default is None else self.default

    def to_unit(self, value: object) -> float:
        """The position of `value` in [0, 1]: of the bounds of a Float 0.0 and 1.0, else the centre of a value's bin.

        Raises:
            SpaceError: if it is not a value of the parameter.
        """
        return self.axis.position(self.parse(value))

    def from_unit(self, unit: float) -> Value:
        """The value at a position, which must not be NaN; below 0 and above 1 are the ends."""
        return self.axis.value(min(max(unit, 0.0), 1.0))

    def every_value(self, most: int) -> Sequence[Value] | None:
        """All values in their order if there are at most `most`, and choices however many there are; else None."""
        return self.axis.every_value(most)

    def quantile(self, probability: float) -> float:
        """The position in [0, 1] below which the prior has `probability`; see `Prior`."""
        return probability if (prior := self.prior) is None else prior.quantile(probability)

    def log_density(self, value: object) -> float:
        """The logarithm of the prior's density at `value`, relative to uniform on the unit interval.

        For values in a row it is the mass of the value's bin over the bin's width. 0.0 without a default, and where
        there is a single value.

        Raises:
            SpaceError: if it is not a value of the parameter.
        """
        return 0.0 if (prior := self.prior) is None else prior.log_density(*self.axis.cell(self.parse(value)))

    def mutated(self, value: Value, deviation: float, generator: np.random.Generator) -> Value:
        """Another value: after a normal step on the parameter's own scale, or any as likely where there is no order.

        Args:
            value: where it begins; there must be others.
            deviation: the standard deviation of the step, as a share of the range, above 0. It is cut off at the ends.
            generator: where the randomness comes from.
        """
        if self.categories:
            choices = self.every_value(self.categories) or ()
            return choices[(choices.index(value) + int(generator.integers(1, self.categories))) % self.categories]
        reached = TruncatedNormal(self.to_unit(value), deviation).quantile(generator.random())
        return self.axis.another(self.parse(value), reached)

    def with_prior(self, **changes: Any) -> Self:
        """The same with another `default`, `default_confidence` ("low" without a default) or `active_if`."""
        return type(self)(**(dict(self._arguments()) | changes))

    def handed(self, value: Value) -> object:
        """What run_pipeline gets for a value: itself, but where the user has named objects."""
        return value

    def definition(self) -> dict[str, object]:
        """What defines it, as plain data: its type, and each argument; the prior where there is one.

        Example:
            >>> from neps.space import Categorical, Float
            >>> Float(0, 1, default=0.5).definition()["default_confidence"], Categorical(["a", "b"]).definition()
            ('low', {'type': 'categorical', 'choices': ['a', 'b']})
        """
        given = {name: value for name, value in self._arguments() if name not in self.later or name in self.requires}
        if given.get("default") is None:
            given = {name: value for name, value in given.items() if not name.startswith("default")}
        return {"type": self.kind} | {name: _plain(value) for name, value in given.items()}

    @property
    def requires(self) -> tuple[str, ...]:
        """What a reader of its definition has to know that the first readers of this format didn't."""
        known = arguments_of(type(self))
        return tuple(name for name in self.later if getattr(self, name) != known[name].default)

    def __repr__(self) -> str:
        """The shortest call that makes an equal parameter: what it must have, and what differs from the defaults."""
        known = arguments_of(type(self))
        texts = [
            repr(value) if known[name].default is inspect.Parameter.empty else f"{name}={value!r}"
            for name, value in self._arguments()
            if value != known[name].default
        ]
        return f"{type(self).__name__}({', '.join(texts)})"

    def _arguments(self) -> Iterator[tuple[str, Any]]:
        """What the constructor has made it of."""
        return ((name, getattr(self, name)) for name in arguments_of(type(self)))


def _plain(value: Any) -> object:
    if isinstance(value, Conditions):
        return value.plain()
    return list(value) if isinstance(value, tuple) else value


@functools.cache
def arguments_of(kind: type[Parameter]) -> Mapping[str, inspect.Parameter]:
    """The arguments of a type's constructor, by name."""
    return inspect.signature(kind).parameters


def checked_prior(parameter: Parameter, default: object, given: Confidence) -> tuple[Any, Confidence]:
    """The default as a value of `parameter`, and the confidence, which means nothing without one."""
    kind = type(parameter).__name__
    checked = confidence(kind, given)
    if default is None:
        return None, "low"
    try:
        return parameter.parse(default), checked
    except SpaceError as error:
        msg = f"{kind}: default: {error}"
        raise SpaceError(msg) from error


def checked_conditions(kind: str, given: object, *, is_fidelity: bool = False) -> Conditions | None:
    """`active_if` as an immutable value; None and an empty mapping mean that a parameter is always active."""
    if given is None or given == {}:
        return None
    if is_fidelity:
        msg = f"{kind}: active_if is {shown(given)}, but every configuration has its fidelity: leave out active_if."
        raise SpaceError(msg)
    return conditions(f"{kind}: active_if", given)
