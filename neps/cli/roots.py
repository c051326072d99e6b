"""The arguments that commands share: one ROOT, or several."""

from __future__ import annotations

import click

__all__ = ["one_root", "several_roots"]

# Not exists=True: the reader's own errors say where it looked, and which runs lie below.
one_root = click.argument("root", metavar="ROOT", type=click.Path())
several_roots = click.argument("roots", metavar="ROOT...", nargs=-1, required=True, type=click.Path())
