"""Utilisation of real processes that share a directory: `neps.run` with an objective that sleeps."""

from __future__ import annotations

import importlib
import multiprocessing
import tempfile
import time
from datetime import UTC, datetime
from multiprocessing.synchronize import Barrier
from pathlib import Path

import neps
from benchmarks.decisions.pool import SPACE
from benchmarks.decisions.utilisation import utilisation

__all__ = ["real"]

_PATIENCE = 300.0  # for processes that start


def real(searcher: str, workers: int, evaluations: int, seconds: float) -> tuple[float, float]:
    """The utilisation up to the last claim: since all processes had started, and since each had begun to evaluate.

    An evaluation sleeps for so many seconds times the fidelity that it runs. Claims, files and waiting are the rest; at
    the start all workers want to claim at once.
    """
    context = multiprocessing.get_context("spawn")
    started = context.Barrier(workers + 1)
    with tempfile.TemporaryDirectory(prefix="utilisation-") as root:
        arguments = (root, searcher, evaluations, seconds, started)
        processes = [context.Process(target=_work, args=arguments) for _ in range(workers)]
        for process in processes:
            process.start()
        started.wait(_PATIENCE)
        begin = datetime.now(UTC).timestamp()
        for process in processes:
            process.join()
        history = neps.load(root)
    if failed := [process.exitcode for process in processes if process.exitcode]:
        raise RuntimeError(f"{len(failed)} of {workers} processes failed, with exit status {failed}.")
    spans = [(t.started.timestamp(), t.finished.timestamp()) for t in history.trials if t.started and t.finished]
    end = max(trial.claimed.timestamp() for trial in history.trials if trial.claimed)
    return utilisation(spans, workers, begin, end), utilisation(spans, workers, _all_began(history), end)


def _all_began(history: neps.History) -> float:
    first: dict[str, float] = {}
    for trial in history.trials:
        if trial.started is not None:
            first.setdefault(trial.worker, trial.started.timestamp())
    return max(first.values())


def _work(root: str, searcher: str, evaluations: int, seconds: float, started: Barrier) -> None:
    """What each process does."""
    importlib.import_module("neps._api.run")  # else imported when it is first used
    started.wait(_PATIENCE)

    neps.run(
        _Objective(seconds),
        root,
        SPACE,
        searcher=searcher,
        max_evaluations_total=evaluations,
        seed=0,
        progress=False,
        post_run_summary=False,
    )


class _Objective:
    """Sleeps for the epochs that its previous trial lacks; a file in the trial's folder says how many that had."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __call__(
        self, x: float, epochs: int, pipeline_directory: Path, previous_pipeline_directory: Path | None
    ) -> float:
        previous = previous_pipeline_directory
        done = int((previous / "epochs").read_text()) if previous is not None else 0
        time.sleep(self._seconds * (epochs - done))
        (pipeline_directory / "epochs").write_text(str(epochs))
        return (x - 0.3) ** 2 / epochs
