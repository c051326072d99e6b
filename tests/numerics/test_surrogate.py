"""Surrogates of losses as runs have them: of any unit, ill-conditioned, failed, many; and which warp they find."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from neps._models.gaussian_process import Hyperparameters
from neps._models.losses import WARPS, Targets
from neps._models.surrogate import Surrogate, believed, explanation, surrogate
from numerics.cube import points
from numerics.dense_process import posterior, tensor

Array = NDArray[np.float64]
NUMERIC = np.zeros(3, dtype=np.intp)
MIXED = np.array([0, 3, 0, 2])
CATEGORICAL = np.array([2, 3, 5])
WIDE = np.zeros(50, dtype=np.intp)


def _losses(X: Array) -> Array:
    return np.asarray(np.sin(5.0 * X[:, 0]) + X.sum(axis=1) + 3.0)


def _but(losses: Array, index: int, value: float) -> Array:
    changed = losses.copy()
    changed[index] = value
    return changed


def _assert_sane(found: Surrogate, Z: Array) -> None:
    mean, variance = found.process.predict(np.concatenate([found.process.X, Z]))
    assert np.all(np.isfinite(mean))
    assert np.all(np.abs(mean) < 20.0)
    assert np.all((variance > 0.0) & (variance < 100.0))
    _, _, d_mean, d_variance = found.process.predict_with_gradient(Z)
    assert np.all(np.isfinite(d_mean))
    assert np.all(np.isfinite(d_variance))


# ----------------------------------------------------------------------------------------------------------- robustness

NINE, THIRTY = points(9, NUMERIC), points(30, NUMERIC)
ILL = {
    "n = 1": (NINE[:1], _losses(NINE[:1]), NUMERIC),
    "n = 2": (NINE[:2], _losses(NINE[:2]), NUMERIC),
    "n = 1, failed": (NINE[:1], np.array([np.nan]), NUMERIC),
    "all failed": (NINE, np.full(9, np.nan), NUMERIC),
    "all but one failed": (NINE, _but(np.full(9, np.nan), 4, 1.0), NUMERIC),
    "one failed": (THIRTY, _but(_losses(THIRTY), 3, np.nan), NUMERIC),
    "one infinite": (THIRTY, _but(_losses(THIRTY), 3, np.inf), NUMERIC),
    "one minus infinity": (THIRTY, _but(_losses(THIRTY), 3, -np.inf), NUMERIC),
    "one exploded": (THIRTY, _but(_losses(THIRTY), 3, 1e300), NUMERIC),
    "all exploded": (THIRTY, 10.0 ** np.linspace(-3.0, 300.0, 30), NUMERIC),
    "constant losses": (THIRTY, np.full(30, 7.0), NUMERIC),
    "all but one equal": (THIRTY, _but(np.full(30, 7.0), 3, 6.0), NUMERIC),
    "duplicates": (np.repeat(THIRTY, 3, axis=0), np.repeat(_losses(THIRTY), 3), NUMERIC),
    "noisy duplicates": (np.full((30, 3), 0.5), _losses(THIRTY), NUMERIC),
    "near duplicates": (0.5 + 1e-13 * THIRTY, _losses(THIRTY), NUMERIC),
    "pairs of near duplicates": (np.concatenate([NINE, NINE + 1e-13]), np.tile(_losses(NINE), 2), NUMERIC),
    "at corners": (np.round(THIRTY), _losses(np.round(THIRTY)), NUMERIC),
    "a constant dimension": (THIRTY * [1.0, 0.0, 1.0], _losses(THIRTY), NUMERIC),
    "all categorical": (points(40, CATEGORICAL), _losses(points(40, CATEGORICAL)), CATEGORICAL),
    "mixed": (points(40, MIXED), _losses(points(40, MIXED)), MIXED),
    "d = 50": (points(40, WIDE), _losses(points(40, WIDE)), WIDE),
    "a smooth line": (np.linspace(0.0, 1.0, 120)[:, None], np.linspace(1.0, 2.0, 120) ** 2, NUMERIC[:1]),
}


@pytest.mark.parametrize("case", ILL)
def test_ill_conditioned_results(case: str) -> None:
    X, losses, choices = ILL[case]
    first = surrogate(X, losses, choices)
    _assert_sane(first, points(30, choices, seed=8))
    second = surrogate(X, losses, choices, (first.process.hyperparameters, first.warp))
    _assert_sane(second, points(30, choices, seed=8))


@pytest.mark.parametrize("unit", [1e-300, 1e-12, 1e12, 1e300])
def test_the_unit_of_the_losses_does_not_matter(unit: float) -> None:
    Z = points(20, NUMERIC, seed=1)
    expected = surrogate(THIRTY, _losses(THIRTY), NUMERIC).process.predict(Z)
    ours = surrogate(THIRTY, unit * _losses(THIRTY), NUMERIC).process.predict(Z)
    np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("warp", WARPS)
def test_wild_memories_do_no_harm(warp: float) -> None:
    for value in (1e-300, 1e300, np.inf):
        wild = Hyperparameters(np.full(3, value), value, value, np.full(4, value))
        _assert_sane(surrogate(THIRTY, _losses(THIRTY), NUMERIC, (wild, warp)), points(30, NUMERIC, seed=8))


# ------------------------------------------------------------------------------------------------------- what it learns


def test_it_predicts_what_it_has_not_seen() -> None:
    X, Z = points(60, MIXED), points(40, MIXED, seed=1)
    found = surrogate(X, _losses(X), MIXED)
    assert found.warp == 0.0
    truth = (_losses(Z) - _losses(X).mean()) / _losses(X).std()
    assert np.sqrt(np.mean((found.process.predict(Z)[0] - truth) ** 2)) < 0.1


@pytest.mark.parametrize("warp", [0.0, 5.0, -0.9])
def test_the_warp_under_which_losses_are_simple_is_found(warp: float) -> None:
    X = points(60, NUMERIC)
    v = X.sum(axis=1)
    losses = {0.0: v, 5.0: np.exp(5.0 * v), -0.9: -np.exp(-1.5 * v)}[warp]
    assert surrogate(X, losses, NUMERIC).warp == warp


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("warp", [0.0, 5.0, -0.9])
def test_of_losses_that_are_noise_the_warp_that_makes_them_normal_is_found(warp: float, seed: int) -> None:
    # What any process says of the targets is about the same: their slopes decide.
    noise = np.random.default_rng(seed).normal(size=100)
    losses = {0.0: noise, 5.0: np.exp(2.0 * noise), -0.9: -np.exp(-noise)}[warp]
    assert surrogate(points(100, NUMERIC), losses, NUMERIC).warp == warp


def test_a_memory_saves_work_and_changes_little() -> None:
    X, Z = points(200, MIXED), points(30, MIXED, seed=1)
    earlier = surrogate(X[:150], _losses(X[:150]), MIXED)
    later = surrogate(X, _losses(X), MIXED, (earlier.process.hyperparameters, earlier.warp))
    anew = surrogate(X, _losses(X), MIXED)
    assert later.warp == anew.warp
    np.testing.assert_allclose(later.process.predict(Z)[0], anew.process.predict(Z)[0], atol=0.05)


def test_the_same_results_give_the_same_bits() -> None:
    X = points(50, MIXED)
    first, second = (surrogate(X.copy(), _losses(X), MIXED) for _ in range(2))
    ours, other = first.process.hyperparameters, second.process.hyperparameters
    np.testing.assert_array_equal(ours.lengthscales, other.lengthscales)
    np.testing.assert_array_equal(ours.effects, other.effects)
    assert (ours.signal, ours.noise, first.warp) == (other.signal, other.noise, second.warp)
    Z = points(30, MIXED, seed=1)
    np.testing.assert_array_equal(first.process.predict(Z), second.process.predict(Z))


# ---------------------------------------------------------------------------------------------------------- explanation


def _explained(
    n: int, remembered: tuple[str, float] | None, favourite: float = WARPS[2]
) -> tuple[str, float, list[tuple[list[str], int]]]:
    """What is found of n losses by a search that likes one warp, and which searches that took."""
    searches: list[tuple[list[str], int]] = []
    losses = np.linspace(1.0, 2.0, n) ** 2
    slopes = {Targets(losses, warp).values[0]: Targets(losses, warp).log_slopes.sum() for warp in WARPS}
    liked = Targets(losses, favourite).values[0]

    def search(y: Array, starts: Sequence[str], iterations: int) -> tuple[str, float]:
        searches.append((list(starts), iterations))
        return f"found {len(searches)}", float(slopes[y[0]] + (0.0 if y[0] == liked else 1.0))

    found, targets = explanation(losses, np.arange(n), search, ["short", "long"], remembered, ["short", "long"])
    np.testing.assert_array_equal(targets.values, Targets(losses, targets.warp).values)
    return found, targets.warp, searches


def test_without_a_memory_all_warps_are_compared_from_the_beginnings() -> None:
    found, warp, searches = _explained(30, None)
    assert searches == [(["short", "long"], 50), *[(["found 1"], 10)] * (len(WARPS) - 1)]
    assert (found, warp) == ("found 3", WARPS[2])


def test_a_memory_is_one_of_the_beginnings_and_its_warp_is_kept_between_comparisons() -> None:
    assert _explained(16, ("old", 5.0))[2][0] == (["old", "short", "long"], 50)
    found, warp, searches = _explained(30, ("old", -0.9))
    assert searches == [(["old"], 10)]
    assert (found, warp) == ("found 1", -0.9)
    assert _explained(32, ("old", -0.9))[1] == WARPS[2]


def test_a_memory_without_noise_does_not_keep_it_from_being_found() -> None:
    X = points(48, NUMERIC)
    losses = X[:, 0] + 0.3 * np.random.default_rng(0).normal(size=48)
    wiggly = Hyperparameters(np.array([0.05, 2.0, 2.0]), 1.0, 1e-7, np.full(4, 1e-3))
    found = surrogate(X, losses, NUMERIC, (wiggly, WARPS[0])).process.hyperparameters
    assert found.noise > 0.1


@pytest.mark.parametrize(("n", "searches"), [(71, 0), (72, len(WARPS)), (73, 0), (400, len(WARPS)), (401, 0)])
def test_a_long_run_searches_each_eighth_time(n: int, searches: int) -> None:
    found, warp, made = _explained(n, ("old", -0.9))
    assert len(made) == searches
    assert all(iterations == 10 for _, iterations in made)
    assert warp == (WARPS[2] if searches else -0.9)
    assert (found == "old") is (searches == 0)


# --------------------------------------------------------------------------------------------------------- many results


def _many(n: int = 600) -> tuple[Array, Array]:
    X = points(n, MIXED)
    losses = _losses(X) + 0.1 * np.random.default_rng(1).normal(size=n)
    losses[::50] = np.nan
    return X, losses


def test_of_many_results_all_are_in_the_posterior() -> None:
    X, losses = _many()
    found, Z = surrogate(X, losses, MIXED), points(30, MIXED, seed=1)
    _assert_sane(found, Z)
    h = found.process.hyperparameters
    theta = tensor(np.log([*h.lengthscales, h.signal, h.noise, *h.effects]))
    mean, variance = posterior(tensor(X), tensor(Targets(losses, found.warp).values), tensor(Z), MIXED, theta)
    np.testing.assert_allclose(found.process.predict(Z)[0], mean.numpy(), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(found.process.predict(Z)[1], variance.numpy(), rtol=1e-5, atol=1e-9)


def test_a_part_of_many_results_is_enough_for_hyperparameters() -> None:
    X, losses = _many()
    finite = np.isfinite(losses)
    noise = surrogate(X[finite], losses[finite], MIXED).process.hyperparameters.noise
    assert noise == pytest.approx((0.1 / losses[finite].std()) ** 2, rel=0.4)


@pytest.mark.parametrize(
    "losses", [np.zeros(450), np.full(450, np.nan), np.full(450, -np.inf)], ids=lambda v: f"{v[0]}"
)
def test_many_results_that_tell_nothing(losses: Array) -> None:
    _assert_sane(surrogate(points(450, NUMERIC), losses, NUMERIC), points(30, NUMERIC, seed=1))


# ------------------------------------------------------------------------------------------------------- many results


@pytest.mark.parametrize("seed", range(2))
def test_a_cluster_that_rounding_leaves_indefinite(seed: int) -> None:
    generator = np.random.default_rng(seed)
    X = generator.random((500, 4))
    X[50:] = np.clip(0.4 + 10.0 ** -generator.integers(5, 8, (450, 1)) * generator.standard_normal((450, 4)), 0.0, 1.0)
    choices = np.zeros(4, dtype=np.intp)
    found = surrogate(X, np.sin(1e3 * X.sum(axis=1)), choices)
    _assert_sane(found, generator.random((20, 4)))
    _assert_sane(Surrogate(found.process.believing(X[50:60] + 1e-9), found.warp), generator.random((20, 4)))


def test_past_64_results_hyperparameters_are_searched_each_eighth_time() -> None:
    X = points(81, NUMERIC)
    remembered = (Hyperparameters(np.full(3, 0.7), 1.5, 0.01, np.full(4, 0.1)), WARPS[1])
    for n, kept in ((71, True), (72, False), (79, True), (80, False)):
        found = surrogate(X[:n], _losses(X[:n]), NUMERIC, remembered)
        same = found.process.hyperparameters.signal == pytest.approx(1.5) and found.warp == WARPS[1]
        assert same is kept
    assert surrogate(X[:64], _losses(X[:64]), NUMERIC, remembered).process.hyperparameters.signal != pytest.approx(1.5)


def test_remembered_hyperparameters_beyond_all_bounds_are_moved_into_them() -> None:
    X = points(71, NUMERIC)
    for value in (1e-300, 1e300):
        remembered = (Hyperparameters(np.full(3, value), value, value, np.full(4, value)), WARPS[0])
        _assert_sane(surrogate(X, _losses(X), NUMERIC, remembered), points(20, NUMERIC, seed=3))


# ------------------------------------------------------------------------------------------- more than can be believed


def test_of_few_results_all_are_believed() -> None:
    np.testing.assert_array_equal(believed(np.zeros(1200)), np.arange(1200))


@pytest.mark.parametrize("n", [1201, 5000, 100_000])
def test_of_many_results_the_best_the_latest_and_some_of_all_others_are_believed(n: int) -> None:
    losses = np.random.default_rng(n).normal(size=n)
    losses[::7] = np.nan
    found = believed(losses)
    assert len(found) == 1200
    assert (np.diff(found) > 0).all()
    assert set(np.argsort(losses)[:600]) <= set(found)
    assert set(range(n - 300, n)) <= set(found)
    others = np.setdiff1d(found, [*np.argsort(losses)[:600], *range(n - 300, n)])
    assert np.diff([0, *others, n - 300]).max() <= 3 * max(n / len(others), 100.0)


def test_one_result_more_changes_little_of_what_is_believed() -> None:
    losses = np.random.default_rng(0).normal(size=5001)
    assert len(set(believed(losses)) ^ set(believed(losses[:-1]))) <= 6


@pytest.mark.parametrize(("start", "part"), [(401, 1000), (1000, 100)])
def test_past_400_results_each_decision_makes_one_search(start: int, part: int) -> None:
    made: list[tuple[int, float]] = []

    def search(y: Array, starts: Sequence[str], iterations: int) -> tuple[str, float]:
        made.append((iterations, float(y[0])))
        return f"found {len(made)}", 1e9 if len(made) == 2 else 0.0

    rivals = set[float]()
    for n in range(start, start + 32):
        made.clear()
        losses = np.linspace(1.0, 2.0, n) ** 2
        found, targets = explanation(losses, np.arange(min(part, n)), search, ["short", "long"], ("old", 0.0), [])
        assert targets.warp == 0.0
        if n % 8 == 0:
            assert ([each for each, _ in made], found) == ([10], "found 1")
        elif n % 8 == 4:
            assert [each for each, _ in made] == [0, 10], "how probable the old ones are, and a search under a rival"
            rivals.add(made[1][1])
        else:
            assert (made, found) == ([], "old")
    assert len(rivals) >= 3


def test_a_part_of_the_results_is_believed_as_if_there_were_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neps._models.surrogate._BELIEVED", 60)
    monkeypatch.setattr("neps._models.surrogate._SEARCHED", 40)
    X, losses = _many(200)
    among = believed(losses)
    memory = (surrogate(X, losses, MIXED).process.hyperparameters, 0.0)
    found = surrogate(X[among], losses, MIXED, memory, among)
    _assert_sane(found, points(30, MIXED, seed=8))
    assert found.process.X.shape == (60, 4)
    np.testing.assert_array_equal(found.process.y, Targets(losses, found.warp).values[among])
