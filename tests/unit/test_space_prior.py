"""Priors against scipy's truncated normal, against counts, and against the rule that densities integrate to 1."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import pytest
from scipy import integrate, stats

from neps.space import Categorical, Constant, Float, Integer, SearchSpace, Value
from neps.space._prior import TruncatedNormal

Confidence = Literal["low", "medium", "high"]
DEVIATIONS: dict[Confidence, float] = {"low": 0.5, "medium": 0.25, "high": 0.125}
WEIGHTS: dict[Confidence, int] = {"low": 2, "medium": 4, "high": 6}
CONFIDENCES = list(DEVIATIONS)


def reference(mean: float, deviation: float) -> stats.rv_continuous:
    """The prior on the unit interval, by scipy."""
    return stats.truncnorm(-mean / deviation, (1 - mean) / deviation, loc=mean, scale=deviation)


@pytest.mark.parametrize("deviation", DEVIATIONS.values())
@pytest.mark.parametrize("mean", [0.0, 0.1, 0.5, 0.97, 1.0])
def test_truncated_normal_agrees_with_scipy(mean: float, deviation: float) -> None:
    ours, theirs = TruncatedNormal(mean, deviation), reference(mean, deviation)
    positions = np.linspace(0, 1, 41)
    np.testing.assert_allclose(
        [ours.log_density(x, x) for x in positions],
        theirs.logpdf(positions),
        rtol=1e-10,
        atol=1e-12,
    )
    # Tails: scipy's own upper tail is taken from the mirrored distribution, where it has digits left.
    small = np.logspace(-15, np.log10(0.5), 30)
    mirrored = reference(1 - mean, deviation)
    np.testing.assert_allclose([ours.quantile(p) for p in small], theirs.ppf(small), rtol=1e-6, atol=1e-13)
    upper = [1 - ours.quantile(1 - p) for p in small[10:]]
    np.testing.assert_allclose(upper, mirrored.ppf(1 - (1 - small[10:])), rtol=1e-6, atol=1e-13)
    assert [ours.quantile(0.0), ours.quantile(1.0)] == pytest.approx([0.0, 1.0], abs=1e-12)


@pytest.mark.parametrize("width", [1.0, 0.3, 1e-3, 1.1e-5, 0.9e-6, 1e-9, 1e-15])
@pytest.mark.parametrize("begin", [0.0, 0.2, 0.31, 0.9])
def test_mean_density_is_right_for_wide_and_narrow_bins(begin: float, width: float) -> None:
    end = min(begin + width, 1.0)
    ours, theirs = TruncatedNormal(0.3, 0.125), reference(0.3, 0.125)
    points, weights = np.polynomial.legendre.leggauss(60)
    expected = np.log(weights @ theirs.pdf(begin + (end - begin) * (points + 1) / 2) / 2)
    assert ours.log_density(begin, end) == pytest.approx(expected, abs=3e-9)


@pytest.mark.parametrize("confidence", CONFIDENCES)
def test_float_density_is_the_normal_on_the_log_scale(confidence: Confidence) -> None:
    space = SearchSpace({"x": Float(1e-4, 1, log=True, default=1e-3, default_confidence=confidence)})
    theirs = reference(0.25, DEVIATIONS[confidence])
    for unit in (0.0, 0.1, 0.25, 0.6, 1.0):
        assert space.log_prior(space.decode([unit])) == pytest.approx(theirs.logpdf(unit), abs=1e-9)
    total, _ = integrate.quad(lambda u: math.exp(space.log_prior(space.decode([u]))), 0, 1, points=[0.25])
    assert total == pytest.approx(1, abs=1e-8)


@pytest.mark.parametrize("confidence", CONFIDENCES)
@pytest.mark.parametrize("log", [False, True])
def test_integer_bins_have_the_mass_of_the_normal(*, log: bool, confidence: Confidence) -> None:
    lower, upper, default = 2, 40, 5
    space = SearchSpace({"k": Integer(lower, upper, log=log, default=default, default_confidence=confidence)})
    edges = np.arange(lower, upper + 2) - 0.5
    edges = np.log(edges) if log else edges
    edges = (edges - edges[0]) / (edges[-1] - edges[0])
    centre = (edges[3] + edges[4]) / 2
    theirs = reference(centre, DEVIATIONS[confidence])
    masses = np.where(edges[1:] > centre, -np.diff(theirs.sf(edges)), np.diff(theirs.cdf(edges)))
    ours = [space.log_prior({"k": k}) for k in range(lower, upper + 1)]
    np.testing.assert_allclose(np.exp(ours) * np.diff(edges), masses, rtol=1e-9)
    assert float(np.exp(ours) @ np.diff(edges)) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("log", [False, True])
def test_samples_follow_the_density_of_integers(*, log: bool) -> None:
    space = SearchSpace({"k": Integer(1, 6, log=log, default=2, default_confidence="medium")})
    generator = np.random.default_rng(3)
    counts = np.bincount([int(str(space.sample_prior(generator)["k"])) for _ in range(20_000)], minlength=7)[1:]
    edges = np.log(np.arange(7) + 0.5) if log else np.arange(7.0)
    widths = np.diff(edges) / (edges[-1] - edges[0])
    masses = widths * np.exp([space.log_prior({"k": k}) for k in range(1, 7)])
    assert stats.chisquare(counts, 20_000 * masses).pvalue > 0.01


@pytest.mark.parametrize("confidence", CONFIDENCES)
def test_samples_of_floats_have_the_quantiles_of_the_normal(confidence: Confidence) -> None:
    space = SearchSpace({"x": Float(1, 1e6, log=True, default=1e6, default_confidence=confidence)})
    generator = np.random.default_rng(5)
    units = [space.encode(space.sample_prior(generator))[0] for _ in range(4000)]
    assert stats.kstest(units, reference(1.0, DEVIATIONS[confidence]).cdf).pvalue > 0.01


@pytest.mark.parametrize("confidence", CONFIDENCES)
@pytest.mark.parametrize("default", ["a", "b", "d"])
def test_the_default_choice_weighs_its_weight(default: str, confidence: Confidence) -> None:
    choices, weight = ["a", "b", "c", "d"], WEIGHTS[confidence]
    space = SearchSpace({"c": Categorical(choices, default=default, default_confidence=confidence)})
    expected = np.array([weight if choice == default else 1 for choice in choices]) / (weight + 3)
    densities = np.exp([space.log_prior({"c": choice}) for choice in choices])
    np.testing.assert_allclose(densities / 4, expected, rtol=1e-12)
    generator = np.random.default_rng(11)
    drawn = [space.sample_prior(generator)["c"] for _ in range(8000)]
    assert stats.chisquare([drawn.count(choice) for choice in choices], 8000 * expected).pvalue > 0.01


def test_every_choice_is_reached_and_the_last_probability_is_the_last_choice() -> None:
    parameter = Categorical(range(5), default=2, default_confidence="high")
    edges = [0.0, 0.1, 0.2, 0.8, 0.9, 1.0]
    for index in range(5):
        inside = (edges[index] + 1e-12, edges[index + 1] - 1e-12)
        assert [parameter.quantile(p) for p in inside] == [(index + 0.5) / 5] * 2
    assert (parameter.quantile(0.0), parameter.quantile(1.0)) == (0.1, 0.9)


def test_parameters_without_a_default_are_uniform() -> None:
    space = SearchSpace({"x": Float(0, 1, default=0.2), "y": Float(0, 1), "n": Integer(0, 2**40)})
    alone = SearchSpace({"x": Float(0, 1, default=0.2)})
    assert space.log_prior({"x": 0.4, "y": 0.9, "n": 3}) == alone.log_prior({"x": 0.4})
    drawn, uniform = space.sample_prior(np.random.default_rng(0)), space.sample(np.random.default_rng(0))
    assert (drawn["y"], drawn["n"]) == (uniform["y"], uniform["n"])
    assert drawn["x"] != uniform["x"]


def test_parameters_are_independent() -> None:
    x, c = Float(0, 1, default=0.2), Categorical(["a", "b"], default="b")
    both = SearchSpace({"x": x, "c": c}).log_prior({"x": 0.7, "c": "a"})
    apart = SearchSpace({"x": x}).log_prior({"x": 0.7}) + SearchSpace({"c": c}).log_prior({"c": "a"})
    assert both == pytest.approx(apart, abs=1e-15)


def test_a_single_value_has_density_one() -> None:
    space = SearchSpace({"x": Float(3, 3, default=3), "n": Integer(4, 4, default=4), "c": Categorical(["a"], "a")})
    only: dict[str, Value] = {"x": 3.0, "n": 4, "c": "a"}
    assert space.log_prior(only) == pytest.approx(0, abs=1e-15)
    assert space.sample_prior(np.random.default_rng(0)) == space.default_config() == only


def test_default_config_fills_in_centres() -> None:
    space = SearchSpace(
        {
            "lr": Float(1e-4, 1, log=True),
            "n": Integer(1, 9),
            "epochs": Integer(1, 81, is_fidelity=True, default=3),
            "c": Categorical(["a", "b"]),
            "k": Constant(7),
            "d": Categorical([0, 2, 5], default=0),
        },
    )
    assert space.has_prior
    assert space.default_config() == {"lr": pytest.approx(0.01), "n": 5, "epochs": 81, "c": "a", "k": 7, "d": 0}


def test_no_prior_without_a_default_that_is_searched() -> None:
    space = SearchSpace({"x": Float(0, 1), "n": Integer(1, 9, is_fidelity=True, default=3)})
    assert not space.has_prior
    assert space.default_config() is None
    assert space.log_prior({"x": 0.3}) == 0.0
