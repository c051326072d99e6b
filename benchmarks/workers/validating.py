"""The simulation beside real processes: as many workers, on a FUSE filesystem whose requests take as long.

Its kernel has no caches of names or attributes then, so the simulated clients have none, either.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.coordination.report import Table
from benchmarks.coordination.system_calls import count, traced
from benchmarks.workers.simulating import Scene, simulate
from neps.space import Float, SearchSpace

__all__ = ["compare_calls", "validate"]

_KINDS = {"newfstatat": "stat", "lstat": "stat", "mkdir": "mkdir", "link": "link", "unlink": "unlink", "fsync": "fsync"}
"""What strace calls it, and what the simulation does."""
_COUNTED, _WARM_UP = 60, 40

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


def compare_calls() -> str:
    """A table: system calls of a trial on the root by their kind, simulated and counted by strace; on any machine."""
    rows = []
    for workers in (1, 8):
        simulated, real = _simulated_calls(workers), _traced_calls(workers)
        kinds = sorted({*simulated, *real} - {"list", "read"})  # of contents, which are not looked for in traces
        rows += [(f"{workers}", kind, f"{simulated[kind]:.1f}", f"{real[kind]:.1f}") for kind in kinds]
    return str(Table(("workers", "calls a trial", "simulated", "real processes"), rows))


def _simulated_calls(workers: int) -> Counter[str]:
    trials = workers * (_COUNTED + _WARM_UP)
    scene = Scene(
        workers=workers,
        trials=trials,
        seconds=0.0,
        searcher="random_search",
        space=SearchSpace({"x": Float(0, 1)}),
        latency=0.0003,
        cache=0.0,
    )
    by_call = simulate(scene).by_call
    return Counter({kind: count / trials for kind, count in by_call.items()})


def _traced_calls(workers: int) -> Counter[str]:
    total: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder, "run")
        traces = traced(run, Path(folder, "trace"), workers=workers, trials=_COUNTED + _WARM_UP)
        counted = [count(trace, str(run), skip=_WARM_UP) for trace in traces]
    trials = sum(calls.trials for calls in counted)
    for calls in counted:
        for what, number in calls.counts.items():
            if "ROOT" in what and (kind := _kind(what)) is not None:
                total[kind] += number / trials  # type: ignore[assignment]
    return total


def _kind(what: str) -> str | None:
    call = what.split(maxsplit=1)[0]
    if call in {"open", "openat"}:
        return "create" if "(creates)" in what else "open"
    return _KINDS.get(call)


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
