"""Grid search: every combination of a few values of each parameter, once, in an order that spreads early trials.

Used through `searcher="grid_search"`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np

from neps.samplers import _settings as settings
from neps.samplers._drawing.sequences import BITS, sobol_sequence
from neps.samplers._protocol import Done, Sampler, Suggestion

if TYPE_CHECKING:
    from neps._budget import Budget
    from neps._history import History
    from neps._trial import Value
    from neps.space import SearchSpace

__all__ = ["GridSearch", "axes", "spread"]

_ORDER_SEED = 0


@attrs.frozen
class GridSearch(Sampler):
    """Evaluates a full grid, and is done when the grid is covered.

    A number has `steps_per_parameter` values, evenly spaced on its own (log) scale, both ends included; an integer
    with no more values than that has all of them; a category always has all its choices. Values that fall together
    after rounding are one. Priors are ignored. The grid is never built, so its size doesn't matter.

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
        """Grid point `number - 1` in the spread order."""
        space = history.space
        values = axes(space, self.steps_per_parameter)
        sizes = tuple(len(axis) for axis in values)
        if number > math.prod(sizes):
            return Done(f"the grid is covered: all its {math.prod(sizes)} configurations have been started")
        chosen = [axis[position] for axis, position in zip(values, spread(number - 1, sizes), strict=True)]
        rest = space.decode(np.full(space.dimensions, 0.5))
        return Suggestion(config=rest | dict(zip(space.searched, chosen, strict=True)))


@functools.lru_cache(maxsize=16)
def axes(space: SearchSpace, steps: int) -> tuple[Sequence[Value], ...]:
    """The grid's values of each searched parameter, ascending, in the order of `space.searched`."""
    ends = [space.encode(space.decode(np.full(space.dimensions, end))) for end in (0.0, 1.0)]
    weights = np.linspace(0.0, 1.0, steps) if steps > 1 else [0.5]
    rows = [space.decode(ends[0] * (1.0 - weight) + ends[1] * weight) for weight in weights]
    return tuple(_axis(space, name, rows) for name in space.searched)


def _axis(space: SearchSpace, name: str, rows: Sequence[dict[str, Value]]) -> Sequence[Value]:
    values = space.parameters[name].every_value(len(rows))
    return tuple(dict.fromkeys(row[name] for row in rows)) if values is None else values


def spread(index: int, sizes: Sequence[int]) -> list[int]:
    """The position on each axis of point `index` of a grid, in an order that spreads early points.

    `index` is written in the mixed radix of `sizes`. The first axis runs through its positions in bit-reversed order.
    Every later axis adds to its own digit a shift that depends on the lower digits only, so each position can be read
    back and no point comes twice. The shift is a coordinate of a Sobol sequence: while higher digits are 0, points are
    spread as evenly as that is, and an axis of n positions has shown all of them after 4 n points.

    Args:
        index: 0 … product of `sizes` - 1.
        sizes: positions on each axis, each at least 1.

    Returns:
        One position for each axis, from 0.

    Example:
        >>> [spread(index, (2, 3)) for index in range(6)]
        [[1, 0], [0, 2], [1, 2], [0, 1], [1, 1], [0, 0]]
    """
    sequence = sobol_sequence(len(sizes), _ORDER_SEED)
    positions: list[int] = []
    higher, lower, place = index, 0, 1
    point = sequence.point(lower)
    for axis, size in enumerate(sizes):
        higher, digit = divmod(higher, size)
        shift = int(point[axis] * size)
        positions.append((_bit_reversed(size)[digit] + shift) % size)
        if digit:
            lower += digit * place
            point = sequence.point(lower % 2**BITS)
        place *= size
    return positions


@functools.lru_cache(maxsize=64)
def _bit_reversed(size: int) -> list[int]:
    """The numbers below `size`, halving the gaps: 0, the middle, the quarters, and so on."""
    width = (size - 1).bit_length()
    return sorted(range(size), key=lambda number: int(f"{number:0{width}b}"[::-1], 2))
