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
from neps._ledger.identity import Identity
from neps._ledger.layout import DEFINITION, Layout
from neps._ledger.liveness import live_worker

__all__ = ["EarlierRun", "Place", "confirming", "delete", "earlier_run_ids", "find_runs"]

_MOST_GONE = 100
"""So much of a folder may go while it is removed, before somebody has to look."""
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


def earlier_run_ids(root: str) -> set[str]:
    """The identifiers of the runs in overwritten/, whatever their folders are called; none where it can't be listed."""
    overwritten = Layout(root).overwritten
    with contextlib.suppress(OSError):
        named = (_named_in(f"{overwritten}/{name}") for name in os.listdir(overwritten))  # noqa: PTH208
        return {run for run in named if run is not None}
    return set()


def confirming(root: str, run: str, me: Identity) -> Identity | None:
    """A worker that lives, and confirms the best trials of a run; None if there is none. It may take a lease to see.

    Raises:
        DirectoryError: if it can't be told.
        OSError: as well.
    """
    place = Layout(root, run).confirmation
    if (definition := find_definition(place)) is None:
        return None
    return live_worker(Layout(place, definition.run), me, definition.lease_seconds, "neps clean")


def delete(root: str, path: str) -> bool:
    """Delete an earlier run, or what is left of one: False if somebody else has begun to.

    It gets a hidden name first, so that a run is there as a whole or not at all. What lies beside it comes next, and
    the folder that names it last: whoever is killed in between has left the name to the next one.

    Raises:
        OSError: if it can't be deleted, or not all of it.
    """
    name = os.path.basename(path)  # noqa: PTH119
    hidden = path if _REMOVING.fullmatch(name) else f"{Layout(root).overwritten}/.removing-{name}-{uuid.uuid4().hex}"
    try:
        os.rename(path, hidden)  # noqa: PTH104
    except FileNotFoundError:
        return False
    if (run := _named_in(hidden)) is not None and not _is_present(root, run):
        _delete_beside(Layout(root, run))
    _remove(hidden)
    return True


def _delete_beside(layout: Layout) -> None:
    """What a run has outside of its own folder."""
    beside = (layout.stops, layout.endings, layout.known, layout.confirmation)
    for path in (f"{layout.hidden}/{layout.run}", *beside):
        _remove(path)


def _remove(path: str) -> None:
    """Remove a folder, though some of it goes at this moment: by somebody else, or by a request that was sent twice.

    Raises:
        OSError: if it can't be removed.
    """
    for _ in range(_MOST_GONE):
        if not os.path.lexists(path):
            return
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(path)


def _is_present(root: str, run: str) -> bool:
    """Whether somebody has put it back."""
    definition = find_definition(root)
    return definition is not None and definition.run == run


def _named_in(path: str) -> str | None:
    """The run whose folder that is; None where it isn't named (any more)."""
    found = _begun_in(path)
    return None if found is None else found[0]


def _run_in(path: str) -> EarlierRun | None:
    """The run in a folder, or None where there is none, or a link."""
    if os.path.islink(path) or (found := _begun_in(path)) is None:  # noqa: PTH114
        return None
    name = os.path.basename(path)  # noqa: PTH119
    return EarlierRun(name, path, *found, len(list(Layout(path).numbers())), _size(path))


def _begun_in(path: str) -> tuple[str, datetime | None] | None:
    """Which run a folder is of, and when that has begun; None where its neps.yaml doesn't say."""
    try:
        fields = documents.load(f"{path}/{DEFINITION}")
        if fields is None:
            return None
        return typed.need(fields, "run", typed.run_name), typed.get(fields, "created", typed.moment)
    except (UnreadableDocumentError, KeyError, ValueError):
        return None


def _size(path: str) -> int:
    """What the files take on the disk; one with several names counts once."""
    blocks: dict[tuple[int, int], int] = {}
    for folder, _, names in os.walk(path):
        for name in ("", *names):
            with contextlib.suppress(OSError):
                seen = Path(folder, name).lstat()
                blocks[seen.st_dev, seen.st_ino] = seen.st_blocks
    return 512 * sum(blocks.values())
