"""The arguments that commands share: one ROOT, or several, and the number of a trial."""

from __future__ import annotations

import re
from typing import Any

import click

__all__ = ["TRIAL_NUMBER", "one_root", "several_roots"]


class _Number(click.IntRange):
    """The number of a trial, or its folder's name."""

    name = "trial's number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """As a number."""
        folder = _FOLDER.fullmatch(value) if isinstance(value, str) else None
        number: Any = folder[1] if folder else value
        return super().convert(number, param, ctx)


_FOLDER = re.compile(r"config_([0-9]+)/?")
TRIAL_NUMBER = _Number(min=0)

# Not exists=True: the reader's own errors say where it looked, and which runs lie below.
one_root = click.argument("root", metavar="ROOT", type=click.Path())
several_roots = click.argument("roots", metavar="ROOT...", nargs=-1, required=True, type=click.Path())
