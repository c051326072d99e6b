"""What processes that died have left under names of their own: which of it is safe to remove, and how it is told.

A staged document may go if the name that it was to get is taken: its author, if it lives, then finds that it has lost,
as it would have anyway. Or if its author is proven dead. Called by the examination.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
from collections.abc import Callable, Iterator

from neps._doctor.finding import Finding, Kind, Mend
from neps._ledger import documents
from neps._ledger.documents import UnreadableDocumentError
from neps._ledger.exclusive import put
from neps._ledger.foreign import is_complete, read
from neps._ledger.identity import Identity
from neps._ledger.layout import RESULT, void_name
from neps._ledger.records import AttemptEnd, parsed
from neps._ledger.trial_folder import TrialFolder
from neps.checkpoint._files import UNFINISHED

__all__ = ["hidden", "leftover", "removal"]

_STAGED = re.compile(r"\.((?:neps|trial|config|result|ending_\d+|attempt_\d+(?:\.end|\.pending)?)\.yaml)\.([^.]+)")
_TAKEN = re.compile(r"\.result\.yaml\.[0-9a-f]{32}")
_TRIED = re.compile(r"\.neps-(try|link|filesystem-test|doctor)-[0-9a-f]{8,32}(\.link)?")
_LONG_AGO = 3600.0


def leftover(
    folder: str, name: str, authors: dict[str, Identity], age: float, trial: TrialFolder | None = None, *, ended: bool
) -> Finding | None:
    """What a hidden name in the root or in a trial's folder is, if a process has left it there.

    Args:
        folder: where it lies.
        name: what it is called.
        authors: the workers that are known, by name.
        age: for how many seconds it has lain there.
        trial: whose folder it is.
        ended: whether that trial has a result, or its worker is proven dead.
    """
    path = f"{folder}/{name}"
    if trial is not None and _TAKEN.fullmatch(name):
        return _taken(path, trial)
    if staged := _STAGED.fullmatch(name):
        return _staged(path, f"{folder}/{staged[1]}", authors.get(staged[2]), staged[2])
    if trial is not None and UNFINISHED.fullmatch(name):
        return _unfinished(path, trial, ended=ended)
    if _TRIED.fullmatch(name) and age > _LONG_AGO:
        return _stale(
            path, "a test of the filesystem has left it behind", "It ignores it.", Mend("remove it", removal(path))
        )
    return None


def _staged(path: str, target: str, author: Identity | None, token: str) -> Finding:
    name = os.path.basename(target)  # noqa: PTH119
    if author is not None and author.proven_dead():
        why, mend = "its author's process has ended", Mend("remove it", removal(path))
    elif _is_whole(target):
        why, mend = f"{name} is there, so it was not needed any more", Mend("remove it", removal(path))
    else:
        why, mend = f"worker {token} may still be about to publish it", None
    return _stale(path, f"{name} was staged here: {why}", "It ignores it: only its author ever publishes it.", mend)


def _is_whole(path: str) -> bool:
    with contextlib.suppress(OSError):
        content = read(path)
        return content is not None and is_complete(content)
    return False


def _taken(path: str, trial: TrialFolder) -> Finding | None:
    """A result on its way to another name: it isn't lost, but nobody looks for it here."""
    end: AttemptEnd | None = None
    with contextlib.suppress(UnreadableDocumentError, OSError):
        if (fields := documents.load(path)) is not None:
            end = parsed(path, functools.partial(AttemptEnd.from_fields, fields))
    if end is None:
        return _stale(path, "a result that can't be read was being moved here", "It ignores it.", None, trial.number)
    name = void_name(end.attempt) if trial.last_attempt() > end.attempt else RESULT
    return Finding(
        kind=Kind.STALE,
        what=f"the result of attempt {end.attempt} was being moved when a process died",
        optimizer=f"It goes by attempt_{end.attempt}.end.yaml, which is the same document.",
        advice=f"`--mend` puts it where it belongs: {name}.",
        path=path,
        trial=trial.number,
        mend=Mend(f"call it {name}", functools.partial(_put, path, f"{trial.path}/{name}")),
    )


def _put(path: str, target: str) -> str:
    put(path, target)
    return f"{path} is {target} now"


def _unfinished(path: str, trial: TrialFolder, *, ended: bool) -> Finding:
    mend = Mend("remove it", removal(path)) if ended else None
    what = "a checkpoint was being written here" + ("" if mend else ", and may still be")
    optimizer = "It ignores it, and removes it when the trial's next attempt begins."
    return _stale(path, what, optimizer, mend, trial.number)


def _stale(path: str, what: str, optimizer: str, mend: Mend | None, trial: int | None = None) -> Finding:
    advice = "`--mend` removes it." if mend else "Leave it alone."
    return Finding(
        kind=Kind.STALE, what=what, optimizer=optimizer, advice=advice, path=path, trial=trial, wrong=False, mend=mend
    )


def removal(path: str) -> Callable[[], str]:
    """What removes a file, a folder or a link, and says so."""

    def remove() -> str:
        if os.path.isdir(path) and not os.path.islink(path):  # noqa: PTH112, PTH114
            shutil.rmtree(path)
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)  # noqa: PTH108
        return f"removed {path}"

    return remove


def hidden(folder: str) -> Iterator[str]:
    """The hidden names in a folder."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        yield from sorted(entry.name for entry in entries if entry.name.startswith("."))
