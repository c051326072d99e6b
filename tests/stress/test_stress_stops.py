"""`neps stop` with real workers: all leave, in whatever they are, and every later start works."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

import neps
from rigs.processes import Fleet, Worker
from rigs.waiting import wait_until
from stress.evidence import assert_complete, evaluations, results
from stress.leash import lengthen
from stress.objective import journal
from stress.share import Share
from stress.team import END, await_entry, await_waiting, solo

TRIALS = 24
WORKERS, FEW = 8, 3
SHORT = {"max_evaluations_total": TRIALS, "lease_seconds": 3}
"""A beat, and so a look of who evaluates, each second."""


def held(root: Path, arguments: dict[str, Any], *, free: int = 0) -> Share:
    """Trials above number `free` are held."""
    leash = root.with_suffix(".leash")
    lengthen(leash, free)
    return Share(root, arguments, {"steps": 1, "leash": str(leash)})


def begun(root: Path) -> set[int]:
    return {entry.number for entry in journal(root) if entry.event == "begin"}


def ends(root: Path, text: str) -> int:
    """How many attempts ended so."""
    return sum(text in path.read_text() for path in root.glob("config_*/attempt_*.end.yaml"))


def beats(root: Path) -> dict[Path, int]:
    """When each first attempt was last touched."""
    return {path: path.stat().st_mtime_ns for path in root.glob("config_*/attempt_1.lock")}


def assert_left(workers: list[Worker]) -> None:
    assert [worker.wait(END) for worker in workers] == [0] * len(workers)
    assert all("leaves: neps stop asks" in worker.stderr for worker in workers)


def test_eight_workers_leave_now_and_a_later_start_resumes(fleet: Fleet, tmp_path: Path) -> None:
    root = tmp_path / "root"
    share = held(root, SHORT, free=3)
    workers = [solo(fleet, share) for _ in range(WORKERS)]
    wait_until(lambda: len(begun(root)) == 3 + WORKERS, END, "all workers to be held")
    interrupted = begun(root) - {1, 2, 3}
    assert len(neps.stop(root)) == WORKERS
    assert_left(workers)
    assert results(root) == {"success": 3}
    assert ends(root, "interrupted by neps stop") == WORKERS
    lengthen(tmp_path / "root.leash", TRIALS)
    later = [solo(fleet, share) for _ in range(2)]
    assert [worker.wait(END) for worker in later] == [0, 0]
    assert results(root) == {"success": TRIALS}
    assert evaluations(root) == {number: 2 if number in interrupted else 1 for number in range(1, TRIALS + 1)}


def test_workers_leave_after_their_trials(fleet: Fleet, tmp_path: Path) -> None:
    root = tmp_path / "root"
    workers = [solo(fleet, held(root, SHORT)) for _ in range(FEW)]
    wait_until(lambda: len(begun(root)) == FEW, END, "all workers to be held")
    assert len(neps.stop(root, after_trial=True)) == FEW
    wait_until(lambda: len(beats(root)) == FEW, END, "all to have beaten")
    before = beats(root)
    wait_until(lambda: all(beats(root)[path] > then for path, then in before.items()), END, "later heartbeats")
    lengthen(tmp_path / "root.leash", TRIALS)
    assert_left(workers)
    assert results(root) == {"success": FEW}
    assert evaluations(root) == dict.fromkeys(range(1, FEW + 1), 1)


@pytest.mark.parametrize("after_trial", [False, True])
def test_who_waits_leaves(fleet: Fleet, tmp_path: Path, after_trial: bool) -> None:  # noqa: FBT001
    """For the first cost, and with continue_until_max_evaluation_completed for what runs elsewhere."""
    root = tmp_path / "root"
    slow = {"slow": 1, "steps": 2, "cost": 2}
    holder = solo(fleet, Share(root, {"max_cost_total": 10}, slow))
    await_entry(root, "step", 1)
    first_cost = solo(fleet, Share(root, {"max_cost_total": 10}, slow))
    staying = solo(
        fleet, Share(root, {"max_evaluations_total": 1, "continue_until_max_evaluation_completed": True}, slow)
    )
    for worker in (first_cost, staying):
        await_waiting(worker)
    assert len(neps.stop(root, after_trial=after_trial)) == 3
    assert_left([first_cost, staying])
    assert holder.exit_code is None


def test_a_frozen_worker_leaves_once_it_wakes(fleet: Fleet, tmp_path: Path) -> None:
    """Its trial was taken over meanwhile, and it was restarted or goes on: it is no later start."""
    root = tmp_path / "root"
    frozen = solo(fleet, held(root, {**SHORT, "max_evaluations_total": 3}))
    await_entry(root, "begin", 1)
    frozen.freeze()
    assert len(neps.stop(root)) == 1
    stays = {**SHORT, "max_evaluations_total": 3, "continue_until_max_evaluation_completed": True}
    assert solo(fleet, held(root, stays, free=3)).wait(END) == 0
    assert results(root) == {"success": 3}
    frozen.thaw()
    assert frozen.wait(END) == 0
    assert results(root) == {"success": 3}
    assert "leaves: neps stop asks" in frozen.stderr


def test_starts_in_the_same_moment_lose_nothing(fleet: Fleet, tmp_path: Path) -> None:
    """Whether one of them counts as later or not: who leaves has handed back what it held, and a start goes on."""
    root = tmp_path / "root"
    share = Share(root, SHORT, {"steps": 1, "seconds": 0.02})
    assert solo(fleet, Share(root, {**SHORT, "max_evaluations_per_run": 1}, {"steps": 1})).wait(END) == 0
    workers = [solo(fleet, share) for _ in range(WORKERS)]
    for _ in range(20):
        neps.stop(root)
    assert [worker.wait(END) for worker in workers] == [0] * WORKERS
    assert solo(fleet, share).wait(END) == 0
    assert_complete(root, TRIALS)


def test_a_signal_after_it_ends_the_process_as_ever(fleet: Fleet, tmp_path: Path) -> None:
    root = tmp_path / "root"
    worker = solo(fleet, held(root, {**SHORT, "lease_seconds": 600}))
    await_entry(root, "begin", 1)
    neps.stop(root)
    worker.signal(signal.SIGTERM)
    assert worker.wait(END) == -signal.SIGTERM
    assert not [*root.glob(".neps/*/workers/*")]
    assert neps.stop(root) == ()
    assert ends(root, "interrupted by SIGTERM") == 1
