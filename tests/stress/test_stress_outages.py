"""What outlasts a lease without anybody being dead: a full disk while a result is published, a run moved aside.

The worker it happens to lives, so nothing may count as its death; or its run is gone, so it may touch nothing.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest

from rigs.faultfs import Mount, Rule
from rigs.processes import Fleet, Host
from rigs.waiting import wait_until
from stress.evidence import document, evaluations, leftovers, numbers, result, results, tree
from stress.objective import journal
from stress.share import Share
from stress.team import END, await_entry, await_path, await_waiting, solo

LEASE = 1.5

pytestmark = pytest.mark.usefixtures("hosts")


@pytest.mark.parametrize("more", [{}, {"max_cost_total": 99, "expected_cost": 1}], ids=["any", "in turn"])
def test_a_worker_whose_run_was_moved_aside_stops(fleet: Fleet, tmp_path: Path, more: dict[str, Any]) -> None:
    """It wakes while its successor is at work, in the same numbers."""
    root, trials = tmp_path / "root", 4
    arguments: dict[str, Any] = {"lease_seconds": LEASE, "seed": None, **more}
    frozen = Share(
        root,
        {**arguments, "max_evaluations_total": 9},
        {"cost": 1},
        sabotage={"points": ["end_with_result"], "nth": 2, "signum": signal.SIGSTOP},
    )
    zombie = solo(fleet, frozen, Host("alpha"))
    await_entry(root, "end", 2)
    successor = Share(
        root,
        {**arguments, "max_evaluations_total": trials, "overwrite_working_directory": True},
        {"steps": 1, "seconds": 0.3, "cost": 1},
    )
    other = solo(fleet, successor, Host("beta"))
    await_entry(root, "begin", 2, times=2)
    old = {path: tree(path) for path in root.glob("overwritten/*/config_*")}
    zombie.thaw()
    assert zombie.wait(END) == 1
    assert "DirectoryError" in zombie.stderr
    assert "was moved to" in zombie.stderr
    assert other.wait(END) == 0, other.stderr
    assert numbers(root) == list(range(1, trials + 1))
    assert results(root) == {"success": trials}
    assert {result(root, number)["attempt"] for number in numbers(root)} == {1}
    run = document(root / "neps.yaml")["run"]
    assert {document(path)["run"] for path in root.glob("config_*/trial.yaml")} == {run}
    assert evaluations(root) == {1: 2, 2: 2, 3: 1, 4: 1}
    assert {path: tree(path) for path in old} == old
    assert leftovers(root) == []


def test_a_disk_that_is_full_for_longer_than_a_lease(faulty: Mount, fleet: Fleet) -> None:
    """Its quota is: another worker could write all the while, and take the trial from one who is silent."""
    root = faulty.backing / "root"
    lease = 2 * LEASE  # that a busy machine keeps, too
    arguments = {"max_evaluations_total": 1, "lease_seconds": lease, "continue_until_max_evaluation_completed": True}
    full = Rule("write", "root/config_1/.attempt_1.end.yaml.*", "ENOSPC")
    faulty.rules([full])
    owner = solo(fleet, Share(faulty.path / "root", arguments, {"steps": 1, "seconds": 0.5}), Host("alpha"))
    await_path(root / "config_1" / "trial.yaml")
    other = solo(fleet, Share(root, arguments), Host("beta"))
    await_waiting(other)
    wait_until(faulty.faults, END, "a result that can't be written")
    over = time.monotonic() + 1.6 * lease
    wait_until(lambda: time.monotonic() > over, END, "the end of the outage")
    faulty.rules([])
    assert fleet.wait_all(END) == [0, 0]
    assert [entry.event for entry in journal(root, 1)] == ["begin", "step", "end"]
    assert (result(root, 1)["status"], result(root, 1)["attempt"]) == ("success", 1)
    assert list(root.glob("config_1/attempt_2*")) == []
    assert "is dropped" not in owner.stderr
    assert leftovers(root) == []
