"""`neps export`: all trials of a run as a table for other tools."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from neps._cli.roots import one_root
from neps._ledger.reading import read_history, root_of
from neps._ledger.whole_files import replace
from neps._listing import counted
from neps._views.export import FORMATS, export_as
from neps.errors import ArgumentError, DirectoryError

__all__ = ["export"]


@click.command()
@one_root
@click.option("--to", "form", type=click.Choice(FORMATS), required=True, help="parquet needs neps[pandas].")
@click.option("--output", metavar="FILE", type=click.Path(dir_okay=False), help="If not given, standard output.")
def export(root: str, form: str, output: str | None) -> None:
    """Write all trials as CSV, JSON or Parquet.

    CSV and Parquet have a row a trial, with columns config.NAME and info.NAME for its configuration and its info_dict;
    JSON is what History.to_dict() returns, which has results from elsewhere, too. In JSON, and in CSV's lists, a number
    that is not finite is the text "nan", "inf" or "-inf".
    """
    if output is None and form == "parquet" and sys.stdout.isatty():
        raise ArgumentError("Parquet is binary: write it to a file with --output FILE.")
    history = read_history(root_of(root))
    content = export_as(history, form)
    if form != "json" and (others := len(history.imported) + len(history.earlier)):
        print(f"{counted(others, 'result')} from elsewhere, imported or of earlier runs, not written", file=sys.stderr)
    if output is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
    else:
        path = Path(output).expanduser().absolute()
        try:
            replace(str(path), content)
        except OSError as error:
            raise DirectoryError(f"{path} can't be written: {error.strerror or error}. Choose another FILE.") from error
        print(path)
