"""Budgets and numbers are exact, and the same search comes out, with any number of workers that start at one instant.

Real processes, which live through all rounds of a test: 20 simultaneous starts on new roots cost one interpreter each.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rigs.processes import Fleet
from stress.crew import Crew
from stress.evidence import assert_complete, configurations, document, numbers, result
from stress.share import Share

REPETITIONS = 20
CROWD = 8
REPLAYED = 40
CROWDS = {1: 5, 2: 10, 4: 10, CROWD: REPETITIONS}
"""Rounds for so many workers: the fewer there are, the less one round differs from the next."""


@pytest.fixture
def crew(fleet: Fleet, tmp_path: Path) -> Iterator[Crew]:
    with Crew(fleet, tmp_path / "crew", CROWD) as crew:
        yield crew


def test_8_workers_at_once_on_a_root_that_does_not_exist(crew: Crew, tmp_path: Path) -> None:
    roots = [tmp_path / "deep" / f"root_{repetition}" for repetition in range(REPETITIONS)]
    for root in roots:
        assert crew.run([Share(root, {"max_evaluations_total": 200})] * CROWD) == [None] * CROWD
        assert_complete(root, 200)
    for start in range(0, REPETITIONS, CROWD):
        assert_one_definition(crew, roots[start : start + CROWD])


def assert_one_definition(crew: Crew, roots: list[Path]) -> None:
    """Each worker had drawn a seed, and all have used the one that was published: a replay with it finds the same."""
    replays = [root.with_name(f"replay of {root.name}") for root in roots]
    seeds = [document(root / "neps.yaml")["seed"] for root in roots]
    arguments = [{"max_evaluations_total": REPLAYED, "seed": seed} for seed in seeds]
    shares = [Share(replay, argument) for replay, argument in zip(replays, arguments, strict=True)]
    assert crew.run(shares) == [None] * len(shares)
    for root, replay in zip(roots, replays, strict=True):
        assert configurations(replay).items() <= configurations(root).items()
        assert numbers(replay) == list(range(1, REPLAYED + 1))


@pytest.mark.parametrize(
    ("budget", "cost", "expected_cost", "evaluations"),
    [
        pytest.param(10, 2, None, 5, id="cost 2 of 10"),
        pytest.param(10, 2, 2, 5, id="cost 2 of 10, expected"),
        pytest.param(6, 1, None, 6, id="cost 1 of 6"),
        pytest.param(1.0, 0.1, 0.1, 10, id="ten times 0.1"),
    ],
)
def test_a_cost_budget_is_exact(
    crew: Crew, tmp_path: Path, budget: float, cost: float, expected_cost: float | None, evaluations: int
) -> None:
    arguments = {"max_cost_total": budget, "expected_cost": expected_cost}
    for workers, repetitions in CROWDS.items():
        for repetition in range(repetitions):
            root = tmp_path / f"root_{workers}_{repetition}"
            assert crew.run([Share(root, arguments, {"cost": cost})] * workers) == [None] * workers
            assert_complete(root, evaluations)


def test_random_costs_overshoot_by_no_more_than_what_was_in_flight(crew: Crew, tmp_path: Path) -> None:
    """A trial starts only while what has ended cost less than the budget: at most what 8 workers hold comes on top."""
    budget = 5.0
    for repetition in range(REPETITIONS):
        root = tmp_path / f"root_{repetition}"
        share = Share(root, {"max_cost_total": budget, "seed": repetition}, {"cost": "x", "steps": 1, "seconds": 0.005})
        assert crew.run([share] * CROWD) == [None] * CROWD
        costs = [result(root, number)["cost"] for number in numbers(root)]
        assert_complete(root, len(costs))
        assert budget <= sum(costs) < budget + sum(sorted(costs)[-CROWD:])


@pytest.mark.parametrize("searcher", ["hyperband", "asha", "random_search"])
def test_a_fidelity_budget_is_exceeded_by_less_than_the_last_trial_adds(
    crew: Crew, tmp_path: Path, searcher: str
) -> None:
    """With 1 and with 8 workers, and again where it is raised later."""
    arguments = {"space": "epochs", "searcher": searcher, "seed": 3}
    for workers in (1, CROWD):
        root = tmp_path / f"{workers} workers"
        for budget in (7, 60):
            share = Share(root, {**arguments, "max_fidelity_total": budget}, {"steps": 1, "seconds": 0.002})
            assert crew.run([share] * workers) == [None] * workers
            assert_complete(root, len(numbers(root)))
            trials = {number: document(root / f"config_{number}" / "trial.yaml") for number in numbers(root)}
            run = [trial["fidelity"] - begin_of(trial, trials) for trial in trials.values()]
            assert sum(run[:-1]) < budget <= sum(run)


def begin_of(trial: dict[str, Any], trials: dict[int, dict[str, Any]]) -> int:
    """The fidelity that the checkpoint of its previous trial has."""
    previous = trial.get("previous")
    return int(trials[int(previous.removeprefix("config_"))]["fidelity"]) if previous else 0


def same_search(crew: Crew, folder: Path, arguments: dict[str, Any], cost: float | None = None) -> dict[int, str]:
    """Runs a search with 1 and with 8 workers; what both have decided."""
    found = []
    for workers in (1, CROWD):
        root = folder / f"{workers} workers"
        assert crew.run([Share(root, arguments, {"cost": cost})] * workers) == [None] * workers
        assert_complete(root, len(numbers(root)))
        found.append(configurations(root))
    assert found[0] == found[1]
    return found[0]


@pytest.mark.parametrize(
    ("searcher", "settings"),
    [("random_search", {}), ("random_search", {"use_priors": True}), ("sobol", {})],
    ids=["random_search", "random_search with priors", "sobol"],
)
def test_8_workers_decide_the_same_as_1(crew: Crew, tmp_path: Path, searcher: str, settings: dict[str, Any]) -> None:
    common = {"space": "mixed", "searcher": searcher, **settings}
    first = same_search(crew, tmp_path / "7", {**common, "seed": 7, "max_evaluations_total": 60})
    other = same_search(crew, tmp_path / "8", {**common, "seed": 8, "max_evaluations_total": 60})
    by_cost = same_search(crew, tmp_path / "cost", {**common, "seed": 7, "max_cost_total": 30}, cost=1)
    assert len(set(first.values())) == 60
    assert not set(first.values()) & set(other.values())
    assert by_cost == {number: config for number, config in first.items() if number <= 30}


def test_a_grid_is_the_same_and_ends_when_it_is_covered(crew: Crew, tmp_path: Path) -> None:
    found = same_search(crew, tmp_path, {"space": "mixed", "searcher": "grid_search", "seed": 7})
    assert len(found) == len(set(found.values())) == 5 * 3 * 3


def test_bayesian_optimization_keeps_to_a_cost_budget(crew: Crew, tmp_path: Path) -> None:
    for workers in (1, CROWD):
        root = tmp_path / f"{workers} workers"
        arguments = {"space": "mixed", "searcher": "bayesian_optimization", "max_cost_total": 10}
        assert crew.run([Share(root, arguments, {"cost": 2})] * workers) == [None] * workers
        assert_complete(root, 5)
