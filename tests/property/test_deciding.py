"""One decision, whoever asks: a worker on a directory, `simulate` and `AskAndTell` decide the same, bit for bit."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import neps
from neps._budget import Budget
from neps._history import History
from neps._trial import Decision
from neps.errors import ArgumentError
from neps.samplers._registry import SEARCHERS, resolve
from neps.space import SearchSpace
from neps.testing.simulation import simulate

SEED = 5
PLAIN = SearchSpace({"x": neps.Float(0, 1), "kind": neps.Categorical(["a", "b", None])})
PRIOR = SearchSpace({"x": neps.Float(0, 1, default=0.6), "kind": neps.Categorical(["a", "b"], default="b")})
EPOCHS = SearchSpace({"x": neps.Float(0, 1), "epochs": neps.Integer(1, 9, is_fidelity=True)})
BOTH = SearchSpace({"x": neps.Float(0, 1, default=0.6), "epochs": neps.Integer(1, 9, is_fidelity=True)})
LEAVES = " leaves: "


def evaluated(**config: Any) -> dict[str, float]:
    """One in eight fails, one is NaN; costs depend on the configuration, and are no round numbers."""
    x = config["x"]
    luck = (x + 0.06) % 0.125
    if luck < 0.015:
        raise ValueError("an unlucky value")
    loss = math.nan if luck > 0.11 else (x - 0.3) ** 2 + 1 / config.get("epochs", 1)
    return {"loss": loss, "cost": 0.1 + x * config.get("epochs", 1) / 3}


def losses_alone(**config: Any) -> float:
    return evaluated(**config)["loss"]


def objective(evaluate: Any) -> Any:
    def returned(config: Mapping[str, Any]) -> Any:
        try:
            return evaluate(**config)
        except ValueError:
            return None

    return returned


def decisions(history: History) -> list[Decision]:
    """What was decided, but for who did, and when."""
    return [dataclasses.replace(t.decision, worker="", claimed=None) for t in history.trials if t.decision is not None]


def told(search: neps.AskAndTell, evaluate: Any, workers: int = 1) -> neps.AskAndTell:
    """With so many trials pending, the oldest of which ends first."""
    running: list[neps.Trial] = []
    while True:
        while len(running) < workers and (trial := search.ask()) is not None:
            running.append(trial)
        if not running:
            return search
        trial = running.pop(0)
        try:
            result = evaluate(**trial.config)
        except ValueError as error:
            result = error
        search.tell(trial, result)


def cheap(config: Mapping[str, Any]) -> float:
    return 0.3 + float(config["x"])


RUNS: list[tuple[str, SearchSpace, dict[str, Any]]] = [
    ("random_search", PLAIN, {"max_evaluations_total": 7}),
    ("random_search", PLAIN, {"max_cost_total": 3}),
    ("random_search", PLAIN, {"max_cost_total": 3, "expected_cost": 0.7}),
    ("sobol", PLAIN, {"max_cost_total": 2, "expected_cost": cheap, "max_evaluations_total": 9}),
    ("grid_search", PLAIN, {"max_cost_total": 100}),
    ("bayesian_optimization", PLAIN, {"max_evaluations_total": 9}),
    ("pibo", PRIOR, {"max_cost_total": 3.5}),
    ("cost_cooling", PLAIN, {"max_cost_total": 4}),
    ("regularized_evolution", PLAIN, {"max_evaluations_total": 30}),
    ("random_search", EPOCHS, {"max_fidelity_total": 40}),
    ("hyperband", EPOCHS, {"max_evaluations_total": 20}),
    ("successive_halving", EPOCHS, {"max_cost_total": 9}),
    ("asha", EPOCHS, {"max_fidelity_total": 50, "max_cost_total": 40}),
    ("asha", EPOCHS, {"max_cost_total": 6, "expected_cost": 0.5}),
    ("priorband", BOTH, {"max_cost_total": 9, "max_evaluations_total": 20}),
    ("freeze_thaw", EPOCHS, {"max_cost_total": 3}),
]


@pytest.mark.parametrize(("searcher", "space", "budget"), RUNS)
def test_a_worker_decides_as_simulated(
    searcher: str, space: SearchSpace, budget: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Numbers, configurations, checkpoints, reserved costs, seeds and the end, with failures and under each budget."""
    with_costs = "max_cost_total" in budget
    evaluate = evaluated if with_costs else losses_alone
    on_error: dict[str, Any] = {"cost_value_on_error": 0.25} if with_costs else {}
    with caplog.at_level(logging.INFO):
        real = neps.run(
            evaluate,
            tmp_path / "root",
            space,
            searcher=searcher,
            seed=SEED,
            ignore_errors=True,
            progress=False,
            post_run_summary=False,
            **budget,
            **on_error,
        )
    why = next(line.partition(LEAVES)[2] for line in caplog.messages if LEAVES in line)
    limits = {name: value for name, value in budget.items() if name != "expected_cost"}
    simulated = simulate(
        resolve(searcher, space, {}),
        space,
        objective(evaluate),
        Budget(**limits, cost_if_missing=on_error.get("cost_value_on_error")),
        seed=SEED,
        expected_cost=budget.get("expected_cost"),
    )
    asked = told(neps.AskAndTell(space, searcher=searcher, seed=SEED, **budget, **on_error), evaluate)
    assert decisions(simulated) == decisions(real) == decisions(asked.history)
    assert asked.done
    assert why.split(". ")[0] == str(asked.reason)
    assert simulated.total_cost == real.total_cost == asked.history.total_cost
    assert any(decision.reserved_cost for decision in decisions(real)) == with_costs


def of_each_searcher() -> list[tuple[str, SearchSpace]]:
    """With a space that it takes."""
    found = []
    for name in SEARCHERS:
        for space in (BOTH, EPOCHS, PRIOR, PLAIN):
            try:
                resolve(name, space, {})
            except ArgumentError:
                continue
            found.append((name, space))
            break
    assert len(found) == len(SEARCHERS)
    return found


@pytest.mark.parametrize(("searcher", "space"), of_each_searcher())
def test_what_is_asked_with_several_pending_is_as_simulated_with_as_many_workers(
    searcher: str, space: SearchSpace
) -> None:
    budget: dict[str, Any] = {"max_evaluations_total": 11, "max_cost_total": 30}
    simulated = simulate(
        resolve(searcher, space, {}),
        space,
        objective(evaluated),
        Budget(**budget, cost_if_missing=0.25),
        seed=SEED,
        workers=3,
    )
    search = told(
        neps.AskAndTell(space, searcher=searcher, seed=SEED, **budget, cost_value_on_error=0.25), evaluated, workers=3
    )
    assert decisions(search.history) == decisions(simulated)
    assert [(t.status, t.cost, t.spent) for t in search.history] == [(t.status, t.cost, t.spent) for t in simulated]
    assert len(search.history) > 4
