"""Reading a run for people: its root as they name it, and its history. Needs no write permission, writes nothing."""

from __future__ import annotations

from pathlib import Path

from neps.history import History
from neps.ledger.reading import read_definition, read_trials, root_of
from neps.space import SearchSpace

__all__ = ["read_history"]


def read_history(root_directory: str | Path) -> tuple[str, History]:
    """The absolute path of a run, and its history.

    Raises:
        neps.errors.DirectoryError: if there is no run, or it can't be read.
    """
    root = root_of(root_directory)
    definition = read_definition(root)
    space = SearchSpace.from_definition(dict(definition.space))
    return root, History(space, read_trials(root, definition), definition.seed)
