"""What a worker costs that waits: a bounded number of system calls for each look, and little memory."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from benchmarks.workers.waiting import running_elsewhere
from rigs.requirements import require
from rigs.waiting import wait_until

DEADLINE = 120.0
RUNNING = 150
MOST = 20
"""System calls of a look, pauses and clocks included: 13 or fewer on the root."""
MEGABYTE = 1 << 20

_WAITS = """
import sys, neps
neps.run(lambda x: x, sys.argv[1], {"x": neps.Float(0, 1)}, searcher="random_search", progress=False,
         max_evaluations_total=int(sys.argv[2]), continue_until_max_evaluation_completed=True)
"""
_WAITS_FOR_BUDGET = """
import sys, neps
neps.run(lambda x: {"loss": x, "cost": 1}, sys.argv[1], {"x": neps.Float(0, 1)}, searcher="random_search",
         max_cost_total=int(sys.argv[2]), expected_cost=1, progress=False)
"""
_EVALUATES = """
import sys, time, neps
def run_pipeline(x, pipeline_directory):
    (pipeline_directory / "begun").touch()
    time.sleep(600)
neps.run(run_pipeline, sys.argv[1], {"x": neps.Float(0, 1)}, searcher="random_search", progress=False, lease_seconds=1)
"""


def strace_available() -> str | None:
    return None if shutil.which("strace") else "strace not found; scripts/install-test-rigs installs it"


@pytest.mark.parametrize("program", [_WAITS, _WAITS_FOR_BUDGET], ids=["for all to end", "for budget"])
def test_a_look_of_a_waiting_worker_costs_a_bounded_number_of_calls(tmp_path: Path, program: str) -> None:
    require(strace_available())
    root, trace = tmp_path / "root", tmp_path / "trace"
    running_elsewhere(root, RUNNING)
    command = ["strace", "-o", str(trace), sys.executable, "-c", textwrap.dedent(program), str(root), str(RUNNING + 1)]
    with subprocess.Popen(command, start_new_session=True) as worker:
        try:
            wait_until(lambda: trace.exists() and len(_looks(trace)) > 12, DEADLINE, "12 looks")
        finally:
            os.killpg(worker.pid, signal.SIGKILL)  # strace, and what it traces
    calls = _looks(trace)[-6:]
    assert 0 < max(calls) <= MOST


def _looks(trace: Path) -> list[int]:
    """How many calls lie between one pause and the next, of the thread that works."""
    parts = re.split(
        r"^(?:clock_nanosleep|pselect6|select)\(.*\n", trace.read_text(errors="replace"), flags=re.MULTILINE
    )
    return [part.count("\n") for part in parts[1:-1]]


def test_a_worker_and_its_heartbeat_need_less_than_60_megabytes(tmp_path: Path) -> None:
    own = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    with subprocess.Popen([sys.executable, "-c", _EVALUATES, tmp_path / "root"], env=own) as worker:
        try:
            wait_until((tmp_path / "root" / "config_1" / "attempt_1.lock").exists, DEADLINE, "the first heartbeat")
            pids = [worker.pid, *_children(worker.pid)]
            sizes = {pid: _resident(pid) for pid in pids}
        finally:
            worker.kill()
    assert len(sizes) == 2, "the worker and its helper"
    assert sum(sizes.values()) < 60 * MEGABYTE, sizes


def _children(pid: int) -> list[int]:
    threads = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for thread in threads for child in (thread / "children").read_text().split()]


def _resident(pid: int) -> int:
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:"))
    return 1024 * int(line.split()[1])
