"""Surrogates of losses at several fidelities as runs have them: failed, of any unit, ill-conditioned, many."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from neps._models.fidelity_process import FidelityHyperparameters
from neps._models.fidelity_surrogate import FidelitySurrogate, _part, fidelity_surrogate
from neps._models.gaussian_process import Hyperparameters
from neps._models.losses import WARPS, Targets
from numerics.cube import points
from numerics.dense_fidelity_process import posterior

Array = NDArray[np.float64]
NUMERIC = np.zeros(2, dtype=np.intp)
MIXED = np.array([0, 3, 0])
LEVELS = np.array([1.0, 1.0, 0.5, 1.0, 0.5, 0.0])


def _results(n: int, choices: NDArray[np.intp] = NUMERIC) -> tuple[Array, Array, Array]:
    X, u = points(n, choices), np.resize(LEVELS, n)
    return X, u, np.asarray(np.sin(4.0 * X[:, 0]) + X[:, 1] + u * (1.0 + 0.3 * X[:, 0]) + 3.0)


def _but(losses: Array, index: int, value: float) -> Array:
    changed = losses.copy()
    changed[index] = value
    return changed


def _memory(value: float = 0.3) -> tuple[FidelityHyperparameters, float]:
    top = Hyperparameters(np.full(2, value), value, value, np.full(4, value))
    return FidelityHyperparameters(top, value, value, value, value), WARPS[1]


def _assert_sane(found: FidelitySurrogate, Z: Array, largest: float = 100.0) -> None:
    mean, variance = found.process.predict(np.concatenate([found.process.X, Z]))
    assert np.all(np.abs(mean) < 20.0)
    assert np.all((variance > 0.0) & (variance < largest))
    means, covariances = found.process.joint(Z, np.array([1.0, 0.5, 0.0]))
    assert np.all(np.isfinite(means))
    assert np.all(np.isfinite(covariances))


def _assert_same(first: FidelitySurrogate, second: FidelitySurrogate) -> None:
    ours, other = first.process.over_fidelities, second.process.over_fidelities
    for part in (lambda h: h.top.lengthscales, lambda h: h.top.effects, lambda h: [h.top.signal, h.top.noise]):
        np.testing.assert_array_equal(part(ours), part(other))
    assert dataclasses.replace(ours, top=other.top) == other
    assert first.warp == second.warp
    np.testing.assert_array_equal(first.process.y, second.process.y)


# ----------------------------------------------------------------------------------------------------------- robustness

X, U, LOSSES = _results(24)
ILL = {
    "n = 1": (X[:1], U[:1], LOSSES[:1]),
    "n = 1, failed": (X[:1], U[:1], np.array([np.nan])),
    "all failed": (X, U, np.full(24, np.nan)),
    "one failed": (X, U, _but(LOSSES, 5, np.nan)),
    "one infinite": (X, U, _but(LOSSES, 5, np.inf)),
    "one exploded": (X, U, _but(LOSSES, 5, 1e300)),
    "constant losses": (X, U, np.full(24, 7.0)),
    "all at the lowest": (X, np.ones(24), LOSSES),
    "all at the highest": (X, np.zeros(24), LOSSES),
    "duplicates": (np.repeat(X[:6], 4, axis=0), U, LOSSES),
    "the same results twice": (np.tile(X[:12], (2, 1)), np.tile(U[:12], 2), np.tile(LOSSES[:12], 2)),
    "near duplicates": (0.5 + 1e-13 * X, U, LOSSES),
}


@pytest.mark.parametrize("case", ILL)
def test_ill_conditioned_results(case: str) -> None:
    points_of, distances, losses = ILL[case]
    first = fidelity_surrogate(points_of, distances, losses, NUMERIC)
    _assert_sane(first, points(20, NUMERIC, seed=8))
    memory = (first.process.over_fidelities, first.warp)
    _assert_sane(fidelity_surrogate(points_of, distances, losses, NUMERIC, memory), points(20, NUMERIC, seed=8))


def test_a_failed_evaluation_counts_as_the_worst() -> None:
    found = fidelity_surrogate(X, U, _but(LOSSES, 5, np.nan), NUMERIC)
    assert found.process.y[5] == found.process.y.max()


@pytest.mark.parametrize("unit", [1e-12, 1e12])
def test_the_unit_of_the_losses_does_not_matter(unit: float) -> None:
    Z = points(20, NUMERIC, seed=1)
    expected = fidelity_surrogate(X, U, LOSSES, NUMERIC).process.predict(Z)
    ours = fidelity_surrogate(X, U, unit * LOSSES, NUMERIC).process.predict(Z)
    np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("n", [24, 71])
@pytest.mark.parametrize("value", [1e-300, 1e300, np.inf])
def test_wild_memories_do_no_harm(n: int, value: float) -> None:
    _assert_sane(fidelity_surrogate(*_results(n), NUMERIC, _memory(value)), points(20, NUMERIC, seed=8), 1e4)


# ------------------------------------------------------------------------------------------------------- what it learns


def test_it_predicts_the_highest_fidelity_from_lower_ones() -> None:
    X, u, losses = _results(72, MIXED)
    Z = points(30, MIXED, seed=1)
    found = fidelity_surrogate(X, u, losses, MIXED, None)
    truth = np.sin(4.0 * Z[:, 0]) + Z[:, 1]
    assert np.corrcoef(found.process.predict(Z)[0], truth)[0, 1] > 0.98


def test_the_same_results_give_the_same_bits() -> None:
    first, second = (fidelity_surrogate(X.copy(), U.copy(), LOSSES, NUMERIC) for _ in range(2))
    _assert_same(first, second)


def test_the_posterior_is_of_the_targets_and_hyperparameters_that_it_names() -> None:
    found, Z = fidelity_surrogate(X, U, LOSSES, NUMERIC), points(9, NUMERIC, seed=1)
    np.testing.assert_array_equal(found.process.y, Targets(LOSSES, found.warp).values)
    mean, covariance = posterior(found.process, Z, np.zeros(9))
    np.testing.assert_allclose(found.process.predict(Z)[0], mean, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(found.process.predict(Z)[1], np.diagonal(covariance), rtol=1e-5, atol=1e-9)


# --------------------------------------------------------------------------------------------------------- many results


def test_past_64_results_hyperparameters_are_searched_each_eighth_time() -> None:
    for n, kept in ((71, True), (72, False), (73, True)):
        found = fidelity_surrogate(*_results(n), NUMERIC, _memory())
        same = found.process.over_fidelities.walk == pytest.approx(0.3) and found.warp == WARPS[1]
        assert same is kept


def test_of_more_than_1000_results_the_posterior_is_of_a_part() -> None:
    X, u, losses = _results(1801)
    losses[::50] = np.nan
    found = fidelity_surrogate(X, u, losses, NUMERIC, _memory())
    assert found.process.X.shape == (1000, 2)
    _assert_sane(found, points(20, NUMERIC, seed=8))
    rows = {x.tobytes(): index for index, x in enumerate(X)}
    kept = np.array([rows[x.tobytes()] for x in found.process.X])
    assert set(np.flatnonzero(u == 0.0)) <= set(kept)
    np.testing.assert_array_equal(found.process.u, u[kept])
    as_worst = np.where(np.isnan(losses), np.inf, losses)
    np.testing.assert_array_equal(found.process.y, Targets(as_worst, found.warp).values[kept])


def test_past_1000_results_hyperparameters_are_still_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neps._models.fidelity_surrogate._BELIEVED", 90)
    monkeypatch.setattr("neps._models.fidelity_surrogate._SEARCHED", 40)
    for n, kept in ((119, True), (120, False)):
        found = fidelity_surrogate(*_results(n), NUMERIC, _memory())
        assert len(found.process.X) == 90
        assert (found.process.over_fidelities.walk == pytest.approx(0.3)) is kept


@pytest.mark.parametrize("limits", [{"_FIRST": 40}, {"_MANY": 79, "_FIRST_OF_MANY": 40}])
def test_the_part_that_hyperparameters_are_found_on_is_all_that_they_depend_on(
    limits: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, limit in limits.items():
        monkeypatch.setattr(f"neps._models.fidelity_surrogate.{name}", limit)
    X, u, losses = _results(80)
    part = _part(u, losses, 40)
    others = np.setdiff1d(np.arange(80), part)
    moved = X.copy()
    moved[others] = X[others][::-1]
    first, second = (fidelity_surrogate(points_of, u, losses, NUMERIC) for points_of in (X, moved))
    _assert_same(first, second)
    assert len(first.process.X) == 80


@pytest.mark.parametrize("most", [500, 1000])
def test_a_part_has_the_highest_fidelities_with_the_lowest_losses_and_an_even_part_of_the_rest(most: int) -> None:
    n = 2 * most
    generator = np.random.default_rng(0)
    u, losses = generator.choice([0.0, 0.5, 1.0], n, p=[0.1, 0.4, 0.5]), generator.random(n)
    losses[::40] = np.nan
    part = _part(u, losses, most)
    assert len(part) == len(np.unique(part)) == most
    assert np.all(np.diff(part) > 0)
    assert set(np.flatnonzero(u == 0.0)) <= set(part)
    middle = np.flatnonzero((u == 0.5) & np.isfinite(losses))
    best = middle[np.argsort(losses[middle])][: most // 3 - int((u == 0.0).sum())]
    assert set(best) <= set(part)
    assert np.bincount(part * 10 // n, minlength=10).min() > most // 20
    np.testing.assert_array_equal(_part(u[:most], losses[:most], most), np.arange(most))
    assert len(np.unique(_part(u[: most + 1], losses[: most + 1], most))) == most
