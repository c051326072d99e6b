"""πBO: its initial design, its prior as a term, how that decays, and what good and bad priors do to a search."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

import neps
from neps._budget import Budget
from neps._history import History
from neps._models.terms import LogPrior
from neps._trial import Trial
from neps.errors import ArgumentError
from neps.samplers import BayesianOptimization, PiBO, Sampler, Suggestion
from neps.samplers._model_based import proposal
from neps.samplers._model_based.axes import axes_of
from neps.samplers._model_based.priors import agreement, log_prior, promise, size_with_prior, with_confidence
from neps.space import Categorical, Constant, Float, Integer, SearchSpace, Value
from neps.testing.simulation import decided, ended, generator_for, simulate

MIXED = SearchSpace(
    {
        "rate": Float(1e-4, 1.0, log=True, default=0.01, default_confidence="medium"),
        "momentum": Float(0.0, 1.0),
        "width": Integer(8, 512, log=True, default=64, default_confidence="high"),
        "layers": Integer(1, 4, default=2),
        "kind": Categorical(["a", "b", "c"], default="b", default_confidence="high"),
        "free": Categorical(["p", "q"]),
        "only": Float(2.0, 2.0, default=2.0),
        "data": Constant("digits"),
    }
)


def _decide(sampler: Sampler, history: History, number: int) -> Suggestion:
    answer = sampler.decide(history, number, Budget(), generator_for(history.seed, number))
    assert isinstance(answer, Suggestion)
    return answer


# ------------------------------------------------------------------------------------------------------ initial design


def test_it_begins_with_the_default_and_goes_on_with_points_that_ignore_the_prior() -> None:
    history = History(MIXED, {}, seed=3)
    assert _decide(PiBO(), history, 1).config == MIXED.default_config()
    plain = BayesianOptimization()
    for number in range(2, 5):
        assert _decide(PiBO(), history, number).config == _decide(plain, history, number).config
    assert _decide(PiBO(sample_default_first=False), history, 1).config == _decide(plain, history, 1).config


@pytest.mark.parametrize(("size", "beyond"), [(None, 5), (3, 4)])
def test_what_begins_before_the_results_of_its_design_are_in_is_drawn_from_the_prior(
    size: int | None, beyond: int
) -> None:
    history = History(MIXED, {}, seed=3)
    for number in (beyond, beyond + 20):
        drawn = MIXED.sample_prior(generator_for(3, number))
        assert _decide(PiBO(initial_design_size=size), history, number).config == drawn


@pytest.mark.parametrize(("size", "expected"), [(None, 4), (1, 1), (6, 6)])
def test_the_initial_design_has_its_size(size: int | None, expected: int) -> None:
    history = simulate(PiBO(initial_design_size=size), MIXED, lambda config: float(config["momentum"] or 0.0), 10)
    by = [trial.decision.metadata["by"] for trial in history.trials if trial.decision]
    assert by == ["initial design"] * expected + ["model"] * (10 - expected)


@pytest.mark.parametrize(("dimensions", "expected"), [(1, 2), (2, 2), (3, 2), (4, 3), (6, 4), (20, 4)])
def test_that_is_half_of_what_it_is_without_a_prior_but_two_at_least(dimensions: int, expected: int) -> None:
    assert size_with_prior(SearchSpace({f"x{index}": Float(0.0, 1.0) for index in range(dimensions)})) == expected


@pytest.mark.parametrize("workers", [1, 4])
def test_a_finite_space_is_covered_once_and_then_done(workers: int) -> None:
    space = SearchSpace({"a": Integer(0, 3, default=1, default_confidence="high"), "b": Categorical(["p", "q"])})
    history = simulate(PiBO(initial_design_size=5), space, lambda config: float(config["a"] or 0), 99, workers=workers)
    assert len({tuple(trial.config.values()) for trial in history.trials}) == len(history.trials) == 8


def test_another_confidence_narrows_the_samples() -> None:
    space = SearchSpace({"x": Float(0.0, 1.0, default=0.5, default_confidence="low")})
    spread = {
        confidence: np.std(
            [
                float(_decide(PiBO(prior_confidence=confidence), History(space, {}), number).config["x"] or 0.0)
                for number in range(3, 200)
            ]
        )
        for confidence in (None, "low", "high")
    }
    assert spread[None] == spread["low"] > 1.7 * spread["high"]


def test_trials_are_drawn_at_random_now_and_then_when_asked() -> None:
    sampler = PiBO(initial_design_size=4, random_interleave_prob=0.5)
    history = simulate(sampler, MIXED, lambda config: float(config["momentum"] or 0.0), 24)
    by = [trial.decision.metadata["by"] for trial in history.trials if trial.decision][4:]
    assert 5 <= by.count("random") <= 15
    assert by.count("random") + by.count("model") == 20


# ------------------------------------------------------------------------------------------------- the prior as a term


def _points(space: SearchSpace, count: int) -> tuple[np.ndarray, list[dict[str, Value]]]:
    generator = np.random.default_rng(5)
    configs = [space.sample(generator) for _ in range(count)]
    return np.array([space.encode(config) for config in configs]), configs


def test_it_is_the_log_prior_of_the_space() -> None:
    Z, configs = _points(MIXED, 50)
    expected = np.array([MIXED.log_prior(config) for config in configs])
    # An integer has the mean over its bin there, which is widest for few layers.
    np.testing.assert_allclose(log_prior(MIXED, 0.3)(Z), 0.3 * expected, atol=0.05)


def test_it_is_so_exactly_without_integers() -> None:
    names = [name for name, parameter in MIXED.parameters.items() if not isinstance(parameter, Integer)]
    space = SearchSpace({name: MIXED.parameters[name] for name in names})
    Z, configs = _points(space, 50)
    expected = [space.log_prior(config) for config in configs]
    np.testing.assert_allclose(log_prior(space, 1.0)(Z), expected, rtol=1e-9, atol=1e-12)


def test_its_gradient_is_its_slope_and_0_along_categories() -> None:
    Z, _ = _points(MIXED, 20)
    term = log_prior(MIXED, 0.7)
    values, gradients = term.with_gradient(Z)
    np.testing.assert_array_equal(values, term(Z))
    categories = axes_of(MIXED).choices > 0
    assert (gradients[:, categories] == 0.0).all()
    for j in np.flatnonzero(~categories):
        step = 1e-5 * np.eye(len(categories))[j]
        np.testing.assert_allclose(gradients[:, j], (term(Z + step) - term(Z - step)) / 2e-5, rtol=1e-6, atol=1e-8)


def test_a_confidence_for_all_changes_defaults_and_nothing_else() -> None:
    confident = with_confidence(MIXED, "low")
    expected = {
        name: parameter if isinstance(parameter, Constant) else parameter.with_prior(default_confidence="low")
        for name, parameter in MIXED.parameters.items()
    }
    assert confident == SearchSpace(expected) != MIXED
    assert with_confidence(MIXED, None) == MIXED
    assert (axes_of(confident).choices == axes_of(MIXED).choices).all()


# ----------------------------------------------------------------------------------------------- how much it is trusted


@dataclasses.dataclass(frozen=True)
class _Near:
    """Log expected improvement that falls with the distance from a place along the first axis, and its incumbent."""

    place: float
    incumbent: np.ndarray = dataclasses.field(default_factory=lambda: np.array([0.8]))

    def __call__(self, Z: np.ndarray) -> np.ndarray:
        return np.asarray(-50.0 * np.abs(Z[:, 0] - self.place))

    def with_gradient(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        raise NotImplementedError


def _everywhere(Z: np.ndarray) -> np.ndarray:
    return np.full(len(Z), -7.0)


LINE = SearchSpace({"x": Float(0.0, 1.0, default=0.8, default_confidence="high")})


def test_a_prior_that_looks_where_there_is_most_to_gain_promises_all() -> None:
    assert promise(LINE, _Near(0.8)) == 1.0
    assert promise(LINE, _everywhere) == pytest.approx(1.0)  # type: ignore[arg-type]


def test_a_prior_that_looks_elsewhere_promises_its_share_of_expected_improvement() -> None:
    """Of 1 at x <= 0.5 and 3 above it, a uniform sample has 2 on average, and the prior 3 where it is above."""
    above = lambda Z: np.log(np.where(Z[:, 0] > 0.5, 1.0, 3.0))  # noqa: E731
    assert promise(LINE, above) == pytest.approx(0.5, abs=0.02)  # type: ignore[arg-type]
    assert promise(LINE, _Near(0.1)) < 0.01


def test_the_centre_agrees_with_a_prior_and_what_is_further_away_than_nearly_all_that_it_draws_does_not() -> None:
    assert agreement(LINE, np.array([0.8])) == pytest.approx(1.0, abs=0.01)
    found = [agreement(LINE, np.array([0.8 - step * 0.125])) for step in (0.5, 1.0, 2.0, 3.0)]
    assert found == sorted(found, reverse=True)
    # Of a normal of deviation 1/8, whose upper tail is cut off at 1.6 deviations.
    assert found[2] == pytest.approx(0.024, abs=0.006)
    assert 0.0 < found[3] < 0.01


def test_how_far_away_that_is_depends_on_the_dimensions() -> None:
    """By one deviation in each of ten dimensions a typical sample is away; so is a step of √10 in one."""
    names = [f"x{index}" for index in range(10)]
    space = SearchSpace({name: Float(0.0, 1.0, default=0.5, default_confidence="high") for name in names})
    assert agreement(space, np.full(10, 0.625)) == pytest.approx(0.44, abs=0.05)
    assert agreement(space, np.array([0.5 + 10**0.5 / 8, *[0.5] * 9])) == pytest.approx(0.44, abs=0.05)
    assert agreement(space, np.full(10, 0.75)) < 0.01


def test_what_has_no_prior_says_nothing_about_agreement() -> None:
    default = MIXED.default_config() or {}
    elsewhere = MIXED.encode({**default, "momentum": 0.99, "free": "q"})
    assert agreement(MIXED, elsewhere) == agreement(MIXED, MIXED.encode(default)) > 0.9
    assert agreement(MIXED, MIXED.encode({**default, "rate": 1.0, "width": 8, "kind": "a"})) < 0.02


def _term(history: History, monkeypatch: pytest.MonkeyPatch, sampler: Sampler, improvement: _Near) -> LogPrior:
    """What the sampler hands to the proposal."""
    terms: list[LogPrior] = []

    def propose(history: History, _: object, term: Any) -> Suggestion:
        trials = [trial for trial in history.trials if trial.decision is not None]
        terms.append(term(axes_of(history.space), trials, improvement))
        return Suggestion(config=LINE.decode([0.5]))

    monkeypatch.setattr(proposal, "propose", propose)
    _decide(sampler, history, len(history.trials) + 1)
    return terms[0]


def _weight(history: History, monkeypatch: pytest.MonkeyPatch, sampler: Sampler, improvement: _Near) -> float:
    """The exponent of the prior."""
    return _term(history, monkeypatch, sampler, improvement).weight


def _history(outcomes: list[float | None], pending: int = 0) -> History:
    trials: dict[int, Trial] = {}
    for number in range(1, len(outcomes) + pending + 1):
        trial = decided(LINE, number, Suggestion(config=LINE.sample(generator_for(0, number))))
        trials[number] = ended(trial, outcomes[number - 1]) if number <= len(outcomes) else trial
    return History(LINE, MappingProxyType(trials))


def test_its_exponent_falls_with_the_number_of_results(monkeypatch: pytest.MonkeyPatch) -> None:
    trusted = _Near(0.8)
    for results in (5, 10, 40):
        history = _history([1.0] * (results - 1) + [None], pending=3)
        assert _weight(history, monkeypatch, PiBO(), trusted) == pytest.approx(10.0 / results)
    assert _weight(_history([1.0] * 4), monkeypatch, PiBO(prior_weight=2), trusted) == pytest.approx(0.5)


def test_another_confidence_widens_it(monkeypatch: pytest.MonkeyPatch) -> None:
    precisions = [
        _term(_history([1.0] * 10), monkeypatch, PiBO(prior_confidence=confidence), _Near(0.8)).precisions.tolist()
        for confidence in (None, "high", "low")
    ]
    assert precisions == [[64.0], [64.0], [4.0]]


def test_its_exponent_falls_where_the_model_promises_more_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    improvement = _Near(0.3)
    expected = promise(LINE, improvement)
    assert 0.0 < expected < 0.3
    assert _weight(_history([1.0] * 10), monkeypatch, PiBO(), improvement) == pytest.approx(expected)


def test_its_exponent_falls_where_the_best_lies_outside_its_region(monkeypatch: pytest.MonkeyPatch) -> None:
    incumbent = np.array([0.55])
    expected = agreement(LINE, incumbent)
    assert 0.0 < expected < 0.1
    improvement, history = _Near(0.8, incumbent), _history([1.0] * 10)
    assert _weight(history, monkeypatch, PiBO(), improvement) == pytest.approx(expected)
    wider = with_confidence(LINE, "low")
    expected = agreement(wider, incumbent) * promise(wider, improvement)
    assert 0.4 < expected < 1.0
    assert _weight(history, monkeypatch, PiBO(prior_confidence="low"), improvement) == pytest.approx(expected)


# --------------------------------------------------------------------------------------------- good priors and bad ones

_BEST = {"x": 0.25, "y": 0.35, "z": 0.3}
_SIX = {**_BEST, "u": 0.25, "v": 0.35, "w": 0.65}


def _space(default: Mapping[str, float], confidence: Any) -> SearchSpace:
    return SearchSpace(
        {name: Float(0.0, 1.0, default=default[name], default_confidence=confidence) for name in default}
        | {"kind": Categorical(["a", "b", "c"])}
    )


def _wavy(config: Mapping[str, Value]) -> float:
    """A bowl with ripples, at another height for each kind."""
    offsets = [float(config[name] or 0.0) - best for name, best in _SIX.items() if name in config]
    ripples = sum(offset**2 + 0.03 * (1.0 - math.cos(9.0 * offset)) for offset in offsets)
    return ripples + {"a": 0.1, "b": 0.0, "c": 0.05}[str(config["kind"])]


def _median_until(loss: float, sampler: Sampler, space: SearchSpace, evaluations: int = 24) -> float:
    """How many evaluations it takes to reach a loss."""
    counts = []
    for seed in range(5):
        trials = simulate(sampler, space, _wavy, evaluations, seed=seed).trials
        reached = [trial.number for trial in trials if trial.loss is not None and trial.loss <= loss]
        counts.append(reached[0] if reached else math.inf)
    return float(np.median(counts))


def test_a_good_prior_is_twice_as_fast() -> None:
    space = _space({name: best + 0.05 for name, best in _SIX.items()}, "high")
    assert 2.0 * _median_until(0.1, PiBO(), space) <= _median_until(0.1, BayesianOptimization(), space)


@pytest.mark.parametrize("confidence", ["medium", "high"])
def test_a_bad_prior_costs_a_fifth_at_most(confidence: str) -> None:
    space = _space(dict.fromkeys(_BEST, 0.95), confidence)
    assert _median_until(0.01, PiBO(), space) <= 1.2 * _median_until(0.01, BayesianOptimization(), space)


# ------------------------------------------------------------------------------------------------- spaces and settings


def test_it_needs_a_prior() -> None:
    with pytest.raises(ArgumentError, match=r"pibo needs a prior.*Give at least one a default.*use bayesian_optimiz"):
        PiBO().check(SearchSpace({"x": Float(0.0, 1.0), "epochs": Integer(1, 9, is_fidelity=True, default=3)}))


def test_it_is_the_default_where_there_is_a_prior(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "neps"):
        neps.run(lambda x: x, tmp_path, dict(LINE.parameters), max_evaluations_total=1, progress=False)
    (record,) = (record for record in caplog.records if "searcher='default' is" in record.message)
    assert record.message == "searcher='default' is pibo: the space has a prior"
    assert record.levelno == logging.INFO


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"initial_design_size": -1}, "initial_design_size must be a whole number of at least 1, or None, not -1"),
        ({"sample_default_first": None}, "sample_default_first must be True or False, not None"),
        ({"random_interleave_prob": math.nan}, "random_interleave_prob must be a number from 0 to 1, not nan"),
        ({"prior_weight": 0}, "prior_weight must be a finite number greater than 0, not 0"),
        ({"prior_weight": math.inf}, "prior_weight must be a finite number greater than 0, not inf"),
        ({"prior_weight": "10"}, "prior_weight must be a finite number greater than 0, not '10'"),
        ({"prior_weight": True}, "prior_weight must be a finite number greater than 0, not True"),
        ({"prior_confidence": "hihg"}, r"'medium', 'high' or None, not 'hihg'\. Did you mean 'high'\?"),
        ({"prior_confidence": 3}, "prior_confidence must be 'low', 'medium', 'high' or None, not 3"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        PiBO(**settings)


def test_settings_are_plain_whatever_they_were_given_as() -> None:
    sampler = PiBO(prior_weight=np.float64(5.0), random_interleave_prob=np.float32(0.5))  # type: ignore[arg-type]
    assert [type(sampler.settings()[name]) for name in ("prior_weight", "random_interleave_prob")] == [float, float]
