"""The arguments that commands share: one ROOT, or several, and the number of a trial."""

from __future__ import annotations

import click

__all__ = ["TRIAL_NUMBER", "one_root", "several_roots"]


class _Number(click.IntRange):
    """The number of a trial."""

    name = "trial's number"


TRIAL_NUMBER = _Number(min=0)

# Not exists=True: the reader's own errors say where it looked, and which runs lie below.
one_root = click.argument("root", metavar="ROOT", type=click.Path())
several_roots = click.argument("roots", metavar="ROOT...", nargs=-1, required=True, type=click.Path())
