"""Mending damaged trials in place: each attempt gets one start and one end again, and what can't be read is renamed.

What follows from that is published in its place. Called by `neps retry`, before it reopens the trial.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from neps._ledger import documents
from neps._ledger.definition import Definition
from neps._ledger.documents import UnreadableDocumentError
from neps._ledger.exclusive import move_away, publish, put
from neps._ledger.identity import Identity
from neps._ledger.layout import RESULT, Layout, attempt_of, end_name, start_name
from neps._ledger.records import AttemptEnd, AttemptStart, parsed, result_fields
from neps._ledger.retrying import RETRY
from neps._ledger.trial_folder import TrialFolder
from neps._ledger.trust import forget_notes
from neps._trial import Decision, Result, Trial

__all__ = ["is_mendable", "mend", "why_unreadable"]


def is_mendable(trial: Trial) -> bool:
    """Whether a trial is damaged, but not in what it decides: then an attempt at it can be opened."""
    return trial.decision is not None and trial.damaged


def mend(root: str, definition: Definition, trial: Trial) -> list[str]:
    """Take what can't be read of a damaged trial out of its place; each attempt then has a start and an end again.

    An attempt whose end couldn't be read has ended as damaged. Where a result comes to light, that counts. Nothing is
    done but to the attempts that there were when the trial was read: somebody else may have mended and reopened it
    since, and a later one may run.

    Returns:
        How what was taken away is called now.
    """
    me, folder, of = Identity.mine(), TrialFolder(Layout(root, definition.run), trial.number), trial.decision
    moved: list[str] = []
    if folder.has_start(trial.attempts + 1):
        return moved
    after = ""
    for attempt in range(1, trial.attempts + 1):
        if attempt > 1:
            moved += _set_unreadable_aside(folder, start_name(attempt), of)
            if not folder.has_start(attempt):
                folder.open_attempt(attempt, me, after)
        moved += _set_unreadable_aside(folder, end_name(attempt), of)
        end = folder.end(attempt)
        if end is None:
            _end_damaged(folder, attempt, me)
        after = RETRY if end is None or end.result is not None else str(end.end)
    moved += _set_unreadable_aside(folder, RESULT, of)
    forget_notes(Layout(root, definition.run), trial.number)
    return moved


def _end_damaged(folder: TrialFolder, attempt: int, me: Identity) -> None:
    """End an attempt of whose end nothing is known any more."""
    why = f"{end_name(attempt)}: it could not be read"
    result = Result.of_damage(why, me.worker, attempt)
    publish(folder.path, end_name(attempt), documents.encode(result_fields(result)), me.token)


def _set_unreadable_aside(folder: TrialFolder, name: str, of: Decision | None) -> list[str]:
    """Rename a document that can't be read; seen whole then, it goes back. Its new name, if it has one."""
    if why_unreadable(folder, name, of) is None:
        return []
    aside = f"{name}.damaged-{uuid.uuid4().hex[:8]}"
    if not move_away(f"{folder.path}/{name}", f"{folder.path}/{aside}"):
        return []
    if why_unreadable(folder, aside, of, name) is None:
        put(f"{folder.path}/{aside}", f"{folder.path}/{name}")
        return []
    return [aside]


def why_unreadable(folder: TrialFolder, name: str, of: Decision | None, meant: str | None = None) -> str | None:
    """Why a start or an end, which is `meant` to be called so, can't be trusted; None if it can, or isn't there.

    A result that says so must be `of` that decision.

    Raises:
        OSError: if the filesystem fails.
    """
    try:
        fields = documents.load(path := f"{folder.path}/{name}")
        if fields is not None:
            end = parsed(path, lambda: _read_as(meant or name, fields))
            if end is not None:
                folder.check_of(path, end, of)
    except UnreadableDocumentError as error:
        return error.why
    return None


def _read_as(name: str, fields: Mapping[str, Any]) -> AttemptEnd | None:
    """Read what must be in a document of this name; the end, where it is one."""
    attempt = attempt_of(name)
    if attempt is not None and name == start_name(attempt):
        AttemptStart.from_fields(fields, attempt)
        return None
    end = AttemptEnd.from_fields(fields)
    if end.attempt != attempt is not None:
        message = f"attempt is not {attempt}"
        raise ValueError(message)
    return end
