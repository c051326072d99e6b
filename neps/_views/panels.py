"""What stands in each panel of a figure: best losses so far, of a run or of several, and learning curves.

What is drawn comes from `trajectories`, where an axis ends from `scales`. Called by `figure`.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from matplotlib.collections import LineCollection, PathCollection

from neps._history import History
from neps._ranking import best, ranks
from neps._trial import Trial
from neps._views.colours import BEST, GREY, LIGHT_GREY, LINE, SEVERAL
from neps._views.scales import Losses, drawable, label_x, label_y
from neps._views.trajectories import Anytime, Curve, anytime, best_first, learning_curves, longest

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Labels", "draw_best_so_far", "draw_learning_curves", "draw_runs"]

_BEST_FEW = 5
_MARKERS = "osD^vPX"
_LOWER = ", lower fidelity"

_Points = Sequence[tuple[float, float]]
"""Steps or what was spent, and losses; all drawable."""


@dataclasses.dataclass(frozen=True, slots=True)
class Labels:
    """What stands beside the axes of a panel."""

    title: str
    x: str
    y: str


def draw_best_so_far(axes: Axes, history: History) -> Labels:
    """All trials as dots, and before them the incumbent: dotted up to the first one at the highest fidelity.

    The best imported result is a line across.
    """
    curve, highest, imported = anytime(history), history.space.highest_fidelity, _imported(history)
    losses = _axis([curve], imported)
    _draw_dots(axes, curve, losses, highest)
    _draw_incumbent(axes, curve, highest, LINE, ("best so far" + _LOWER, "best so far"))
    changes = _changes(curve)
    axes.plot(*zip(*changes, strict=True), "o", color=LINE, markersize=4)
    axes.plot(*changes[-1], "o", color=BEST, markersize=6, zorder=4, label=_best(curve))
    for loss in imported:
        label = f"best of {len(history.imported)} imported, loss {loss:g}"
        if losses.above(loss):
            axes.plot([], [], color=GREY, linestyle="dashed", linewidth=1.0, label=f"{label} (above the axis)")
        else:
            axes.axhline(loss, color=GREY, linestyle="dashed", linewidth=1.0, label=label)
    return _labelled(axes, [curve], losses, imported)


def _imported(history: History) -> list[float]:
    """The loss of the best imported result, if there is one at the fidelity of full evaluations."""
    full = (trial for trial in history.imported if trial.fidelity in {None, history.space.highest_fidelity})
    return [] if (found := best(full)) is None else [drawable(found.rank_key)]


def draw_runs(axes: Axes, runs: Sequence[tuple[str, History]], measure: str) -> Labels:
    """The incumbents of several runs, each in its colour and with its marker, over what all of them can measure."""
    curves = [anytime(history, measure) for _, history in runs]
    losses = _axis(curves)
    for (name, history), curve, colour, marker in zip(runs, curves, SEVERAL, _MARKERS, strict=False):
        _scatter(axes, _shown(curve, losses), colour, size=5, alpha=0.35)
        _draw_incumbent(axes, curve, history.space.highest_fidelity, colour, ("dotted: lower fidelity", ""))
        name = f" {name}" if name.startswith("_") else name  # noqa: PLW2901 - else matplotlib hides it from the legend
        label = f"{name}: {_best(curve)}" + (f", {len(history.imported)} imported" if history.imported else "")
        axes.plot(*zip(*_changes(curve), strict=True), marker, color=colour, markersize=4, label=label)
        _draw_top(axes, curve, losses, colour, f"{name}: ")
    return _labelled(axes, curves, losses)


def draw_learning_curves(axes: Axes, history: History) -> Labels:
    """A light line for each configuration; the best few stand out, and the incumbent most of all."""
    curves = learning_curves(history)
    few = {trial.number: _line(curves[trial.number]) for trial in best_first(history, curves, _BEST_FEW)}
    others = [_line(curve) for number, curve in longest(history, curves).items() if number not in few]
    steps, values = zip(*itertools.chain(*others, *few.values()), strict=True)
    losses = Losses.of(values, shown=max((line[-1][1] for line in few.values()), default=min(values)))
    _draw_others(axes, others, losses)
    _draw_few(axes, few, anytime(history))
    _mark_leaving(axes, [*others, *few.values()], losses)
    x, y = label_x(axes, steps), label_y(axes, losses, values)
    return Labels("learning curves", (history.space.fidelity or "step") + x, "loss" + y)


def _draw_few(axes: Axes, few: Mapping[int, _Points], progress: Anytime) -> None:
    """The best first: it is drawn last, above the others."""
    for number, line in reversed(list(few.items())):
        is_best = number == progress.incumbents[-1].number
        colour, width, label = (BEST, 2.0, _best(progress)) if is_best else (LINE, 1.0, "next best")
        axes.plot(*zip(*line, strict=True), color=colour, linewidth=width, zorder=3)
        axes.plot(*line[-1], "o-", color=colour, markersize=2 + 2 * width, zorder=3, label=label)


def _draw_others(axes: Axes, lines: Sequence[_Points], losses: Losses) -> None:
    if not lines:
        return
    label = f"{len(lines)} other curves" if len(lines) > 1 else "another curve"
    axes.add_collection(LineCollection(lines, colors=LIGHT_GREY, linewidths=0.7, alpha=_alpha(len(lines))))
    axes.plot([], [], color=LIGHT_GREY, linewidth=0.7, label=label)
    _scatter(axes, [line[-1] for line in lines if not losses.above(line[-1][1])], LIGHT_GREY, size=5)


def _mark_leaving(axes: Axes, lines: Iterable[_Points], losses: Losses) -> None:
    """Where curves leave the axis, and how many do."""
    leaving = [next((step for step, loss in line if losses.above(loss)), None) for line in lines]
    starts = [step for step in leaving if step is not None]
    plural = "s" if len(starts) > 1 else ""
    _mark_top(axes, starts, "^", GREY, f"{len(starts)} curve{plural} above the axis")


def _alpha(lines: int) -> float:
    """Many lines are lighter, so that where most of them go stays visible."""
    return min(1.0, max(0.3, 3 / math.sqrt(lines)))


def _line(curve: Curve) -> list[tuple[float, float]]:
    return [(drawable(step), drawable(loss)) for step, loss in curve]


def _axis(curves: Sequence[Anytime], more: Sequence[float] = ()) -> Losses:
    finite = [drawable(trial.rank_key) for curve in curves for _, trial in curve.ended if ranks(trial)]
    return Losses.of([*finite, *more], shown=max(drawable(curve.incumbents[-1].rank_key) for curve in curves))


def _draw_incumbent(axes: Axes, curve: Anytime, highest: float | None, colour: str, labels: tuple[str, str]) -> None:
    """Dotted below the highest fidelity, solid from there on; either part may be missing."""
    points = [
        (drawable(spent), drawable(trial.rank_key)) for spent, trial in zip(curve.spent, curve.incumbents, strict=True)
    ]
    below = sum(_is_lower(incumbent, highest) for incumbent in curve.incumbents)
    parts = points[: below + 1 if below else 0], points[below:]
    for part, style, label in zip(parts, ("dotted", "solid"), labels, strict=True):
        if part:
            axes.step(*zip(*part, strict=True), color=colour, where="post", linestyle=style, label=label)


def _changes(curve: Anytime) -> list[tuple[float, float]]:
    """Where each incumbent was found."""
    return [(drawable(curve.spent[place]), drawable(curve.incumbents[place].rank_key)) for place in curve.changes]


def _best(curve: Anytime) -> str:
    best = curve.incumbents[-1]
    return f"config_{best.number}, loss {best.rank_key:g}"


def _is_lower(trial: Trial, highest: float | None) -> bool:
    return highest is not None and (trial.fidelity or 0.0) < highest


def _shown(curve: Anytime, losses: Losses) -> list[tuple[float, float]]:
    pairs = [(drawable(spent), drawable(trial.rank_key)) for spent, trial in curve.ended if ranks(trial)]
    return [pair for pair in pairs if not losses.above(pair[1])]


def _draw_dots(axes: Axes, curve: Anytime, losses: Losses, highest: float | None) -> None:
    """Each trial at what was spent when it ended; at the upper edge those that have no place on the axis."""
    for is_lower, label in ((True, "trial" + _LOWER), (False, "trial")):
        ended = [pair for pair in curve.ended if _is_lower(pair[1], highest) is is_lower]
        dots = _scatter(axes, _shown(dataclasses.replace(curve, ended=ended), losses), GREY, size=8, alpha=0.6)
        if dots is not None:
            dots.set(label=label, **{"facecolor": "none"} if is_lower else {})
    _draw_top(axes, curve, losses, GREY, "")


def _draw_top(axes: Axes, curve: Anytime, losses: Losses, colour: str, name: str) -> None:
    """Failures, losses that aren't finite, and those above the axis, each with its sign and their number."""
    ended = [(drawable(spent), trial) for spent, trial in curve.ended]
    above = [spent for spent, trial in ended if ranks(trial) and losses.above(drawable(trial.rank_key))]
    odd = [spent for spent, trial in ended if trial.succeeded and not ranks(trial)]
    failed = [spent for spent, trial in ended if not trial.succeeded]
    plural = "es" if len(above) > 1 else ""
    _mark_top(axes, above, "^", colour, f"{name}{len(above)} loss{plural} above the axis")
    _mark_top(axes, odd, "+", colour, f"{name}{len(odd)} NaN or infinite")
    _mark_top(axes, failed, "x", colour, f"{name}{len(failed)} failed")


def _mark_top(axes: Axes, x: Sequence[float], marker: str, colour: str, label: str) -> None:
    if x:
        where = axes.get_xaxis_transform()
        axes.plot(x, [1.0] * len(x), marker, color=colour, markersize=5, transform=where, clip_on=False, label=label)


def _scatter(
    axes: Axes, points: Iterable[tuple[float, float]], colour: str, *, size: float, alpha: float = 1.0
) -> PathCollection | None:
    """Dots, if there are any."""
    x, y = zip(*points, strict=True) if (points := list(points)) else ((), ())
    return axes.scatter(x, y, s=size, color=colour, linewidths=0.6, alpha=alpha) if x else None


def _labelled(axes: Axes, curves: Sequence[Anytime], losses: Losses, more: Sequence[float] = ()) -> Labels:
    spent = [drawable(spent) for curve in curves for spent, _ in curve.ended]
    values = [drawable(trial.rank_key) for curve in curves for _, trial in curve.ended if ranks(trial)]
    values += more
    x, y = label_x(axes, spent), label_y(axes, losses, values)
    return Labels("best so far", curves[0].measure + x, "loss" + y)
