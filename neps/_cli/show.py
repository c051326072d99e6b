"""`neps show`: all that is known of one trial."""

from __future__ import annotations

import click

from neps._cli.roots import TRIAL_NUMBER, one_root
from neps._views.details import details

__all__ = ["show"]


@click.command()
@one_root
@click.argument("number", metavar="N", type=TRIAL_NUMBER)
def show(root: str, number: int) -> None:
    """Print everything about trial N (or config_N).

    Its configuration and result, its attempts, its learning curve, its files, and its error with the traceback.
    """
    print(details(root, number))
