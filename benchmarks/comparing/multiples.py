"""Small multiples: a grid of panels, in each of whose columns one group of methods stands out in colour.

Ours is in colour everywhere, and the methods of other groups are grey: no more lines than people tell apart by colour.
Called by the plots of benchmarks.
"""

from __future__ import annotations

import dataclasses
import itertools
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from neps._views.colours import BEST, GRID, SEVERAL

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["STYLE", "Column", "Group", "Look", "coloured", "columns", "grid"]

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.labelsize": 8,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
}
_COLOURS = tuple(colour for colour in SEVERAL if colour != BEST)
_BEHIND = "#cfcfcf"
_WIDTH = 3.3
_LEGEND = 0.2
_AROUND = 0.5
_LETTERS = 13  # that an inch has room for
_OTHERS = "others"

Group = Mapping[str, str]
"""The colours of methods, by name."""


class _Named(Protocol):
    @property
    def name(self) -> str: ...


_Method = TypeVar("_Method", bound=_Named)


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """How a method is drawn in a column."""

    colour: str
    width: float
    order: float
    is_ours: bool = False
    stands_out: bool = True

    @property
    def line(self) -> dict[str, Any]:
        """What `Axes.plot` takes."""
        return {"color": self.colour, "linewidth": self.width, "zorder": self.order}


@dataclasses.dataclass(frozen=True, slots=True)
class Column(Generic[_Method]):
    """One column: its title, the methods drawn in it, and the colours of those that stand out beside ours."""

    title: str
    methods: Sequence[_Method]
    group: Group
    ours: str

    def look(self, method: _Method) -> Look:
        """How a method is drawn."""
        if method.name == self.ours:
            return Look(BEST, 2.2, 4, is_ours=True)
        if method.name in self.group:
            return Look(self.group[method.name], 1.3, 3)
        return Look(_BEHIND, 0.8, 2, stands_out=False)


def coloured(*names: str) -> Group:
    """A group of methods, each in a colour of its own, none of which is ours."""
    return dict(zip(names, _COLOURS, strict=False))


def columns(methods: Sequence[_Method], groups: Mapping[str, Group], ours: str) -> list[Column[_Method]]:
    """A column for each group that has any of these methods; those of no group come last, as many as have a colour."""
    names = {method.name for method in methods}
    found = [(title, {name: group[name] for name in group if name in names}) for title, group in groups.items()]
    other = sorted(names.difference([ours], *groups.values()))
    parts = [other[place : place + len(_COLOURS)] for place in range(0, len(other), len(_COLOURS))]
    shown = [*((title, group) for title, group in found if group), *((_OTHERS, coloured(*part)) for part in parts)]
    return [Column(title, methods, group, ours) for title, group in shown or [(ours, {})]]


def grid(
    shown: Sequence[Column[_Method]],
    rows: Sequence[str],
    height: float,
    draw: Callable[[Axes, int, Column[_Method]], None],
) -> Figure:
    """A panel for each row and column, a label to the left of each row, and a legend below each column.

    Args:
        shown: the columns.
        rows: their labels.
        height: of a row, in inches.
        draw: fills a panel, by its row, and labels the lines of the methods that stand out.
    """
    entries = max(len(column.group) for column in shown) + 1
    heights = [*([height] * len(rows)), _LEGEND * entries]
    figure = Figure(figsize=(_WIDTH * len(shown), sum(heights) + _AROUND), layout="constrained")
    places = figure.subplots(len(rows) + 1, len(shown), squeeze=False, height_ratios=heights)
    for (row, label), (place, column) in itertools.product(enumerate(rows), enumerate(shown)):
        axes = places[row][place]
        draw(axes, row, column)
        axes.set_title(column.title if row == 0 else "")
        axes.set_ylabel(_wrapped(label, height) if place == 0 else "")
        axes.set_xlabel(axes.get_xlabel() if row == len(rows) - 1 else "")
    for place, column in enumerate(shown):
        _legend(places[-1][place], places[0][place], column)
    return figure


def _wrapped(label: str, height: float) -> str:
    return "\n".join(textwrap.fill(line, int(_LETTERS * height)) for line in label.split("\n"))


def _legend(axes: Axes, panel: Axes, column: Column[Any]) -> None:
    axes.set_axis_off()
    handles = dict(zip(*reversed(panel.get_legend_handles_labels()), strict=True))
    if len(column.methods) > len(column.group) + 1:
        handles["the others"] = Line2D([], [], color=_BEHIND, linewidth=0.8)
    names = [name for name in (column.ours, *column.group, "the others") if name in handles]
    axes.legend([handles[name] for name in names], names, loc="upper center", fontsize=8)
