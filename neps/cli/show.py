"""`neps show`: all that is known of one trial."""

from __future__ import annotations

import click

from neps.cli.roots import one_root
from neps.views.details import details

__all__ = ["show"]


@click.command()
@one_root
@click.argument("number", metavar="N", type=click.IntRange(min=1))
def show(root: str, number: int) -> None:
    """Print everything about trial N.

    Its configuration and result, its attempts, its learning curve, its files, and its error with the traceback.
    """
    print(details(root, number))
