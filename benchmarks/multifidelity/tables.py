"""The tables, as Markdown: mean ranks and regret by problem in both accounts, and the cost of suggestions.

Text only: `study` and `benchmarks.regret.ranking` compute. Called by the command line.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.coordination.report import Table
from benchmarks.multifidelity.accounts import ACCOUNTS, Record
from benchmarks.multifidelity.methods import PAIRS, Method
from benchmarks.multifidelity.study import BUDGETS, GRID, Study, step_of
from benchmarks.problems import FidelityProblem
from benchmarks.regret.ranking import Ranking
from benchmarks.regret.study import FLOOR, Array
from benchmarks.simulated.pooling import pooled

__all__ = ["cpu_table", "difference_table", "missing", "ranking_tables", "regret_tables", "studies", "tables"]

_NOTHING = "–"


def studies(
    records: Sequence[Record], problems: Sequence[FidelityProblem], methods: Sequence[Method]
) -> dict[str, Study]:
    """By account, of the methods that have a run."""
    names = {record.key.method for record in records}
    present = [method for method in methods if method.name in names]
    return {account: Study.of(records, problems, present, account) for account in ACCOUNTS}


def tables(records: Sequence[Record], problems: Sequence[FidelityProblem], methods: Sequence[Method]) -> str:
    """All tables, with the headings and the sentences that they need."""
    return "\n\n".join(_parts(records, problems, methods)) + "\n"


def _parts(records: Sequence[Record], problems: Sequence[FidelityProblem], methods: Sequence[Method]) -> Iterator[str]:
    by_account = studies(records, problems, methods)
    present = next(iter(by_account.values())).methods
    versions = {record.key.method: record.key.version for record in records}
    yield "Methods: " + ", ".join(f"{method.name} ({versions[method.name]})" for method in present)
    yield "### Mean ranks without a prior"
    without = [method for method in present if method.prior is None]
    yield from ranking_tables(by_account, without)
    for quality in ("good", "bad"):
        if having := [method for method in present if method.prior == quality]:
            yield f"### Mean ranks with a {quality} prior"
            yield f"Methods with a {quality} prior, and all methods without a prior."
            yield from ranking_tables(by_account, [*without, *having])
    yield from difference_table(by_account, PAIRS)
    yield "### Regret by problem"
    yield from regret_tables(by_account)
    yield "### Cost of suggestions"
    yield from cpu_table(records, present)


def missing(records: Sequence[Record], problems: Sequence[FidelityProblem], methods: Sequence[Method]) -> Iterator[str]:
    """Which runs the tables are meant to have and don't."""
    made = {(record.key.method, record.key.problem, record.key.seed) for record in records}
    lacking = list[str]()
    for method in methods:
        wanted = {(method.name, problem.name, seed) for problem in problems for seed in range(method.seeds)}
        if count := len(wanted - made):
            lacking.append(method.name)
            yield f"Missing: {count} of {len(wanted)} runs of {method.name}"
    if lacking:
        yield f"Make them with: scripts/bench multifidelity run --methods {','.join(lacking)}"


def ranking_tables(by_account: dict[str, Study], methods: Sequence[Method] | None = None) -> Iterator[str]:
    """Mean ranks of the methods (all by default) at each budget, in both accounts."""
    rankings = {
        account: Ranking.of(study, study.methods if methods is None else methods, len(GRID))
        for account, study in by_account.items()
    }
    first = next(iter(rankings.values()))
    if not first.problems:
        yield "On no problem do all methods have a seed in common yet."
        return
    yield (
        f"Mean rank of {len(first.methods)} methods; 1 is best. Over {len(first.problems)} problems with "
        f"{_span(first.seeds())} seeds each, which all methods have; in brackets the 95 % bootstrap interval over "
        "problems and seeds."
    )
    columns = [column for ranking in rankings.values() for column in _rank_columns(ranking)]
    means = np.mean(
        [ranking.mean()[[step_of(b) for b in BUDGETS]].mean(axis=0) for ranking in rankings.values()], axis=0
    )
    rows = [[method.name, *(column[m] for column in columns)] for m, method in enumerate(first.methods)]
    yield str(Table(("method", *_headings()), [rows[m] for m in np.argsort(means, kind="stable")]))


def _rank_columns(ranking: Ranking[FidelityProblem, Method]) -> Iterator[list[str]]:
    mean, (low, high) = ranking.mean(), ranking.interval()
    for step in map(step_of, BUDGETS):
        triples = zip(mean[step], low[step], high[step], strict=True)
        yield [f"{middle:.2f} [{below:.2f}, {above:.2f}]" for middle, below, above in triples]


def _headings() -> list[str]:
    return [f"{account}, {budget}" for account in ACCOUNTS for budget in BUDGETS]


def difference_table(by_account: dict[str, Study], pairs: Sequence[tuple[str, str]]) -> Iterator[str]:
    """What pairs of methods, by their names, differ in; of those that are there and share a run."""
    rows = []
    for names in pairs:
        cells = [_difference(study, names, step_of(budget)) for study in by_account.values() for budget in BUDGETS]
        if any(cell != _NOTHING for cell in cells):
            rows.append([" − ".join(names), *cells])  # noqa: RUF001 - a minus, since names have hyphens
    if rows:
        yield "### Differences, run by run"
        yield (
            "log10 of the regret (or of the loss, if the optimum isn't known) of the first method minus that of the "
            "second: below 0 if the first is better. The mean over problems, of the seeds that both have; in "
            "brackets the 95 % bootstrap interval over problems and seeds."
        )
        yield str(Table(("methods", *_headings()), rows))


def _difference(study: Study, names: tuple[str, str], step: int) -> str:
    present = {method.name: method for method in study.methods}
    if not present.keys() >= set(names):
        return _NOTHING
    figures = study.differences(present[names[0]], present[names[1]], step)
    return pooled(figures).text("+.2f") if figures else _NOTHING


def regret_tables(by_account: dict[str, Study], budgets: Sequence[int] = BUDGETS) -> Iterator[str]:
    """One table for each account and budget."""
    yield (
        "Median over seeds of log10(value of the incumbent - optimum), at least "
        f"{math.log10(FLOOR):.0f}. For problems in italics, the optimum is not known: the table shows the median loss. "
        "In brackets: the number of seeds. **Bold**: the best method. Last column: the mean over problems with a known "
        "optimum."
    )
    for account, study in by_account.items():
        for budget in budgets:
            yield f"After {budget} full evaluations, {account}:"
            yield str(_regret_table(study, budget))


def _regret_table(study: Study, budget: int) -> Table:
    """One row for each method."""
    medians = np.array(
        [[study.median(problem, m)[step_of(budget)] for problem in study.problems] for m in study.methods]
    ).reshape(len(study.methods), len(study.problems))
    columns = [_cells(problem, column) for problem, column in zip(study.problems, medians.T, strict=True)]
    known = medians[:, [problem.optimum is not None for problem in study.problems]]
    means = known.mean(axis=1) if known.size else np.full(len(study.methods), np.nan)
    counts = [_span([len(study.seeds(problem, m)) for problem in study.problems]) for m in study.methods]
    rows = [
        [f"{method.name} ({counts[m]})", *(column[m] for column in columns), _figure(float(means[m]), ".2f")]
        for m, method in enumerate(study.methods)
    ]
    return Table(("method", *map(_title, study.problems), "mean"), rows)


def _title(problem: FidelityProblem) -> str:
    name = problem.name.removeprefix("mf-")
    return name if problem.optimum is not None else f"*{name}*"


def _cells(problem: FidelityProblem, medians: Array) -> list[str]:
    best = np.nanmin([*medians, np.inf])
    texts = ((median, _figure(median, ".4g" if problem.optimum is None else ".2f")) for median in medians)
    return [f"**{text}**" if median == best else text for median, text in texts]


def _figure(number: float, form: str) -> str:
    return format(number, form) if math.isfinite(number) else _NOTHING


def cpu_table(records: Sequence[Record], methods: Sequence[Method]) -> Iterator[str]:
    """What a suggestion costs, and how many evaluations a run has."""
    yield "Medians over all runs: the number of evaluations, and the CPU seconds for all suggestions of a run."
    rows = []
    for method in methods:
        mine = [record for record in records if record.key.method == method.name]
        if mine:
            count = np.median([record.evaluations for record in mine])
            seconds = np.median([sum(record.cpu) for record in mine])
            rows.append([method.name, f"{count:.0f}", f"{seconds:.2g}"])
    yield str(Table(("method", "evaluations", "CPU seconds"), rows))


def _span(counts: Sequence[int]) -> str:
    if not counts:
        return "0"
    return f"{min(counts)}" if min(counts) == max(counts) else f"{min(counts)}–{max(counts)}"
