"""`neps import`: `neps.import_trials`, from files and storages."""

from __future__ import annotations

import click

from neps._cli.roots import one_root

__all__ = ["import_"]


@click.command("import", short_help="Let a run learn from results from elsewhere.")
@one_root
@click.argument("source", metavar="SOURCE")
@click.option("--study", metavar="NAME", help="The study in an Optuna storage.")
@click.option("--strict", is_flag=True, help="Import nothing if one result doesn't belong to the search space.")
def import_(root: str, source: str, study: str | None, *, strict: bool) -> int:
    """Let a run learn from the results in SOURCE, found elsewhere with the same objective.

    SOURCE is the root_directory of another run, of neps or of NePS 0.12 to 0.17; a CSV file with columns of the
    parameters' names and loss; a YAML or JSON file with a list of results, each with config, loss and perhaps cost, or
    what `neps export` writes; or the URL of an Optuna storage, such as sqlite:///optuna.db. They count for no budget,
    and each counts once, however often it is imported.
    """
    from neps._api.importing import import_trials
    from neps._listing import counted

    print(f"{counted(import_trials(root, source, study_name=study, strict=strict), 'result')} imported")
    return 0
