"""What is evaluated without a model: who shares the initial design, random trials in between, unclaimed ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from neps._budget import Budget
from neps._history import History
from neps._trial import Trial
from neps.errors import ArgumentError
from neps.samplers import (
    BayesianOptimization,
    CostCooling,
    FreezeThaw,
    PiBO,
    RegularizedEvolution,
    Sampler,
    Sobol,
    Suggestion,
)
from neps.samplers._drawing.claimed import Claimed
from neps.samplers._drawing.initial_design import interleaved
from neps.space import Categorical, Float, Integer, SearchSpace
from neps.testing.simulation import decided, generator_for, simulate

PRIOR = SearchSpace({"x": Float(0.0, 1.0, default=0.25), "y": Float(-1.0, 1.0)})
MODEL_BASED = [BayesianOptimization, PiBO, CostCooling]


def _reasons(history: History) -> list[str]:
    return [trial.decision.metadata["by"] for trial in history.trials if trial.decision]


def _claiming(space: SearchSpace, configs: list[dict[str, int | float | str | bool | None]]) -> History:
    trials: dict[int, Trial] = {
        number: decided(space, number, Suggestion(config=config)) for number, config in enumerate(configs, start=1)
    }
    return History(space, trials)


@pytest.mark.parametrize("sampler", [BayesianOptimization(), CostCooling(), RegularizedEvolution()])
def test_without_a_prior_it_is_the_sobol_sequence_of_the_seed(sampler: Sampler) -> None:
    history = History(PRIOR, {}, seed=5)
    for number in (1, 2, 3):
        answers = [each.decide(history, number, Budget(), generator_for(5, number)) for each in (sampler, Sobol())]
        assert isinstance(answers[0], Suggestion)
        assert isinstance(answers[1], Suggestion)
        assert answers[0].config == answers[1].config


@pytest.mark.parametrize(
    "sampler",
    [
        BayesianOptimization(sample_default_first=True),
        CostCooling(sample_default_first=True),
        PiBO(),
        RegularizedEvolution(sample_default_first=True),
    ],
)
def test_the_default_comes_first_when_asked_and_first_only(sampler: Sampler) -> None:
    history = simulate(sampler, PRIOR, lambda config: float(config["y"] or 0.0), 3, workers=3)
    assert [trial.config == PRIOR.default_config() for trial in history.trials] == [True, False, False]


@pytest.mark.parametrize("kind", MODEL_BASED)
def test_no_trial_or_each_one_after_the_initial_design_is_drawn_at_random(kind: Callable[..., Sampler]) -> None:
    for probability, by in ((0.0, "model"), (1.0, "random")):
        sampler = kind(initial_design_size=2, random_interleave_prob=probability)
        history = simulate(sampler, PRIOR, lambda config: float(config["y"] or 0.0), 4)
        assert _reasons(history) == ["initial design"] * 2 + [by] * 2


def test_what_is_drawn_at_random_is_uniform_and_as_likely_as_was_said() -> None:
    history = History(PRIOR, {})
    drawn = [interleaved(history, 0.3, generator_for(0, number)) for number in range(2000)]
    positions = np.array([PRIOR.encode(suggestion.config) for suggestion in drawn if suggestion is not None])
    assert len(positions) == pytest.approx(600, abs=60)
    np.testing.assert_allclose(positions.mean(axis=0), 0.5, atol=0.05)


@pytest.mark.parametrize("kind", MODEL_BASED)
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), "half", True, None])
def test_a_probability_is_from_0_to_1(kind: Callable[..., Sampler], value: object) -> None:
    with pytest.raises(ArgumentError, match=f"random_interleave_prob must be a number from 0 to 1, not {value!r}"):
        kind(random_interleave_prob=value)


def test_random_trials_claim_each_configuration_once() -> None:
    space = SearchSpace({"a": Integer(0, 3), "b": Categorical(["p", "q", True]), "c": Float(2.0, 2.0)})
    sampler = BayesianOptimization(random_interleave_prob=1.0)
    history = simulate(sampler, space, lambda _: 0.0, 99, workers=3)
    assert len({tuple(trial.config.values()) for trial in history.trials}) == len(history.trials) == 12


def test_the_last_one_of_many_is_found_at_once() -> None:
    """Drawing it would take a million draws: it is the least likely value of a long log scale."""
    space = SearchSpace({"n": Integer(1, 20_000, log=True)})
    history = _claiming(space, [{"n": number} for number in range(1, 20_000)])
    assert Claimed.of(history).another(generator_for(0, 1)) == {"n": 20_000}
    assert Claimed.of(history).exhausted is None
    assert Claimed.of(_claiming(space, [{"n": number} for number in range(1, 20_001)])).exhausted is not None


@pytest.mark.parametrize("sampler", [BayesianOptimization(initial_design_size=20), FreezeThaw()])
def test_a_finite_branch_of_an_infinite_space_is_not_begun_twice(sampler: Sampler) -> None:
    epochs = {"epochs": Integer(1, 27, is_fidelity=True)} if isinstance(sampler, type(FreezeThaw())) else {}
    sgd = {"lr": Float(0.0, 1.0, active_if={"optimizer": "sgd"})}
    space = SearchSpace({"optimizer": Categorical(["sgd", "none"]), **sgd, **epochs})
    history = simulate(sampler, space, lambda config: config.get("lr", -1.0), 20, seed=0)
    begun = [trial for trial in history.trials if trial.previous is None]
    assert sum(trial.config["optimizer"] == "none" for trial in begun) == 1
    assert len(begun) > 10
