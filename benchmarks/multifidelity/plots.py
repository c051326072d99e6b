"""The two figures, as PNG and SVG: mean ranks over what was spent, and regret over it for each problem.

`study` and `benchmarks.comparing.ranking` compute. Called by the command line. The same results give the same SVG.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.ticker import MaxNLocator

from benchmarks.comparing.methods import Method
from benchmarks.comparing.multiples import Column, coloured, columns, grid
from benchmarks.comparing.plots import band, drawn, labels, line
from benchmarks.comparing.ranking import Ranking
from benchmarks.multifidelity.methods import BEST
from benchmarks.multifidelity.study import BUDGETS, GRID, FidelityStudy
from benchmarks.multifidelity.tables import Studies
from benchmarks.problems import FidelityProblem

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plots"]

_GROUPS = {
    "DEHB, SMAC, one step of successive halving": coloured("dehb", "smac-mf", "one-step"),
    "Optuna": coloured("optuna-tpe-hyperband", "optuna-tpe-asha", "optuna-gp-hyperband", "optuna-gp-asha"),
    "NePS": coloured(
        "neps-0.17-hyperband",
        "neps-0.17-asha",
        "neps-0.17-priorband",
        "neps-0.12.2-hyperband",
        "neps-0.12.2-asha",
    ),
}
_FIRST = 4  # before one full evaluation there is little to see
_STEPS = GRID[_FIRST - 1 :]


def plots(by_account: Studies, folder: Path) -> list[Path]:
    """Draw both figures, of the methods without a prior, into `folder`; the files written."""
    figures = {"rank": lambda: _ranks(by_account), "problems": lambda: _problems(by_account["continuation"])}
    return drawn("multifidelity", figures, folder)


def _columns(study: FidelityStudy) -> list[Column[Method]]:
    """Peers without a prior, and our best."""
    peers = {name for group in _GROUPS.values() for name in group}
    methods = [method for method in study.present() if method.prior is None and method.name in {BEST, *peers}]
    return columns(methods, _GROUPS, BEST)


def _ranks(by_account: Studies) -> Figure:
    shown = _columns(next(iter(by_account.values())))
    rankings = [Ranking.of(study, shown[0].methods, len(GRID)) for study in by_account.values()]

    def draw(axes: Axes, row: int, column: Column[Method]) -> None:
        ranking = rankings[row]
        if ranking.problems:
            _rank(axes, ranking, column)
            axes.set_ylim(len(ranking.methods), 1)
        _spent(axes)

    rows = [
        f"{account}:\nmean rank (1 is best)\n{len(ranking.problems)} problems, {max(ranking.seeds(), default=0)} seeds"
        for account, ranking in zip(by_account, rankings, strict=True)
    ]
    return grid(shown, rows, 2.8, draw)


def _rank(axes: Axes, ranking: Ranking[FidelityProblem], column: Column[Method]) -> None:
    mean, (low, high) = ranking.mean()[_FIRST - 1 :], (end[_FIRST - 1 :] for end in ranking.interval())
    for m, method in enumerate(ranking.methods):
        line(axes, _STEPS, mean[:, m], method, column)
        band(axes, _STEPS, (low[:, m], high[:, m]), method, column)


def _problems(study: FidelityStudy) -> Figure:
    def draw(axes: Axes, row: int, column: Column[Method]) -> None:
        for method in column.methods:
            median = study.median(study.problems[row], method, len(GRID))
            line(axes, _STEPS, median[_FIRST - 1 :], method, column)
        _spent(axes)
        axes.yaxis.set_major_locator(MaxNLocator(4))

    figure = grid(_columns(study), labels(study.problems), 1.35, draw)
    figure.supylabel("log10 regret (loss where said), median over seeds, with checkpoints", fontsize=9)
    return figure


def _spent(axes: Axes) -> None:
    """The axis of what was spent, logarithmic, so that the early budgets have room."""
    axes.set_xscale("log")
    axes.set_xlim(GRID[_FIRST - 1], GRID[-1])
    axes.set_xticks([1, *BUDGETS], [str(budget) for budget in (1, *BUDGETS)])
    axes.minorticks_off()
    axes.set_xlabel("full evaluations spent (log scale)")
