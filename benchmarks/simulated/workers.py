"""What eight workers lose against one in as many evaluations, since they decide before the results of others are in.

In log10 regret on functions; on tables of trainings in units of what random search finds, as `benchmarks.regret` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from benchmarks.comparing.normalised import CAP
from benchmarks.comparing.pooling import pooled
from benchmarks.comparing.study import Array
from benchmarks.coordination.report import Table
from benchmarks.problems import problem as named
from benchmarks.simulated.running import SURFACES, Run, perform_all

__all__ = ["IN_UNITS", "LOG_REGRET", "MANY", "figure", "measure", "report", "runs"]

MANY = 8
_LIMIT = 0.3

LOG_REGRET = "log10 regret"
IN_UNITS = "regret in units of random search's"

Finals = Mapping[str, Array]
"""By problem the figures at the end, [seeds, 2]: of one worker, and of many."""


def runs(problems: Sequence[str], seeds: Sequence[int], evaluations: int) -> list[Run]:
    """One worker and many, for each problem and seed; seeds are in the outer loop."""
    return [
        Run(name, seed, f"workers: {workers}", "bayesian_optimization", evaluations, workers)
        for seed in seeds
        for name in problems
        for workers in (1, MANY)
    ]


def measure(problems: Sequence[str], seeds: Sequence[int], evaluations: int, jobs: int) -> str:
    """Make the runs, and say how they compare: functions, then tables."""
    found: dict[str, list[list[float]]] = {name: [] for name in problems}
    for curves in perform_all(runs(problems, seeds, evaluations), jobs, len(seeds)):
        for name, one, many in zip(problems, curves[::2], curves[1::2], strict=True):
            found[name].append([figure(name, one), figure(name, many)])
    finals = {name: np.array(figures) for name, figures in found.items()}
    functions = {name: figures for name, figures in finals.items() if name in SURFACES}
    tables = {name: figures for name, figures in finals.items() if name not in SURFACES}
    kinds = {LOG_REGRET: functions, IN_UNITS: tables}
    return "\n\n".join(report(group, evaluations, kind) for kind, group in kinds.items() if group)


def figure(name: str, curve: Array) -> float:
    """How a run of a problem counts, from its regrets by evaluation: on tables for `CAP` at most."""
    if name in SURFACES:
        return float(np.log10(curve[-1]))
    problem = named(name)
    if problem.drawn is None or problem.optimum is None:
        message = f"nobody knows what random search finds on {name}"
        raise ValueError(message)
    return min(float(curve[-1]) / (problem.drawn(len(curve)) - problem.optimum), CAP)


def report(finals: Finals, evaluations: int, kind: str = LOG_REGRET) -> str:
    """Each problem's means, and the mean of all; `kind` says of what."""
    return "\n\n".join(_parts(finals, evaluations, kind))


def _parts(finals: Finals, evaluations: int, kind: str) -> Iterator[str]:
    yield f"## {kind} of {MANY} simulated workers and of one, after {evaluations} evaluations in all"
    yield "Means over seeds. The difference is above 0 where many workers find less."
    rows = [_row(name, figures) for name, figures in finals.items()]
    yield str(Table(("problem", "seeds", "1 worker", f"{MANY} workers", "difference"), rows))
    difference = pooled({name: figures[:, 1] - figures[:, 0] for name, figures in finals.items()})
    verdict = "yes" if difference.high < _LIMIT else "**NO**"
    yield (
        f"Mean difference over problems, and its 95 % bootstrap interval: {difference.text('+.3f')}. "
        f"Its upper end is below {_LIMIT:g}: {verdict}."
    )


def _row(name: str, figures: Array) -> list[str]:
    one, many = figures.mean(axis=0).tolist()
    return [name, str(len(figures)), f"{one:.2f}", f"{many:.2f}", f"{many - one:+.2f}"]
