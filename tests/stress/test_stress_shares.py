"""What one call of `neps.run` does of a search: staying until all have ended, so many evaluations, so many seconds."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from rigs.processes import Fleet
from stress.evidence import assert_complete, evaluations, numbers, results
from stress.objective import journal
from stress.share import Share
from stress.team import END, await_entry, await_waiting, solo

SLOW_FIRST = {"steps": 3, "seconds": 0.01, "slow": 1}


@pytest.mark.parametrize("stays", [True, False])
def test_continue_until_max_evaluation_completed(fleet: Fleet, tmp_path: Path, stays: bool) -> None:  # noqa: FBT001
    root = tmp_path / "root"
    arguments = {"max_evaluations_total": 3}
    holder = solo(fleet, Share(root, arguments, SLOW_FIRST))
    await_entry(root, "step", 1)
    other = solo(fleet, Share(root, {**arguments, "continue_until_max_evaluation_completed": stays}, SLOW_FIRST))
    if stays:
        await_waiting(other)
        holder.kill()
        assert other.wait(END) == 0
        assert results(root) == {"success": 3}
        assert evaluations(root) == {1: 2, 2: 1, 3: 1}
    else:
        assert other.wait(END) == 0
        assert results(root) == {"success": 2}
        assert holder.exit_code is None


def test_staying_ends_when_all_have_ended(fleet: Fleet, tmp_path: Path) -> None:
    root = tmp_path / "root"
    arguments = {"max_evaluations_total": 6, "continue_until_max_evaluation_completed": True}
    workers = [solo(fleet, Share(root, arguments, {"steps": 1, "seconds": 0.3})) for _ in range(4)]
    assert [worker.wait(END) for worker in workers] == [0] * 4
    assert_complete(root, 6)
    last = max(entry.moment for entry in journal(root))
    assert time.monotonic() - last < END / 2


def test_max_evaluations_per_run(fleet: Fleet, tmp_path: Path) -> None:
    """Failures and takeovers count."""
    root = tmp_path / "root"
    victim = solo(fleet, Share(root, {}, SLOW_FIRST))
    await_entry(root, "step", 1)
    victim.kill()
    share = Share(root, {"max_evaluations_per_run": 3, "ignore_errors": True}, {"lethal": 2, "manner": "raise"})
    worker = solo(fleet, share)
    assert worker.wait(END) == 0
    mine = [entry.number for entry in journal(root) if entry.event == "begin" and entry.pid == worker.pid]
    assert mine == [1, 2, 3]
    assert results(root) == {"success": 2, "failed": 1}


def test_max_evaluations_per_run_of_several_workers(fleet: Fleet, tmp_path: Path) -> None:
    root = tmp_path / "root"
    arguments = {"max_evaluations_per_run": 7, "max_evaluations_total": 18}
    workers = [solo(fleet, Share(root, arguments)) for _ in range(2)]
    assert [worker.wait(END) for worker in workers] == [0, 0]
    assert results(root) == {"success": 14}  # a worker that lost many numbers to the other may have left one out
    assert sorted(evaluations(root).values()) == [1] * 14
    assert solo(fleet, Share(root, arguments)).wait(END) == 0
    assert_complete(root, 18)


def test_max_seconds_per_run(fleet: Fleet, tmp_path: Path) -> None:
    """Nothing new is claimed after so long; what was begun is finished."""
    root = tmp_path / "root"
    worker = solo(fleet, Share(root, {"max_seconds_per_run": 0.5}, {"steps": 1, "seconds": 0.2}))
    assert worker.wait(END) == 0
    assert 1 <= len(numbers(root)) <= 3  # each takes 0.2 s or more
    assert_complete(root, len(numbers(root)))


def test_max_seconds_per_run_while_waiting(fleet: Fleet, tmp_path: Path) -> None:
    root = tmp_path / "root"
    solo(fleet, Share(root, {"max_cost_total": 10}, {"cost": 2, **SLOW_FIRST}))
    await_entry(root, "step", 1)
    began = time.monotonic()
    waiting = solo(fleet, Share(root, {"max_cost_total": 10, "max_seconds_per_run": 0.5}, {"cost": 2}))
    assert waiting.wait(END) == 0
    assert 0.5 <= time.monotonic() - began < END / 2
    assert numbers(root) == [1]
