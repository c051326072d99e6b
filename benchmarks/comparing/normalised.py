"""Regret in units of what a random configuration has: a figure that can be averaged over problems, as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from benchmarks.comparing.methods import Method
from benchmarks.comparing.pooling import pooled
from benchmarks.comparing.study import Array, Judged, Study
from benchmarks.comparing.tables import span
from benchmarks.coordination.report import Table

__all__ = ["CAP", "capped", "normalised", "normalised_table", "units_of"]

CAP = 3.0
"""No run counts for more units: where trainings diverge by chance, the regret of one run may be thousands."""

_Problem = TypeVar("_Problem", bound=Judged)


def normalised(
    study: Study[_Problem, Any], methods: Sequence[Method], step: int, units: Mapping[str, float]
) -> list[dict[str, Array]]:
    """For each of the methods, by problem: the regret of each seed that all have, in the problem's unit.

    Problems without a known optimum, a unit, or a seed that all have are left out.
    """
    counted = [problem for problem in study.problems if problem.optimum is not None and problem.name in units]
    shared = [(problem, study.shared_seeds(problem, methods, step)) for problem in counted]
    return [
        {
            problem.name: study.regrets(problem, method, seeds, step)[:, -1] / units[problem.name]
            for problem, seeds in shared
            if seeds
        }
        for method in methods
    ]


def capped(
    study: Study[_Problem, Any], methods: Sequence[Method], step: int, units: Mapping[str, float]
) -> list[dict[str, Array]]:
    """The same, where no run counts for more than `CAP` units."""
    found = normalised(study, methods, step, units)
    return [{name: np.minimum(regrets, CAP) for name, regrets in each.items()} for each in found]


def units_of(
    study: Study[_Problem, Any], method: Method | None, losses: Callable[[Any], Sequence[float]]
) -> dict[str, float]:
    """By problem: the median regret of all that a method of random configurations has evaluated."""
    if method is None:
        return {}
    found = dict[str, float]()
    for problem in study.problems:
        seen = [loss for run in study.runs[problem.name, method.name].values() for loss in losses(run.record)]
        if seen and problem.optimum is not None:
            found[problem.name] = float(np.median(seen)) - problem.optimum
    return found


def normalised_table(
    study: Study[_Problem, Any],
    methods: Sequence[Method],
    steps: Mapping[str, int],
    units: Mapping[str, float],
) -> Iterator[str]:
    """A sentence, and a row for each method; `steps` by their headings, the last one sorts."""
    present = [method for method in methods if any(study.seeds(each, method, 1) for each in study.problems)]
    columns = [normalised(study, present, step, units) for step in steps.values()]
    if not present or not all(column[0] for column in columns):
        return
    seeds = [len(seeds) for seeds in columns[-1][0].values()]
    yield (
        "Regret in percent of what the median of random configurations has: 0 is the optimum. The mean over "
        f"{len(seeds)} problems with {span(seeds)} seeds each; in brackets the 95 % bootstrap interval over problems "
        "and seeds."
    )
    figures = [[pooled({name: 100 * each for name, each in of.items()}) for of in column] for column in columns]
    order = sorted(range(len(present)), key=lambda m: figures[-1][m].mean)
    rows = [[present[m].name, *(column[m].text(".2f") for column in figures)] for m in order]
    yield str(Table(("method", *steps), rows))
