"""The two figures, as PNG and SVG: mean ranks over what was spent, and regret over it for each problem.

`study` and `benchmarks.regret.ranking` compute. Called by the command line. The same results give the same SVG.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.ticker import MaxNLocator

from benchmarks.driving.multiples import STYLE, Column, coloured, columns, grid
from benchmarks.multifidelity.methods import BEST, Method
from benchmarks.multifidelity.study import BUDGETS, GRID, Study
from benchmarks.problems import FidelityProblem
from benchmarks.regret.plots import written
from benchmarks.regret.ranking import Ranking
from benchmarks.regret.study import Array

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


def plots(by_account: Mapping[str, Study], folder: Path) -> list[Path]:
    """Draw both figures, of the methods without a prior, into `folder`; the files written."""
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({**STYLE, "svg.hashsalt": "multifidelity"}):
        figures = {
            "multifidelity-rank": _ranks(by_account),
            "multifidelity-problems": _problems(by_account["continuation"]),
        }
        return [path for name, figure in figures.items() for path in written(figure, folder / name)]


def _columns(study: Study) -> list[Column[Method]]:
    """Peers without a prior, and our best."""
    peers = {name for group in _GROUPS.values() for name in group}
    methods = [method for method in study.methods if method.prior is None and method.name in {BEST, *peers}]
    return columns(methods, _GROUPS, BEST)


def _ranks(by_account: Mapping[str, Study]) -> Figure:
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


def _rank(axes: Axes, ranking: Ranking[FidelityProblem, Method], column: Column[Method]) -> None:
    mean, (low, high) = ranking.mean(), ranking.interval()
    for m, method in enumerate(ranking.methods):
        _line(axes, mean[_FIRST - 1 :, m], method, column)
        if (look := column.look(method)).is_ours:
            band = (low[_FIRST - 1 :, m], high[_FIRST - 1 :, m])
            axes.fill_between(GRID[_FIRST - 1 :], *band, color=look.colour, alpha=0.15, linewidth=0)


def _problems(study: Study) -> Figure:
    def draw(axes: Axes, row: int, column: Column[Method]) -> None:
        for method in column.methods:
            _line(axes, study.median(study.problems[row], method)[_FIRST - 1 :], method, column)
        _spent(axes)
        axes.yaxis.set_major_locator(MaxNLocator(4))

    figure = grid(_columns(study), _names(study.problems), 1.35, draw)
    figure.supylabel("log10 regret (loss where said), median over seeds, with checkpoints", fontsize=9)
    return figure


def _names(problems: Sequence[FidelityProblem]) -> list[str]:
    return [problem.name if problem.optimum is not None else f"{problem.name} (loss)" for problem in problems]


def _spent(axes: Axes) -> None:
    """The axis of what was spent, logarithmic, so that the early budgets have room."""
    axes.set_xscale("log")
    axes.set_xlim(GRID[_FIRST - 1], GRID[-1])
    axes.set_xticks([1, *BUDGETS], [str(budget) for budget in (1, *BUDGETS)])
    axes.minorticks_off()
    axes.set_xlabel("full evaluations spent (log scale)")


def _line(axes: Axes, values: Array, method: Method, column: Column[Method]) -> None:
    look = column.look(method)
    axes.plot(GRID[_FIRST - 1 :], values, label=method.name if look.stands_out else "", **look.line)
