"""Grid search: every combination of a few values of each parameter, once, in an order that spreads early trials.

Used through `searcher="grid_search"`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np

from neps.samplers import _settings as settings
from neps.samplers._drawing.combinations import Combinations
from neps.samplers._drawing.numbered import Numbered
from neps.samplers._drawing.sequences import BITS, sobol_sequence
from neps.samplers._protocol import Done, Sampler, Suggestion
from neps.space._forbidden import Rule

if TYPE_CHECKING:
    from neps._budget import Budget
    from neps._history import History
    from neps.space import SearchSpace, Value

__all__ = ["GridSearch", "axes", "grid", "turns"]

_ORDER_SEED = 0


@attrs.frozen
class GridSearch(Sampler):
    """Evaluates a full grid, and is done when the grid is covered.

    A number has `steps_per_parameter` values, evenly spaced on its own (log) scale, both ends included; an integer
    with no more values than that has all of them; a category always has all its choices. Values that fall together
    after rounding are one. Of conditional parameters there are combinations of active ones only, and none is forbidden.
    Priors are ignored. The grid is never built, so its size doesn't matter.

    The order: parameters are taken as in the space, but children as soon as the last of their parents. The values of
    the first one take turns, and each goes on with its own combinations of the rest; a value whose combinations are
    used up has no more turns. The first parameter's turns are in bit-reversed order of its values. Those of the others
    are, too, but begin at a value that depends on the turns before, and is a coordinate of a Sobol sequence.

    Args:
        steps_per_parameter: values for each numerical parameter, at least 1 (the centre alone). Default 5.

    Raises:
        ArgumentError: if `steps_per_parameter` isn't an int of at least 1.

    Example:
        >>> GridSearch(steps_per_parameter=3).settings()
        {'steps_per_parameter': 3}
    """

    independent: ClassVar[bool] = True

    steps_per_parameter: int = attrs.field(default=5, converter=settings.steps_per_parameter)

    def settings(self) -> dict[str, Any]:
        """See `Sampler.settings`."""
        return attrs.asdict(self)

    def decide(
        self,
        history: History,
        number: int,
        budget: Budget,  # noqa: ARG002
        generator: np.random.Generator,  # noqa: ARG002 - nothing here is random
    ) -> Suggestion | Done:
        """Configuration `number` of the grid."""
        combinations, numbered = _grid(history.space, self.steps_per_parameter)
        if numbered is not None:
            found, count = numbered.get(number - 1), numbered.found
        else:
            found, count = combinations[number - 1] if number <= combinations.count else None, combinations.count
        if found is None:
            return Done(f"the grid is covered: all its {count} configurations have been started")
        return Suggestion(config=found)


@functools.lru_cache(maxsize=16)
def _grid(space: SearchSpace, steps: int) -> tuple[Combinations, Numbered | None]:
    """The grid; and where functions forbid some of it, which are left."""
    combinations = grid(space, steps)
    if not any(isinstance(each, Rule) for each in space.forbid):
        return combinations, None
    return combinations, Numbered(space, combinations.__getitem__, combinations.count)


def grid(space: SearchSpace, steps: int) -> Combinations:
    """All combinations of the grid, by number, in the order that spreads early ones."""
    values = dict(zip(space.searched, axes(space, steps), strict=True))
    return Combinations(space, values, functools.partial(turns, space.dimensions))


def axes(space: SearchSpace, steps: int) -> tuple[Sequence[Value], ...]:
    """The grid's values of each searched parameter, ascending, in the order of `space.searched`."""
    weights = np.linspace(0.0, 1.0, steps).tolist() if steps > 1 else [0.5]
    return tuple(_values(space, name, weights) for name in space.searched)


def _values(space: SearchSpace, name: str, weights: Sequence[float]) -> Sequence[Value]:
    parameter = space.parameters[name]
    if (values := parameter.every_value(len(weights))) is not None:
        return values
    low, high = (parameter.to_unit(parameter.from_unit(end)) for end in (0.0, 1.0))
    return tuple(dict.fromkeys(parameter.from_unit(low * (1.0 - weight) + high * weight) for weight in weights))


def turns(dimensions: int, axis: int, before: int, size: int) -> Sequence[int]:
    """In which order values take turns, as of `neps.samplers._drawing.combinations.Turns`.

    In bit-reversed order, with a shift that depends on the turns before only, so no point comes twice. The shift is a
    coordinate of a Sobol sequence: while higher digits of the number are 0, points are spread as evenly as that is, and
    without conditions an axis of n positions has shown all of them after 4 n points.
    """
    shift = int(sobol_sequence(dimensions, _ORDER_SEED).point(before % 2**BITS)[axis] * size)
    return [(position + shift) % size for position in _bit_reversed(size)]


@functools.lru_cache(maxsize=64)
def _bit_reversed(size: int) -> list[int]:
    """The numbers below `size`, halving the gaps: 0, the middle, the quarters, and so on."""
    width = (size - 1).bit_length()
    return sorted(range(size), key=lambda number: int(f"{number:0{width}b}"[::-1], 2))
