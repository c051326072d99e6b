"""Budgets hold with what users enqueue, and what many say at the same moment is all there, once.

Real processes and real SIGKILLs. Documents are read without neps (`stress.evidence`).
"""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import neps
from rigs.processes import Fleet
from rigs.waiting import wait_until
from stress.evidence import document, numbers, results
from stress.objective import spaces
from stress.share import Share
from stress.storm import Storm
from stress.team import END, nursery

TRIALS = 40
FIRST, ENQUEUED = 6, 8
AT_ONCE = 2000
IMPORTED = 1500
SAYING = """
import json, sys
from pathlib import Path
import neps
from rigs.waiting import wait_until

root, index, what, size = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
configs = [{"x": (index * size + place + 1) / 10_000} for place in range(size)]
found = [{"config": {"x": (place + 0.5) / size}, "loss": float(place)} for place in range(size)]
neps.enqueue, neps.import_trials
print("ready", flush=True)
wait_until(Path(root, "config_10").exists, 120, "10 trials")
if what == "enqueue":
    print(json.dumps(neps.enqueue(root, configs)))
else:
    print(json.dumps(neps.import_trials(root, found)))
"""


def entries(size: int, first: int = 0) -> list[dict[str, Any]]:
    return [{"x": (index + 1) / 1000, "epochs": 1} for index in range(first, first + size)]


def decisions(root: Path) -> list[dict[str, Any]]:
    return [document(root / f"config_{number}" / "trial.yaml") for number in numbers(root)]


@pytest.mark.parametrize("budget", ["max_cost_total", "max_fidelity_total"])
def test_kills_of_8_workers_spend_no_more_and_take_each_entry_once(
    fleet: Fleet, tmp_path: Path, rng: random.Random, budget: str
) -> None:
    """Each evaluation costs 1, and each of the entries has a fidelity of 1; so the budget is spent to the unit."""
    root = tmp_path / "root"
    usual: dict[str, Any] = {"searcher": "asha", "seed": 3}
    neps.AskAndTell(spaces()["epochs"], root_directory=root, first_configs=entries(FIRST), **usual)
    neps.enqueue(root, entries(ENQUEUED, FIRST))
    asked = {
        **usual,
        "space": "epochs",
        budget: float(TRIALS),
        "max_attempts": 1_000,
        "continue_until_max_evaluation_completed": True,
    }
    share = Share(root, asked, {"steps": 2, "seconds": 0.01, "cost": 1.0})
    if budget == "max_cost_total":
        Storm(trials=TRIALS, kills=15, workers=8, seconds=END).rage(fleet, share, rng)
    else:  # how many trials that is, nobody knows before
        assert nursery(fleet, share, 8).wait(END) == 0
    found = decisions(root)
    assert numbers(root) == list(range(1, len(found) + 1))
    assert results(root) == Counter(success=len(found))
    taken = [(trial["batch"], trial["entry"], trial["config"]["x"]) for trial in found if "entry" in trial]
    first = [(0, place + 1, config["x"]) for place, config in enumerate(entries(FIRST))]
    assert taken == first + [(1, place + 1, config["x"]) for place, config in enumerate(entries(ENQUEUED, FIRST))]
    if budget == "max_cost_total":
        assert len(found) == TRIALS
    else:
        by_number = {trial["number"]: trial["fidelity"] for trial in found}
        begun = [by_number.get(int(str(trial.get("previous", "_0")).split("_")[1]), 0) for trial in found]
        run = [trial["fidelity"] - begin for trial, begin in zip(found, begun, strict=True)]
        assert sum(run[:-1]) < TRIALS <= sum(run)


def test_what_4_say_at_once_while_others_decide_is_all_there_and_each_of_it_once(fleet: Fleet, tmp_path: Path) -> None:
    """Two enqueue thousands, two import the same: nothing is lost or torn, and what is there twice counts once."""
    root = tmp_path / "root"
    share = Share(
        root,
        {"searcher": "regularized_evolution", "seed": 1, "max_evaluations_total": 300},
        {"steps": 1, "seconds": 0.01},
    )
    neps.AskAndTell(spaces()["line"], root_directory=root, searcher="regularized_evolution", seed=1)
    for index, what in enumerate(["enqueue", "enqueue", "import", "import"]):
        size = AT_ONCE if what == "enqueue" else IMPORTED
        fleet.start(SAYING, root, str(index), what, str(size))
    saying = list(fleet.workers)
    wait_until(lambda: all("ready" in worker.stdout for worker in saying), END, "4 who are about to say something")
    crowd = nursery(fleet, share, 4)
    assert [worker.wait(END) for worker in saying] == [0] * 4, [worker.stderr for worker in saying]
    assert [worker.stdout.split()[1] for worker in saying[:2]] == [str(AT_ONCE)] * 2
    assert crowd.wait(END) == 0, crowd.stderr
    history = neps.load(root)
    assert sorted(float(trial.loss or 0) for trial in history.imported) == [float(place) for place in range(IMPORTED)]
    (known,) = (root / "known").iterdir()
    documents = [document(known / f"known_{number + 1}.yaml") for number in range(len(list(known.iterdir())))]
    assert Counter("configs" in each for each in documents)[True] == 2
    listed = {each["number"]: [config["x"] for config in each["configs"]] for each in documents if "configs" in each}
    taken = [(trial["batch"], trial["config"]["x"]) for trial in decisions(root) if "entry" in trial]
    for batch, xs in listed.items():
        assert [x for each, x in taken if each == batch] == xs[: sum(each == batch for each, _ in taken)]
    assert len(set(taken)) == len(taken) > 0
