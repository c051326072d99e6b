"""`neps confirm`: what came of confirming the best trials; with a script, confirms them first, by `neps.confirm`."""

from __future__ import annotations

import os
import sys

import click

from neps._cli.roots import one_root
from neps._cli.scripts import for_the_script

__all__ = ["confirm"]

_COUNT = click.IntRange(min=1)


@click.command(
    short_help="Evaluate the best trials with other seeds.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.option("--top", metavar="N", type=_COUNT, default=5, show_default=True, help="How many configurations.")
@click.option("--seeds", metavar="N", type=_COUNT, default=3, show_default=True, help="How many evaluations of each.")
@one_root
@click.argument("script", metavar="[SCRIPT.py]", required=False, type=click.Path(exists=True, dir_okay=False))
@click.argument("arguments", metavar="[ARGUMENT]...", nargs=-1, type=click.UNPROCESSED)
def confirm(root: str, script: str | None, arguments: tuple[str, ...], *, top: int, seeds: int) -> int:
    """Evaluate the best trials with other seeds, or show what came of it.

    With SCRIPT.py, which calls neps.run: runs it with its arguments, but its neps.run with this ROOT evaluates the best
    configurations once more with other seeds instead of searching. Start it as often as you like: workers share the
    evaluations. Without, prints what is there: means, deviations, and how sure the order is. Options of this command
    come before ROOT.
    """
    from neps._ledger.reading import read_definition, root_of

    given = for_the_script(arguments)
    path = root_of(root)
    read_definition(path)
    if script is None:
        from neps._views.confirmation import read_confirmation

        print(read_confirmation(path))
        return 0
    from neps._api.confirming import request

    sys.stdout.flush()
    sys.stderr.flush()
    environment = os.environ | request(path, top, seeds)
    os.execve(sys.executable, [sys.executable, script, *given], environment)  # noqa: S606 - what the user asks for
    return 1
