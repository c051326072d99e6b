"""`neps summary`: writes the tables that `neps.run` writes at its end."""

from __future__ import annotations

import click

from neps._cli.failing import each
from neps._cli.roots import several_roots
from neps._ledger.layout import Layout
from neps._ledger.reading import read_history, root_of
from neps._views.summary import write_summary
from neps.errors import NepsError

__all__ = ["summary"]


@click.command()
@several_roots
def summary(roots: tuple[str, ...]) -> int:
    """Write the tables in ROOT/summary.

    They are those that neps.run writes at its end: trials.csv, best.yaml, and others if they apply.
    Prints the folder's path.
    """
    return each(roots, _write)


def _write(root: str) -> None:
    path = root_of(root)
    history = read_history(path)
    try:
        write_summary(path, history)
    except OSError as error:
        folder = Layout(path).summary
        message = (
            f"The tables can't be written to {folder}: {error.strerror}. It must be a folder that this user may write "
            "to."
        )
        raise NepsError(message) from error
    print(Layout(path).summary)
