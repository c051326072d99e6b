"""How a run is drawn: its anytime curve, and beside it its learning curves where there are some.

Imports matplotlib, so it is imported only when something is drawn; no pyplot, so nothing outside the figure changes.
What is drawn comes from `trajectories`. Called by `plot`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from neps.history import History
from neps.views.trajectories import Anytime, Curve, anytime, learning_curves, longest

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

__all__ = ["draw"]

_COLOURS = "viridis"
_INCUMBENT, _BEST, _GRID = "#08519c", "#c1121f", "#e6e6e6"
_FARTHEST = 1e250
"""Values beyond are drawn there, and those below its inverse on linear axes: the margins around them would overflow."""
_LOG_FROM = 10.0
_FEW_POWERS = 100.0
"""Up to that span the powers of ten alone would be too few labels."""


def draw(history: History, name: str) -> Figure:
    """The figure of a run.

    Args:
        history: of the run; its incumbent has a finite loss.
        name: what the title calls the run.
    """
    progress, curves = anytime(history), learning_curves(history)
    figure = Figure(figsize=(11 if curves else 6.5, 4.5), layout="constrained")
    left, *right = figure.subplots(1, 2 if curves else 1, squeeze=False)[0]
    _draw_anytime(left, progress, history.space.highest_fidelity)
    if curves:
        _draw_curves(right[0], longest(history, curves), curves.get(progress.incumbents[-1].number, ()))
        _finish(right[0], "learning curves, dark where the final loss is low", history.space.fidelity or "step", "loss")
    failed = len(history.trials) - len(history.pending) - len(history.succeeded)
    figure.suptitle(_printable(f"{name}: {len(history.succeeded)} succeeded, {failed} failed"), parse_math=False)
    figure.legend(loc="outside lower center", ncols=4, frameon=False)
    return figure


def _draw_anytime(axes: Axes, curve: Anytime, highest: float | None) -> None:
    """Dotted up to the first incumbent at the highest fidelity, solid from there."""
    spent = [_drawable(amount) for amount in curve.spent]
    losses = [_drawable(incumbent.rank_key) for incumbent in curve.incumbents]
    below = sum(highest is not None and (incumbent.fidelity or 0.0) < highest for incumbent in curve.incumbents)
    if below:
        part, label = slice(below + 1), "incumbent below the highest fidelity"
        axes.step(spent[part], losses[part], _INCUMBENT, where="post", linestyle="dotted", label=label)
    if below < len(losses):
        label = "incumbent" if highest is None else "incumbent at the highest fidelity"
        axes.step(spent[below:], losses[below:], _INCUMBENT, where="post", label=label)
    new, best = curve.changes, curve.incumbents[-1]
    axes.plot([spent[place] for place in new], [losses[place] for place in new], "o", color=_INCUMBENT, markersize=4)
    label = f"config_{best.number}, loss {best.rank_key:g}"
    axes.plot(spent[new[-1]], losses[-1], "o", color=_BEST, markersize=6, label=label)
    _scale(axes, spent, losses)
    _finish(axes, "best so far", curve.measure, "loss of the incumbent")


def _draw_curves(axes: Axes, curves: Sequence[Curve], best: Curve) -> None:
    """All in the colour of their rank by final loss, which no outlier can spoil, and the best one over them."""
    lines = [[(_drawable(step), _drawable(loss)) for step, loss in curve] for curve in [*curves, best]]
    *others, highlighted = lines
    ranks = range(len(others), 0, -1)
    axes.add_collection(LineCollection(others, array=ranks, cmap=_COLOURS, linewidths=1, alpha=0.7))
    last_steps, last_losses = zip(*(line[-1] for line in others), strict=True)
    axes.scatter(last_steps, last_losses, 8, ranks, cmap=_COLOURS)
    if highlighted:
        axes.plot(*zip(*highlighted, strict=True), color=_BEST, linewidth=2, zorder=3)
        axes.plot(*highlighted[-1], "o", color=_BEST, markersize=6, zorder=3)
    steps, losses = zip(*itertools.chain(*others), strict=True)
    _scale(axes, steps, losses)


def _drawable(value: float) -> float:
    return min(max(value, -_FARTHEST), _FARTHEST)


def _scale(axes: Axes, x: Sequence[float], y: Sequence[float]) -> None:
    """A logarithmic axis where all values are positive and span a factor of 10 or more."""
    for axis, values, set_scale in ((axes.xaxis, x, axes.set_xscale), (axes.yaxis, y, axes.set_yscale)):
        lowest, highest = min(values), max(values)
        if lowest > 1 / _FARTHEST and highest / lowest >= _LOG_FROM:
            set_scale("log")
            _label_powers(axis, few=highest / lowest <= _FEW_POWERS)
        elif all(value == round(value) for value in values):
            axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _label_powers(axis: Axis, *, few: bool) -> None:
    """Plain numbers at powers of ten, and between them where these are few."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def _finish(axes: Axes, title: str, x: str, y: str) -> None:
    """What stands around a panel. Names are the user's, so they are no formulas."""
    axes.set_title(title, fontsize="medium")
    axes.set_xlabel(_printable(x), parse_math=False)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=_GRID, linewidth=0.6)
    axes.set_axisbelow(True)


def _printable(name: str) -> str:
    """As it is, but for what no font can show, such as half of a character in the name of a file."""
    return repr(name)[1:-1]
