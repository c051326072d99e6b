"""`neps enqueue`: `neps.enqueue`, with the configurations in a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from neps._cli.roots import one_root
from neps.errors import SpaceError

__all__ = ["enqueue"]


@click.command()
@one_root
@click.argument("file", metavar="FILE")
def enqueue(root: str, file: str) -> int:
    """Have the next trials evaluate the configurations in FILE.

    FILE is YAML or JSON (-: stdin): a list of configurations, or one. Each has values of some or all parameters, by
    name; what is missing is its default, or else drawn. A config.yaml of a trial is such a file.
    """
    from neps._api.enqueuing import enqueue as publish
    from neps._listing import counted

    print(f"{counted(publish(root, _read(file)), 'configuration')} enqueued")
    return 0


def _read(file: str) -> Any:
    import yaml

    from neps._api.plain_data import plain_data

    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return plain_data(content.decode("utf-8-sig"), Path(file).suffix)
    except OSError as error:
        raise click.UsageError(f"{file} can't be read: {error}") from error
    except (yaml.YAMLError, ValueError, RecursionError, SpaceError) as error:
        raise click.UsageError(f"{file} is neither YAML nor JSON: {error}") from error
