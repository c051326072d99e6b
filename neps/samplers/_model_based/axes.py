"""The unit cube of a search space as a model sees it: which axes hold numbers, categories, few values, or many.

NumPy only. Built once for a space; the model-based samplers use it to encode trials, to round candidates to what the
space has, to leave out what is inactive or forbidden in them, and to tell what is claimed.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neps.samplers._drawing.claimed import Claimed, searched_values
from neps.space._activity import Activity

if TYPE_CHECKING:
    from neps._trial import Value
    from neps.space import SearchSpace
    from neps.space._activity import Test

__all__ = ["EXHAUSTIVE", "Axes", "axes_of"]

_Array = NDArray[np.float64]

EXHAUSTIVE = 4096
"""The largest finite space of which every configuration is looked at."""

_WIDEST = 64
_REMEMBERED = 16384


@dataclasses.dataclass(frozen=True, eq=False)
class Axes:
    """The axes of a space's unit cube, d of them.

    Args:
        space: the search space.
        choices: (d,), how many categories an axis holds; 0 where it holds numbers.
        positions: for each axis with few values, where they stand in [0, 1]; None for the others, which have
            gradients to follow, and are rounded by the space at the end.
    """

    space: SearchSpace
    choices: NDArray[np.intp]
    positions: tuple[_Array | None, ...]

    @functools.cached_property
    def continuous(self) -> NDArray[np.bool_]:
        """The axes with gradients to follow: (d,)."""
        return np.array([positions is None for positions in self.positions])

    @functools.cached_property
    def spacing(self) -> _Array:
        """The least step that reaches another value, 0 where any does: (d,)."""
        return np.array([0.0 if positions is None else 1.0 / len(positions) for positions in self.positions])

    @property
    def dimensions(self) -> int:
        """How many there are, d."""
        return len(self.positions)

    @property
    def few(self) -> bool:
        """Whether the space has so few configurations that all can be looked at."""
        return self.space.size is not None and self.space.size <= EXHAUSTIVE

    @functools.cached_property
    def everything(self) -> _Array:
        """All points of a space with few configurations: (size, d)."""
        if self.space.is_conditional or self.space.forbid:
            return self.encode(self.space.every_config(EXHAUSTIVE) or ())
        narrow = [positions for positions in self.positions if positions is not None]
        return np.stack(np.meshgrid(*narrow, indexing="ij"), axis=-1).reshape(-1, self.dimensions)

    def encode(self, configs: Iterable[Mapping[str, Value]]) -> _Array:
        """Points of configurations: (n, d). Those seen before are remembered."""
        points = [self._encode(config) for config in configs]
        return np.array(points).reshape(len(points), self.dimensions)

    def rounded(self, Z: _Array) -> _Array:
        """Z (m, d), clipped to the cube, with each coordinate that has few values moved to the nearest one.

        What is inactive becomes NaN, and must not be before.
        """
        Z = np.clip(Z, 0.0, 1.0)
        for j, positions in enumerate(self.positions):
            if positions is not None:
                edges = 0.5 * (positions[1:] + positions[:-1])
                Z[:, j] = positions[np.searchsorted(edges, Z[:, j])]
        return self._active(Z)

    def filled(self, Z: _Array, generator: np.random.Generator) -> _Array:
        """Z (m, d), with a random coordinate for each that is inactive."""
        inactive = np.isnan(Z)
        return np.where(inactive, generator.random(Z.shape), Z) if inactive.any() else Z

    def is_allowed(self, z: _Array) -> bool:
        """Whether a point z (d,) isn't forbidden."""
        return not self.space.forbid or self.space.is_allowed(self.space.decode(z))

    @functools.cached_property
    def parents(self) -> NDArray[np.bool_]:
        """The axes on which it depends what is active: (d,)."""
        names = {test.parent for _, tests in self._conditions for test in tests}
        return np.array([name in names for name in self.space.searched])

    def _active(self, Z: _Array) -> _Array:
        """Z (m, d), with NaN for what is inactive."""
        if not self.space.is_conditional:
            return Z
        active: dict[str, NDArray[np.bool_]] = {}
        for name, tests in self._conditions:
            active[name] = np.ones(len(Z), dtype=np.bool_)
            for test in tests:
                active[name] &= active[test.parent] & self._holds(test, Z)
        return np.where(np.stack([active[name] for name in self.space.searched], axis=1), Z, np.nan)

    def _holds(self, test: Test, Z: _Array) -> NDArray[np.bool_]:
        """Whether a condition holds at each of Z (m, d), if its parameter is active: (m,)."""
        if not test.parameter.searched:
            return np.full(len(Z), test.holds(test.parameter.from_unit(1.0)))
        places, which = np.unique(Z[:, self.space.searched.index(test.parent)], return_inverse=True)
        return np.array([test.holds(test.parameter.from_unit(place)) for place in places.tolist()])[which]

    @functools.cached_property
    def _conditions(self) -> list[tuple[str, tuple[Test, ...]]]:
        """Of each parameter that may be a parent, or have some, its conditions: parents first."""
        activity = Activity(self.space.parameters)
        fidelities = self.space.fidelities
        return [(name, activity.tests[name]) for name in activity.order if name not in fidelities]

    def first_unclaimed(self, Z: _Array, points: _Array, others: Claimed | None = None) -> dict[str, Value] | None:
        """What the space makes of the first of Z (m, d) that is unclaimed; None if all are claimed.

        Args:
            Z: candidates.
            points: of claimed configurations, (n, d).
            others: more that are claimed.
        """
        taken = {point.tobytes() for point in points}
        for z in Z:
            config = self.space.decode(z)
            unclaimed = self._encode(config).tobytes() not in taken and (others is None or config not in others)
            if unclaimed and self.space.is_allowed(config):
                return config
        return None

    @functools.cached_property
    def _known(self) -> dict[tuple[object, ...], _Array]:
        return {}

    def _encode(self, config: Mapping[str, Value]) -> _Array:
        values = searched_values(self.space, config)
        key = (*values, *map(type, values))  # True is 1 and 1 is 1.0 to a dictionary, but not to a category
        point = self._known.get(key)
        if point is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = point = self.space.encode(config)
        return point


@functools.lru_cache(maxsize=16)
def axes_of(space: SearchSpace) -> Axes:
    """The axes of a space."""
    most = EXHAUSTIVE if space.size is not None and space.size <= EXHAUSTIVE else _WIDEST
    positions: list[_Array | None] = []
    for parameter in map(space.parameters.__getitem__, space.searched):
        values = parameter.every_value(most)
        positions.append(None if values is None else np.array([parameter.to_unit(value) for value in values]))
    choices = [space.parameters[name].categories for name in space.searched]
    return Axes(space, np.array(choices, dtype=np.intp), tuple(positions))
