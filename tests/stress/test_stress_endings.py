"""Results end a run: with 8 real processes at most 7 trials more begin than with one, and all workers agree."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from rigs.processes import Fleet
from stress.crew import Crew
from stress.evidence import assert_complete, configurations, document, evaluations, numbers, result
from stress.share import Share
from stress.team import END, await_entry, solo

REPETITIONS = 5
CROWD = 8
PATIENCE = 12


@pytest.fixture
def crew(fleet: Fleet, tmp_path: Path) -> Iterator[Crew]:
    with Crew(fleet, tmp_path / "crew", CROWD) as crew:
        yield crew


def endings(root: Path) -> list[dict[str, Any]]:
    return [document(path) for path in sorted(root.glob("endings/*/ending_*.yaml"))]


def decisions(root: Path) -> dict[int, dict[str, Any]]:
    return {number: document(root / f"config_{number}" / "trial.yaml") for number in numbers(root)}


@pytest.mark.parametrize("searcher", ["random_search", "bayesian_optimization"])
def test_patience_is_exceeded_by_fewer_trials_than_there_are_workers(crew: Crew, tmp_path: Path, searcher: str) -> None:
    for repetition in range(REPETITIONS):
        root = tmp_path / f"root_{repetition}"
        share = Share(
            root, {"searcher": searcher, "seed": repetition, "patience": PATIENCE}, {"steps": 1, "seconds": 0.003}
        )
        assert crew.run([share] * CROWD) == [None] * CROWD
        assert_complete(root, len(numbers(root)))
        (ending,) = endings(root)
        best = int(ending["reason"].partition("since trial ")[2].partition(" ")[0])
        assert sum(number >= ending["before"] for number in numbers(root)) < CROWD
        informed = [number for number, trial in decisions(root).items() if trial["incumbent"] == best]
        assert PATIENCE <= len(informed) < PATIENCE + CROWD, ending
        before = configurations(root)
        assert crew.run([share] * CROWD) == [None] * CROWD
        assert configurations(root) == before
        assert endings(root) == [ending]


def test_after_a_target_is_reached_each_other_worker_begins_one_trial_at_most(crew: Crew, tmp_path: Path) -> None:
    for repetition in range(REPETITIONS):
        root = tmp_path / f"root_{repetition}"
        share = Share(root, {"seed": repetition, "target_loss": 0.05}, {"steps": 1, "seconds": 0.003})
        assert crew.run([share] * CROWD) == [None] * CROWD
        assert_complete(root, len(numbers(root)))
        (ending,) = endings(root)
        results = {number: result(root, number) for number in numbers(root)}
        reached = min(datetime.fromisoformat(r["finished"]) for r in results.values() if r["loss"] <= 0.05)
        begun = [datetime.fromisoformat(trial["time"]) for trial in decisions(root).values()]
        assert sum(time > reached for time in begun) < CROWD
        assert sum(number >= ending["before"] for number in numbers(root)) < CROWD
        lower = Share(root, {"target_loss": 0.04}, {"steps": 1, "seconds": 0.003})
        assert crew.run([lower] * CROWD) == [None] * CROWD
        assert min(result(root, number)["loss"] for number in numbers(root)) <= 0.04


def test_8_workers_decide_what_1_decides_as_far_as_it_goes(crew: Crew, tmp_path: Path) -> None:
    """Random search looks at nothing, so that only how far it goes depends on when results come."""
    found = []
    for workers in (1, CROWD):
        root = tmp_path / f"{workers} workers"
        share = Share(root, {"seed": 3, "patience": PATIENCE}, {"steps": 1, "seconds": 0.003})
        assert crew.run([share] * workers) == [None] * workers
        found.append(configurations(root))
    one, many = found
    assert all(many[number] == one[number] for number in one.keys() & many.keys())


def test_a_trial_of_a_worker_that_is_killed_is_resumed_after_the_end_and_nothing_else_begins(
    fleet: Fleet, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    share = Share(root, {"seed": 3, "patience": PATIENCE}, {"steps": 3, "seconds": 0.005, "slow": 1})
    victim = solo(fleet, share)
    await_entry(root, "step", 1)
    others = [solo(fleet, share) for _ in range(3)]
    assert [worker.wait(END) for worker in others] == [0] * 3, [worker.stderr for worker in others]
    (ending,) = endings(root)
    before = numbers(root)
    assert not (root / "config_1" / "result.yaml").exists()
    victim.kill()
    later = [solo(fleet, share) for _ in range(3)]
    assert [worker.wait(END) for worker in later] == [0] * 3, [worker.stderr for worker in later]
    assert numbers(root) == before
    assert result(root, 1)["attempt"] == 2
    assert endings(root) == [ending]
    assert evaluations(root) == {number: 2 if number == 1 else 1 for number in before}
