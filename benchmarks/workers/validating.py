"""The simulation beside real processes: as many workers, on a FUSE filesystem whose requests take as long.

Its kernel has no caches of names or attributes then, so the simulated clients have none, either.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.coordination.report import Table
from benchmarks.workers.simulating import Scene, simulate
from neps.space import Float, SearchSpace

__all__ = ["validate"]

_TESTS = Path(__file__).resolve().parents[2] / "tests"
_WORKERS, _LATENCY, _SECONDS = 8, 0.02, 2.0
_SLOW = "lookup,getattr,mkdir,link,unlink,create,open,fsync,rename,utime,opendir"
_PROGRAM = """
import sys, time
import neps

root, seconds, trials, begin = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
times = []

def run_pipeline(x):
    times.append(time.time())
    time.sleep(seconds)
    return x

import neps._worker.session, neps.samplers
time.sleep(max(0, begin - time.time()))
neps.run(run_pipeline, root, {"x": neps.Float(0, 1)}, searcher="random_search", max_evaluations_total=trials,
         seed=1, progress=False, post_run_summary=False)
print(*times)
"""


def validate() -> str:
    """A table: by simulation and in real processes, when all have a trial, and how long the whole takes."""
    trials = 4 * _WORKERS
    space = SearchSpace({"x": Float(0, 1)})
    scene = Scene(
        workers=_WORKERS,
        trials=trials,
        seconds=_SECONDS,
        searcher="random_search",
        space=space,
        deciding=0.0004,
        latency=_LATENCY,
        cache=0.0,
    )
    simulated = simulate(scene)
    real = _real(trials)
    rows = [
        ("all workers have a trial after", f"{simulated.claims[_WORKERS - 1]:.2f} s", f"{real[_WORKERS - 1]:.2f} s"),
        ("the last trial begins after", f"{simulated.claims[-1]:.2f} s", f"{real[-1]:.2f} s"),
    ]
    how = f"{_WORKERS} workers, {trials} trials of {_SECONDS:g} s, requests of {1e3 * _LATENCY:g} ms"
    return f"{how}\n\n{Table(('random_search', 'simulated', 'real processes'), rows)}"


def _real(trials: int) -> list[float]:
    sys.path.append(str(_TESTS))
    from rigs.fault_rules import Rule
    from rigs.faultfs import faultfs

    with tempfile.TemporaryDirectory() as backing, faultfs(Path(backing)) as mount:
        mount.rules([Rule(_SLOW, "*", f"delay:{_LATENCY}")])
        begin = time.time() + 15
        command = [sys.executable, "-c", _PROGRAM, f"{mount.path}/root", str(_SECONDS), str(trials), str(begin)]
        workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(_WORKERS)]
        printed = [worker.communicate(timeout=600)[0] for worker in workers]
        if any(worker.returncode for worker in workers):
            raise RuntimeError(f"a worker failed: {[worker.returncode for worker in workers]} {os.getpid()}")
    times = sorted(float(moment) for text in printed for moment in text.split())
    return [moment - begin for moment in times]
