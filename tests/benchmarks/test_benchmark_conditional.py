"""The problems with conditions, their table, and what is recorded of the ways to tell a model what is inactive."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.conditional.__main__ import jobs, main, recorded
from benchmarks.conditional.kernels import WAYS, Kind
from benchmarks.conditional.process import Process
from benchmarks.conditional.report import tables
from benchmarks.conditional.running import Job, kind_of, perform, space_of
from benchmarks.conditional.tabulating import error_rate
from benchmarks.problems import Config
from benchmarks.problems.conditional import CONDITIONAL, best_of, key_of

RECORDED = Path(__file__).parents[2] / "benchmarks" / "conditional" / "results.jsonl"

MINIMISERS: dict[str, Config] = {
    "tree": {"x1": "left", "x2": "left", "x4": 0.35, "r8": 0.3},
    "optimizers": {
        "optimizer": "adam",
        "learning_rate": 1e-5 * 1e5**0.4,
        "weight_decay": 1e-7 * 1e6**0.65,
        "dropout": 0.3,
        "beta1": 0.8,
        "beta2": 10**-2.6,
        "epsilon": 1e-8,
    },
    "layers": {
        "layers": 3,
        "learning_rate": 0.01,
        "width1": 128,
        "width2": 64,
        "width3": 32,
        "dropout2": 0.2,
        "dropout3": 0.3,
    },
}


@pytest.mark.parametrize("name", MINIMISERS)
def test_the_minimum_is_where_it_is_said_to_be(name: str) -> None:
    problem, config = CONDITIONAL[name], MINIMISERS[name]
    space, generator = space_of(problem), np.random.default_rng(0)
    assert space.validate(config)
    assert problem.value(config) == pytest.approx(best_of(name), abs=1e-9)
    values = [problem.value(space.sample(generator)) for _ in range(2000)]
    assert best_of(name) < min(values) < max(values) < 20.0


def test_each_pipeline_is_in_the_table() -> None:
    problem = CONDITIONAL["pipelines"]
    configs = space_of(problem).every_config(10_000) or []
    assert len({key_of(config) for config in configs}) == len(configs) == space_of(problem).size == 1750
    values = [problem.value(config) for config in configs]
    assert best_of("pipelines") == min(values) < 0.05
    assert max(values) > 0.5
    for number in (100, 1100, 1300):
        assert error_rate(configs[number]) == pytest.approx(values[number], abs=0.02)


def test_all_that_is_shown_is_recorded() -> None:
    measured = recorded(RECORDED)
    assert set(jobs(10)) <= measured.keys()
    text = tables(measured)
    assert all(f"| {way} |" in text for way in WAYS)
    assert "nan" not in text


@pytest.mark.parametrize("way", WAYS)
def test_each_way_has_a_gradient_and_predicts(way: str) -> None:
    space, generator = space_of(CONDITIONAL["optimizers"]), np.random.default_rng(1)
    X = np.array([space.encode(space.sample(generator)) for _ in range(12)])
    process = Process(WAYS[way], kind_of(space), X, np.sin(np.arange(12.0)))
    theta = process.starts[1] + 0.1
    value, gradient = process.negative_log_posterior(theta)
    for place in (0, 4, space.dimensions, len(theta) - 5, len(theta) - 1):
        step = 1e-6 * np.eye(len(theta))[place]
        numerical = (process.negative_log_posterior(theta + step)[0] - value) / 1e-6
        assert gradient[place] == pytest.approx(numerical, rel=1e-3, abs=1e-3)
    means, variances = process.predict(theta, X)
    assert np.isfinite(means).all()
    assert (variances > 0.0).all()


def test_axes_that_are_active_together_are_of_one_group() -> None:
    kind = kind_of(space_of(CONDITIONAL["tree"]))
    assert isinstance(kind, Kind)
    assert kind.parents.tolist() == [True, True, True, *[False] * 6]
    assert kind.conditions.tolist() == [0, 1, 2, 3, 4, 5, 6, 1, 2]


def test_a_measurement(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log_density, error = perform(Job("prediction", "tree", "beside the axis", 10, seed=0))
    assert log_density > -10.0
    assert 0.0 < error < 3.0
    lowest = perform(Job("search", "tree", "beside the axis", 10, seed=0))
    assert len(lowest) == 10
    assert lowest == sorted(lowest, reverse=True)
    main(["--results", str(RECORDED)])
    assert "log10 regret" in capsys.readouterr().out
    assert recorded(tmp_path / "none.jsonl") == {}
