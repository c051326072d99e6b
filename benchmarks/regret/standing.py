"""How methods stand on tables of trainings: mean ranks, and beside them regret in units of random search's.

A rank says nothing of how much better one is, and a tie counts as much as a difference; a regret is ruled by the few
runs that went wrong. Both have to say the same. Text only: `benchmarks.comparing` computes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from benchmarks.comparing.methods import Method
from benchmarks.comparing.normalised import CAP, capped
from benchmarks.comparing.pooling import Pooled, pooled
from benchmarks.comparing.ranking import Ranking
from benchmarks.comparing.study import Array
from benchmarks.comparing.tables import rank_cells, span
from benchmarks.coordination.report import Table
from benchmarks.problems import Problem
from benchmarks.regret.study import RegretStudy

__all__ = ["against", "in_units_of_random", "ranked", "standing"]

_TOLD = 0.03
_SURE = 1.96 + 0.84  # a difference is told at 95 %, with a power of 80 %


def in_units_of_random(study: RegretStudy, methods: Sequence[Method], evaluations: int) -> list[dict[str, Array]]:
    """For each of the methods, by problem: regrets after so many evaluations, of the seeds that all have.

    0 is the best of the table, 1 what random search has found by then, in the median.
    """
    units = {
        problem.name: problem.drawn(evaluations) - problem.optimum
        for problem in study.problems
        if problem.drawn is not None and problem.optimum is not None
    }
    known = {name: unit for name, unit in units.items() if unit > 0}
    return capped(study, methods, evaluations, known)


def standing(study: RegretStudy, methods: Sequence[Method], budgets: Sequence[int]) -> Iterator[str]:
    """A heading, a sentence, and a row for each method."""

    def columns(ranking: Ranking[Problem]) -> dict[str, list[str]]:
        cells = dict(zip((f"rank after {n}" for n in budgets), rank_cells(ranking, budgets), strict=True))
        for n in budgets:
            regrets = map(pooled, in_units_of_random(study, ranking.methods, n))
            cells[f"regret after {n}"] = [each.text(".3f") for each in regrets]
        return cells

    meaning = (
        "Ranks: 1 is best. Regret: 0 is the best of the table, 1 what random search has found by then in the median; "
        f"a run counts for {CAP:g} at most."
    )
    yield from ranked(study, methods, budgets[-1], ("Mean rank and regret", meaning), columns)


def ranked(
    study: RegretStudy,
    methods: Sequence[Method],
    evaluations: int,
    title: tuple[str, str],
    columns: Callable[[Ranking[Problem]], Mapping[str, Sequence[str]]],
) -> Iterator[str]:
    """A heading, a sentence, and a row for each method, by its mean rank after so many evaluations.

    Args:
        study: the runs.
        methods: those that are ranked.
        evaluations: how far all of them go.
        title: what is shown, and what its numbers mean.
        columns: of a ranking the cells of its methods, by the heading of the column.
    """
    ranking = Ranking.of(study, methods, evaluations)
    what, meaning = title
    yield f"### {what} of {len(ranking.methods)} methods, run to {evaluations} evaluations"
    if not ranking.problems:
        yield "On no problem do they have a seed in common yet."
        return
    yield (
        f"{meaning} Over {len(ranking.problems)} of {len(study.problems)} problems with {span(ranking.seeds())} seeds "
        "each, which all methods have; in brackets the 95 % bootstrap interval over problems and seeds."
    )
    cells = columns(ranking)
    rows = [[method.name, *(column[m] for column in cells.values())] for m, method in enumerate(ranking.methods)]
    order = np.argsort(ranking.mean()[evaluations - 1], kind="stable")
    yield str(Table(("method", *cells), [rows[m] for m in order]))


def against(study: RegretStudy, methods: Sequence[Method], base: Method, budgets: Sequence[int]) -> Iterator[str]:
    """How much regret each method has less or more than one of them, run by run."""
    yield (
        f"Regret less that of {base.name}, run by run, in the same units; in brackets the 95 % interval over seeds, on "
        f"these very problems. Behind it: how many seeds tell a difference of {_TOLD:g} (95 % sure, power 80 %)."
    )
    others = [method for method in methods if method.name != base.name]
    columns = [[_difference(study, method, base, n) for method in others] for n in budgets]
    rows = [[method.name, *(column[m] for column in columns)] for m, method in enumerate(others)]
    yield str(Table(("method", *(f"after {n}" for n in budgets)), rows))


def _difference(study: RegretStudy, method: Method, base: Method, evaluations: int) -> str:
    first, second = in_units_of_random(study, (method, base), evaluations)
    differences = {name: first[name] - second[name] for name in first}
    if not differences or min(map(len, differences.values())) < 2:
        return "–"
    mean, error = _paired(differences, 1)
    half = 1.96 * _paired(differences)[1]
    seeds = math.ceil((_SURE * error / _TOLD) ** 2)
    return f"{Pooled(mean, mean - half, mean + half).text('+.3f')}, {seeds} seeds"


def _paired(differences: Mapping[str, Array], seeds: int | None = None) -> tuple[float, float]:
    """The mean over problems, and its standard error, with so many seeds or as many as there are."""
    groups = list(differences.values())
    variances = [group.var(ddof=1) / (seeds or len(group)) for group in groups]
    return float(np.mean([group.mean() for group in groups])), float(np.sqrt(np.sum(variances)) / len(groups))
