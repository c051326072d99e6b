"""How much sooner eight processes end than one: `neps.run` with an objective that sleeps, in a temporary directory."""

from __future__ import annotations

import importlib
import multiprocessing
import sys
import tempfile
import time
from multiprocessing.synchronize import Barrier

import neps
from benchmarks.coordination.report import Table
from benchmarks.simulated.running import SURFACES, space_of
from benchmarks.simulated.workers import MANY

__all__ = ["measure"]

_SURFACE = SURFACES["hartmann6"]
_PATIENCE = 120.0  # for processes that start


def measure(seconds: float, evaluations: int) -> str:
    """Let one process evaluate, then many, and say how long each took."""
    one, many = (_walls(workers, seconds, evaluations) for workers in (1, MANY))
    rows = [
        [name, *(f"{wall:.1f}" for wall in pair), f"{pair[0] / pair[1]:.2f}"]
        for name, *pair in zip(("once all have started", "with their start and imports"), one, many, strict=True)
    ]
    parts = (
        f"## {evaluations} evaluations of {seconds:g} s each, in real processes",
        f"Wall seconds until the last process has ended. A ratio of {MANY} is what is possible.",
        str(Table(("", "1 process", f"{MANY} processes", "ratio"), rows)),
    )
    return "\n\n".join(parts)


def _walls(workers: int, seconds: float, evaluations: int) -> tuple[float, float]:
    """Since all had started, and since the first was to start."""
    context = multiprocessing.get_context("spawn")
    started = context.Barrier(workers + 1)
    with tempfile.TemporaryDirectory(prefix="simulated-") as root:
        processes = [context.Process(target=_work, args=(root, seconds, evaluations, started)) for _ in range(workers)]
        began = time.perf_counter()
        for process in processes:
            process.start()
        started.wait(_PATIENCE)
        ready = time.perf_counter()
        for process in processes:
            process.join()
        ended = time.perf_counter()
    if failed := [process.exitcode for process in processes if process.exitcode]:
        message = f"{len(failed)} of {workers} processes failed, with exit status {failed}."
        raise RuntimeError(message)
    print(f"processes: {workers}, seconds: {ended - began:.1f}", file=sys.stderr, flush=True)
    return ended - ready, ended - began


def _work(root: str, seconds: float, evaluations: int, started: Barrier) -> None:
    """What each process does."""
    problem = _SURFACE.problem()

    def objective(**config: float) -> float:
        time.sleep(seconds)
        return problem.value(config)

    importlib.import_module("neps.samplers._model_based.proposal")  # else imported with the first model
    started.wait(_PATIENCE)
    neps.run(
        objective,
        root,
        space_of(problem.space),
        searcher="bayesian_optimization",
        max_evaluations_total=evaluations,
        seed=0,
        progress=False,
        post_run_summary=False,
    )
