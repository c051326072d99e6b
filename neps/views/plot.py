"""`neps.plot` and `neps plot`: a run as a figure, and as a file. Reads the run, and refuses what can't be plotted.

The figure itself is drawn in `figure`, which needs matplotlib. Nothing else of neps does.
"""

from __future__ import annotations

import io
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

from neps.calling import public
from neps.errors import ArgumentError, DirectoryError, NepsError
from neps.history import History
from neps.ledger.layout import Layout
from neps.ledger.reading import read_definition, read_trials, root_of
from neps.space import SearchSpace
from neps.views.replacing import replace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot", "write_plot"]

_SUFFIXES = (".png", ".pdf", ".svg")
_DOTS_PER_INCH = 150


@public("neps.plot")
def plot(root_directory: str | Path) -> Figure:
    """Draw the run in `root_directory`; needs no write permission and changes nothing. Needs matplotlib.

    The first panel shows the loss of the incumbent over what the trials that had ended by then have spent: cost, if
    every success returned one; else fidelity, where there is one (a trial that continues from 3 to 9 spends 6); else
    evaluations. The incumbent is that of `neps.status`; it is dotted until a trial has reached the highest fidelity.

    Where there is a fidelity, or trials reported losses, the second one shows learning curves: a line for each
    configuration, through the trials that continue each other. Axes are logarithmic where all values are positive and
    span a factor of 10 or more.

    Args:
        root_directory: where the run lies, as passed to `neps.run` (with its `task_ID` and `dev_ID` folders).

    Returns:
        A figure that pyplot doesn't know: `figure.savefig("run.pdf")` writes it, a notebook shows it.

    Raises:
        neps.errors.DirectoryError: if there is no run, or none of its trials has a finite loss yet.
        neps.errors.NepsError: if matplotlib is not installed: pip install 'neps[plots]'.

    Example:
        >>> import neps, tempfile
        >>> root, space = tempfile.mkdtemp(), {"x": neps.Float(0, 1)}
        >>> history = neps.run(lambda x: (x - 0.3) ** 2, root, space, searcher="sobol", max_evaluations_total=8, seed=1)
        >>> figure = neps.plot(root)
        >>> [axes.get_xlabel() for axes in figure.axes]
        ['evaluations']
    """
    root = root_of(root_directory)
    definition = read_definition(root)
    space = SearchSpace.from_definition(dict(definition.space))
    history = History(space, read_trials(root, definition), definition.seed)
    best = history.best
    if best is None or not math.isfinite(best.rank_key):
        message = f"{root} can't be plotted yet: none of its trials has ended with a finite loss. Look at neps status."
        raise DirectoryError(message)
    try:
        from neps.views.figure import draw
    except ImportError as error:
        message = "Plots need matplotlib, which is not installed: pip install 'neps[plots]'"
        raise NepsError(message) from error
    return draw(history, os.path.basename(root) or root)  # noqa: PTH119


def write_plot(root_directory: str | Path, output: str | Path | None = None) -> str:
    """Write `plot(root_directory)` to a file, whole or not at all.

    Args:
        root_directory: where the run lies.
        output: the file, which ends with .png, .pdf or .svg; None is summary/plot.png in the run.

    Returns:
        Its absolute path.

    Raises:
        neps.errors.ArgumentError: if `output` ends with anything else, or can't be a file there. Nothing was written.
        neps.errors.NepsError: if it can't be plotted; see `plot`. Nothing has been written.
        neps.errors.DirectoryError: if the file can't be written.
    """
    summary = Path(Layout(root_of(root_directory)).summary)
    path = Path(output).expanduser().absolute() if output is not None else summary / "plot.png"
    _check(path, folder_is_made=output is None)
    content = io.BytesIO()
    plot(root_directory).savefig(content, format=path.suffix[1:].lower(), dpi=_DOTS_PER_INCH)
    try:
        if output is None:
            summary.mkdir(exist_ok=True)
        replace(str(path), content.getvalue())
    except OSError as error:
        message = f"{path} can't be written: {error.strerror or error}. Write it elsewhere with --output FILE."
        raise DirectoryError(message) from error
    return str(path)


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
