"""Zombies: workers that were frozen for longer than the lease, on another host, and wake up. They change nothing."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from rigs.processes import Fleet, Host
from stress.evidence import Watch, evaluations, leftovers, result, results, tree
from stress.objective import journal
from stress.share import Share
from stress.team import END, await_entry, await_path, solo

LEASE = 1.5
TRIALS = 6
ARGUMENTS = {"max_evaluations_total": TRIALS, "lease_seconds": LEASE}
HALF = {**ARGUMENTS, "max_evaluations_total": TRIALS // 2, "continue_until_max_evaluation_completed": True}
"""For the other worker, who leaves some for the zombie to do."""

pytestmark = pytest.mark.usefixtures("hosts")


def test_one_frozen_in_mid_evaluation(fleet: Fleet, tmp_path: Path) -> None:
    root = tmp_path / "root"
    objective = {"steps": 3, "seconds": 0.01, "slow": 1}
    zombie = solo(fleet, Share(root, ARGUMENTS, objective), Host("alpha"))
    await_entry(root, "step", 1)
    await_path(root / "config_1" / "attempt_1.lock")
    zombie.freeze()
    other = solo(fleet, Share(root, HALF, objective), Host("beta"))
    assert other.wait(END) == 0
    watch, before = Watch(root), tree(root / "config_1")
    assert watch.look() == TRIALS // 2
    zombie.thaw()
    assert zombie.wait(END) == 0, zombie.stderr
    watch.look()
    assert tree(root / "config_1") == before
    assert result(root, 1)["attempt"] == 2
    assert [entry.event for entry in journal(root, 1)] == ["begin", "step", "begin", "step", "step", "end"]
    assert "This process restarts" in zombie.stderr
    assert evaluations(root) == {1: 2, 2: 1, 3: 1, 4: 1, 5: 1, 6: 1}
    assert results(root) == {"success": TRIALS}
    assert leftovers(root) == []


@pytest.mark.parametrize(
    "point",
    [{"points": ["end_with_result"], "nth": 1}, {"points": ["link"], "nth": 4}],
    ids=["before its result is staged", "before its result is linked"],
)
def test_one_frozen_just_before_publishing(fleet: Fleet, tmp_path: Path, point: dict[str, object]) -> None:
    """Links 1 to 3 are the definition, the decision and the configuration."""
    root = tmp_path / "root"
    zombie = solo(fleet, Share(root, ARGUMENTS, sabotage={**point, "signum": signal.SIGSTOP}), Host("alpha"))
    await_entry(root, "end", 1)
    other = solo(fleet, Share(root, HALF), Host("beta"))
    assert other.wait(END) == 0
    watch = Watch(root)
    assert watch.look() == TRIALS // 2
    assert result(root, 1)["attempt"] == 2
    zombie.thaw()
    assert zombie.wait(END) == 0, zombie.stderr
    watch.look()
    assert result(root, 1)["attempt"] == 2
    assert "Its result (loss" in zombie.stderr
    assert "is dropped" in zombie.stderr
    assert evaluations(root) == {1: 2, 2: 1, 3: 1, 4: 1, 5: 1, 6: 1}
    assert results(root) == {"success": TRIALS}
    assert leftovers(root) == []


def test_one_frozen_while_it_saves_a_checkpoint(fleet: Fleet, tmp_path: Path) -> None:
    """Just before `save` looks whether the attempt is still its own: what it has written replaces nothing."""
    root = tmp_path / "root"
    objective = {"steps": 3, "seconds": 0.01, "fenced": True}
    freeze = {"points": ["superseded"], "nth": 2, "signum": signal.SIGSTOP}
    zombie = solo(fleet, Share(root, ARGUMENTS, objective, sabotage=freeze), Host("alpha"))
    await_entry(root, "step", 1)
    other = solo(fleet, Share(root, HALF, objective), Host("beta"))
    assert other.wait(END) == 0
    assert [path.name for path in (root / "config_1").glob(".*")] == [".checkpoint.neps"]  # without the zombie's half
    before = tree(root / "config_1")
    assert (root / "config_1" / "checkpoint").read_text() == "3"
    zombie.thaw()
    assert zombie.wait(END) == 0, zombie.stderr
    assert tree(root / "config_1") == before
    steps = [(entry.event, entry.step) for entry in journal(root, 1)]
    assert steps == [("begin", 0), ("step", 1), ("begin", 1), ("step", 2), ("step", 3), ("end", 3)]
    assert "interrupted" in zombie.stderr
    assert evaluations(root) == {1: 2, 2: 1, 3: 1, 4: 1, 5: 1, 6: 1}
    assert results(root) == {"success": TRIALS}
