"""SIGKILL at random moments: nothing is lost, overwritten or stuck, and what was killed goes on from its checkpoint."""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path

import pytest

from rigs.processes import Fleet, Host
from stress.evidence import document, evaluations, numbers, result, results
from stress.objective import Entry, journal
from stress.share import Share
from stress.storm import Storm
from stress.team import END, await_entry, await_path, await_waiting, solo

STORM = Storm(trials=200, kills=140, workers=4, seconds=END)
LEASE = 6.0
AT_ONCE = 60.0
"""Seconds: half a lease, where none is given. On the same host nobody waits for it to pass."""


def test_140_kills_at_random_moments_over_200_trials(fleet: Fleet, tmp_path: Path, rng: random.Random) -> None:
    root = tmp_path / "root"
    arguments = {
        "max_evaluations_total": STORM.trials,
        "max_attempts": 1_000,
        "continue_until_max_evaluation_completed": True,
    }
    crowd, moments = STORM.rage(fleet, Share(root, arguments, {"steps": 3, "seconds": 0.01}), rng)
    assert numbers(root) == list(range(1, STORM.trials + 1))
    assert results(root) == Counter(success=STORM.trials)
    assert crowd.stdout.split().count("-9") == STORM.kills
    assert moments["evaluating"] >= 30
    assert moments["claiming or publishing"] >= 2
    for number in numbers(root):
        assert_resumed_from_checkpoints(journal(root, number))


def assert_resumed_from_checkpoints(entries: list[Entry]) -> None:
    """Each attempt begins where the last one had got to. A step's checkpoint is there before its entry."""
    reached = 0
    for entry in entries:
        if entry.event == "begin":
            assert reached <= entry.step <= reached + 1
        reached = entry.step
    assert entries[-1].event == "end"
    steps = [entry.step for entry in entries if entry.event == "step"]
    assert len(steps) == len(set(steps)), "a step was done twice, although its checkpoint was there"


SLOW_FIRST = {"steps": 3, "seconds": 0.01, "slow": 1}


def assert_taken_over(root: Path) -> None:
    """Trial 1 died in its first attempt after one step, and went on in the second."""
    assert document(root / "config_1" / "attempt_1.end.yaml")["end"] == "died"
    assert result(root, 1)["status"] == "success"
    assert result(root, 1)["attempt"] == 2
    assert [entry.step for entry in journal(root, 1) if entry.event == "begin"] == [0, 1]
    assert [entry.step for entry in journal(root, 1) if entry.event == "step"] == [1, 2, 3]


@pytest.mark.parametrize("waiting", [True, False], ids=["a waiting worker", "a worker that comes later"])
def test_a_killed_trial_is_resumed_on_the_same_host(fleet: Fleet, tmp_path: Path, waiting: bool) -> None:  # noqa: FBT001
    root = tmp_path / "root"
    share = Share(root, {"max_evaluations_total": 3, "continue_until_max_evaluation_completed": True}, SLOW_FIRST)
    victim = solo(fleet, share)
    await_entry(root, "step", 1)
    free = [solo(fleet, share) for _ in range(waiting)]
    for worker in free:
        await_waiting(worker)
    victim.kill()
    killed = time.monotonic()
    free = free or [solo(fleet, share)]
    resumed = await_entry(root, "begin", 1, times=2)
    assert resumed.moment - killed < AT_ONCE
    assert free[0].wait(END) == 0
    assert_taken_over(root)
    assert evaluations(root) == {1: 2, 2: 1, 3: 1}


def test_a_busy_worker_resumes_it_before_it_claims(fleet: Fleet, tmp_path: Path) -> None:
    root = tmp_path / "root"
    objective = {"steps": 3, "seconds": 0.05, "slow": 1}
    victim = solo(fleet, Share(root, {}, objective))
    await_entry(root, "step", 1)
    solo(fleet, Share(root, {}, objective))  # without a budget: it always has something to claim
    await_entry(root, "end", 3)
    victim.kill()
    killed = time.monotonic()
    assert await_entry(root, "begin", 1, times=2).moment - killed < AT_ONCE
    await_path(root / "config_1" / "result.yaml")
    assert_taken_over(root)


@pytest.mark.usefixtures("hosts")
def test_a_killed_trial_is_resumed_on_another_host(fleet: Fleet, tmp_path: Path) -> None:
    root = tmp_path / "root"
    arguments = {"max_evaluations_total": 3, "continue_until_max_evaluation_completed": True, "lease_seconds": LEASE}
    share = Share(root, arguments, SLOW_FIRST)
    victim = solo(fleet, share, Host("alpha"))
    await_entry(root, "step", 1)
    other = solo(fleet, share, Host("beta"))
    await_path(root / "config_1" / "attempt_1.lock")
    await_path(root / "config_3" / "result.yaml")
    victim.kill()
    last_heartbeat = time.monotonic() - (time.time() - (root / "config_1" / "attempt_1.lock").stat().st_mtime)
    resumed = await_entry(root, "begin", 1, times=2)
    assert LEASE <= resumed.moment - last_heartbeat < LEASE + AT_ONCE
    assert other.wait(END) == 0
    assert_taken_over(root)
    assert evaluations(root) == {1: 2, 2: 1, 3: 1}
