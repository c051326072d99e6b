"""Random search, Sobol, grid search and the rules of Bayesian optimization, beyond the contract of all samplers."""

from __future__ import annotations

import enum
import itertools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from neps._budget import Budget
from neps._history import History
from neps._trial import Trial, Value
from neps.errors import ArgumentError
from neps.samplers import (
    ASHA,
    BayesianOptimization,
    Done,
    GridSearch,
    Hyperband,
    HyperbandPrior,
    PiBO,
    PriorBand,
    PriorBandBO,
    RandomSearch,
    RegularizedEvolution,
    Sampler,
    Sobol,
    SuccessiveHalving,
    Suggestion,
)
from neps.space import Categorical, Constant, Float, Integer, SearchSpace
from neps.testing.simulation import decided, ended, generator_for, simulate

PLANE = SearchSpace({"x": Float(0.0, 1.0), "y": Float(-1.0, 1.0)})


def _config(sampler: Sampler, history: History, number: int) -> dict[str, Value]:
    answer = sampler.decide(history, number, Budget(), generator_for(history.seed, number))
    assert isinstance(answer, Suggestion)
    return dict(answer.config)


def _history(space: SearchSpace, outcomes: Mapping[int, float | None], configs: list[dict[str, Value]]) -> History:
    trials: dict[int, Trial] = {}
    for number, config in enumerate(configs, start=1):
        trial = decided(space, number, Suggestion(config=config))
        trials[number] = ended(trial, outcomes[number]) if number in outcomes else trial
    return History(space, MappingProxyType(trials))


# ------------------------------------------------------------------------------------------------------ random search


def test_random_search_is_uniform_without_and_concentrated_with_priors() -> None:
    space = SearchSpace({"x": Float(0.0, 1.0, default=0.9, default_confidence="high")})
    history = History(space, {})
    drawn = {
        use: np.array([_config(RandomSearch(use_priors=use), history, number)["x"] for number in range(1, 301)])
        for use in (False, True)
    }
    assert np.mean(drawn[False] < 0.5) == pytest.approx(0.5, abs=0.1)
    assert np.mean(drawn[True] < 0.5) < 0.02


def test_random_search_with_priors_needs_a_prior() -> None:
    with pytest.raises(ArgumentError, match=r"use_priors=True needs a prior.*Give at least one a default"):
        RandomSearch(use_priors=True).check(PLANE)


# -------------------------------------------------------------------------------------------------------------- sobol


def test_sobol_fills_each_scale_evenly() -> None:
    space = SearchSpace({"rate": Float(1e-4, 1.0, log=True), "kind": Categorical(["a", "b"]), "c": Constant(1)})
    configs = [_config(Sobol(), History(space, {}, seed=3), number) for number in range(1, 17)]
    decades = [int(np.floor(np.log10(float(config["rate"] or 0)))) for config in configs]
    assert sorted(decades) == [-4] * 4 + [-3] * 4 + [-2] * 4 + [-1] * 4
    assert [config["kind"] for config in configs].count("a") == 8


def test_sobol_is_scrambled_by_the_seed() -> None:
    firsts = {_config(Sobol(), History(PLANE, {}, seed=seed), 1)["x"] for seed in range(10)}
    assert len(firsts) == 10


# --------------------------------------------------------------------------------------------------------------- grid


def test_the_grid_of_a_mixed_space() -> None:
    space = SearchSpace(
        {
            "rate": Float(1e-4, 1.0, log=True),
            "layers": Integer(1, 3),
            "kind": Categorical(["a", "b", "c", "d", "e", "f", "g"]),
            "data": Constant("digits"),
            "epochs": Integer(1, 9, is_fidelity=True),
        }
    )
    history = simulate(GridSearch(), space, lambda _: 0.0, 1000)
    points = {tuple(trial.config.values()) for trial in history.trials}
    rates = {float(trial.config["rate"] or 0) for trial in history.trials}
    assert len(history.trials) == len(points) == 5 * 3 * 7
    np.testing.assert_allclose(sorted(rates), [1e-4, 1e-3, 1e-2, 1e-1, 1.0], rtol=1e-12)
    assert {(trial.config["data"], trial.config["epochs"]) for trial in history.trials} == {("digits", 9)}


def test_a_covered_grid_is_done_and_says_so() -> None:
    answer = GridSearch(2).decide(History(PLANE, {}), 5, Budget(), generator_for(0, 5))
    assert answer == Done("the grid is covered: all its 4 configurations have been started")


def test_a_grid_of_one_step_is_the_centre() -> None:
    assert _config(GridSearch(1), History(PLANE, {}), 1) == {"x": 0.5, "y": 0.0}


def test_steps_that_round_to_the_same_integer_are_one() -> None:
    space = SearchSpace({"n": Integer(1, 8, log=True)})
    values = [trial.config["n"] for trial in simulate(GridSearch(7), space, lambda _: 0.0, 99).trials]
    assert len(set(values)) == len(values) <= 7
    assert {1, 8} <= set(values)


def test_a_grid_of_any_size_costs_nothing() -> None:
    space = SearchSpace({f"x{index}": Float(0.0, 1.0) for index in range(60)})
    first, second = (_config(GridSearch(), History(space, {}), number) for number in (1, 5**60))
    assert first != second


# ----------------------------------------------------------------------------------------------- bayesian optimization


def _is_initial(sampler: Sampler, history: History, number: int) -> bool:
    answer = sampler.decide(history, number, Budget(), generator_for(0, number))
    assert isinstance(answer, Suggestion)
    return bool(answer.metadata["by"] == "initial design")


@pytest.mark.parametrize(("size", "expected"), [(None, 3), (1, 1), (5, 5)])
def test_the_initial_design_has_its_size(size: int | None, expected: int) -> None:
    history = simulate(BayesianOptimization(initial_design_size=size), PLANE, lambda config: float(config["x"] or 0), 7)
    by = [trial.decision.metadata["by"] for trial in history.trials if trial.decision]
    assert by == ["initial design"] * expected + ["model"] * (7 - expected)


def test_the_initial_design_is_the_sobol_sequence_of_the_seed() -> None:
    for number in (1, 2, 3):
        expected = _config(Sobol(), History(PLANE, {}, seed=5), number)
        assert _config(BayesianOptimization(), History(PLANE, {}, seed=5), number) == expected


def test_a_short_run_in_many_dimensions_ends_with_the_model() -> None:
    space = SearchSpace({f"x{index}": Float(0.0, 1.0) for index in range(20)})
    history = simulate(BayesianOptimization(), space, lambda config: float(config["x0"] or 0), 9)
    assert history.trials[-1].decision is not None
    assert history.trials[-1].decision.metadata["by"] == "model"


def test_the_initial_design_goes_on_until_its_results_are_in() -> None:
    configs = [_config(Sobol(), History(PLANE, {}), number) for number in range(1, 9)]
    sampler = BayesianOptimization(initial_design_size=3)
    assert _is_initial(sampler, _history(PLANE, {1: 0.0, 2: None}, configs), 9)
    assert not _is_initial(sampler, _history(PLANE, {1: 0.0, 2: None, 8: 1.0}, configs), 9)


@pytest.mark.parametrize("loss", [1.0, None])
def test_the_initial_design_goes_on_while_no_two_losses_differ(loss: float | None) -> None:
    losses = itertools.chain([loss] * 11, [0.0, 2.0, 3.0])
    history = simulate(BayesianOptimization(), PLANE, lambda _: next(losses), 14)
    by = [trial.decision.metadata["by"] for trial in history.trials if trial.decision]
    first = 12 if loss is not None else 13
    assert by == ["initial design"] * first + ["model"] * (14 - first)


def test_the_default_comes_first_when_asked() -> None:
    space = SearchSpace({"x": Float(0.0, 1.0, default=0.25), "kind": Categorical(["a", "b"], default="b")})
    assert _config(BayesianOptimization(sample_default_first=True), History(space, {}), 1) == {"x": 0.25, "kind": "b"}
    assert _config(BayesianOptimization(), History(space, {}), 1)["x"] != 0.25
    assert _config(BayesianOptimization(sample_default_first=True), History(space, {}), 2)["x"] != 0.25


def test_the_default_first_needs_a_default() -> None:
    with pytest.raises(ArgumentError, match=r"sample_default_first=True needs a default.*leave sample_default_first"):
        BayesianOptimization(sample_default_first=True).check(PLANE)


@pytest.mark.parametrize("workers", [1, 5])
def test_a_finite_space_is_covered_once_and_then_done(workers: int) -> None:
    space = SearchSpace({"a": Integer(0, 4), "b": Categorical(["p", "q", True]), "c": Float(2.0, 2.0)})
    history = simulate(BayesianOptimization(), space, lambda config: float(config["a"] or 0), 100, workers=workers)
    configs = {(trial.config["a"], trial.config["b"]) for trial in history.trials}
    assert configs == set(itertools.product(range(5), ["p", "q", True]))
    assert len(history.trials) == 15
    answer = BayesianOptimization().decide(history, 16, Budget(), generator_for(0, 16))
    assert answer == Done("the search space is exhausted: all its 15 configurations have been started")


def test_the_initial_design_never_repeats_itself_in_a_finite_space() -> None:
    space = SearchSpace({"a": Integer(0, 2), "b": Categorical(["p", "q"])})
    for seed in range(5):
        history = simulate(BayesianOptimization(), space, lambda _: 0.0, 100, seed=seed, workers=100)
        assert len({tuple(trial.config.values()) for trial in history.trials}) == len(history.trials) == 6


def test_pending_trials_keep_others_away() -> None:
    history = simulate(BayesianOptimization(), PLANE, lambda c: (float(c["x"] or 0) - 0.3) ** 2, 12)
    alone = _config(BayesianOptimization(), history, 13)
    pending = History(PLANE, {**history.by_number, 13: decided(PLANE, 13, Suggestion(config=alone))})
    other = BayesianOptimization().decide(pending, 14, Budget(), generator_for(0, 13))
    assert isinstance(other, Suggestion)
    assert np.linalg.norm(PLANE.encode(other.config) - PLANE.encode(alone)) > 1e-3


def test_a_fidelity_is_fixed_at_its_upper_bound() -> None:
    space = SearchSpace({"x": Float(0.0, 1.0), "epochs": Integer(1, 9, is_fidelity=True)})
    history = simulate(BayesianOptimization(), space, lambda config: float(config["x"] or 0), 6)
    assert {trial.config["epochs"] for trial in history.trials} == {9}


# ----------------------------------------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (RandomSearch, {"use_priors": 1}, "use_priors must be True or False, not 1"),
        (GridSearch, {"steps_per_parameter": 0}, "steps_per_parameter must be a whole number of at least 1, not 0"),
        (GridSearch, {"steps_per_parameter": True}, "at least 1, not True"),
        (GridSearch, {"steps_per_parameter": 2.5}, "at least 1, not 2.5"),
        (BayesianOptimization, {"initial_design_size": 0}, "initial_design_size must be a whole number of at least 1"),
        (BayesianOptimization, {"initial_design_size": "3"}, "or None, not '3'"),
        (BayesianOptimization, {"sample_default_first": "yes"}, "sample_default_first must be True or False"),
    ],
)
def test_wrong_settings_are_refused(kind: type[Sampler], settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        kind(**settings)


class _Size(enum.IntEnum):
    FOUR = 4


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (BayesianOptimization, {"initial_design_size": np.int64(4), "random_interleave_prob": np.float32(0.5)}),
        (PiBO, {"initial_design_size": _Size.FOUR, "prior_confidence": np.str_("high"), "prior_weight": np.int64(3)}),
        (RegularizedEvolution, {"population_size": _Size.FOUR, "sample_size": np.int64(2)}),
        (ASHA, {"early_stopping_rate": np.int64(1), "eta": np.float64(2.5)}),
        (SuccessiveHalving, {"early_stopping_rate": _Size.FOUR}),
        (PriorBand, {"inc_mutation_rate": np.float32(0.25), "inc_mutation_std": 1, "prior_confidence": np.str_("low")}),
    ],
)
def test_settings_become_plain_python(kind: type[Sampler], settings: dict[str, Any]) -> None:
    for name, value in kind(**settings).settings().items():
        assert type(value) in (int, float, str, bool, type(None)), f"{name} is {value!r}"
        assert name not in settings or value == settings[name]


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (PiBO, {"prior_weight": 10**400}, "prior_weight must be a finite number greater than 0"),
        (BayesianOptimization, {"random_interleave_prob": 10**400}, "must be a number from 0 to 1"),
        (PiBO, {"prior_confidence": np.array(["low", "high"])}, "prior_confidence must be 'low', 'medium', 'high' or"),
        (Hyperband, {"eta": 1}, "eta must be a finite number greater than 1, not 1"),
        (Hyperband, {"eta": "3"}, "eta must be a finite number greater than 1, not '3'"),
        (Hyperband, {"sample_default_first": 1}, "sample_default_first must be True or False, not 1"),
        (Hyperband, {"sample_default_at_target": 1}, "sample_default_at_target must be True or False, not 1"),
        (ASHA, {"sample_default_at_target": True}, "but sample_default_first is False: set it to True, too, or leave"),
        (PriorBand, {"prior_confidence": "hihg"}, "prior_confidence must be 'low'.* Did you mean 'high'"),
        (PriorBand, {"inc_mutation_rate": 1.1}, "inc_mutation_rate must be a number from 0 to 1, not 1.1"),
        (PriorBand, {"inc_mutation_std": 0}, "inc_mutation_std must be a finite number greater than 0, not 0"),
        (PriorBand, {"eta": 1}, "eta must be a finite number greater than 1, not 1"),
        (ASHA, {"early_stopping_rate": -1}, "early_stopping_rate must be a whole number of at least 0, not -1"),
        (SuccessiveHalving, {"early_stopping_rate": 1.0}, "must be a whole number of at least 0, not 1.0"),
    ],
)
def test_more_wrong_settings_are_refused(kind: type[Sampler], settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        kind(**settings)


@pytest.mark.parametrize(
    ("sampler", "space", "message"),
    [
        (Hyperband(), {"x": Float(0, 1)}, r"needs one fidelity, but the space has none\. Mark one parameter"),
        (ASHA(), {"a": Float(1, 2, is_fidelity=True), "b": Integer(1, 2, is_fidelity=True)}, r"has \['a', 'b'\]"),
        (
            ASHA(),
            {"x": Float(0, 1), "e": Float(0, 9, is_fidelity=True)},
            "'e' has the lower bound 0, but it must be",
        ),
        (HyperbandPrior(), {"x": Float(0, 1), "e": Float(1, 9, is_fidelity=True)}, "needs a prior, but no parameter"),
        (PriorBandBO(), {"x": Float(0, 1), "e": Float(1, 9, is_fidelity=True)}, "needs a prior.* such as hyperband"),
        (
            PriorBand(sample_default_at_target=True),
            {"x": Float(0, 1), "e": Float(1, 9, is_fidelity=True)},
            "needs a default for sample_default_at_target=True",
        ),
        (PriorBand(), {"x": Float(0, 1, default=0.5)}, "needs one fidelity, but the space has none"),
        (
            Hyperband(sample_default_first=True),
            {"x": Float(0, 1), "e": Float(1, 9, is_fidelity=True)},
            "needs a default for sample_default_first=True",
        ),
        (
            SuccessiveHalving(early_stopping_rate=3),
            {"x": Float(0, 1), "e": Float(1, 9, is_fidelity=True)},
            "early_stopping_rate is 3, but it must be below 3, the number of rungs",
        ),
    ],
)
def test_spaces_that_do_not_fit_a_search_over_fidelities(sampler: Sampler, space: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        sampler.check(SearchSpace(space))
