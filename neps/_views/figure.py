"""How a run is drawn: which panels there are, how they are laid out in a width, and what stands around them.

Imports matplotlib, so it is imported only when something is drawn; no pyplot, so nothing outside the figure changes.
`panels` draws what is in them. Called by `plot`.
"""

from __future__ import annotations

import bisect
import dataclasses
import functools
import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from neps._history import History
from neps._views.colours import GRID
from neps._views.panels import Labels, draw_best_so_far, draw_learning_curves, draw_runs
from neps._views.trajectories import BEST_SO_FAR, LEARNING_CURVES, learning_curves

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

__all__ = ["RunFigure", "draw", "draw_several"]

_NARROWEST = 3.0  # of panels side by side, in inches
_PANEL, _PAIR = 6.5, 11.0  # widths where none is given
_FONTS = (7.0, 10.0)
_HEIGHTS = (2.2, 4.2)
_TITLE_SHARE = 0.96
_AROUND = 0.8  # inches of a panel's width that are beside its axes
_MOST_COLUMNS = 5
_POINTS = 72  # in an inch
_SCREEN = 96  # an inch of a browser, in its pixels
_DOTS_PER_INCH = 150

_Drawing = Callable[["Axes"], Labels]


class RunFigure(Figure):
    """A figure that a notebook shows as it is, whichever backend there is, and that pyplot doesn't know."""

    def _repr_png_(self) -> tuple[bytes, dict[str, Any]]:
        """What Jupyter and IPython show: at the size that it has on paper, with more dots than a screen's."""
        content = io.BytesIO()
        self.savefig(content, format="png", dpi=_DOTS_PER_INCH)
        width, height = (round(inches * _SCREEN) for inches in self.get_size_inches())
        return content.getvalue(), {"width": width, "height": height}


def draw(history: History, name: str, width: float | None = None, panel: str | None = None) -> RunFigure:
    """The figure of a run.

    Args:
        history: of the run; its incumbent has a finite loss.
        name: what the title calls the run.
        width: in inches; None is 6.5 a panel, or 11 for two.
        panel: one of `PANELS` that there is, drawn alone; None is all that there are.
    """
    panels: dict[str, _Drawing] = {BEST_SO_FAR: functools.partial(draw_best_so_far, history=history)}
    if learning_curves(history):
        panels[LEARNING_CURVES] = functools.partial(draw_learning_curves, history=history)
    failed = len(history.trials) - len(history.pending) - len(history.succeeded)
    others = {"imported": len(history.imported), "of earlier runs": len(history.earlier)}
    known = "".join(f", {number} {what}" for what, number in others.items() if number)
    title = name, f": {len(history.succeeded)} succeeded, {failed} failed{known}"
    return _laid_out(list(panels.values()) if panel is None else [panels[panel]], title, width)


def draw_several(runs: Sequence[tuple[str, History]], measure: str, width: float | None = None) -> RunFigure:
    """The best losses so far of several runs in one panel.

    Args:
        runs: the name of each, and its history, whose incumbent has a finite loss.
        measure: what is counted as spent: one of `measures` of each.
        width: in inches; None is 6.5.
    """
    return _laid_out([functools.partial(draw_runs, runs=runs, measure=measure)], ("", f"{len(runs)} runs"), width)


def _laid_out(panels: Sequence[_Drawing], title: tuple[str, str], width: float | None) -> RunFigure:
    """Panels side by side where there is room, else one above the other, a title and one legend for all."""
    width = width or (_PAIR if len(panels) > 1 else _PANEL)
    columns = len(panels) if width >= _NARROWEST * len(panels) else 1
    panel_width, rows = width / columns, len(panels) // columns
    figure = RunFigure(figsize=(width, width), layout="constrained")
    page = _Page(figure, RendererAgg(1, 1, figure.dpi), panel_width)  # which only measures texts
    for axes, panel in zip(figure.subplots(rows, columns, squeeze=False).flatten(), panels, strict=True):
        page.finish(axes, panel(axes))
    name, rest = title
    text = page.fitted(name, width * _TITLE_SHARE, rest, larger=1.0) + rest
    figure.suptitle(text, parse_math=False, fontsize=page.font + 1)
    low, high = _HEIGHTS
    height = rows * min(max(0.7 * panel_width, low), high) + page.legend() + 3 * page.font / _POINTS
    figure.set_size_inches(width, height)
    return figure


@dataclasses.dataclass(frozen=True, slots=True)
class _Page:
    """A figure while it is laid out, what measures its texts, and the inches that a panel has."""

    figure: RunFigure
    renderer: RendererAgg
    panel_width: float

    @property
    def font(self) -> float:
        """Its size in points: legible, and no larger than a figure of that width looks well with."""
        smallest, largest = _FONTS
        return min(max(4.5 + 0.85 * self.panel_width, smallest), largest)

    def fitted(self, name: str, room: float, rest: str = "", *, larger: float = 0.0) -> str:
        """The name as it can be printed, without its middle where it and the rest are wider than so many inches."""
        name, font = _printable(name), FontProperties(size=self.font + larger)

        def too_wide(text: str) -> bool:
            width, _, _ = self.renderer.get_text_width_height_descent(text + rest, font, ismath=False)
            return bool(width > room * self.figure.dpi)

        def cut(kept: int) -> str:
            return f"{name[: (kept + 1) // 2]}…{name[len(name) - kept // 2 :]}"

        if not too_wide(name):
            return name
        return cut(max(bisect.bisect_left(range(len(name)), x=True, key=lambda kept: too_wide(cut(kept))) - 1, 0))

    def finish(self, axes: Axes, labels: Labels) -> None:
        """What stands around a panel. Names are the user's, so they are no formulas."""
        x = self.fitted(labels.x, self.panel_width - _AROUND)
        axes.set_title(labels.title, fontsize=self.font)
        axes.set_xlabel(x, parse_math=False, fontsize=self.font)
        axes.set_ylabel(labels.y, fontsize=self.font)
        axes.tick_params(labelsize=self.font - 0.5)
        for axis in (axes.xaxis, axes.yaxis):
            axis.get_offset_text().set_fontsize(self.font - 0.5)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color=GRID, linewidth=0.6)
        axes.set_axisbelow(True)

    def legend(self) -> float:
        """One for all panels, below them, in as many columns as fit; its height in inches."""
        found: dict[str, Artist] = {}
        for axes in self.figure.axes:
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
                found.setdefault(label, handle)
        names = [self.fitted(label, self.figure.get_figwidth() - _AROUND) for label in found]
        for columns in range(min(len(found), _MOST_COLUMNS), 0, -1):
            box = self._legend(list(found.values()), names, columns)
            if box.width <= self.figure.bbox.width:
                break
            if columns > 1:
                self.figure.legends[0].remove()
        return float(box.height / self.figure.dpi)

    def _legend(self, handles: Sequence[Artist], names: Sequence[str], columns: int) -> Bbox:
        legend = self.figure.legend(
            handles,
            names,
            loc="outside lower center",
            ncols=columns,
            frameon=False,
            fontsize=self.font - 0.5,
            columnspacing=1.2,
            handlelength=1.6,
        )
        for text in legend.get_texts():
            text.set_parse_math(False)
        return legend.get_window_extent(self.renderer)


def _printable(name: str) -> str:
    """As it is, but for what no font can show, such as half of a character in the name of a file."""
    return repr(name)[1:-1]
