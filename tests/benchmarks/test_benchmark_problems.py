"""The problems of the benchmarks: known minima are minima, spaces are spaces, and values depend on nothing else."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import neps
from benchmarks.problems import PROBLEMS, REPORTED, TUNED, Config, Param, learning, problem, synthetic

_SURFACES = {surface.name: surface for surface in (*synthetic.REPORTED, *synthetic.TUNED)}
_TASKS = {task.name: task for task in (*learning.REPORTED, *learning.TUNED)}
_SHIFTED = ("ackley", "levy", "griewank", "dixon-price", "rastrigin", "cosine")


def _column(param: Param, unit: NDArray[np.float64]) -> NDArray[Any]:
    """Values of a parameter at positions (n,) in the unit interval, uniform where the positions are."""
    if param["type"] == "categorical":
        choices = np.array(param["choices"])
        return np.asarray(choices[np.minimum((unit * len(choices)).astype(int), len(choices) - 1)])
    half = 0.5 if param["type"] == "integer" else 0.0
    lower, upper = param["lower"] - half, param["upper"] + half
    values = lower * (upper / lower) ** unit if param["log"] else lower + (upper - lower) * unit
    return np.asarray(np.clip(np.rint(values), param["lower"], param["upper"]) if half else values)


def _columns(space: tuple[Param, ...], units: NDArray[np.float64]) -> Mapping[str, NDArray[Any]]:
    return {param["name"]: _column(param, unit) for param, unit in zip(space, units.T, strict=True)}


def _config(space: tuple[Param, ...], unit: float) -> Config:
    """The configuration at `unit` of each range, as plain Python."""
    config = {name: column[0].item() for name, column in _columns(space, np.full((1, len(space)), unit)).items()}
    integers = {param["name"] for param in space if param["type"] == "integer"}
    return {name: int(value) if name in integers else value for name, value in config.items()}


@pytest.mark.parametrize("name", _SURFACES)
def test_the_minimum_is_the_value_at_the_minimiser(name: str) -> None:
    assert problem(name).value(_SURFACES[name].minimiser) == pytest.approx(_SURFACES[name].minimum, abs=1e-9, rel=0)
    assert problem(name).optimum == _SURFACES[name].minimum


@pytest.mark.parametrize("name", _SURFACES)
def test_no_search_finds_less_than_the_minimum(name: str) -> None:
    """100,000 points at random, then the best of them varied ever more finely, categories too."""
    surface, generator = _SURFACES[name], np.random.default_rng(0)
    units = generator.random((100_000, len(surface.space)))
    for step in 0.3 * 0.7 ** np.arange(12):
        heights = surface.heights(_columns(surface.space, units))
        assert heights.min() >= surface.minimum - 1e-9
        parents = np.repeat(units[np.argsort(heights)[:200]], 10, axis=0)
        children = np.clip(parents + step * generator.standard_normal(parents.shape), 0, 1)
        anew = generator.random(parents.shape) < 0.05
        units = np.concatenate([parents[::10], np.where(anew, generator.random(parents.shape), children)])


@pytest.mark.parametrize("name", [name for name in _SURFACES if name.startswith(_SHIFTED)])
def test_the_centre_of_a_box_is_no_gift(name: str) -> None:
    best = np.array(list(_SURFACES[name].minimiser.values()))
    offsets = np.abs(best / problem(name).space[0]["upper"])
    assert offsets.min() >= 0.1
    assert offsets.max() <= 0.3


def test_shifts_are_constants() -> None:
    assert _SURFACES["ackley4"].minimiser["x1"] == pytest.approx(5.243523672025842, rel=1e-14)


@pytest.mark.parametrize("name", PROBLEMS)
def test_spaces_are_spaces_of_neps(name: str) -> None:
    kinds: dict[str, type] = {"float": neps.Float, "integer": neps.Integer, "categorical": neps.Categorical}
    space = json.loads(json.dumps(PROBLEMS[name].space))
    parameters = {param.pop("name"): kinds[param.pop("type")](**param) for param in space}
    assert len(neps.SearchSpace(parameters).searched) == len(space)
    for unit in (0.0, 1.0):
        for key, value in _config(PROBLEMS[name].space, unit).items():
            assert parameters[key].parse(value) == pytest.approx(value)
    for key, value in _SURFACES[name].minimiser.items() if name in _SURFACES else ():
        assert parameters[key].parse(value) == value


def test_what_is_reported_is_not_what_is_tuned_on() -> None:
    assert len(PROBLEMS) == len(REPORTED) + len(TUNED)
    assert not set(REPORTED) & set(TUNED)


def test_an_unknown_problem_is_named() -> None:
    with pytest.raises(ValueError, match=r"'brannin', but there is none .* branin, "):
        problem("brannin")


def test_noise_is_added_to_the_value() -> None:
    noisy = problem("noisy-hartmann6")
    config = _config(noisy.space, 0.4)
    generator = np.random.default_rng(0)
    losses = [noisy.loss(config, generator) for _ in range(1000)]
    assert noisy.noisy
    assert noisy.value(config) == problem("hartmann6").value(config)
    assert np.mean(losses) == pytest.approx(noisy.value(config), abs=0.01)
    assert np.std(losses) == pytest.approx(0.1, rel=0.1)


def test_without_noise_the_loss_is_the_value() -> None:
    generator = np.random.default_rng(0)
    config = _config(problem("branin").space, 0.3)
    assert problem("branin").loss(config, generator) == problem("branin").value(config)
    assert generator.random() == np.random.default_rng(0).random()
    assert problem("branin").cost(config) == 1


@pytest.mark.parametrize("name", _TASKS)
def test_learning_depends_on_the_configuration_alone(name: str) -> None:
    task, threads, randomness = _TASKS[name], torch.get_num_threads(), torch.random.get_rng_state()
    config = _config(task.space, 0.6)
    value = task.value(config)
    assert value == task.value(config) != task.value(_config(task.space, 0.3))
    assert 0 < value < 2 * math.log(10)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.random.get_rng_state(), randomness)
    assert 0 < task.cost(config) < 1


def test_training_that_diverges_has_a_bounded_loss() -> None:
    task = problem("network")
    config = {**_config(task.space, 0.6), "learning_rate": 1e30}
    assert task.value(config) == pytest.approx(2 * math.log(10))


def test_importing_the_problems_loads_no_library_of_learning() -> None:
    code = "import sys, benchmarks.problems; print({'scipy', 'sklearn', 'torch'} & set(sys.modules))"
    command = [sys.executable, "-c", code]
    root = Path(__file__).parents[2]
    assert subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout == "set()\n"
