"""The axes of a space's unit cube: what they hold, and what is claimed of it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from neps._trial import Value
from neps.errors import SpaceError
from neps.samplers._model_based import axes as module
from neps.samplers._model_based.axes import EXHAUSTIVE, axes_of
from neps.space import Categorical, Constant, Float, Integer, SearchSpace

MIXED = SearchSpace(
    {
        "rate": Float(1e-5, 1.0, log=True),
        "kind": Categorical(["a", "b", "c"]),
        "data": Constant("digits"),
        "layers": Integer(1, 4),
        "width": Integer(1, 10**6, log=True),
        "epochs": Integer(1, 9, is_fidelity=True),
        "fixed": Float(2.0, 2.0),
    }
)
FINITE = SearchSpace({"n": Integer(0, 3), "flag": Categorical([True, False, "1"]), "c": Float(2.0, 2.0)})


def test_the_axes_of_a_mixed_space() -> None:
    axes = axes_of(MIXED)
    assert axes.dimensions == 5
    assert axes.choices.tolist() == [0, 3, 0, 0, 0]
    assert axes.continuous.tolist() == [True, False, False, True, False]
    assert axes.spacing.tolist() == [0.0, 1 / 3, 1 / 4, 0.0, 1.0]
    assert not axes.few
    positions = [None if p is None else p.tolist() for p in axes.positions]
    assert positions == [None, pytest.approx([1 / 6, 3 / 6, 5 / 6]), [0.125, 0.375, 0.625, 0.875], None, [0.5]]


def test_positions_are_where_the_space_encodes_each_value() -> None:
    space = SearchSpace({"n": Integer(1, 100, log=True), "kind": Categorical(["a", "b", "c"])})
    numbers, kinds = axes_of(space).positions
    assert numbers is not None
    assert kinds is not None
    assert [space.decode([n, 0.5])["n"] for n in numbers] == list(range(1, 101))
    assert [space.decode([0.5, k])["kind"] for k in kinds] == ["a", "b", "c"]


@pytest.mark.parametrize(("count", "few"), [(EXHAUSTIVE, True), (EXHAUSTIVE + 1, False)])
def test_a_space_is_small_up_to_a_limit(count: int, few: bool) -> None:  # noqa: FBT001
    axes = axes_of(SearchSpace({"n": Integer(1, count)}))
    assert axes.few is few
    assert axes.continuous.tolist() == [not few]


def test_every_configuration_of_a_small_space() -> None:
    axes = axes_of(FINITE)
    configs = [tuple(FINITE.decode(point).values()) for point in axes.everything]
    assert len(configs) == FINITE.size == 12
    assert set(configs) == set(itertools.product(range(4), [True, False, "1"], [2.0]))


def test_coordinates_with_few_values_are_rounded_to_these() -> None:
    axes = axes_of(MIXED)
    Z = np.random.default_rng(0).random((200, 5))
    rounded = axes.rounded(Z)
    np.testing.assert_array_equal(rounded[:, [0, 3]], Z[:, [0, 3]])
    for j in (1, 2, 4):
        positions = axes.positions[j]
        assert positions is not None
        nearest = np.abs(Z[:, j, None] - positions).argmin(axis=1)
        np.testing.assert_array_equal(rounded[:, j], positions[nearest])
    np.testing.assert_array_equal(axes.rounded(rounded), rounded)


def test_rounding_stays_in_the_cube_and_leaves_its_argument() -> None:
    axes = axes_of(MIXED)
    Z = 10.0 * np.random.default_rng(0).standard_normal((200, 5))
    before = Z.copy()
    rounded = axes.rounded(Z)
    assert rounded.min() >= 0.0
    assert rounded.max() <= 1.0
    np.testing.assert_array_equal(Z, before)


# ------------------------------------------------------------------------------------------------------------- encoding


def test_encoding_is_the_spaces_and_is_remembered() -> None:
    axes, generator = axes_of(MIXED), np.random.default_rng(0)
    configs = [MIXED.sample(generator) for _ in range(20)]
    expected = np.array([MIXED.encode(config) for config in configs])
    for _ in range(2):
        points = axes.encode(configs)
        np.testing.assert_array_equal(points, expected)
        points[:] = -1.0  # what is remembered is not what was handed out
    assert axes.encode([]).shape == (0, 5)


def test_what_python_finds_equal_to_a_remembered_value_is_still_refused() -> None:
    axes = axes_of(SearchSpace({"x": Float(0.0, 4.0), "kind": Categorical([True, "1"])}))
    np.testing.assert_array_equal(
        axes.encode([{"x": 1.0, "kind": True}, {"x": 1, "kind": "1"}]), [[0.25, 0.25], [0.25, 0.75]]
    )
    with pytest.raises(SpaceError, match="kind"):
        axes.encode([{"x": 1.0, "kind": 1}])


def test_what_is_remembered_does_not_grow_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REMEMBERED", 10)
    space = SearchSpace({"x": Float(0.0, 1.0), "limited": Constant(True)})
    axes = axes_of(space)
    for x in np.linspace(0.0, 1.0, 101).tolist():
        assert axes.encode([{"x": x}])[0, 0] == space.encode({"x": x})[0]
        assert len(axes._known) <= 10


# ------------------------------------------------------------------------------------------------------------ unclaimed


def test_the_first_that_is_not_claimed() -> None:
    axes = axes_of(FINITE)
    claimed: list[dict[str, Value]] = [{"n": 1, "flag": "1", "c": 2.0}, {"n": 3, "flag": True, "c": 2.0}]
    free = [config for config in map(FINITE.decode, axes.everything) if config not in claimed]
    assert len(free) == 10
    assert axes.first_unclaimed(axes.everything, axes.encode(claimed)) == free[0]
    assert axes.first_unclaimed(axes.everything[::-1], axes.encode(claimed)) == free[-1]


def test_nothing_may_be_left() -> None:
    axes = axes_of(FINITE)
    assert axes.first_unclaimed(axes.everything, axes.everything) is None
    assert axes.first_unclaimed(np.empty((0, 3)), axes.everything) is None


def test_wide_integers_are_claimed_as_wholes() -> None:
    axes = axes_of(SearchSpace({"n": Integer(1, 1000)}))
    Z, claimed = np.array([[0.5], [0.5001], [0.5011]]), axes.encode([{"n": 501}])
    assert axes.first_unclaimed(Z, claimed) == {"n": 502}
    assert axes.first_unclaimed(Z[:2], claimed) is None
