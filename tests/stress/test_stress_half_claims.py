"""A worker that dies or freezes between reserving and committing a number: another completes it, once, within seconds.

The moment is chosen (`stress.sabotage`): before the decision is staged, or staged and not yet linked.
"""

from __future__ import annotations

import itertools
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from rigs.processes import Fleet, Worker
from rigs.waiting import wait_until
from stress.evidence import evaluations, numbers, results
from stress.objective import journal
from stress.share import Share
from stress.team import END, solo

TRIALS = 20
HALF_CLAIM = 3
WITHIN = 5.0
"""Seconds: a patience of 1 s, the start of an interpreter, and what a busy machine adds."""

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
    objective = {"cost": 2, "steps": 1, "seconds": 0.2}  # slow enough to be there when the patience is over
    other = solo(fleet, Share(root, {**arguments, "max_evaluations_per_run": 10}, objective))
    assert other.wait(END) == 0
    assert max(entry.moment for entry in journal(root)) - began < WITHIN
    assert evaluations(root) == dict.fromkeys(range(1, HALF_CLAIM + 10), 1)
    assert [entry.pid for entry in journal(root, HALF_CLAIM)] == [other.pid] * 3
    assert state(frozen) == "T"
    frozen.thaw()
    assert frozen.wait(END) == 0
    assert numbers(root) == list(range(1, TRIALS + 1))
    assert evaluations(root) == dict.fromkeys(range(1, TRIALS + 1), 1)
    assert results(root) == {"success": TRIALS}
    assert {entry.pid for entry in journal(root, TRIALS)} == {frozen.pid}


@claiming
def test_nobody_at_work_waits_for_it(fleet: Fleet, tmp_path: Path, arguments: dict[str, Any]) -> None:
    """Among workers in full swing; the frozen one is never woken."""
    root = tmp_path / "root"
    objective = {"cost": 2, "steps": 1, "seconds": 0.02}
    share = Share(root, arguments | {"expected_cost": 2}, objective)
    frozen = solo(
        fleet, Share(share.root, share.arguments, objective, sabotage=sabotage("before staging", signal.SIGSTOP))
    )
    others = [solo(fleet, share) for _ in range(3)]
    wait_until(lambda: state(frozen) == "T", END, "the freeze")
    assert [other.wait(END) for other in others] == [0, 0, 0]
    moments = sorted(entry.moment for entry in journal(root))
    assert max(after - before for before, after in itertools.pairwise(moments)) < WITHIN
    assert evaluations(root) == dict.fromkeys(range(1, TRIALS + 1), 1)
    assert results(root) == {"success": TRIALS}
