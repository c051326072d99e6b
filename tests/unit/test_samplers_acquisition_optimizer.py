"""Maxima of acquisition functions that are known, in spaces of all kinds."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from neps.samplers._model_based import acquisition_optimizer
from neps.samplers._model_based.acquisition_optimizer import candidates
from neps.samplers._model_based.axes import Axes, axes_of
from neps.space import Categorical, Float, Integer, SearchSpace

Array = NDArray[np.float64]
PLANE = SearchSpace({f"x{index}": Float(0.0, 1.0) for index in range(2)})
FIVE = SearchSpace({f"x{index}": Float(0.0, 1.0) for index in range(5)})
MIXED = SearchSpace(
    {
        "x": Float(0.0, 1.0),
        "kind": Categorical(list("abcdefghij")),
        "n": Integer(1, 50),
        "y": Float(1e-3, 1.0, log=True),
        "wide": Integer(1, 10**6),
        "flag": Categorical([True, False]),
    }
)
CATEGORIES = SearchSpace({f"c{index}": Categorical(list("abcdefgh")) for index in range(6)})
INTEGERS = SearchSpace({f"n{index}": Integer(1, 60) for index in range(3)})


@dataclasses.dataclass(frozen=True)
class Bowl:
    """Largest at `top` (d,): a parabola along numbers, a step down for each other category."""

    axes: Axes
    top: Array
    step: float = 1.0

    def __call__(self, Z: Array) -> Array:
        categories = self.axes.choices > 0
        others = np.abs(Z - self.top)[:, categories] > 1e-9
        return np.asarray(-self.step * others.sum(axis=1) - (((Z - self.top) ** 2)[:, ~categories]).sum(axis=1))

    def with_gradient(self, Z: Array) -> tuple[Array, Array]:
        return self(Z), np.where(self.axes.choices > 0, 0.0, -2.0 * (Z - self.top))


def _generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def _best(bowl: Bowl, seed: int = 0) -> Array:
    found = candidates(bowl.axes, bowl, _incumbents(bowl.axes), _generator(seed))
    return np.asarray(found[np.argmax(bowl(found))])


def _incumbents(axes: Axes) -> Array:
    return axes.rounded(_generator(99).random((3, axes.dimensions)))


SPACES = pytest.mark.parametrize(
    "space", [PLANE, FIVE, MIXED, CATEGORIES, INTEGERS], ids=["plane", "five", "mixed", "categories", "integers"]
)


@SPACES
@pytest.mark.parametrize("seed", range(3))
def test_the_maximum_is_found(space: SearchSpace, seed: int) -> None:
    axes = axes_of(space)
    top = axes.rounded(_generator(100 + seed).random((1, axes.dimensions)))[0]
    np.testing.assert_allclose(_best(Bowl(axes, top), seed), top, atol=1e-4)


@pytest.mark.parametrize("count", [64, 65, 200, 10_000])
def test_the_maximum_over_many_integers_is_found(count: int) -> None:
    axes = axes_of(SearchSpace({f"n{index}": Integer(1, count) for index in range(3)}))
    top = axes.encode([{"n0": 7, "n1": count // 2, "n2": count - 20}])[0]
    np.testing.assert_array_equal(axes.encode([axes.space.decode(_best(Bowl(axes, top)))])[0], top)


def test_a_maximum_beyond_the_cube_is_found_on_its_edge() -> None:
    axes = axes_of(MIXED)
    top = np.array([1.7, 0.05, -3.0, -0.2, 5.0, 0.75])
    best = _best(Bowl(axes, top))
    np.testing.assert_allclose(best, [1.0, 0.05, 0.01, 0.0, 1.0, 0.75], atol=1e-9)


def test_a_category_that_hardly_matters_is_found_by_exchange() -> None:
    axes = axes_of(MIXED)
    tops = itertools.product([0.15, 0.55, 0.95], [0.25, 0.75])
    for seed, (kind, flag) in enumerate(tops):
        top = np.array([0.3, kind, 0.51, 0.6, 0.7, flag])
        np.testing.assert_allclose(_best(Bowl(axes, top, step=1e-6), seed), top, atol=1e-2)


def test_a_narrow_maximum_near_an_incumbent_is_found() -> None:
    axes, top = axes_of(FIVE), np.full(5, 0.123)

    @dataclasses.dataclass(frozen=True)
    class Spike:
        """Flat but within about 0.03 of `top`."""

        def __call__(self, Z: Array) -> Array:
            return np.asarray(np.exp(-1000.0 * ((Z - top) ** 2).sum(axis=1)))

        def with_gradient(self, Z: Array) -> tuple[Array, Array]:
            return self(Z), -2000.0 * (Z - top) * self(Z)[:, None]

    found = candidates(axes, Spike(), np.vstack([top + 0.02, _incumbents(axes)]), _generator())
    np.testing.assert_allclose(found[np.argmax(Spike()(found))], top, atol=1e-4)


@SPACES
def test_candidates_stay_in_the_cube_and_on_the_values_of_narrow_axes(space: SearchSpace) -> None:
    axes = axes_of(space)
    found = candidates(axes, Bowl(axes, np.full(axes.dimensions, 3.0)), _incumbents(axes), _generator())
    assert found.min() >= 0.0
    assert found.max() <= 1.0
    np.testing.assert_array_equal(axes.rounded(found), found)
    assert len({point.tobytes() for point in found}) > 20, "many, should the best be claimed"


@SPACES
def test_the_best_is_no_worse_than_any_point_that_was_looked_at(space: SearchSpace) -> None:
    axes = axes_of(space)
    seen: list[float] = []

    class Watched(Bowl):
        def __call__(self, Z: Array) -> Array:
            seen.extend(super().__call__(Z).tolist())
            return super().__call__(Z)

    bowl = Watched(axes, np.full(axes.dimensions, 0.4))
    best = _best(bowl)
    assert Bowl.__call__(bowl, best[None])[0] == max(seen)


@SPACES
def test_the_same_generator_gives_the_same_candidates(space: SearchSpace) -> None:
    axes = axes_of(space)
    bowl = Bowl(axes, np.full(axes.dimensions, 0.4))
    first, second = (candidates(axes, bowl, _incumbents(axes), _generator(5)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    other = candidates(axes, bowl, _incumbents(axes), _generator(6))
    assert not np.array_equal(first[-1], other[-1])


def test_neighbours_differ_from_their_incumbent_in_some_coordinates() -> None:
    axes = axes_of(FIVE)
    incumbents = np.full((2, 5), 0.5)
    moved = (acquisition_optimizer._neighbours(axes, incumbents, _generator()) != 0.5).sum(axis=1)
    assert moved.min() >= 1
    assert moved.max() <= 5
    assert (moved < 5).mean() > 0.5


def test_neighbours_reach_every_category_and_the_next_integer() -> None:
    axes = axes_of(SearchSpace({"kind": Categorical(list("abcde")), "n": Integer(1, 60), "x": Float(0.0, 1.0)}))
    incumbent = axes.encode([{"kind": "a", "n": 30, "x": 0.5}])
    near = axes.rounded(acquisition_optimizer._neighbours(axes, np.repeat(incumbent, 3, axis=0), _generator()))
    kinds, numbers = axes.positions[0], axes.positions[1]
    assert kinds is not None
    assert numbers is not None
    assert set(near[:, 0]) == set(kinds)
    assert {28.0, 29.0, 31.0, 32.0} <= set(np.round(near[:, 1] * 60.0 + 0.5))


def test_neighbours_of_a_coarse_integer_seldom_round_to_the_incumbent() -> None:
    axes = axes_of(SearchSpace({"n": Integer(1, 20)}))
    incumbent = axes.encode([{"n": 10}])
    near = axes.rounded(acquisition_optimizer._neighbours(axes, np.repeat(incumbent, 5, axis=0), _generator()))
    assert (near != incumbent).mean() > 0.55
