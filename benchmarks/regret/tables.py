"""The tables, as Markdown: mean ranks, regret by problem, the cost of suggestions, and which runs are missing.

Text only: `study` and `ranking` compute. Called by the command line.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.coordination.report import Table
from benchmarks.problems import Problem
from benchmarks.regret.methods import Method
from benchmarks.regret.ranking import Ranking
from benchmarks.regret.study import FLOOR, Study

__all__ = ["BUDGETS", "missing", "tables"]

BUDGETS = (25, 50, 100)
_COST_AT = (20, 50, 100)
_NOTHING, _LAST = "–", "▼"


def tables(study: Study) -> str:
    """All tables, with the headings and the sentences that they need."""
    return "\n\n".join(_parts(study)) + "\n"


def missing(study: Study, selection: str = "") -> list[str]:
    """Which runs the tables are meant to have and don't, and the command that makes them, which `selection` ends."""
    lacking = [(method, _lacking(study, method)) for method in study.methods]
    lines = [
        f"{method.name}: {count} of {method.seeds * len(study.problems)} runs of {method.evaluations} evaluations"
        for method, count in lacking
        if count
    ]
    names = ",".join(method.name for method, count in lacking if count)
    command = f"Make them with: scripts/bench regret run --methods {names}{selection}"
    return ["Missing runs:", *(f"  {line}" for line in lines), command] if lines else []


def _lacking(study: Study, method: Method) -> int:
    have = (set(study.seeds(problem, method, method.evaluations)) for problem in study.problems)
    return sum(len(set(range(method.seeds)) - seeds) for seeds in have)


def _parts(study: Study) -> Iterator[str]:
    yield "Methods: " + ", ".join(
        f"{method.name} ({version})" for method in study.methods if (version := study.version(method))
    )
    short, long = BUDGETS[:-1], BUDGETS
    yield from _ranking(study, study.methods, short)
    yield from _ranking(study, [method for method in study.methods if method.evaluations >= long[-1]], long)
    yield from _regret(study)
    yield from _cost(study)


def _ranking(study: Study, methods: Sequence[Method], budgets: Sequence[int]) -> Iterator[str]:
    ranking = Ranking.of(study, methods, budgets[-1])
    yield f"### Mean rank of {len(ranking.methods)} methods, run to {budgets[-1]} evaluations"
    if not ranking.problems:
        yield "On no problem do they have a seed in common yet."
        return
    yield (
        f"1 is best. Over {len(ranking.problems)} of {len(study.problems)} problems with {_span(ranking.seeds())} "
        "seeds each, which all methods have; in brackets the 95 % bootstrap interval over problems and seeds."
    )
    mean, (low, high) = ranking.mean(), ranking.interval()
    rows = [
        [method.name, *(f"{mean[n - 1, m]:.2f} [{low[n - 1, m]:.2f}, {high[n - 1, m]:.2f}]" for n in budgets)]
        for m, method in enumerate(ranking.methods)
    ]
    order = np.argsort(mean[budgets[-1] - 1], kind="stable")
    yield str(Table(("method", *(f"after {n}" for n in budgets)), [rows[m] for m in order]))


def _regret(study: Study) -> Iterator[str]:
    yield "### log10 regret by problem"
    yield (
        "Median over seeds of log10(loss of the incumbent - optimum), at least "
        f"{math.log10(FLOOR):.0f}. The loss is without noise; the incumbent has the lowest observed loss. In brackets: "
        f"the number of seeds. **Bold**: the best method. {_LAST}: the last method among those that model the loss."
    )
    if any(problem.optimum is None for problem in study.problems):
        yield "For problems in italics, the optimum is not known: the table shows the median loss of the incumbent."
    for budget in BUDGETS:
        methods = [m for m in study.methods if any(study.seeds(problem, m, budget) for problem in study.problems)]
        if methods:
            yield f"After {budget} evaluations:"
            yield str(_regret_after(study, methods, budget))


def _regret_after(study: Study, methods: Sequence[Method], budget: int) -> Table:
    """One row for each problem."""
    seeds = ([len(study.seeds(problem, method, budget)) for problem in study.problems] for method in methods)
    heading = [f"{method.name} ({_span(counts)})" for method, counts in zip(methods, seeds, strict=True)]
    medians = ([float(study.median(problem, m, budget)[-1]) for m in methods] for problem in study.problems)
    rows = [_row(problem, row, methods) for problem, row in zip(study.problems, medians, strict=True)]
    lasts = [sum(row[m].endswith(_LAST) for row in rows) for m in range(1, len(methods) + 1)]
    return Table(("problem", *heading), [*rows, [f"number of {_LAST}", *map(str, lasts)]])


def _row(problem: Problem, medians: Sequence[float], methods: Sequence[Method]) -> list[str]:
    known = problem.optimum is not None
    modelling = [median for median, method in zip(medians, methods, strict=True) if method.models]
    best, first, last = np.nanmin([*medians, np.inf]), np.nanmin([*modelling, np.inf]), np.nanmax([*modelling, -np.inf])
    cells = [problem.name if known else f"*{problem.name}*"]
    for median, method in zip(medians, methods, strict=True):
        text = _NOTHING if math.isnan(median) else f"{median:.2f}" if known else f"{median:.4g}"
        bold = f"**{text}**" if median == best else text
        cells.append(f"{bold} {_LAST}" if method.models and median == last > first else bold)
    return cells


def _cost(study: Study) -> Iterator[str]:
    yield "### CPU seconds for a suggestion"
    yield (
        "Median over all runs of the time for suggestion number n in one thread, including learning from the last "
        "result."
    )
    rows = [[method.name, *(_cpu(study, method, n) for n in _COST_AT)] for method in study.methods]
    yield str(Table(("method", *(f"n = {n}" for n in _COST_AT)), rows))


def _cpu(study: Study, method: Method, number: int) -> str:
    runs = (run for problem in study.problems for run in study.of(problem, method).values())
    seconds = [run.cpu[number - 1] for run in runs if run.evaluations >= number]
    if not seconds:
        return _NOTHING
    median = float(np.median(seconds))
    return f"{median:.2g}" if median >= 0.001 else "< 0.001"


def _span(counts: Sequence[int]) -> str:
    return f"{min(counts)}" if min(counts) == max(counts) else f"{min(counts)}–{max(counts)}"
