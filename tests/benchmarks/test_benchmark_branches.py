"""Problems with conditions that results are reported on: their minima, their tables, and how peers are told of them."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from benchmarks.comparing.methods import Method
from benchmarks.comparing.normalised import normalised, normalised_table, units_of
from benchmarks.conditional.running import space_of
from benchmarks.driving.driver import RunFailed, check_suggestion
from benchmarks.driving.results import Key
from benchmarks.multifidelity.accounts import Journal
from benchmarks.problems import (
    CONDITIONAL_REPORTED,
    FIDELITY_CONDITIONAL,
    FIDELITY_PROBLEMS,
    PROBLEMS,
    FidelityProblem,
    fidelity_problem,
    problem,
)
from benchmarks.problems.conditional import CONDITIONAL, if_active
from benchmarks.problems.learning import one_thread
from benchmarks.problems.problem import Problem, choice, real, whole
from benchmarks.problems.synthetic import REPORTED
from benchmarks.problems.tabulated import NETWORK, REGRESSORS, SCALE, Family, grid, tables
from benchmarks.problems.tabulating import regressor_losses, train_networks
from benchmarks.regret.record import Record
from benchmarks.regret.study import study_of

_STACKED: Mapping[str, Any] = {
    "blocks": 3,
    "learning_rate": 10**-1.8,
    "kind1": "dense",
    "width1": 128,
    "dropout1": 0.2,
    "kind2": "gated",
    "width2": 64,
    "gate2": 0.6,
    "kind3": "dense",
    "width3": 32,
    "dropout3": 0.2,
}
_SPACE = (
    choice("optimizer", "sgd", "adam"),
    whole("layers", 1, 3),
    if_active(real("momentum", 0, 1), optimizer="sgd"),
    if_active(whole("width2", 8, 64), layers=[2, 3]),
    if_active(real("dropout2", 0, 1), layers=[2, 3], optimizer="sgd"),
)


def _pipe(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module that drivers import, under its name there; what it sets for them is undone."""
    path = Path(__file__).parents[2] / "benchmarks" / "peers" / "pipe.py"
    spec = importlib.util.spec_from_file_location("pipe", path)
    assert spec is not None
    assert spec.loader is not None
    for library in ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "VECLIB_MAXIMUM"):
        monkeypatch.setenv(f"{library}_NUM_THREADS", "1")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "pipe", module)
    spec.loader.exec_module(module)
    return module


def _values(name: str, seed: int, count: int) -> list[float]:
    """Of random configurations, as they are sent to a driver."""
    each, generator = problem(name), np.random.default_rng(seed)
    space = space_of(each)
    configs = [space.sample(generator) for _ in range(count)]
    for config in configs:
        check_suggestion(each.space, json.loads(json.dumps(config)))
    return [each.value(config) for config in configs]


# --------------------------------------------------------------------------------------------------------- minima


def test_the_problems_are_others_than_those_that_searches_are_developed_on() -> None:
    names = [*PROBLEMS, *CONDITIONAL_REPORTED, *FIDELITY_PROBLEMS, *FIDELITY_CONDITIONAL]
    assert len({*names}) == len(names)
    assert not {*CONDITIONAL_REPORTED} & {*CONDITIONAL}
    assert all(problem(name).conditional for name in CONDITIONAL_REPORTED)
    assert all(fidelity_problem(name).conditional for name in FIDELITY_CONDITIONAL)
    assert not problem("branin").conditional


@pytest.mark.parametrize("name", CONDITIONAL_REPORTED)
def test_no_configuration_is_below_the_optimum(name: str) -> None:
    values = _values(name, seed=0, count=2000)
    assert min(values) >= (problem(name).optimum or 0.0)
    assert np.median(values) > 1.1 * min(values)


def test_the_minimum_of_a_stack_is_zero() -> None:
    assert problem("stack").value(_STACKED) == pytest.approx(0, abs=1e-12)


def test_the_minimum_of_surfaces_is_that_of_the_one_with_the_most_parameters() -> None:
    (best,) = (surface.minimiser for surface in REPORTED if surface.name == "hartmann6")
    config = {"surface": "hartmann6", **{f"hartmann6_{name}": value for name, value in best.items()}}
    assert problem("surfaces").value(config) == pytest.approx(0, abs=1e-9)


# --------------------------------------------------------------------------------------------------------- tables


@pytest.mark.parametrize("family", [NETWORK, REGRESSORS], ids=lambda family: family.name)
def test_the_optimum_is_the_lowest_loss_of_the_table(family: Family) -> None:
    found = {branch: tables()[f"{family.name} {branch}"] for branch in family.branches}
    assert min(table[..., -1].min() for table in found.values()) == pytest.approx(family.lowest, abs=1e-12)
    assert {table.shape for table in found.values()} == {
        tuple(len(axis.points) for axis in (*axes, family.steps)) for axes in family.branches.values()
    }


def test_what_was_trained_has_its_own_loss_and_between_two_a_loss_lies_between_theirs() -> None:
    axes, table = NETWORK.branches["adam 1"], tables()["widths adam 1"]
    point = {axis.name: axis.points[1] for axis in axes} | {"optimizer": "adam", "layers": 1}
    assert NETWORK.loss(point, 5) == pytest.approx(table[1, 1, 1, 3])
    rate = float(np.sqrt(axes[1].points[1] * axes[1].points[2]))
    between = NETWORK.loss(point | {"learning_rate": rate}, 5)
    assert between == pytest.approx((table[1, 1, 1, 3] + table[1, 2, 1, 3]) / 2)
    assert NETWORK.loss(point, 27) == NETWORK.value(point)


def test_a_training_comes_out_as_in_the_table() -> None:
    """Of networks, roughly, since libraries round otherwise on other machines; learning is chaotic at high rates."""
    rates, moments = NETWORK.branches["sgd 1"][1:]
    with one_thread():
        again = train_networks("sgd", [4], grid([dataclasses.replace(rates, points=rates.points[:3]), moments]))
    assert again.ravel() == pytest.approx(tables()["widths sgd 1"][0, :3].ravel(), abs=0.01)
    linear = [dataclasses.replace(axis, points=axis.points[1:3]) for axis in REGRESSORS.branches["standard svm linear"]]
    again = regressor_losses("standard svm linear", tuple(linear))
    assert again.ravel() == pytest.approx(tables()["regressors standard svm linear"][1:3, 1:3].ravel(), abs=2 / SCALE)


@pytest.mark.parametrize("name", FIDELITY_CONDITIONAL)
def test_a_loss_at_the_top_is_the_value_and_lower_fidelities_say_something_of_it(name: str) -> None:
    each = fidelity_problem(name)
    space, generator = space_of(Problem(name, each.space, lambda _: 0.0)), np.random.default_rng(0)
    evaluator, top = each.evaluator(0), each.fidelity["upper"]
    configs = [space.sample(generator) for _ in range(200)]
    values = [evaluator.value(config) for config in configs]
    assert [evaluator.loss(config, top) for config in configs] == values
    middle = [evaluator.loss(config, top // 3) for config in configs]
    assert 0.3 < np.corrcoef(np.argsort(np.argsort(values)), np.argsort(np.argsort(middle)))[0, 1] < 1.0
    with pytest.raises(ValueError, match="have none"):
        each.default("good", 0)


# ---------------------------------------------------------------------------------------------------------- peers


@pytest.mark.parametrize(
    "config",
    [
        {"optimizer": "sgd", "layers": 1},
        {"optimizer": "adam", "layers": 1, "momentum": 0.5},
        {"optimizer": "adam", "layers": 2, "width2": 8, "dropout2": 0.1},
    ],
)
def test_a_driver_may_suggest_neither_more_nor_less_than_what_is_active(config: Mapping[str, Any]) -> None:
    check_suggestion(_SPACE, {"optimizer": "adam", "layers": 2, "width2": 8})
    with pytest.raises(RunFailed, match="not the active parameters of the space"):
        check_suggestion(_SPACE, config)


def test_a_driver_leaves_out_what_is_inactive_and_conditions_go_by_index_with_their_choices(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipe = _pipe(monkeypatch)
    flat = {"optimizer": "adam", "layers": 2, "momentum": 0.5, "width2": 8, "dropout2": 0.1}
    assert pipe.active(_SPACE, flat) == {"optimizer": "adam", "layers": 2, "width2": 8}
    by_index = pipe.by_index(_SPACE)
    assert [each.get("active_if") for each in by_index] == [
        None,
        None,
        {"optimizer": [0]},
        {"layers": [2, 3]},
        {"layers": [2, 3], "optimizer": [0]},
    ]
    assert pipe.from_index(_SPACE, {"optimizer": 1, "layers": 2, "width2": 8}) == pipe.active(_SPACE, flat)


# -------------------------------------------------------------------------------------------------------- figures


def test_configurations_of_two_branches_are_two_whatever_their_values() -> None:
    class _Flat:
        def loss(self, config: Mapping[str, Any], fidelity: int) -> float:
            return float(len(config) + fidelity)

        def value(self, config: Mapping[str, Any]) -> float:
            return self.loss(config, 9)

    space = (choice("kind", "a", "b"), if_active(real("x", 0, 1), kind="a"), if_active(real("y", 0, 1), kind="b"))
    made = FidelityProblem("two", space, whole("z", 1, 9), lambda z: z / 9, lambda _: _Flat(), lambda *_: {}, 0.0)
    journal = Journal(made, 0)
    for config in ({"kind": "a", "x": 0.5}, {"kind": "a", "y": 0.5}, {"kind": "a", "x": 0.5}):
        journal.evaluate({**config, "z": 3}, 0.0)
    assert [each.config for each in journal.record("m", "1").trace] == [1, 2, 1]


def test_regret_is_counted_in_what_random_configurations_have_and_averaged_over_problems() -> None:
    easy = Problem("easy", (real("x", 0, 1),), lambda _: 0.0, optimum=1.0)
    hard = Problem("hard", (real("x", 0, 1),), lambda _: 0.0, optimum=0.0)
    drawn, good = (Method(name=name, driver="", environment="own") for name in ("random", "good"))
    losses = {
        ("easy", "random"): [2.0, 3.0, 4.0],
        ("hard", "random"): [10.0, 20.0, 30.0],
        ("easy", "good"): [2.0, 1.5, 1.5],
        ("hard", "good"): [20.0, 20.0, 2.0],
    }
    records = [
        Record(Key(name, method, "1", seed), seen, [0.0] * 3)
        for (name, method), seen in losses.items()
        for seed in (0, 1)
    ]
    study = study_of(records, [easy, hard], [drawn, good])
    units = units_of(study, drawn, lambda record: record.losses)
    assert units == {"easy": 2.0, "hard": 20.0}
    of_random, of_good = normalised(study, [drawn, good], 2, units)
    assert {name: each.tolist() for name, each in of_random.items()} == {"easy": [0.5, 0.5], "hard": [0.5, 0.5]}
    assert {name: each.tolist() for name, each in of_good.items()} == {"easy": [0.25, 0.25], "hard": [1.0, 1.0]}
    text = "\n".join(normalised_table(study, [drawn, good], {"after 2": 2, "after 3": 3}, units))
    assert "over 2 problems with 2 seeds each" in text
    assert text.index("| good | 62.50 [25.00, 100.00] | 17.50 [10.00, 25.00] |") < text.index("| random | 50.00")
    assert units_of(study, None, lambda record: record.losses) == {}
