"""`neps status`: how runs stand, as text or JSON, once or while they go on."""

from __future__ import annotations

import json
import sys

import click

from neps._cli.failing import each
from neps._cli.roots import several_roots

__all__ = ["status"]


@click.command()
@several_roots
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each ROOT: docs/command-line.md.")
@click.option("--watch", is_flag=True, help="Show it again whenever it has changed, until Ctrl-C.")
def status(roots: tuple[str, ...], *, as_json: bool, watch: bool) -> int:
    """Show the state of runs.

    Trials by their state, the best configuration, who runs and when each last showed life, and what failed. A root may
    be read-only.
    """
    if watch:
        from neps._views.watching import watch as keep_watching

        keep_watching(roots, as_json=as_json)
        return 0
    places = iter(range(len(roots)))
    return each(roots, lambda root: _print_status(root, as_json=as_json, first=next(places) == 0))


def _print_status(root: str, *, as_json: bool, first: bool) -> None:
    if as_json:
        from neps._views.status_json import read_fields

        print(json.dumps(read_fields(root)))
        return
    from neps._views.status import status as print_text

    if not first:
        print()
    print_text(root)
    sys.stdout.flush()
