"""`neps top`: the best trials as a table."""

from __future__ import annotations

import os
import sys

import click

from neps._cli.failing import each
from neps._cli.roots import several_roots
from neps._ledger.reading import read_history, root_of
from neps._listing import best_rows, elsewhere_words
from neps._tables import aligned, narrowed, printable

__all__ = ["top"]

_DEFAULT = 10
_LONGEST_LINE = 100_000


@click.command()
@several_roots
@click.option("-n", "most", type=click.IntRange(min=1), default=_DEFAULT, show_default=True, help="How many trials.")
def top(roots: tuple[str, ...], most: int) -> int:
    """Print the best trials, the best first.

    A terminal shows as many parameters as it has room for, a pipe or a file all of them. Imported results are no
    trials: standard error says how many there are, and whether one is better.
    """
    places = iter(range(len(roots)))
    return each(roots, lambda root: _print_top(root, most, titled=len(roots) > 1, first=next(places) == 0))


def _print_top(root: str, most: int, *, titled: bool, first: bool) -> None:
    path = root_of(root)
    history = read_history(path)
    if titled:
        print(f"{'' if first else chr(10)}{printable(path)}")
    if not history.succeeded:
        print("no trial has succeeded yet")
        return
    rows = best_rows(history.trials, history.space, most)
    for line in aligned(narrowed(rows, _width()), indent=""):
        print(line)
    sys.stdout.flush()
    for line in elsewhere_words(history.trials, history.imported, history.earlier):
        print(line, file=sys.stderr)


def _width() -> int:
    return os.get_terminal_size(sys.stdout.fileno()).columns if sys.stdout.isatty() else _LONGEST_LINE
