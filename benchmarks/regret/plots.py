"""The two figures, as PNG and SVG: mean ranks over evaluations, and regret over evaluations for each problem.

`study` and `ranking` compute. Called by the command line. The same results give the same SVG, byte for byte.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, MultipleLocator

from benchmarks.problems import Problem
from benchmarks.regret.methods import OURS, Method
from benchmarks.regret.ranking import Ranking
from benchmarks.regret.study import Array, Study
from benchmarks.regret.tables import BUDGETS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["STYLE", "legend", "plots", "written"]

_COLOURS = {
    OURS: "#c1121f",
    "random": "#8c8c8c",
    "optuna-gp": "#08519c",
    "optuna-tpe": "#4a9bd9",
    "optuna-cmaes": "#17a2a2",
    "smac-bb": "#1b7837",
    "smac-hpo": "#7fbf4d",
    "hebo": "#6a3d9a",
    "neps-0.17": "#e08214",
    "neps-0.12.2": "#8c510a",
}
_DASHED = (0, (4, 2))
_COLUMNS = 4
_SHIFT = 0.006  # between the intervals of methods at one budget, of an axis
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "regret",
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
}


def plots(study: Study, folder: Path) -> list[Path]:
    """Draw both figures into `folder`; the files written."""
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        figures = {"regret-rank": _ranks(study), "regret-problems": _problems(study)}
        return [path for name, figure in figures.items() for path in written(figure, folder / name)]


def written(figure: Figure, stem: Path) -> list[Path]:
    """Write a figure as PNG and SVG, without a date; the files."""
    png, svg = stem.with_suffix(".png"), stem.with_suffix(".svg")
    figure.savefig(png, dpi=150, metadata={"Software": None})
    figure.savefig(svg, metadata={"Date": None, "Creator": None})
    return [png, svg]


def _ranks(study: Study) -> Figure:
    """All methods as far as all go, and beside it those that go further."""
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    axes = figure.subplots(1, 2)
    long = [method for method in study.methods if method.evaluations >= BUDGETS[-1]]
    for place, methods, evaluations in ((axes[0], study.methods, BUDGETS[-2]), (axes[1], long, BUDGETS[-1])):
        _rank(place, study, methods, evaluations)
    axes[0].set_ylabel("mean rank (1 is best)")
    legend(figure, [method.name for method in study.methods], 5)
    return figure


def _rank(axes: Axes, study: Study, methods: Sequence[Method], evaluations: int) -> None:
    ranking = Ranking.of(study, methods, evaluations)
    axes.set_title(
        f"{len(ranking.methods)} methods, {len(ranking.problems)} problems, {max(ranking.seeds(), default=0)} seeds"
    )
    axes.set_xlabel("evaluations")
    if not ranking.problems:
        return
    steps, mean, (low, high) = np.arange(1, evaluations + 1), ranking.mean(), ranking.interval()
    for m, method in enumerate(ranking.methods):
        _line(axes, steps, mean[:, m], method)
        if method.name == OURS:
            axes.fill_between(steps, low[:, m], high[:, m], color=_COLOURS[OURS], alpha=0.15, linewidth=0)
        else:  # bands of all would hide each other
            at = [n - 1 for n in BUDGETS if n <= evaluations]
            shifted = steps[at] - _SHIFT * evaluations * (m + 1)
            axes.vlines(shifted, low[at, m], high[at, m], color=_COLOURS.get(method.name, "black"), linewidth=1)
    axes.set_xlim(1, evaluations)
    axes.xaxis.set_major_locator(MultipleLocator(BUDGETS[0]))
    axes.invert_yaxis()


def _problems(study: Study) -> Figure:
    rows = math.ceil(len(study.problems) / _COLUMNS)
    figure = Figure(figsize=(2.75 * _COLUMNS, 2.1 * rows + 0.9), layout="constrained")
    places = figure.subplots(rows, _COLUMNS, squeeze=False).flatten()
    for number, axes in enumerate(places):
        if number >= len(study.problems):
            axes.set_visible(False)
            continue
        _problem(axes, study, study.problems[number])
        if number + _COLUMNS >= len(study.problems):
            axes.set_xlabel("evaluations")
    figure.supylabel("log10 regret, median over seeds", fontsize=9)
    legend(figure, [method.name for method in study.methods], 5)
    return figure


def _problem(axes: Axes, study: Study, problem: Problem) -> None:
    axes.set_title(problem.name if problem.optimum is not None else f"{problem.name} (loss)")
    for method in study.methods:
        evaluations = method.evaluations
        steps = np.arange(1, evaluations + 1)
        if method.name == OURS:
            low, high = (study.median(problem, method, evaluations, quantile) for quantile in (0.25, 0.75))
            axes.fill_between(steps, low, high, color=_COLOURS[OURS], alpha=0.15, linewidth=0)
        _line(axes, steps, study.median(problem, method, evaluations), method)
    axes.set_xlim(1, BUDGETS[-1])
    axes.xaxis.set_major_locator(MultipleLocator(BUDGETS[0]))
    axes.yaxis.set_major_locator(MaxNLocator(4))


def _line(axes: Axes, steps: npt.NDArray[np.int_], values: Array, method: Method) -> None:
    ours = method.name == OURS
    axes.plot(
        steps,
        values,
        color=_COLOURS.get(method.name, "black"),
        linewidth=2.2 if ours else 1.2,
        linestyle="solid" if method.models else _DASHED,
        zorder=3 if ours else 2,
        label=method.name,
    )


def legend(figure: Figure, labels: Sequence[str], columns: int) -> None:
    """One for all axes, in this order."""
    handles = {
        label: handle for axes in figure.axes for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    names = [label for label in labels if label in handles]
    figure.legend([handles[name] for name in names], names, loc="outside lower center", ncols=columns)
