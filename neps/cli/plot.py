"""`neps plot`: writes a run as a figure."""

from __future__ import annotations

import click

from neps.cli.failing import each
from neps.cli.roots import several_roots
from neps.errors import ArgumentError
from neps.views.plot import write_plot

__all__ = ["plot"]


@click.command()
@several_roots
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(),
    help="A .png, .pdf or .svg, of one ROOT. If not given, ROOT/summary/plot.png is replaced.",
)
def plot(roots: tuple[str, ...], output: str | None) -> int:
    """Draw the best loss so far, and learning curves.

    The best loss is drawn over what was spent, and learning curves where there are some. Prints the file's path.
    """
    if output is not None and len(roots) > 1:
        raise ArgumentError(
            f"--output {output} holds one plot, but {len(roots)} roots are given: give one ROOT, or no --output."
        )
    return each(roots, lambda root: print(write_plot(root, output)))
