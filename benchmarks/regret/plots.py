"""The two figures, as PNG and SVG: mean ranks over evaluations, and regret over evaluations for each problem.

`study` and `ranking` compute. Called by the command line. The same results give the same SVG, byte for byte.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.ticker import MaxNLocator, MultipleLocator

from benchmarks.driving.multiples import STYLE, Column, Group, coloured, columns, grid
from benchmarks.problems import Problem
from benchmarks.regret.methods import OURS, Method
from benchmarks.regret.ranking import Ranking
from benchmarks.regret.study import Array, Study
from benchmarks.regret.tables import BUDGETS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plots", "written"]

_GROUPS: Mapping[str, Group] = {
    "Optuna": coloured("optuna-gp", "optuna-tpe", "optuna-cmaes"),
    "SMAC, HEBO": coloured("smac-bb", "smac-hpo", "hebo"),
    "NePS, random search": {**coloured("neps-0.17", "neps-0.12.2"), "random": "#000000"},
}
_DASHED = (0, (4, 2))
_SHIFT = 0.012  # between the intervals of methods at one budget, of an axis


def plots(study: Study, folder: Path) -> list[Path]:
    """Draw both figures into `folder`; the files written."""
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({**STYLE, "svg.hashsalt": "regret"}):
        figures = {"regret-rank": _ranks(study), "regret-problems": _problems(study)}
        return [path for name, figure in figures.items() for path in written(figure, folder / name)]


def written(figure: Figure, stem: Path) -> list[Path]:
    """Write a figure as PNG and SVG, without a date; the files."""
    png, svg = stem.with_suffix(".png"), stem.with_suffix(".svg")
    figure.savefig(png, dpi=150, metadata={"Software": None})
    figure.savefig(svg, metadata={"Date": None, "Creator": None})
    return [png, svg]


def _ranks(study: Study) -> Figure:
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


def _rank(axes: Axes, ranking: Ranking[Problem, Method], column: Column[Method]) -> None:
    mean, (low, high) = ranking.mean(), ranking.interval()
    evaluations = len(mean)
    steps = np.arange(1, evaluations + 1)
    for m, method in enumerate(ranking.methods):
        _line(axes, mean[:, m], method, column)
        look = column.look(method)
        if look.is_ours:
            axes.fill_between(steps, low[:, m], high[:, m], color=look.colour, alpha=0.15, linewidth=0)
        elif look.stands_out:  # bands of all would hide each other
            at = [n - 1 for n in BUDGETS if n <= evaluations]
            shifted = steps[at] - _SHIFT * evaluations * (list(column.group).index(method.name) + 1)
            axes.vlines(shifted, low[at, m], high[at, m], color=look.colour, linewidth=1)


def _problems(study: Study) -> Figure:
    def draw(axes: Axes, row: int, column: Column[Method]) -> None:
        for method in column.methods:
            _problem(axes, study, study.problems[row], method, column)
        axes.set_xlim(1, BUDGETS[-1])
        axes.set_xlabel("evaluations")
        axes.xaxis.set_major_locator(MultipleLocator(BUDGETS[0]))
        axes.yaxis.set_major_locator(MaxNLocator(4))

    names = [problem.name if problem.optimum is not None else f"{problem.name} (loss)" for problem in study.problems]
    figure = grid(columns(study.methods, _GROUPS, OURS), names, 1.3, draw)
    figure.supylabel("log10 regret (loss where said), median over seeds", fontsize=9)
    return figure


def _problem(axes: Axes, study: Study, problem: Problem, method: Method, column: Column[Method]) -> None:
    evaluations, look = method.evaluations, column.look(method)
    if look.is_ours:
        steps = np.arange(1, evaluations + 1)
        low, high = (study.median(problem, method, evaluations, quantile) for quantile in (0.25, 0.75))
        axes.fill_between(steps, low, high, color=look.colour, alpha=0.15, linewidth=0)
    _line(axes, study.median(problem, method, evaluations), method, column)


def _line(axes: Axes, values: Array, method: Method, column: Column[Method]) -> None:
    look = column.look(method)
    axes.plot(
        np.arange(1, len(values) + 1),
        values,
        linestyle="solid" if method.models else _DASHED,
        label=method.name if look.stands_out else "",
        **look.line,
    )
