"""A worker that dies or freezes between reserving and committing a number: another completes it, once, within seconds.

The moment is chosen (`stress.sabotage`): before the decision is staged, or staged and not yet linked.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest

from rigs.processes import Fleet, Worker
from rigs.waiting import wait_until
from stress.evidence import evaluations, numbers, results
from stress.leash import lengthen
from stress.objective import journal
from stress.share import Share
from stress.team import END, await_entry, solo

TRIALS = 20
HALF_CLAIM = 3
WITHIN = 60.0
"""Seconds: a patience of 1 s or more where claims are slow, and what a busy machine adds; half of the lease."""

IN_TURN = {"max_cost_total": 2 * TRIALS}
INDEPENDENT = {"max_evaluations_total": TRIALS}

claiming = pytest.mark.parametrize("arguments", [INDEPENDENT, IN_TURN], ids=["independent", "in turn"])
moments = pytest.mark.parametrize("moment", ["before staging", "staged"])


def sabotage(moment: str, signum: int) -> dict[str, Any]:
    """The definition is linked once, and each trial before 4 times: decision, configuration, end and result."""
    if moment == "before staging":
        return {"points": ["commit"], "nth": HALF_CLAIM, "signum": signum}
    return {"points": ["link"], "nth": 1 + 4 * (HALF_CLAIM - 1) + 1, "signum": signum}


def state(worker: Worker) -> str:
    return Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()[0]


def assert_half_claim(root: Path, moment: str) -> None:
    folder = root / f"config_{HALF_CLAIM}"
    assert numbers(root) == list(range(1, HALF_CLAIM + 1))
    staged = [path.name.startswith(".trial.yaml.") for path in folder.iterdir()]
    assert staged == [True] * (moment == "staged")


@claiming
@moments
def test_a_worker_killed_there(fleet: Fleet, tmp_path: Path, arguments: dict[str, Any], moment: str) -> None:
    root = tmp_path / "root"
    victim = solo(fleet, Share(root, arguments, {"cost": 2}, sabotage=sabotage(moment, signal.SIGKILL)))
    assert victim.wait(END) == -signal.SIGKILL
    assert_half_claim(root, moment)
    began = time.monotonic()
    others = [solo(fleet, Share(root, arguments, {"cost": 2})) for _ in range(3)]
    assert [other.wait(END) for other in others] == [0, 0, 0]
    assert max(entry.moment for entry in journal(root)) - began < WITHIN
    assert numbers(root) == list(range(1, TRIALS + 1))
    assert evaluations(root) == dict.fromkeys(range(1, TRIALS + 1), 1)
    assert results(root) == {"success": TRIALS}


@claiming
@moments
def test_a_worker_frozen_there_and_woken_later(
    fleet: Fleet, tmp_path: Path, arguments: dict[str, Any], moment: str
) -> None:
    root = tmp_path / "root"
    frozen = solo(fleet, Share(root, arguments, {"cost": 2}, sabotage=sabotage(moment, signal.SIGSTOP)))
    wait_until(lambda: state(frozen) == "T", END, "the freeze")
    assert_half_claim(root, moment)
    began = time.monotonic()
    some = {budget: total * (HALF_CLAIM + 9) // TRIALS for budget, total in arguments.items()}
    other = solo(fleet, Share(root, some, {"cost": 2}))
    assert other.wait(END) == 0
    assert max(entry.moment for entry in journal(root)) - began < WITHIN
    assert evaluations(root) == dict.fromkeys(range(1, HALF_CLAIM + 10), 1)
    assert {entry.pid for entry in journal(root, HALF_CLAIM)} == {other.pid}
    assert state(frozen) == "T"
    frozen.thaw()
    assert frozen.wait(END) == 0
    assert numbers(root) == list(range(1, TRIALS + 1))
    assert evaluations(root) == dict.fromkeys(range(1, TRIALS + 1), 1)
    assert results(root) == {"success": TRIALS}
    assert {entry.pid for entry in journal(root, TRIALS)} == {frozen.pid}


@claiming
def test_nobody_at_work_waits_for_it(fleet: Fleet, tmp_path: Path, arguments: dict[str, Any]) -> None:
    """Others are in the middle of an evaluation when it freezes, and have most of the search before them."""
    root, leash = tmp_path / "root", tmp_path / "leash"
    arguments = arguments | {"expected_cost": 2}
    objective = {"cost": 2, "steps": 1, "seconds": 0.02}
    lengthen(leash, 0)
    others = [solo(fleet, Share(root, arguments, {**objective, "leash": str(leash)})) for _ in range(3)]
    for number in range(1, len(others) + 1):
        await_entry(root, "begin", number)
    frozen = solo(fleet, Share(root, arguments, objective, sabotage=sabotage("before staging", signal.SIGSTOP)))
    wait_until(lambda: state(frozen) == "T", END, "the freeze")
    half_claim = len(others) + HALF_CLAIM
    assert numbers(root) == list(range(1, half_claim + 1))
    assert list((root / f"config_{half_claim}").iterdir()) == []
    began = time.monotonic()
    lengthen(leash, TRIALS)
    assert [other.wait(END) for other in others] == [0, 0, 0]
    assert max(entry.moment for entry in journal(root)) - began < WITHIN
    assert state(frozen) == "T"
    assert evaluations(root) == dict.fromkeys(range(1, TRIALS + 1), 1)
    assert results(root) == {"success": TRIALS}
