"""`neps plot`: writes a run as a figure, or several in one."""

from __future__ import annotations

import click

from neps._cli.roots import several_roots
from neps._views.plot import write_plot

__all__ = ["plot"]


@click.command()
@several_roots
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(),
    help="A .png, .pdf or .svg. If not given, ROOT/summary/plot.png is replaced.",
)
@click.option("--width", metavar="INCHES", type=float, help="For example 3.3, for a column of a paper.")
@click.option("--panel", metavar="NAME", help="Only this one: best_so_far or learning_curves.")
def plot(roots: tuple[str, ...], output: str | None, width: float | None, panel: str | None) -> None:
    """Draw the best loss so far, and learning curves.

    The best loss is drawn over what was spent, and learning curves if there are any. Several runs are compared in one
    panel, which needs --output. Prints the file's path.
    """
    click.echo(str(write_plot(list(roots), output, width=width, panel=panel)))
