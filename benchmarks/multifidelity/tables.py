"""The tables, as Markdown: mean ranks and regret by problem in both accounts, and the cost of suggestions.

Text only: `benchmarks.comparing` computes. Called by the command line.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from benchmarks.comparing.methods import Method
from benchmarks.comparing.normalised import CAP, capped, normalised_table, units_of
from benchmarks.comparing.pooling import Pooled, pooled
from benchmarks.comparing.ranking import Ranking
from benchmarks.comparing.study import FLOOR
from benchmarks.comparing.tables import NOTHING, figure, marked, methods_line, rank_cells, span, titled
from benchmarks.coordination.report import Table
from benchmarks.multifidelity.accounts import Account
from benchmarks.multifidelity.methods import PAIRS
from benchmarks.multifidelity.study import BUDGETS, GRID, FidelityStudy, steps_to
from benchmarks.problems import FidelityProblem

__all__ = ["Studies", "cpu_table", "difference_table", "ranking_tables", "ranks", "regret_tables", "tables"]

Studies = Mapping[Account, FidelityStudy]
"""By account: the same runs."""


def tables(by_account: Studies) -> str:
    """All tables, with the headings and the sentences that they need."""
    return "\n\n".join(_parts(by_account)) + "\n"


def _parts(by_account: Studies) -> Iterator[str]:
    study = _any(by_account)
    yield methods_line(study)
    yield from _without_prior(by_account)
    without = [method for method in study.present() if method.prior is None]
    for quality in ("good", "bad"):
        if having := [method for method in study.present() if method.prior == quality]:
            yield f"### Mean ranks with a {quality} prior"
            yield f"Methods with a {quality} prior, and all methods without a prior."
            yield from ranking_tables(by_account, [*without, *having])
    yield from difference_table(by_account, PAIRS)
    yield "### Regret by problem"
    yield from regret_tables(by_account)
    yield "### Cost of suggestions"
    yield from cpu_table(study)


def ranks(by_account: Studies) -> str:
    """The ranks of methods without a prior alone, for users."""
    return "\n\n".join(_without_prior(by_account)) + "\n"


def _without_prior(by_account: Studies) -> Iterator[str]:
    study = _any(by_account)
    yield "### Mean ranks without a prior"
    for methods in _by_seeds(study, [m for m in study.present() if m.prior is None]):
        yield from ranking_tables(by_account, methods)
        if all(problem.optimum is not None for problem in study.problems) and not _conditional(study):
            yield from _in_units_of_random(by_account, methods)
    if _conditional(study):
        yield from _normalised(by_account)


def _by_seeds(study: FidelityStudy, methods: Sequence[Method]) -> Iterator[Sequence[Method]]:
    """All of them; and those with at least twice as many seeds as all have in common, if there are some."""
    counts = [min(len(study.seeds(problem, method, len(GRID))) for problem in study.problems) for method in methods]
    quick = [method for method, count in zip(methods, counts, strict=True) if count >= 2 * max(min(counts), 1)]
    yield methods
    if len(quick) > 1:
        yield quick


def _conditional(study: FidelityStudy) -> bool:
    return all(problem.conditional for problem in study.problems)


def _normalised(by_account: Studies) -> Iterator[str]:
    """In units of what random search has at the highest fidelity, which is all that it evaluates."""
    for account, study in by_account.items():
        drawn = next((method for method in study.methods if method.searcher == "random_search"), None)
        units = units_of(study, drawn, lambda record: [each.loss for each in record.trace])
        steps = {f"{account}, {n}": steps_to(n) for n in BUDGETS}
        yield from normalised_table(study, study.present(), steps, units)


def _in_units_of_random(by_account: Studies, methods: Sequence[Method]) -> Iterator[str]:
    """As `benchmarks.regret.standing` has it, in units of what recorded runs of random search have found by then."""
    cells = dict[str, list[Pooled]]()
    for account, study in by_account.items():
        drawn = next((method for method in study.present() if method.searcher == "random_search"), None)
        if drawn is None:
            return
        for budget in BUDGETS:
            step = steps_to(budget)
            medians = {each.name: float(10 ** study.median(each, drawn, step)[-1]) for each in study.problems}
            units = {name: median for name, median in medians.items() if math.isfinite(median)}
            if not units:  # nothing is known by then
                continue
            cells[f"{account}, {budget}"] = [pooled(each) for each in capped(study, methods, step, units) if each]
    if not cells or not all(cells.values()):
        return
    yield (
        "Regret of the same runs: 0 is the best of the table, 1 what random search has found by then in the median; a "
        f"run counts for {CAP:g} at most."
    )
    order = np.argsort(np.mean([[each.mean for each in column] for column in cells.values()], axis=0), kind="stable")
    rows = [[methods[m].name, *(column[m].text(".3f") for column in cells.values())] for m in order]
    yield str(Table(("method", *cells), rows))


def _any(by_account: Studies) -> FidelityStudy:
    """What doesn't depend on the account is in each."""
    return next(iter(by_account.values()))


def ranking_tables(by_account: Studies, methods: Sequence[Method] | None = None) -> Iterator[str]:
    """Mean ranks of the methods (all by default) at each budget, in both accounts."""
    rankings = {
        account: Ranking.of(study, study.present() if methods is None else methods, len(GRID))
        for account, study in by_account.items()
    }
    first = next(iter(rankings.values()))
    if not first.problems:
        yield "On no problem do all methods have a seed in common yet."
        return
    yield (
        f"Mean rank of {len(first.methods)} methods; 1 is best. Over {len(first.problems)} problems with "
        f"{span(first.seeds())} seeds each, which all methods have; in brackets the 95 % bootstrap interval over "
        "problems and seeds."
    )
    steps = [steps_to(budget) for budget in BUDGETS]
    columns = [column for ranking in rankings.values() for column in rank_cells(ranking, steps)]
    means = np.mean(
        [ranking.mean()[[step - 1 for step in steps]].mean(axis=0) for ranking in rankings.values()], axis=0
    )
    rows = [[method.name, *(column[m] for column in columns)] for m, method in enumerate(first.methods)]
    yield str(Table(("method", *_headings(by_account)), [rows[m] for m in np.argsort(means, kind="stable")]))


def _headings(accounts: Iterable[Account]) -> list[str]:
    return [f"{account}, {budget}" for account in accounts for budget in BUDGETS]


def difference_table(by_account: Studies, pairs: Sequence[tuple[str, str]]) -> Iterator[str]:
    """What pairs of methods, by their names, differ in; of those that are there and share a run."""
    rows = []
    for names in pairs:
        cells = [_difference(study, names, steps_to(budget)) for study in by_account.values() for budget in BUDGETS]
        if any(cell != NOTHING for cell in cells):
            rows.append([" − ".join(names), *cells])  # noqa: RUF001 - a minus, since names have hyphens
    if rows:
        yield "### Differences, run by run"
        yield (
            "log10 of the regret (or of the loss, if the optimum isn't known) of the first method minus that of the "
            "second: below 0 if the first is better. The mean over problems, of the seeds that both have; in "
            "brackets the 95 % bootstrap interval over problems and seeds."
        )
        yield str(Table(("methods", *_headings(by_account)), rows))


def _difference(study: FidelityStudy, names: tuple[str, str], steps: int) -> str:
    present = {method.name: method for method in study.methods}
    if not present.keys() >= set(names):
        return NOTHING
    figures = study.differences(present[names[0]], present[names[1]], steps)
    return pooled(figures).text("+.2f") if figures else NOTHING


def regret_tables(by_account: Studies, budgets: Sequence[int] = BUDGETS) -> Iterator[str]:
    """One table for each account and budget."""
    yield (
        "Median over seeds of log10(value of the incumbent - optimum), at least "
        f"{np.log10(FLOOR):.0f}. For problems in italics, the optimum is not known: the table shows the median loss. "
        "In brackets: the number of seeds. **Bold**: the best method. Last column: the mean over problems with a known "
        "optimum."
    )
    for account, study in by_account.items():
        for budget in budgets:
            yield f"After {budget} full evaluations, {account}:"
            yield str(_regret_table(study, budget))


def _regret_table(study: FidelityStudy, budget: int) -> Table:
    """One row for each method."""
    methods, steps = study.present(), steps_to(budget)
    medians = np.array(
        [[study.median(problem, method, len(GRID))[steps - 1] for problem in study.problems] for method in methods]
    ).reshape(len(methods), len(study.problems))
    columns = [marked(problem, column.tolist()) for problem, column in zip(study.problems, medians.T, strict=True)]
    known = medians[:, [problem.optimum is not None for problem in study.problems]]
    means = known.mean(axis=1) if known.size else np.full(len(methods), np.nan)
    counts = [span([len(study.seeds(problem, method, steps)) for problem in study.problems]) for method in methods]
    rows = [
        [f"{method.name} ({counts[m]})", *(column[m] for column in columns), figure(float(means[m]), ".2f")]
        for m, method in enumerate(methods)
    ]
    return Table(("method", *map(_title, study.problems), "mean"), rows)


def _title(problem: FidelityProblem) -> str:
    return titled(problem).replace("mf-", "", 1)


def cpu_table(study: FidelityStudy) -> Iterator[str]:
    """What a suggestion costs, and how many evaluations a run has."""
    yield "Medians over all runs: the number of evaluations, and the CPU seconds for all suggestions of a run."
    rows = []
    for method in study.present():
        records = study.of_method(method)
        count = np.median([record.evaluations for record in records])
        seconds = np.median([sum(record.cpu) for record in records])
        rows.append([method.name, f"{count:.0f}", f"{seconds:.2g}"])
    yield str(Table(("method", "evaluations", "CPU seconds"), rows))
