"""Recorded measurements as Markdown: how well each way predicts, and how low searches with it come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.conditional.kernels import WAYS
from benchmarks.conditional.running import EVALUATIONS, SEARCHERS, SIZES, Job
from benchmarks.coordination.report import Table
from benchmarks.problems.conditional import CONDITIONAL, best_of

__all__ = ["tables"]

Measured = Mapping[Job, Sequence[float]]
_MARKS = (20, EVALUATIONS)
_FLOOR = 1e-4


def tables(measured: Measured) -> str:
    """Both tables."""
    parts = ("#### Log density of what is predicted", _predictions(measured), "#### log10 regret", _searches(measured))
    return "\n\n".join(map(str, parts))


def _predictions(measured: Measured) -> Table:
    rows = []
    for way in WAYS:
        found = [[_values(measured, "prediction", name, way, size, 0) for size in SIZES] for name in CONDITIONAL]
        rows.append([way, *(f"{np.mean(each):.2f}" for each in found), f"{np.mean(found):.2f}"])
    return Table(("way", *CONDITIONAL, "mean"), rows)


def _searches(measured: Measured) -> Table:
    rows = []
    for way in (*WAYS, *SEARCHERS):
        found = {name: _regrets(measured, name, way) for name in CONDITIONAL}
        cells = [f"{found[name][:, mark].mean():.2f}" for name in CONDITIONAL for mark in range(len(_MARKS))]
        means = [f"{np.mean([each[:, mark].mean() for each in found.values()]):.2f}" for mark in range(len(_MARKS))]
        rows.append([way, *cells, *means])
    heading = [f"{name}, {mark}" for name in (*CONDITIONAL, "mean") for mark in _MARKS]
    return Table(("", *heading), rows)


def _regrets(measured: Measured, name: str, way: str) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """log10 regret of each seed after so many evaluations: (seeds, marks)."""
    runs = [_values(measured, "search", name, way, EVALUATIONS, mark - 1) for mark in _MARKS]
    regrets: np.ndarray[tuple[int, int], np.dtype[np.float64]] = np.stack(runs, axis=1) - best_of(name)
    return np.log10(np.maximum(regrets, _FLOOR))


def _values(
    measured: Measured, what: str, problem: str, way: str, size: int, place: int
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """One number of each seed."""
    return np.array(
        [
            values[place]
            for job, values in measured.items()
            if (job.what, job.problem, job.way, job.size) == (what, problem, way, size)
        ]
    )
