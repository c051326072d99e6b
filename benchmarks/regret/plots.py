"""The two figures, as PNG and SVG: mean ranks over evaluations, and regret over evaluations for each problem.

`benchmarks.comparing` computes. Called by the command line.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MaxNLocator, MultipleLocator

from benchmarks.comparing.methods import OURS, Method
from benchmarks.comparing.multiples import Column, Group, coloured, columns, grid
from benchmarks.comparing.plots import band, drawn, labels, line
from benchmarks.comparing.ranking import Ranking
from benchmarks.problems import Problem
from benchmarks.regret.study import RegretStudy
from benchmarks.regret.tables import BUDGETS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plots"]

_GROUPS: Mapping[str, Group] = {
    "Optuna": coloured("optuna-gp", "optuna-tpe", "optuna-cmaes"),
    "SMAC, HEBO": coloured("smac-bb", "smac-hpo", "hebo"),
    "NePS, random search": {**coloured("neps-0.17", "neps-0.12.2"), "random": "#000000"},
}
_SHIFT = 0.012  # between the intervals of methods at one budget, of an axis


def plots(study: RegretStudy, folder: Path) -> list[Path]:
    """Draw both figures into `folder`; the files written."""
    figures = {"rank": lambda: _ranks(study), "problems": lambda: _problems(study)}
    return drawn("regret", figures, folder)


def _ranks(study: RegretStudy) -> Figure:
    """All methods as far as all go, and beside them those that go further."""
    shown = columns(study.methods, _GROUPS, OURS)
    long = [method for method in study.methods if method.evaluations >= BUDGETS[-1]]
    further = columns(long, {"those with more evaluations": dict(ChainMap(*map(dict, _GROUPS.values())))}, OURS)
    rankings = {
        evaluations: Ranking.of(study, methods, evaluations)
        for methods, evaluations in ((study.methods, BUDGETS[-2]), (long, BUDGETS[-1]))
    }

    def draw(axes: Axes, _: int, column: Column[Method]) -> None:
        evaluations = BUDGETS[-1] if column in further else BUDGETS[-2]
        ranking = rankings[evaluations]
        if ranking.problems:
            _rank(axes, ranking, column)
            axes.set_ylim(len(ranking.methods), 1)
        axes.set_xlim(1, evaluations)
        axes.xaxis.set_major_locator(MultipleLocator(BUDGETS[0]))
        axes.set_xlabel(
            f"evaluations\n{len(ranking.methods)} methods, {len(ranking.problems)} problems, "
            f"{max(ranking.seeds(), default=0)} seeds"
        )

    return grid([*shown, *further] if long else shown, ["mean rank (1 is best)"], 3.2, draw)


def _rank(axes: Axes, ranking: Ranking[Problem], column: Column[Method]) -> None:
    mean, (low, high) = ranking.mean(), ranking.interval()
    evaluations = len(mean)
    steps = np.arange(1.0, evaluations + 1)
    for m, method in enumerate(ranking.methods):
        line(axes, steps, mean[:, m], method, column)
        band(axes, steps, (low[:, m], high[:, m]), method, column)
        look = column.look(method)
        if look.stands_out and not look.is_ours:
            at = [n - 1 for n in BUDGETS if n <= evaluations]
            shifted = steps[at] - _SHIFT * evaluations * (list(column.group).index(method.name) + 1)
            axes.vlines(shifted, low[at, m], high[at, m], color=look.colour, linewidth=1)


def _problems(study: RegretStudy) -> Figure:
    def draw(axes: Axes, row: int, column: Column[Method]) -> None:
        for method in column.methods:
            _problem(axes, study, study.problems[row], method, column)
        axes.set_xlim(1, BUDGETS[-1])
        axes.set_xlabel("evaluations")
        axes.xaxis.set_major_locator(MultipleLocator(BUDGETS[0]))
        axes.yaxis.set_major_locator(MaxNLocator(4))

    figure = grid(columns(study.methods, _GROUPS, OURS), labels(study.problems), 1.3, draw)
    figure.supylabel("log10 regret (loss where said), median over seeds", fontsize=9)
    return figure


def _problem(axes: Axes, study: RegretStudy, problem: Problem, method: Method, column: Column[Method]) -> None:
    evaluations = method.evaluations
    steps = np.arange(1.0, evaluations + 1)
    low, high = (study.median(problem, method, evaluations, quantile) for quantile in (0.25, 0.75))
    band(axes, steps, (low, high), method, column)
    line(axes, steps, study.median(problem, method, evaluations), method, column)
