"""What a worker asks of the filesystem while it waits or evaluates: strace's counts, beside trials that others run.

The others are played: folders as they would make them, and locks that are touched each third of the lease. What is
counted are the calls of one real worker, its threads and its helper process, that name something in the root.
"""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import neps
from benchmarks.coordination.report import Table
from neps._ledger.identity import Identity
from neps._ledger.layout import Layout
from neps._ledger.reading import read_definition
from neps._ledger.trial_folder import TrialFolder
from neps._trial import Decision

__all__ = ["running_elsewhere", "waiting"]

_RUNNING = (1, 10, 100)
_LEASE = 120.0
_SETTLING, _SECONDS = 25.0, 80.0
"""The pauses of a worker that waits have grown to their longest by then; two heartbeats are due in what is counted."""
_SEARCH = """
import sys, time, neps
how, root, number = sys.argv[1:]
run_pipeline = (lambda x: time.sleep(600)) if how == "evaluates" else (lambda x: {"loss": x, "cost": 1})
budget = {"for all to end": {"max_evaluations_total": int(number), "continue_until_max_evaluation_completed": True},
          "for budget": {"max_cost_total": int(number), "expected_cost": 1}, "evaluates": {}}[how]
neps.run(run_pipeline, root, {"x": neps.Float(0, 1)}, searcher="random_search", progress=False, **budget)
"""
_LINE = re.compile(r"^\d+ +([\d.]+) (\w+)\((.*)")


def waiting() -> str:
    """A table: system calls a second on the root, of a worker that waits, or evaluates, beside so many trials."""
    scenes = [(how, running) for how in ("for all to end", "for budget", "evaluates") for running in _RUNNING]
    with concurrent.futures.ThreadPoolExecutor(len(scenes)) as pool:  # all of them mostly sleep
        counted = list(pool.map(lambda scene: _counted(*scene), scenes))
    rows = [_row(how, running, counts) for (how, running), counts in zip(scenes, counted, strict=True)]
    return str(Table(("a worker", "running trials of others", "calls a second", "of these"), rows))


def _row(how: str, running: int, counts: collections.Counter[str]) -> tuple[str, ...]:
    kinds = ", ".join(f"{name} {count / _SECONDS:.2f}" for name, count in counts.most_common(3))
    what = how if how == "evaluates" else f"waits {how}"
    return what, f"{running}", f"{sum(counts.values()) / _SECONDS:.2f}", kinds


def _counted(how: str, running: int) -> collections.Counter[str]:
    with tempfile.TemporaryDirectory() as folder:
        root, trace = Path(folder, "root"), Path(folder, "trace")
        locks = running_elsewhere(root, running, _LEASE)
        worker = [sys.executable, "-c", _SEARCH, how, str(root), str(running + 1)]
        traced = ["strace", "-f", "-ttt", "-y", "-e", "trace=%file,%desc", "-o", str(trace), *worker]
        with _started(traced):
            began = time.time() + _SETTLING
            while time.time() < began + _SECONDS:
                for lock in locks:
                    lock.touch()
                time.sleep(min(_LEASE / 3, max(0.0, began + _SECONDS - time.time())))
        return _calls(trace.read_text(errors="replace"), str(root), began)


def running_elsewhere(root: Path, count: int, lease_seconds: float | None = None) -> list[Path]:
    """So many trials that run on other hosts, each with a reserved cost, beside one that has ended; their locks."""
    neps.run(
        lambda x: {"loss": x, "cost": 1},
        root,
        {"x": neps.Float(0, 1)},
        searcher="random_search",
        max_evaluations_per_run=1,
        lease_seconds=lease_seconds,
        progress=False,
        post_run_summary=False,
    )
    layout, locks = Layout(str(root), read_definition(root).run), []
    for number in range(2, count + 2):
        who = Identity(f"other-{number}-00000000", f"host{number}", f"boot{number}", "pid:[1]", 1, 1)
        folder = TrialFolder(layout, number)
        folder.reserve()
        folder.commit(Decision(number=number, config={"x": 1 / number}, worker=who.worker, reserved_cost=1.0), who)
        locks.append(Path(folder.lock_path(1)))
    return locks


@contextlib.contextmanager
def _started(command: list[str]) -> Iterator[None]:
    with subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL) as worker:
        try:
            yield
            if worker.poll() is not None:
                raise RuntimeError(f"the worker has ended, with {worker.returncode}")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(worker.pid, signal.SIGKILL)  # strace, and what it traces


def _calls(trace: str, root: str, began: float) -> collections.Counter[str]:
    found = (match for line in trace.splitlines() if (match := _LINE.match(line)))
    return collections.Counter(
        match[2] for match in found if began <= float(match[1]) < began + _SECONDS and root in match[3]
    )
