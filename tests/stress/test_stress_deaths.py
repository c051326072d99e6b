"""Trials whose process dies in each attempt are given up after max_attempts; polite leaving is no death."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from rigs.processes import Fleet
from stress.evidence import document, evaluations, leftovers, numbers, result, results
from stress.objective import journal
from stress.share import Share
from stress.team import END, await_entry, await_path, await_waiting, nursery, solo

TRIALS = 12
LETHAL = 4
STAY = {"max_evaluations_total": TRIALS, "continue_until_max_evaluation_completed": True}


def ends(root: Path, number: int) -> list[str]:
    folder = root / f"config_{number}"
    paths = sorted(folder.glob("attempt_*.end.yaml"), key=lambda path: int(path.name.split(".")[0].split("_")[1]))
    return [document(path)["end"] for path in paths]


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("manner", ["exit", "sys.exit", str(int(signal.SIGKILL)), str(int(signal.SIGSEGV))])
def test_given_up_after_3_attempts(fleet: Fleet, tmp_path: Path, manner: str, workers: int) -> None:
    root = tmp_path / "root"
    crowd = nursery(fleet, Share(root, STAY, {"lethal": LETHAL, "manner": manner}), workers)
    assert crowd.wait(END) == 0, crowd.stderr
    failed = result(root, LETHAL)
    assert failed["status"] == "failed"
    assert failed["error"].startswith("given up after 3 deaths of its worker without progress: no checkpoint saved")
    assert failed["error"].endswith("(max_attempts=3)")
    assert ends(root, LETHAL) == ["died", "died", "died", "result"]
    assert numbers(root) == list(range(1, TRIALS + 1))
    assert results(root) == {"success": TRIALS - 1, "failed": 1}
    assert evaluations(root) == dict.fromkeys(numbers(root), 1) | {LETHAL: 3}
    assert len(crowd.stdout.split()) == workers + 3
    assert leftovers(root) == []


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_10_polite_leaves_are_no_deaths(fleet: Fleet, tmp_path: Path, signum: int) -> None:
    root = tmp_path / "root"
    objective = {"lethal": LETHAL, "manner": str(int(signum)), "deaths": 10}
    crowd = nursery(fleet, Share(root, STAY, objective), 1)
    assert crowd.wait(END) == 0, crowd.stderr
    assert crowd.stdout.split() == [str(-signum)] * 10 + ["0"]
    assert ends(root, LETHAL) == ["left"] * 10 + ["result"]
    assert result(root, LETHAL)["attempt"] == 11
    assert results(root) == {"success": TRIALS}
    assert evaluations(root) == dict.fromkeys(numbers(root), 1) | {LETHAL: 11}


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_in_mid_evaluation(fleet: Fleet, tmp_path: Path, signum: int) -> None:
    root = tmp_path / "root"
    share = Share(root, {"max_evaluations_total": 2}, {"steps": 3, "seconds": 0.01, "slow": 1})
    worker = solo(fleet, share)
    await_entry(root, "step", 1)
    worker.signal(signum)
    await_path(root / "config_1" / "attempt_1.end.yaml")
    assert worker.wait(END) == -signum
    assert ends(root, 1) == ["left"]
    assert leftovers(root) == []
    assert solo(fleet, share).wait(END) == 0
    assert results(root) == {"success": 2}
    assert ends(root, 1) == ["left", "result"]
    assert [entry.step for entry in journal(root, 1) if entry.event == "begin"] == [0, 1]
    assert [entry.step for entry in journal(root, 1) if entry.event == "step"] == [1, 2, 3]


WAITS = {
    "for the first cost": {"max_cost_total": 10},
    "for running trials to end": {"max_evaluations_total": 1, "continue_until_max_evaluation_completed": True},
}


@pytest.mark.parametrize("arguments", WAITS.values(), ids=WAITS)
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_waiting(fleet: Fleet, tmp_path: Path, arguments: dict[str, Any], signum: int) -> None:
    root = tmp_path / "root"
    share = Share(root, arguments, {"cost": 2, "steps": 1, "slow": 1})
    solo(fleet, share)
    await_entry(root, "step", 1)
    waiting = solo(fleet, share)
    await_waiting(waiting)
    waiting.signal(signum)
    assert waiting.wait(END) == -signum
    assert numbers(root) == [1]
    assert evaluations(root) == {1: 1}
    assert ends(root, 1) == []
    assert leftovers(root) == []
