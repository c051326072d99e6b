"""`neps.plot` and `neps plot`: runs as a figure, and as a file. Reads them, and refuses what can't be plotted.

The figure itself is drawn in `figure`, which needs matplotlib. Nothing else of neps does.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from neps._calling import public
from neps._history import History
from neps._ledger.layout import Layout
from neps._ledger.reading import read_history, root_of
from neps._ledger.whole_files import replace
from neps._views.trajectories import BEST_SO_FAR, LEARNING_CURVES, PANELS, learning_curves, measures
from neps.errors import ArgumentError, DirectoryError, NepsError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot", "write_plot"]

_SUFFIXES = (".png", ".pdf", ".svg")
_DOTS_PER_INCH = 150
_WIDTHS = (2.5, 50)
_MOST_RUNS = 7


@public("neps.plot")
def plot(
    root_directory: str | Path | Sequence[str | Path], *, width: float | None = None, panel: str | None = None
) -> Figure:
    """Draw the run in `root_directory`; needs no write permission and changes nothing. Needs matplotlib.

    The panel `best_so_far` shows every trial that has ended as a dot, its loss over what had been spent by then, and
    the loss of the incumbent as a line. What is spent is cost, if every success returned one; else fidelity, where
    there is one (a trial that continues from 3 to 9 spends 6); else evaluations. The incumbent is that of
    `neps.status`; its line is dotted until a trial has reached the highest fidelity.

    Where there is a fidelity, or trials reported losses, the panel `learning_curves` shows a line for each
    configuration, through the trials that continue each other. The best five stand out.

    Axes are logarithmic, and say so, where all values are positive and span a factor of 10 or more. Outliers would
    hide the region of the best: losses more than five times as far above the best as the median is (by their
    logarithms, if all are positive) are marked at the upper edge, like failed trials and losses that aren't finite.
    The legend counts all of these.

    Args:
        root_directory: where the run lies, as passed to `neps.run` (with its `task_ID` and `dev_ID` folders). Or up
            to seven of them: then their best losses so far are drawn in one panel, over the first measure of what
            was spent that all of them have.
        width: of the figure in inches, from 2.5 to 50: 3.3 for a column of a paper. Panels stand side by side where
            each has 3 inches, else one above the other. None is 6.5, or 11 for two panels.
        panel: `best_so_far` or `learning_curves`: that one alone. None is all that there are.

    Returns:
        A figure that pyplot doesn't know: `figure.savefig("run.pdf")` writes it. As the last expression of a
        notebook's cell it shows itself; elsewhere in a cell, `display(figure)` does that.

    Raises:
        neps.errors.ArgumentError: if `width` or `panel` is wrong, or there are too many runs.
        neps.errors.DirectoryError: if there is no run, or none of its trials has a finite loss yet.
        neps.errors.NepsError: if matplotlib is not installed: pip install 'neps[plots]'.

    Example:
        >>> import neps, tempfile
        >>> root, space = tempfile.mkdtemp(), {"x": neps.Float(0, 1)}
        >>> history = neps.run(lambda x: (x - 0.3) ** 2, root, space, searcher="sobol", max_evaluations_total=8, seed=1)
        >>> figure = neps.plot(root, width=3.3)
        >>> [axes.get_xlabel() for axes in figure.axes]
        ['evaluations']
    """
    roots = _roots(root_directory)
    _check_appearance(len(roots), width, panel)
    return _drawn(roots, [_read(root) for root in roots], width, panel)


def _drawn(roots: Sequence[str], histories: Sequence[History], width: float | None, panel: str | None) -> Figure:
    try:
        from neps._views.figure import draw, draw_several
    except ImportError as error:
        message = "Plots need matplotlib, which is not installed: pip install 'neps[plots]'"
        raise NepsError(message) from error
    if len(roots) > 1:
        common = [name for name in measures(histories[0]) if all(name in measures(each) for each in histories)]
        return draw_several(list(zip(_names(roots), histories, strict=True)), common[0], width)
    (root,), (history,), (name,) = roots, histories, _names(roots)
    if panel == LEARNING_CURVES and not learning_curves(history):
        message = (
            f"{root} has no panel {panel!r}: it has no fidelity, and none of its trials reported losses. "
            f"It has: {BEST_SO_FAR}."
        )
        raise ArgumentError(message)
    return draw(history, name, width, panel)


def write_plot(
    root_directory: str | Path | Sequence[str | Path],
    output: str | Path | None = None,
    *,
    width: float | None = None,
    panel: str | None = None,
) -> str:
    """Write `plot(root_directory, width=width, panel=panel)` to a file, whole or not at all.

    Args:
        root_directory: where the run lies, or several runs.
        output: the file, which ends with .png, .pdf or .svg; None is summary/plot.png in the run.
        width: see `plot`.
        panel: see `plot`.

    Returns:
        Its absolute path.

    Raises:
        neps.errors.ArgumentError: if `output` ends with anything else, can't be a file there, or is missing where there
            are several runs; or if `plot` refuses the rest. Nothing was written.
        neps.errors.NepsError: if it can't be plotted; see `plot`. Nothing has been written.
        neps.errors.DirectoryError: if the file can't be written.
    """
    roots = _roots(root_directory)
    _check_appearance(len(roots), width, panel)
    if output is None and len(roots) > 1:
        message = f"A plot of {len(roots)} runs needs --output FILE, which says where to write it."
        raise ArgumentError(message)
    summary = Path(Layout(roots[0]).summary)
    path = Path(output).expanduser().absolute() if output is not None else summary / "plot.png"
    _check(path, folder_is_made=output is None)
    content = io.BytesIO()
    figure = plot(root_directory, width=width, panel=panel)
    figure.savefig(content, format=path.suffix[1:].lower(), dpi=_DOTS_PER_INCH)
    try:
        if output is None:
            summary.mkdir(exist_ok=True)
        replace(str(path), content.getvalue())
    except OSError as error:
        message = f"{path} can't be written: {error.strerror or error}. Write it elsewhere with --output FILE."
        raise DirectoryError(message) from error
    return str(path)


def _roots(given: str | Path | Sequence[str | Path]) -> list[str]:
    if isinstance(given, str | bytes) or not isinstance(given, Sequence):
        return [root_of(given)]
    return [root_of(each) for each in given]


def _names(roots: Sequence[str]) -> list[str]:
    """What the folders are called, from where their paths differ."""
    names = [os.path.basename(root) or root for root in roots]  # noqa: PTH119
    return names if len(set(names)) == len(names) else list(roots)


def _read(root: str) -> History:
    """The history of a run that can be plotted."""
    history = read_history(root)
    if history.best is None:
        message = (
            f"{root} can't be plotted yet: none of its trials has ended with a finite loss. See `neps status {root}`."
        )
        raise DirectoryError(message)
    return history


def _check_appearance(runs: int, width: float | None, panel: str | None) -> None:
    narrowest, widest = _WIDTHS
    if width is not None and not (_is_number(width) and narrowest <= width <= widest):
        raise ArgumentError(f"width is {width!r}; it must be a number of inches, from {narrowest} to {widest}.")
    _check_panel(runs, panel)


def _check_panel(runs: int, panel: str | None) -> None:
    problem = ""
    if panel is not None and panel not in PANELS:
        problem = f"There is no panel {panel!r}. Choose {' or '.join(PANELS)}."
    elif panel == LEARNING_CURVES and runs > 1:
        problem = f"The panel {panel!r} is of one run, but {runs} are given. Plot each alone, or {BEST_SO_FAR} of all."
    elif not 1 <= runs <= _MOST_RUNS:
        problem = (
            f"{runs} runs are given; a figure shows 1 to {_MOST_RUNS}, because people can tell no more colours apart."
        )
    if problem:
        raise ArgumentError(problem)


def _is_number(width: object) -> bool:
    return isinstance(width, int | float) and not isinstance(width, bool)


def _check(output: Path, *, folder_is_made: bool) -> None:
    problem = ""
    if output.suffix.lower() not in _SUFFIXES:
        problem = "its name must end with .png, .pdf or .svg."
    elif output.is_dir():
        problem = "that is a folder. Choose another name."
    elif not folder_is_made and not output.parent.is_dir():
        problem = f"there is no folder {output.parent}. Make it, or choose another."
    if problem:
        message = f"The plot can't be written to {output}: {problem}"
        raise ArgumentError(message)
