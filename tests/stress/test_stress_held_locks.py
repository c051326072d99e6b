"""Python's global lock held by a C call for longer than the lease: alive all the same. And not where it is stopped.

What stands beside a worker for that ends with it, however that is, and is no burden to the user's code.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from rigs.descendants import stand_ins
from rigs.processes import Fleet, Worker
from rigs.waiting import wait_until
from stress.evidence import result, results
from stress.team import END

LEASE = 1.5
PROGRAM = """
import ctypes, os, sys, time
from pathlib import Path
import neps

def hold_the_lock(seconds):
    ctypes.PyDLL(None).sleep(seconds)  # as any C code does that doesn't release it

def run_pipeline(x, pipeline_directory):
    beginning = pipeline_directory / "began"
    if beginning.exists():
        return x
    beginning.touch()
    {body}
    return x

neps.run(
    run_pipeline, sys.argv[1], {{"x": neps.Float(0, 1)}}, searcher="random_search", seed=1, max_evaluations_total=1,
    lease_seconds=float(sys.argv[2]), continue_until_max_evaluation_completed=True, post_run_summary=False,
)
{after}
"""


def start(fleet: Fleet, root: Path, body: str = "hold_the_lock(60)", after: str = "", lease: float = LEASE) -> Worker:
    return fleet.start(PROGRAM.format(body=body, after=after), root, str(lease))


def await_lock(root: Path, beats: int = 2) -> None:
    """Until the first attempt's heartbeat has come so often; its worker's own thread can't have done it."""
    seen: set[int] = set()
    lock = root / "config_1" / "attempt_1.lock"

    def enough() -> bool:
        if lock.exists():
            seen.add(lock.stat().st_mtime_ns)
        return len(seen) >= beats

    wait_until(enough, END, f"{beats} beats")


def await_none(worker: int) -> None:
    wait_until(lambda: not stand_ins(worker), END, "nobody to stand beside it")


def test_a_call_that_holds_it_for_longer_than_the_lease_is_no_death(fleet: Fleet, tmp_path: Path) -> None:
    root = tmp_path / "root"
    workers = [start(fleet, root, f"hold_the_lock({4 * LEASE:.0f})") for _ in range(2)]
    assert fleet.wait_all(END) == [0, 0], workers[0].stderr + workers[1].stderr
    assert result(root, 1)["attempt"] == 1
    assert results(root) == {"success": 1}


@pytest.mark.parametrize("send", [os.kill, os.killpg], ids=["alone", "with its group"])
def test_stopped_meanwhile_it_is_taken_over(fleet: Fleet, tmp_path: Path, send: Callable[[int, int], None]) -> None:
    root = tmp_path / "root"
    zombie = start(fleet, root)
    await_lock(root)
    send(zombie.pid, signal.SIGSTOP)
    assert start(fleet, root).wait(END) == 0
    assert result(root, 1)["attempt"] == 2
    before = (root / "config_1" / "attempt_1.lock").stat().st_mtime_ns
    send(zombie.pid, signal.SIGCONT)
    old = stand_ins(zombie.pid)
    os.kill(old[0], signal.SIGKILL)  # what comes in its place has not touched anything before
    zombie.kill()
    await_none(zombie.pid)
    assert (root / "config_1" / "attempt_1.lock").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "body",
    [
        "hold_the_lock(60)",
        "os.fork() or (os.setsid(), time.sleep(60)); hold_the_lock(60)",
        "os.closerange(3, 256); hold_the_lock(60)",
    ],
    ids=["alone", "with a forked child", "without descriptors"],
)
def test_ends_with_a_worker_that_is_killed(fleet: Fleet, tmp_path: Path, body: str) -> None:
    worker = start(fleet, tmp_path / "root", body, lease=0.6)
    await_lock(tmp_path / "root")
    (old,) = stand_ins(worker.pid)
    worker.kill()
    await_none(worker.pid)
    wait_until(lambda: not Path(f"/proc/{old}").exists(), END, "it to be reaped")


def test_ends_where_its_worker_becomes_another_program(fleet: Fleet, tmp_path: Path) -> None:
    """Its pid and its time of start stay the same."""
    body = """
    while not Path(pipeline_directory, "attempt_1.lock").exists():
        time.sleep(0.01)
    os.execlp("sleep", "sleep", "60")
"""
    worker = start(fleet, tmp_path / "root", body, lease=0.6)
    wait_until(lambda: Path(f"/proc/{worker.pid}/comm").read_text() == "sleep\n", END, "the other program")
    await_none(worker.pid)


def test_is_no_burden(fleet: Fleet, tmp_path: Path) -> None:
    """A child of the user's is waited for as ever; what it writes under a number that was free is left alone."""
    body = """
    assert os.waitpid(-1, os.WNOHANG) == (0, 0)
    child = os.fork() or os._exit(7)
    assert os.wait() == (child, 7 << 8)
    os.closerange(3, 256)
    mine = [os.open(pipeline_directory / "mine", os.O_CREAT | os.O_RDWR) for _ in range(20)]
    hold_the_lock(2)
    assert Path(pipeline_directory, "attempt_1.lock").stat().st_mtime > beginning.stat().st_mtime + 1
"""
    after = """
assert all(os.fstat(descriptor).st_size == 0 for descriptor in range(3, 23))
try:
    print(os.waitpid(-1, os.WNOHANG))
except ChildProcessError:
    print("no child")
"""
    worker = start(fleet, tmp_path / "root", body, after, lease=0.6)
    assert worker.wait(END) == 0, worker.stderr
    assert worker.stdout == "no child\n"
    assert results(tmp_path / "root") == {"success": 1}, worker.stderr


def test_many_that_end_leave_nothing(fleet: Fleet, tmp_path: Path) -> None:
    workers = [start(fleet, tmp_path / f"root{number}", "os.wait3(os.WNOHANG)") for number in range(4)]
    assert fleet.wait_all(END) == [0] * 4, [worker.stderr for worker in workers]
    assert [pid for worker in workers for pid in stand_ins(worker.pid)] == []
