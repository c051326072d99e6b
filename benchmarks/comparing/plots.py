"""What figures of benchmarks share: lines of methods, a band around ours, and files without a date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl

from benchmarks.comparing.methods import Method
from benchmarks.comparing.multiples import STYLE, Column
from benchmarks.comparing.study import Array, Judged

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["band", "drawn", "labels", "line"]

_DASHED = (0, (4, 2))


def drawn(name: str, figures: Mapping[str, Callable[[], Figure]], folder: Path) -> list[Path]:
    """Draw figures of the benchmark of that name, by the name of each; the files written, as PNG and SVG.

    The same results give the same SVG, byte for byte.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = list[Path]()
    with mpl.rc_context({**STYLE, "svg.hashsalt": name}):
        for what, make in figures.items():
            figure, path = make(), folder / f"{name}-{what}"
            png, svg = path.with_suffix(".png"), path.with_suffix(".svg")
            figure.savefig(png, dpi=150, metadata={"Software": None})
            figure.savefig(svg, metadata={"Date": None, "Creator": None})
            written += [png, svg]
    return written


def labels(problems: Sequence[Judged]) -> list[str]:
    """Of rows of panels."""
    return [problem.name if problem.optimum is not None else f"{problem.name} (loss)" for problem in problems]


def line(axes: Axes, steps: Array, values: Array, method: Method, column: Column[Method]) -> None:
    """What a method has reached; dashed if it has no model."""
    look = column.look(method)
    axes.plot(
        steps,
        values,
        linestyle="solid" if method.models else _DASHED,
        label=method.name if look.stands_out else "",
        **look.line,
    )


def band(axes: Axes, steps: Array, ends: tuple[Array, Array], method: Method, column: Column[Method]) -> None:
    """What lies between low and high, of ours alone: bands of all would hide each other."""
    if (look := column.look(method)).is_ours:
        axes.fill_between(steps, *ends, color=look.colour, alpha=0.15, linewidth=0)
