"""Problems with a fidelity: MF-Hartmann against its formula, and trainings that are constants of the configuration."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

import neps
from benchmarks.problems import (
    FIDELITY_PROBLEMS,
    FIDELITY_REPORTED,
    FIDELITY_TUNED,
    PROBLEMS,
    Config,
    curves,
    fidelity_problem,
    problem,
)

_PRESETS = {"good": (2.5, 2.0), "moderate": (3.0, 3.0), "bad": (3.5, 4.0), "terrible": (4.0, 5.0)}
_PITS = [name for name in FIDELITY_PROBLEMS if name.startswith(("mf-hartmann", "mf-pits"))]
_TRAININGS = [task.name for task in (*curves.REPORTED, *curves.TUNED)]
_HARTMANN3 = {"x1": 0.2, "x2": 0.6, "x3": 0.8}


def _point(name: str, value: float = 0.4) -> Config:
    return {param["name"]: value for param in fidelity_problem(name).space}


def _config(name: str) -> Config:
    """A network that learns something."""
    return fidelity_problem(name).default("good", 3)


@pytest.mark.parametrize("name", _PITS)
def test_at_the_top_a_loss_is_the_function_without_noise(name: str) -> None:
    _, function, _ = name.split("-")
    evaluator, config = fidelity_problem(name).evaluator(0), _point(name)
    assert evaluator.loss(config, 100) == evaluator.value(config) == problem(function).value(config)
    assert fidelity_problem(name).optimum == problem(function).optimum


@pytest.mark.parametrize(("kind", "preset"), _PRESETS.items())
def test_noise_is_one_sided_above_pits_that_are_shallower(kind: str, preset: tuple[float, float]) -> None:
    """The formula of the PriorBand paper, written out for MF-Hartmann 3."""
    (filled, scale), x = preset, np.array(list(_HARTMANN3.values()))
    stretches = np.array([[3, 10, 30], [0.1, 10, 35], [3, 10, 30], [0.1, 10, 35]])
    centres = 1e-4 * np.array([[3689, 1170, 2673], [4699, 4387, 7470], [1091, 8732, 5547], [381, 5743, 8828]])
    missing = 1 - math.log(10) / math.log(100)
    depths = np.array([1, 1.2, 3, 3.2]) - filled * missing
    without_noise = -(depths * np.exp(-(stretches * (x - centres) ** 2).sum(axis=1))).sum()
    mf = fidelity_problem(f"mf-hartmann3-{kind}")
    noise = np.array([mf.evaluator(seed).loss(_HARTMANN3, 10) for seed in range(400)]) - without_noise
    assert noise.min() >= 0
    assert noise.mean() == pytest.approx(scale * missing * math.sqrt(2 / math.pi), rel=0.1)


def test_noise_is_a_constant_of_seed_configuration_and_fidelity() -> None:
    mf, other = fidelity_problem("mf-hartmann6-bad"), _point("mf-hartmann6-bad", 0.41)
    evaluator, config = mf.evaluator(1), _point("mf-hartmann6-bad")
    loss = evaluator.loss(config, 30)
    evaluator.loss(other, 30)
    assert mf.evaluator(1).loss(config, 30) == evaluator.loss(config, 30) == loss
    assert len({loss, mf.evaluator(2).loss(config, 30), evaluator.loss(other, 30), evaluator.loss(config, 31)}) == 4


def test_a_seed_is_not_the_same_luck_on_each_problem() -> None:
    good, bad = fidelity_problem("mf-hartmann3-good"), fidelity_problem("mf-hartmann3-bad")
    seeds = {mf.run_seed(seed) for mf in (good, bad) for seed in range(100)}
    assert len(seeds) == 200
    assert max(seeds) < 2**31
    assert good.run_seed(7) == good.run_seed(7)


def test_costs_are_in_full_evaluations() -> None:
    mf = fidelity_problem("mf-hartmann3-good")
    assert [mf.cost(z) for z in (3, 50, 100)] == pytest.approx([0.050855, 0.2875, 1.0])
    assert fidelity_problem("mf-digits").cost(9) == pytest.approx(1 / 3)


def test_a_good_prior_is_near_the_optimum_and_a_bad_one_is_not() -> None:
    mf = fidelity_problem("mf-hartmann6-good")
    values = {
        quality: [mf.evaluator(seed).value(mf.default(quality, seed)) for seed in range(10)]
        for quality in ("good", "bad")
    }
    assert np.median(values["good"]) < -2
    assert np.median(values["bad"]) > -0.01
    assert mf.default("good", 0) != mf.default("good", 1)


@pytest.mark.parametrize("name", FIDELITY_PROBLEMS)
def test_spaces_priors_and_fidelities_are_those_of_neps(name: str) -> None:
    kinds: dict[str, type] = {"float": neps.Float, "integer": neps.Integer, "categorical": neps.Categorical}
    mf = json.loads(json.dumps([*FIDELITY_PROBLEMS[name].space, FIDELITY_PROBLEMS[name].fidelity]))
    for seed in range(5):
        for default in (FIDELITY_PROBLEMS[name].default("good", seed), FIDELITY_PROBLEMS[name].default("bad", seed)):
            for param in mf[:-1]:
                fields = {key: value for key, value in param.items() if key not in {"name", "type"}}
                parameter = kinds[param["type"]](**fields, default=default[param["name"]])
                assert parameter.parse(default[param["name"]]) == default[param["name"]]
    assert kinds[mf[-1]["type"]](mf[-1]["lower"], mf[-1]["upper"], is_fidelity=True)


def test_names_are_unique_and_what_is_reported_is_not_tuned_on() -> None:
    assert len(FIDELITY_PROBLEMS) == len(FIDELITY_REPORTED) + len(FIDELITY_TUNED)
    assert not set(FIDELITY_PROBLEMS) & set(PROBLEMS)
    with pytest.raises(ValueError, match=r"'mf-branin', but there is none .* mf-hartmann3-good, "):
        fidelity_problem("mf-branin")


@pytest.mark.parametrize("name", _TRAININGS)
def test_training_on_comes_to_the_same_as_training_at_once(name: str) -> None:
    config, randomness = _config(name), torch.random.get_rng_state()
    first, second = fidelity_problem(name).evaluator(0), fidelity_problem(name).evaluator(1)
    second.loss({**config, "learning_rate": 1e-3}, 2)
    curve = [first.loss(config, epochs) for epochs in (1, 2, 4)]
    with torch.random.fork_rng():
        torch.manual_seed(7)
        assert second.loss(config, 4) == curve[-1] == first.loss(config, 4)
    assert first.loss(config, 1) == curve[0]
    assert curve[0] > curve[-1] > 0
    assert torch.equal(torch.random.get_rng_state(), randomness)


@pytest.mark.parametrize(("name", "worst"), [("mf-digits", 2 * math.log(10)), ("mf-friedman", 2.0)])
def test_a_training_that_diverges_has_a_bounded_loss(name: str, worst: float) -> None:
    assert fidelity_problem(name).evaluator(0).loss({**_config(name), "learning_rate": 1e30}, 2) == pytest.approx(worst)


def test_a_training_is_judged_by_its_last_epoch() -> None:
    mf = fidelity_problem("mf-cancer")
    evaluator = mf.evaluator(0)
    assert evaluator.value(_config("mf-cancer")) == evaluator.loss(_config("mf-cancer"), mf.fidelity["upper"])
