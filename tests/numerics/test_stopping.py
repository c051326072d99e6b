"""What a cost buys with stages, against closed forms and numeric integration of the best rule for giving up."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.stats import norm

from neps._models.stopping import Stages

Array = NDArray[np.float64]
TWO = [
    (0.0, (0.7, 0.7), (0.5, 0.5)),
    (0.3, (0.9, 0.3), (0.2, 0.8)),
    (-0.4, (0.3, 0.9), (0.2, 0.8)),
    (1.5, (1.0, 0.2), (1.0, 30.0)),
    (2.5, (0.6, 1.0), (1.0, 2.0)),
    (0.5, (0.05, 0.8), (1.0, 1.0)),
    (4.0, (0.8, 0.6), (1.0, 8.0)),
]


def _improvement(mean: float, deviation: float, best: float) -> float:
    z = (best - mean) / deviation
    return float(deviation * (norm.pdf(z) + z * norm.cdf(z)))


def _brute_force(mean: float, deviations: tuple[float, float], costs: tuple[float, float], best: float) -> float:
    """The logarithm of the rate of two stages: where the best rule neither gains nor loses at the price of cost."""

    def gain(price: float) -> float:
        def goes_on(x: float) -> float:
            return max(_improvement(x, deviations[1], best) - price * costs[1], 0.0) * float(
                norm.pdf(x, mean, deviations[0])
            )

        low, high = mean - 10.0 * deviations[0], mean + 10.0 * deviations[0]
        edge = low
        if _improvement(low, deviations[1], best) > price * costs[1]:
            edge = float(
                brentq(lambda x: _improvement(x, deviations[1], best) - price * costs[1], low, high + 40.0, xtol=1e-13)
            )
        middle = min(edge, mean, high)
        total = sum(quad(goes_on, *ends, epsabs=0.0)[0] for ends in ((low, middle), (middle, min(edge, high))))
        return float(total - price * costs[0])

    straight = _improvement(mean, math.hypot(*deviations), best) / sum(costs)
    rate = brentq(gain, 0.5 * straight, 1.01 * straight * sum(costs) / costs[0], xtol=1e-300, rtol=1e-5)
    return math.log(rate)


def _stages(cases: list[tuple[float, tuple[float, float], tuple[float, float]]], best: float = 0.0) -> Stages:
    means, deviations, costs = (np.array(column) for column in zip(*cases, strict=True))
    return Stages(means, deviations, costs, best)


def _random(m: int, k: int, seed: int = 0) -> Stages:
    generator = np.random.default_rng(seed)
    return Stages(generator.normal(1.0, 1.0, m), generator.random((m, k)), 0.1 + generator.random((m, k)), best=0.0)


# --------------------------------------------------------------------------------------------------------- closed forms


def test_straight_is_expected_improvement_by_cost() -> None:
    stages = _random(20, 3)
    deviations = np.sqrt((stages.deviations**2).sum(axis=1))
    expected = [_improvement(mean, deviation, 0.0) for mean, deviation in zip(stages.means, deviations, strict=True)]
    np.testing.assert_allclose(stages.straight, np.log(expected / stages.costs.sum(axis=1)), rtol=1e-9)


def test_with_one_stage_there_is_nothing_to_give_up() -> None:
    stages = _random(20, 1)
    np.testing.assert_allclose(stages.log_rates, stages.straight, atol=1e-12)
    assert stages.log_rates.argmax() == int(stages.straight.argmax())


def test_stages_that_are_over_change_nothing() -> None:
    stages = _random(20, 3)
    over = np.zeros((20, 2))
    later = Stages(stages.means, np.hstack([over, stages.deviations]), np.hstack([over, stages.costs]), 0.0)
    np.testing.assert_allclose(later.log_rates, stages.log_rates, atol=1e-12)


def test_stages_that_tell_nothing_are_no_reason_to_give_up() -> None:
    stages = Stages(np.zeros(1), np.array([[0.0, 0.0, 1.0]]), np.array([[1.0, 2.0, 3.0]]), best=-1.0)
    np.testing.assert_allclose(stages.log_rates, stages.straight, atol=1e-3)
    # What the last tells comes too late: with the second, the third's cost is only paid where it is sure to improve.
    early = Stages(np.zeros(1), np.array([[0.0, 1.0, 0.0]]), np.array([[1.0, 2.0, 3.0]]), best=-1.0)
    assert early.log_rates[0] > early.straight[0] + 0.3


# ---------------------------------------------------------------------------------------------------------- brute force


@pytest.mark.parametrize("case", TWO, ids=str)
def test_two_stages_against_numeric_integration(
    case: tuple[float, tuple[float, float], tuple[float, float]],
) -> None:
    stages = _stages([case])
    expected = _brute_force(*case, 0.0)
    assert stages.straight[0] <= expected + 1e-9
    np.testing.assert_allclose(stages.log_rates, expected, atol=0.02)


def test_three_equal_stages_against_a_fine_grid() -> None:
    deviation, price_of_one = 0.6, 1.0
    x = np.linspace(-8.0, 8.0, 1001)
    density = norm.pdf(x[:, None], x, deviation) * (x[1] - x[0])
    last = np.array([_improvement(float(each), deviation, -1.0) for each in x])

    def gain(rate: float) -> float:
        second = density @ np.maximum(last - rate * price_of_one, 0.0) - rate * price_of_one
        first = density[500] @ np.maximum(second, 0.0) - rate * price_of_one
        return float(first)

    stages = Stages(np.zeros(1), np.full((1, 3), deviation), np.ones((1, 3)), best=-1.0)
    straight = math.exp(stages.straight[0])
    expected = math.log(brentq(gain, straight, 3.0 * straight, rtol=1e-6))
    np.testing.assert_allclose(stages.log_rates, expected, atol=0.01)


def test_many_small_stages_tell_as_much_as_few_large_ones() -> None:
    # The limit of continuous observation is approached from below; a coarse grid would blur 64 small changes.
    rates = [
        Stages(np.zeros(1), np.full((1, k), k**-0.5), np.full((1, k), 1.0 / k), best=-1.0).log_rates[0]
        for k in (16, 32, 64)
    ]
    assert rates[0] < rates[1] < rates[2] < rates[1] + 0.06


def test_the_leader_is_that_of_brute_force() -> None:
    generator = np.random.default_rng(0)
    for _ in range(2):
        cases = [
            (float(mean), (float(first), float(second)), (float(cost), 1.0))
            for mean, first, second, cost in zip(
                generator.normal(1.0, 0.5, 6), *(0.2 + generator.random((2, 6))), 0.1 + generator.random(6), strict=True
            )
        ]
        brute = np.array([_brute_force(*case, 0.0) for case in cases])
        assert _stages(cases).log_rates.argmax() == int(brute.argmax())
        np.testing.assert_allclose(_stages(cases).log_rates, brute, atol=0.02)


def test_giving_up_can_change_the_leader() -> None:
    # Both cost and promise about the same; what comes of the second is seen after a tenth of the cost.
    stages = _stages([(0.0, (0.1, 1.0), (0.1, 0.9)), (0.1, (1.0, 0.1), (0.1, 0.9))])
    assert stages.straight.argmax() == 0
    assert stages.log_rates.argmax() == 1


# ------------------------------------------------------------------------------------------------------ extreme numbers


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_the_unit_of_losses_does_not_matter(unit: float) -> None:
    stages = _random(20, 3)
    scaled = Stages(unit * stages.means, unit * stages.deviations, stages.costs, 0.0)
    np.testing.assert_allclose(scaled.log_rates - math.log(unit), stages.log_rates, rtol=1e-9, atol=1e-9)
    assert scaled.log_rates.argmax() == stages.log_rates.argmax()


@pytest.mark.parametrize("unit", [1e-200, 1e-6, 1e6, 1e200])
def test_the_unit_of_cost_does_not_matter(unit: float) -> None:
    stages = _random(20, 3)
    scaled = Stages(stages.means, stages.deviations, unit * stages.costs, 0.0)
    np.testing.assert_allclose(scaled.log_rates + math.log(unit), stages.log_rates, rtol=1e-9, atol=1e-9)
    assert scaled.log_rates.argmax() == stages.log_rates.argmax()


def test_where_nothing_can_change_the_prediction_counts() -> None:
    stages = Stages(np.array([-1.0, -3.0, 1.0]), np.zeros((3, 2)), np.ones((3, 2)), best=0.0)
    np.testing.assert_allclose(stages.log_rates[:2], np.log([0.5, 1.5]), atol=1e-6)
    assert stages.log_rates[2] < -1e9
    assert stages.log_rates.argmax() == 1


@pytest.mark.parametrize("distance", [20.0, 60.0, 1e4, 1e8])
def test_improvements_that_underflow_still_have_an_order(distance: float) -> None:
    stages = _random(20, 3)
    far = Stages(stages.means, stages.deviations, stages.costs, -distance)
    assert np.all(np.isfinite(far.log_rates))
    assert np.all(far.log_rates >= far.straight)
    assert np.all(far.log_rates <= far.straight + np.log(far.costs.sum(axis=1) / far.costs[:, 0]) + 1e-9)
    near = np.tile([0.5, 0.4, 0.3], (2, 1))
    assert Stages(np.array([1.0, 0.5]), near, np.ones((2, 3)), -distance).log_rates.argmax() == 1


def test_rates_do_not_depend_on_the_other_candidates() -> None:
    stages = _random(10, 3)
    alone = [
        Stages(stages.means[i : i + 1], stages.deviations[i : i + 1], stages.costs[i : i + 1], 0.0).log_rates[0]
        for i in range(10)
    ]
    np.testing.assert_allclose(stages.log_rates, alone, atol=1e-9)
