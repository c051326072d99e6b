"""The tables, as Markdown: mean ranks, regret by problem, and the cost of suggestions.

Text only: `benchmarks.comparing` computes. Called by the command line.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.comparing.methods import Method
from benchmarks.comparing.normalised import normalised_table, units_of
from benchmarks.comparing.ranking import Ranking
from benchmarks.comparing.study import FLOOR
from benchmarks.comparing.tables import NOTHING, marked, methods_line, rank_cells, span, titled
from benchmarks.coordination.report import Table
from benchmarks.problems import Problem
from benchmarks.regret.standing import ranked, standing
from benchmarks.regret.study import RegretStudy

__all__ = ["BUDGETS", "ranks", "tables"]

BUDGETS = (25, 50, 100)
_COST_AT = (20, 50, 100)
_LAST = "▼"


def tables(study: RegretStudy) -> str:
    """All tables, with the headings and the sentences that they need."""
    return "\n\n".join(_parts(study)) + "\n"


def _parts(study: RegretStudy) -> Iterator[str]:
    yield methods_line(study)
    yield from _rankings(study)
    yield from _regret(study)
    yield from _cost(study)


def ranks(study: RegretStudy) -> str:
    """The ranks alone, for users."""
    return "\n\n".join(_rankings(study)) + "\n"


def _rankings(study: RegretStudy) -> Iterator[str]:
    """Of all methods as far as all go, and of those that go further."""
    if all(problem.drawn for problem in study.problems):
        yield from _standings(study)
        return
    far = [method for method in study.methods if method.evaluations >= BUDGETS[-1]]
    short = any(method.evaluations == BUDGETS[0] for method in study.methods)
    for methods, budgets in ((study.methods, BUDGETS[: 1 if short else -1]), (far, BUDGETS)):
        yield from _ranking(study, methods, budgets)
        if all(problem.conditional for problem in study.problems):
            yield from _normalised(study, methods, budgets)


def _standings(study: RegretStudy) -> Iterator[str]:
    """On tables: of all that have runs, of those that go further, and of the quick ones where they have more seeds.

    Of the first, those with twice as many seeds as all have are ranked by themselves, too.
    """
    reached = [[method for method in study.present() if method.evaluations >= budget] for budget in BUDGETS]
    far = reached[-1]
    most = max((method.seeds for method in far), default=0)
    quick = [method for method in far if method.seeds == most]
    for number, (methods, further) in enumerate(itertools.pairwise(reached), start=1):
        if methods != further:
            yield from standing(study, methods, BUDGETS[:number])
        if number == 1 and len(more := _with_more_seeds(study, methods)) > len(quick):
            yield from standing(study, more, BUDGETS[:1])
    yield from standing(study, far, BUDGETS)
    if _common_seeds(study, quick) != _common_seeds(study, far):
        yield from standing(study, quick, BUDGETS)


def _with_more_seeds(study: RegretStudy, methods: Sequence[Method]) -> list[Method]:
    """Those that have at least twice as many seeds as all have, after the first budget."""
    counts = [min(len(study.seeds(problem, method, BUDGETS[0])) for problem in study.problems) for method in methods]
    enough = 2 * max(min(counts, default=0), 1)
    return [method for method, count in zip(methods, counts, strict=True) if count >= enough]


def _common_seeds(study: RegretStudy, methods: Sequence[Method]) -> list[int]:
    """By problem: how many seeds all of the methods have, run to the end."""
    return Ranking.of(study, methods, BUDGETS[-1]).seeds()


def _normalised(study: RegretStudy, methods: Sequence[Method], budgets: Sequence[int]) -> Iterator[str]:
    """In units of what the recorded run of random search has."""
    drawn = next((method for method in study.methods if method.searcher == "random_search"), None)
    units = units_of(study, drawn, lambda record: record.losses)
    yield from normalised_table(study, methods, {f"after {n}": n for n in budgets}, units)


def _ranking(study: RegretStudy, methods: Sequence[Method], budgets: Sequence[int]) -> Iterator[str]:
    def columns(ranking: Ranking[Problem]) -> dict[str, list[str]]:
        return dict(zip((f"after {n}" for n in budgets), rank_cells(ranking, budgets), strict=True))

    yield from ranked(study, methods, budgets[-1], ("Mean rank", "1 is best."), columns)


def _regret(study: RegretStudy) -> Iterator[str]:
    yield "### log10 regret by problem"
    yield (
        "Median over seeds of log10(loss of the incumbent - optimum), at least "
        f"{np.log10(FLOOR):.0f}. The loss is without noise; the incumbent has the lowest observed loss. In brackets: "
        f"the number of seeds. **Bold**: the best method. {_LAST}: the last method among those that model the loss."
    )
    if any(problem.optimum is None for problem in study.problems):
        yield "For problems in italics, the optimum is not known: the table shows the median loss of the incumbent."
    for budget in BUDGETS:
        methods = [m for m in study.methods if any(study.seeds(problem, m, budget) for problem in study.problems)]
        if methods:
            yield f"After {budget} evaluations:"
            yield str(_regret_after(study, methods, budget))


def _regret_after(study: RegretStudy, methods: Sequence[Method], budget: int) -> Table:
    """One row for each problem."""
    seeds = ([len(study.seeds(problem, method, budget)) for problem in study.problems] for method in methods)
    heading = [f"{method.name} ({span(counts)})" for method, counts in zip(methods, seeds, strict=True)]
    medians = ([float(study.median(problem, m, budget)[-1]) for m in methods] for problem in study.problems)
    rows = [_row(problem, row, methods) for problem, row in zip(study.problems, medians, strict=True)]
    lasts = [sum(row[m].endswith(_LAST) for row in rows) for m in range(1, len(methods) + 1)]
    return Table(("problem", *heading), [*rows, [f"number of {_LAST}", *map(str, lasts)]])


def _row(problem: Problem, medians: Sequence[float], methods: Sequence[Method]) -> list[str]:
    """The last of those with a model is marked, if there is a better one."""
    modelling = [median for median, method in zip(medians, methods, strict=True) if method.models]
    first, last = np.nanmin([*modelling, np.inf]), np.nanmax([*modelling, -np.inf])
    cells = [
        f"{text} {_LAST}" if method.models and median == last > first else text
        for text, median, method in zip(marked(problem, medians), medians, methods, strict=True)
    ]
    return [titled(problem), *cells]


def _cost(study: RegretStudy) -> Iterator[str]:
    yield "### CPU seconds for a suggestion"
    yield (
        "Median over all runs of the time for suggestion number n in one thread, including learning from the last "
        "result."
    )
    rows = [[method.name, *(_cpu(study, method, n) for n in _COST_AT)] for method in study.methods]
    yield str(Table(("method", *(f"n = {n}" for n in _COST_AT)), rows))


def _cpu(study: RegretStudy, method: Method, number: int) -> str:
    seconds = [run.cpu[number - 1] for run in study.of_method(method) if run.evaluations >= number]
    if not seconds:
        return NOTHING
    median = float(np.median(seconds))
    return f"{median:.2g}" if median >= 0.001 else "< 0.001"
