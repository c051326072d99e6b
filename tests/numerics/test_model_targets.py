"""The transform of losses before a model is fitted: its order, its units, and the slopes that its evidence needs."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import trapezoid

from neps._models.losses import WARPS, Targets

Array = NDArray[np.float64]
LOSSES = np.array([0.3, 1.2, 0.7, 2.0, 0.5, 1.1])
warps = pytest.mark.parametrize("warp", sorted({*WARPS, -0.9, 0.0, 5.0}))


def _exploding(n: int = 30) -> Array:
    return np.array([10.0**exponent for exponent in np.linspace(-3.0, 300.0, n)])


def test_benign_losses_are_only_standardised() -> None:
    expected = (LOSSES - LOSSES.mean()) / LOSSES.std()
    np.testing.assert_allclose(Targets(LOSSES).values, expected, rtol=1e-12)


@warps
def test_targets_have_mean_0_and_deviation_1(warp: float) -> None:
    for losses in (LOSSES, _exploding(), np.append(LOSSES, [np.nan, np.inf, -np.inf])):
        values = Targets(losses, warp).values
        np.testing.assert_allclose([values.mean(), values.std()], [0.0, 1.0], atol=1e-12)


@warps
def test_the_order_of_losses_is_kept(warp: float) -> None:
    losses = np.random.default_rng(0).normal(size=200)
    order = np.argsort(losses)
    values = Targets(losses, warp).values[order]
    assert np.all(np.diff(values[:101]) > 0.0), "the better half"
    assert np.all(np.diff(values) >= 0.0)


@warps
@pytest.mark.parametrize("scale", [1e-300, 1e-12, 1e12, 1e300])
@pytest.mark.parametrize("offset", [0.0, -10.0])
def test_the_unit_of_the_loss_does_not_matter(scale: float, offset: float, warp: float) -> None:
    targets, expected = Targets(scale * (LOSSES + offset), warp), Targets(LOSSES, warp)
    np.testing.assert_allclose(targets.values, expected.values, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(targets.log_slopes, expected.log_slopes, rtol=1e-9, atol=1e-9)


@warps
@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_what_is_infinite_is_as_bad_as_the_worst(bad: float, warp: float) -> None:
    targets = Targets(np.append(LOSSES, bad), warp).values
    assert targets[-1] == targets.max() == targets[np.argmax(LOSSES)]
    assert np.argmin(targets) == np.argmin(LOSSES)


@warps
def test_a_failure_is_at_the_upper_quartile(warp: float) -> None:
    losses = np.array([3.0, 1.0, np.nan, 2.0, 5.0, 4.0, np.nan])
    targets = Targets(losses, warp).values
    assert targets[2] == targets[6] == pytest.approx(targets[5], rel=1e-12)
    assert np.argmin(targets) == 1


@warps
def test_an_exploded_loss_does_not_flatten_the_others(warp: float) -> None:
    targets = Targets(np.append(LOSSES, 1e30), warp).values
    assert targets[-1] == targets.max()
    assert np.ptp(targets[: len(LOSSES)]) > 0.5
    np.testing.assert_array_equal(np.argsort(targets[:-1]), np.argsort(LOSSES))


@warps
def test_heavy_tails_leave_the_better_half_apart(warp: float) -> None:
    values = Targets(_exploding(), warp).values
    assert np.all(np.isfinite(values))
    assert np.abs(values).max() < 6.0


@warps
@pytest.mark.parametrize(
    "losses", [[3.0], [0.0, 0.0], [1e12] * 5, [np.nan], [np.nan, np.inf, -np.inf], [0.3, 0.3], [5.0, np.nan]], ids=str
)
def test_losses_that_tell_nothing_become_zeros(losses: list[float], warp: float) -> None:
    targets = Targets(np.array(losses), warp)
    np.testing.assert_array_equal(targets.values, np.zeros(len(losses)))
    np.testing.assert_array_equal(targets.log_slopes, np.zeros(len(losses)))


@warps
def test_many_equal_losses_and_one_other(warp: float) -> None:
    values = Targets(np.array([1.0, 1.0, 1.0, 1.0, 7.0]), warp).values
    np.testing.assert_allclose(values, [-0.5, -0.5, -0.5, -0.5, 2.0])


@warps
def test_no_overflow_at_the_largest_floats(warp: float) -> None:
    with np.errstate(over="ignore"):
        targets = Targets(np.array([-1.7e308, 0.0, 1.7e308, 1.0]), warp).values
    assert np.all(np.isfinite(targets))
    assert targets[0] < targets[1] <= targets[3] < targets[2]


@pytest.mark.parametrize("tiny", [5e-324, 1e-310])
def test_denormal_losses(tiny: float) -> None:
    np.testing.assert_allclose(Targets(np.array([0.0, tiny, 2.0 * tiny])).values, [-(1.5**0.5), 0.0, 1.5**0.5])


def test_the_losses_given_are_not_changed() -> None:
    losses = np.append(LOSSES, [np.nan, np.inf, 1e30])
    before = losses.copy()
    Targets(losses, WARPS[-1])
    np.testing.assert_array_equal(losses, before)


# --------------------------------------------------------------------------------------------------------------- slopes


@warps
def test_slopes_are_the_derivatives_of_the_values(warp: float) -> None:
    u = np.linspace(0.0, 2.0, 4001)  # the median is 1: a loss is its own distance in units of the median's
    targets = Targets(7.0 + 3.0 * u, warp)
    numerical = np.gradient(targets.values, u, edge_order=2)
    np.testing.assert_allclose(np.exp(targets.log_slopes), numerical, rtol=1e-4)


@warps
def test_the_density_of_a_loss_integrates_to_1(warp: float) -> None:
    # Of targets that are normal around 1.2 with deviation 0.2, by the rule of change of variables.
    u = np.linspace(0.0, 2.0, 4001)
    targets = Targets(u, warp)
    middle = targets.values[1000]
    density = np.exp(-0.5 * ((targets.values - middle) / 0.1) ** 2) / (0.1 * np.sqrt(2.0 * np.pi))
    integral = trapezoid(density * np.exp(targets.log_slopes), u)
    np.testing.assert_allclose(integral, 1.0, rtol=1e-5)


def test_the_evidence_prefers_the_warp_that_made_the_losses() -> None:
    generator = np.random.default_rng(0)
    for warp in (0.0, 5.0):
        v = np.abs(generator.normal(size=4000))  # half of a normal distribution, without a warp
        losses = np.expm1(warp * v) / warp if warp else v
        evidence = {b: _half_normal_evidence(losses, b) for b in (0.0, 5.0)}
        assert max(evidence, key=evidence.__getitem__) == warp


def _half_normal_evidence(losses: Array, warp: float) -> float:
    targets = Targets(losses, warp)
    distance = targets.values - targets.values.min()
    deviation = np.sqrt(np.mean(distance**2))
    return float(np.sum(-0.5 * (distance / deviation) ** 2 - np.log(deviation) + targets.log_slopes))
