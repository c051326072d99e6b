"""The two figures, as PNG and SVG: mean ranks over what was spent, and regret over it for each problem.

`study` and `benchmarks.regret.ranking` compute. Called by the command line. The same results give the same SVG.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from benchmarks.multifidelity.methods import BEST, Method
from benchmarks.multifidelity.study import BUDGETS, GRID, Study
from benchmarks.problems import FidelityProblem
from benchmarks.regret.plots import STYLE, legend, written
from benchmarks.regret.ranking import Ranking
from benchmarks.regret.study import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plots"]

_OURS = "#c1121f"
_COLOURS = {
    "one-step": "#8c8c8c",
    "dehb": "#6a3d9a",
    "smac-mf": "#1b7837",
    "optuna-tpe-hyperband": "#4a9bd9",
    "optuna-gp-hyperband": "#08519c",
    "optuna-tpe-asha": "#9ecae1",
    "optuna-gp-asha": "#17a2a2",
    "neps-0.17-hyperband": "#fdb863",
    "neps-0.17-asha": "#f1a0c0",
    "neps-0.17-priorband": "#e08214",
    "neps-0.12.2-hyperband": "#bf812d",
    "neps-0.12.2-asha": "#dfc27d",
}
_COLUMNS = 4
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


def _shown(study: Study) -> list[Method]:
    """Peers without a prior, and our best."""
    return [method for method in study.methods if method.prior is None and method.name in {BEST, *_COLOURS}]


def _ranks(by_account: Mapping[str, Study]) -> Figure:
    figure = Figure(figsize=(10, 4.8), layout="constrained")
    places = figure.subplots(1, len(by_account), squeeze=False).flatten()
    for axes, (account, study) in zip(places, by_account.items(), strict=True):
        ranking = Ranking.of(study, _shown(study), len(GRID))
        axes.set_title(f"{account}: {len(ranking.problems)} problems, {max(ranking.seeds(), default=0)} seeds")
        if ranking.problems:
            mean, (low, high) = ranking.mean(), ranking.interval()
            for m, method in enumerate(ranking.methods):
                _line(axes, mean[_FIRST - 1 :, m], method)
                if method.name == BEST:
                    band = (low[_FIRST - 1 :, m], high[_FIRST - 1 :, m])
                    axes.fill_between(GRID[_FIRST - 1 :], *band, color=_OURS, alpha=0.15, linewidth=0)
            axes.invert_yaxis()
        _spent(axes)
    places[0].set_ylabel("mean rank (1 is best)")
    legend(figure, [method.name for method in _shown(next(iter(by_account.values())))], 5)
    return figure


def _problems(study: Study) -> Figure:
    rows = math.ceil(len(study.problems) / _COLUMNS)
    figure = Figure(figsize=(2.75 * _COLUMNS, 2.1 * rows + 0.9), layout="constrained")
    places = figure.subplots(rows, _COLUMNS, squeeze=False).flatten()
    methods = _shown(study)
    for number, axes in enumerate(places):
        if number >= len(study.problems):
            axes.set_visible(False)
            continue
        _problem(axes, study, study.problems[number], methods)
    figure.supylabel("log10 regret, median over seeds, with checkpoints", fontsize=9)
    legend(figure, [method.name for method in methods], 5)
    return figure


def _problem(axes: Axes, study: Study, problem: FidelityProblem, methods: Sequence[Method]) -> None:
    axes.set_title(problem.name if problem.optimum is not None else f"{problem.name} (loss)")
    for method in methods:
        _line(axes, study.median(problem, method)[_FIRST - 1 :], method)
    _spent(axes)
    axes.yaxis.set_major_locator(MaxNLocator(4))


def _spent(axes: Axes) -> None:
    """The axis of what was spent, logarithmic, so that the early budgets have room."""
    axes.set_xscale("log")
    axes.set_xlim(GRID[_FIRST - 1], GRID[-1])
    axes.set_xticks([1, *BUDGETS], [str(budget) for budget in (1, *BUDGETS)])
    axes.minorticks_off()
    axes.set_xlabel("full evaluations spent")


def _line(axes: Axes, values: Array, method: Method) -> None:
    ours = method.name == BEST
    axes.plot(
        GRID[_FIRST - 1 :],
        values,
        color=_OURS if ours else _COLOURS[method.name],
        linewidth=2.2 if ours else 1.2,
        zorder=3 if ours else 2,
        label=method.name,
    )
