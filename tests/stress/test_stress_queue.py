"""What users enqueue is evaluated exactly once, in order, whoever starts, dies and enqueues at the same moment.

Real processes and real SIGKILLs. Documents are read without neps (`stress.evidence`).
"""

from __future__ import annotations

import functools
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import neps
from rigs.processes import Fleet
from rigs.waiting import wait_until
from stress.crew import Crew
from stress.evidence import assert_complete, document, numbers, results
from stress.objective import spaces
from stress.share import Share
from stress.storm import Storm
from stress.team import END

CROWD = 8
ENTRIES = 30
DRAWN = 10
REPETITIONS = 3


@pytest.fixture
def crew(fleet: Fleet, tmp_path: Path) -> Iterator[Crew]:
    with Crew(fleet, tmp_path / "crew", CROWD) as crew:
        yield crew


def entries(size: int = ENTRIES) -> list[dict[str, float]]:
    """Different ones, each telling which it is."""
    return [{"x": (index + 1) / 1000} for index in range(size)]


def decisions(root: Path) -> list[dict[str, object]]:
    """All trial.yaml, by number."""
    return [document(root / f"config_{number}" / "trial.yaml") for number in numbers(root)]


def taken(root: Path) -> list[tuple[object, object, float]]:
    """Which entries were taken, in the order of numbers: list, place, and the value that tells which it is."""
    found = [trial for trial in decisions(root) if "entry" in trial]
    return [(trial["batch"], trial["entry"], trial["config"]["x"]) for trial in found]  # type: ignore[index]


def drawn(root: Path) -> list[float]:
    """What the searcher has decided, as a set."""
    return sorted(trial["config"]["x"] for trial in decisions(root) if "entry" not in trial)  # type: ignore[index]


def started(root: Path, searcher: str) -> None:
    """A run that has begun, with one trial."""
    neps.run(
        lambda x: x,
        root,
        spaces()["line"],
        searcher=searcher,
        seed=5,
        max_evaluations_total=1,
        post_run_summary=False,
        progress=False,
    )


@pytest.mark.parametrize("searcher", ["random_search", "bayesian_optimization"])
def test_8_workers_that_start_at_once_take_each_entry_once_in_order(crew: Crew, tmp_path: Path, searcher: str) -> None:
    expected: list[float] = []
    for repetition in range(REPETITIONS):
        root = tmp_path / f"root_{repetition}"
        started(root, searcher)
        neps.enqueue(root, entries()[:12])
        neps.enqueue(root, entries()[12:])
        size = 1 + ENTRIES + DRAWN
        assert crew.run([Share(root, {"searcher": searcher, "max_evaluations_total": size})] * CROWD) == [None] * CROWD
        assert numbers(root) == list(range(1, size + 1))
        assert results(root) == Counter(success=size)
        first = [(1, place + 1, entries()[place]["x"]) for place in range(12)]
        assert taken(root) == first + [(2, place - 11, entries()[place]["x"]) for place in range(12, ENTRIES)]
        if searcher == "random_search":
            expected = expected or drawn(root)
            assert drawn(root) == expected
            assert len(set(expected)) == 1 + DRAWN


@pytest.mark.parametrize("searcher", ["random_search", "sobol", "regularized_evolution"])
def test_first_configs_are_the_first_numbers_and_the_rest_is_the_same_set(
    crew: Crew, tmp_path: Path, searcher: str
) -> None:
    """In a crowd and alone; where the searcher looks at nothing, it is the set of a run without any, too."""
    arguments = {"searcher": searcher, "seed": 5}
    sets = []
    for workers, first in ((CROWD, entries(10)), (1, entries(10)), (1, [])):
        root = tmp_path / f"root_{workers}_{len(first)}"
        share = Share(root, arguments | {"max_evaluations_total": len(first) + DRAWN, "first_configs": first})
        assert crew.run([share] * workers) == [None] * workers
        assert_complete(root, len(first) + DRAWN)
        assert taken(root) == [(0, index + 1, config["x"]) for index, config in enumerate(first)]
        sets.append(drawn(root))
    if searcher != "regularized_evolution":
        assert sets[0] == sets[1] == sets[2]


def test_what_is_enqueued_while_a_crowd_works_is_taken_once_and_no_draw_twice(crew: Crew, tmp_path: Path) -> None:
    """The crowd claims in any order until it sees the first list; then in turn. The drawn set is that of one worker."""
    for repetition in range(REPETITIONS):
        root = tmp_path / f"root_{repetition}"
        started(root, "sobol")
        size = 400
        share = Share(root, {"searcher": "sobol", "max_evaluations_total": size}, {"steps": 1, "seconds": 0.001})
        number = crew.begin([share] * CROWD)
        wait_until(functools.partial(has_begun, root, 40), END, "40 trials")
        for place in range(ENTRIES):
            neps.enqueue(root, entries()[place])
        assert crew.outcomes(number, CROWD) == [None] * CROWD
        assert_complete_but_first(root, size)
        assert taken(root) == [(place + 1, 1, entries()[place]["x"]) for place in range(ENTRIES)]
        alone = tmp_path / f"alone_{repetition}"
        found = neps.run(
            lambda x: x,
            alone,
            spaces()["line"],
            searcher="sobol",
            seed=5,
            max_evaluations_total=size - ENTRIES,
            post_run_summary=False,
            progress=False,
        )
        assert drawn(root) == sorted(trial.config["x"] for trial in found)  # type: ignore[type-var]


def has_begun(root: Path, trials: int) -> bool:
    return len(numbers(root)) >= trials


def assert_complete_but_first(root: Path, size: int) -> None:
    """As `assert_complete`, of a run whose first trial was another process's."""
    assert numbers(root) == list(range(1, size + 1))
    assert results(root) == Counter(success=size)


def test_kills_while_30_entries_are_taken(fleet: Fleet, tmp_path: Path, rng: random.Random) -> None:
    """Whoever dies between seeing an entry, deciding, committing and evaluating: it is evaluated, in one trial."""
    root = tmp_path / "root"
    arguments = {
        "searcher": "random_search",
        "max_evaluations_total": ENTRIES + DRAWN,
        "first_configs": entries(5),
        "max_attempts": 1_000,
        "continue_until_max_evaluation_completed": True,
    }
    neps.AskAndTell(spaces()["line"], root_directory=root, searcher="random_search", first_configs=entries(5))
    neps.enqueue(root, entries()[5:])
    storm = Storm(trials=ENTRIES + DRAWN, kills=25, workers=4, seconds=END)
    storm.rage(fleet, Share(root, arguments, {"steps": 3, "seconds": 0.01}), rng)
    assert numbers(root) == list(range(1, ENTRIES + DRAWN + 1))
    assert [x for _, _, x in taken(root)] == [config["x"] for config in entries()]
    assert len(set(drawn(root))) == DRAWN


def test_8_workers_that_start_at_once_start_from_the_same(crew: Crew, tmp_path: Path) -> None:
    """Each proposes a run with a snapshot of its own; one begins, and nothing of the others stays."""
    earlier = tmp_path / "earlier"
    assert crew.run([Share(earlier, {"max_evaluations_total": 60})] * CROWD) == [None] * CROWD
    for repetition in range(REPETITIONS):
        root = tmp_path / f"root_{repetition}"
        arguments = {"searcher": "regularized_evolution", "max_evaluations_total": 30, "start_from": str(earlier)}
        assert crew.run([Share(root, arguments)] * CROWD) == [None] * CROWD
        assert_complete(root, 30)
        run = document(root / "neps.yaml")["run"]
        assert [path.name for path in (root / "known").iterdir()] == [run]
        assert len(neps.load(root).earlier) == 60
        assert [(batch, entry) for batch, entry, _ in taken(root)] == [(0, 1)]
        assert {trial["seen_known"] for trial in decisions(root)} == {1}
