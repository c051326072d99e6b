"""What eight workers lose against one in as many evaluations, since they decide before the results of others are in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from benchmarks.comparing.pooling import pooled
from benchmarks.comparing.study import Array
from benchmarks.coordination.report import Table
from benchmarks.simulated.running import Run, perform_all

__all__ = ["MANY", "measure", "report", "runs"]

MANY = 8
_LIMIT = 0.3

Finals = Mapping[str, Array]
"""By problem the log10 regrets at the end, [seeds, 2]: of one worker, and of many."""


def runs(problems: Sequence[str], seeds: Sequence[int], evaluations: int) -> list[Run]:
    """One worker and many, for each problem and seed; seeds are in the outer loop."""
    return [
        Run(name, seed, f"workers: {workers}", "bayesian_optimization", evaluations, workers)
        for seed in seeds
        for name in problems
        for workers in (1, MANY)
    ]


def measure(problems: Sequence[str], seeds: Sequence[int], evaluations: int, jobs: int) -> str:
    """Make the runs, and say how they compare."""
    wanted = runs(problems, seeds, evaluations)
    curves = perform_all(wanted, jobs)
    figures = np.log10([curve[-1] for curve in curves]).reshape(len(seeds), len(problems), 2)
    return report({name: figures[:, index] for index, name in enumerate(problems)}, evaluations)


def report(finals: Finals, evaluations: int) -> str:
    """Each problem's means, and the mean of all."""
    return "\n\n".join(_parts(finals, evaluations))


def _parts(finals: Finals, evaluations: int) -> Iterator[str]:
    yield f"## log10 regret of {MANY} simulated workers and of one, after {evaluations} evaluations in all"
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
