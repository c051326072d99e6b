"""Earlier runs in overwritten/: which there are, and how one is deleted. Nothing depends on them.

A run appears there whole, by one rename, so whatever is a run there may go, also while workers start. What is none is
left alone. Called by `neps clean`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shutil
import uuid
from datetime import datetime
from pathlib import Path

from neps._ledger import documents
from neps._ledger import fields as typed
from neps._ledger.definition import find_definition
from neps._ledger.documents import UnreadableDocumentError
from neps._ledger.layout import DEFINITION, Layout

__all__ = ["EarlierRun", "Place", "delete", "find_runs"]

_REMOVING = re.compile(r"\.removing-.+-[0-9a-f]{32}")


@dataclasses.dataclass(frozen=True, slots=True)
class EarlierRun:
    """A run in overwritten/. `name` is its folder's; `size` is what its files take, in bytes."""

    name: str
    path: str
    run: str
    created: datetime | None
    trials: int
    size: int


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """What lies in overwritten/: runs, the latest first; what an interrupted `delete` left; what else there is."""

    runs: list[EarlierRun]
    remains: list[str]
    others: list[str]


def find_runs(root: str) -> Place:
    """What lies in overwritten/ of `root`.

    Raises:
        DirectoryError: if neps.yaml of `root` can't be read, so that it can't be told which run is the present one.
        OSError: if it can't be read.
    """
    definition = find_definition(root)
    place = Place([], [], [])
    overwritten = Layout(root).overwritten
    names: list[str] = []
    with contextlib.suppress(FileNotFoundError):
        names = sorted(os.listdir(overwritten))  # noqa: PTH208
    for name in names:
        path = f"{overwritten}/{name}"
        if _REMOVING.fullmatch(name):
            place.remains.append(path)
        elif (found := _run_in(path)) is None or (definition is not None and found.run == definition.run):
            place.others.append(path)
        else:
            place.runs.append(found)
    place.runs.sort(key=lambda run: (run.created is not None and run.created.timestamp(), run.name), reverse=True)
    return place


def delete(root: str, path: str, run: str = "") -> bool:
    """Delete an earlier run, or what is left of one: False if somebody else has begun to.

    It gets a hidden name first, so that a run is there as a whole or not at all.

    Raises:
        OSError: if it can't be deleted, or not all of it.
    """
    name = os.path.basename(path)  # noqa: PTH119
    hidden = path if _REMOVING.fullmatch(name) else f"{Layout(root).overwritten}/.removing-{name}-{uuid.uuid4().hex}"
    try:
        os.rename(path, hidden)  # noqa: PTH104
        shutil.rmtree(hidden)
    except FileNotFoundError:
        return False
    if run:
        layout = Layout(root, run)
        for path_of_run in (f"{layout.hidden}/{run}", layout.stops, layout.endings, layout.known, layout.confirmation):
            shutil.rmtree(path_of_run, ignore_errors=True)
    return True


def _run_in(path: str) -> EarlierRun | None:
    """The run in a folder, or None where there is none, or a link."""
    if os.path.islink(path):  # noqa: PTH114
        return None
    try:
        fields = documents.load(f"{path}/{DEFINITION}")
        if fields is None:
            return None
        run, created = typed.need(fields, "run", typed.run_name), typed.get(fields, "created", typed.moment)
    except (UnreadableDocumentError, KeyError, ValueError):
        return None
    name = os.path.basename(path)  # noqa: PTH119
    return EarlierRun(name, path, run, created, len(list(Layout(path).numbers())), _size(path))


def _size(path: str) -> int:
    """What the files take on the disk; one with several names counts once."""
    blocks: dict[tuple[int, int], int] = {}
    for folder, _, names in os.walk(path):
        for name in ("", *names):
            with contextlib.suppress(OSError):
                seen = Path(folder, name).lstat()
                blocks[seen.st_dev, seen.st_ino] = seen.st_blocks
    return 512 * sum(blocks.values())
