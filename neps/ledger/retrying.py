"""Reopening failed trials in place: the next attempt is opened (`after: retry`) and left for any worker.

What is void afterwards (the old result) is set aside by whoever sees it, should this process die in between. A trial
that is damaged is mended first: what can't be read is renamed, and what follows from that is published in its place.
"""

from __future__ import annotations

from neps.ledger.definition import Definition
from neps.ledger.identity import Identity
from neps.ledger.layout import RESULT, Layout, end_name, start_name
from neps.ledger.records import End
from neps.ledger.trial_folder import TrialFolder
from neps.trial import Status, Trial

__all__ = ["RETRY", "is_mendable", "mend", "reopen"]

RETRY = "retry"


def reopen(root: str, definition: Definition, trial: Trial) -> bool:
    """Reopen one trial, as it was read a moment ago: True if this call did it, False if it stands otherwise by now.

    One that failed: deaths count anew, the old cost stays spent, and promotions that were made stand. One that is
    damaged must have been mended. One that waits for `neps.tell`: what may be told of its attempt is void from now on.
    """
    if trial.awaits_tell:
        folder = TrialFolder(Layout(root, definition.run), trial.number)
        return folder.end_attempt(trial.attempts, End.LEFT, Identity.mine(), RETRY)
    if trial.status is not Status.FAILED or trial.decision is None:
        return False
    me, folder, attempt = Identity.mine(), TrialFolder(Layout(root, definition.run), trial.number), trial.attempts
    if not folder.open_attempt(attempt + 1, me, RETRY):
        return False
    folder.set_result_aside(attempt)
    folder.end_attempt(attempt + 1, End.LEFT, me, RETRY)
    return True


def is_mendable(trial: Trial) -> bool:
    """Whether a trial is damaged, but not in what it decides: then an attempt at it can be opened."""
    return trial.decision is not None and trial.result is not None and trial.result.damaged


def mend(root: str, definition: Definition, trial: Trial) -> list[str]:
    """Take what can't be read of a damaged trial out of its place; each attempt then has a start and an end again.

    An attempt whose end couldn't be read has ended as damaged. Where a result comes to light, that counts. Nothing is
    done but to the attempts that there were when the trial was read: somebody else may have mended and reopened it
    since, and a later one may run.

    Returns:
        How what was taken away is called now.
    """
    me, folder = Identity.mine(), TrialFolder(Layout(root, definition.run), trial.number)
    moved: list[str] = []
    if folder.has_start(trial.attempts + 1):
        return moved
    after = ""
    for attempt in range(1, trial.attempts + 1):
        if attempt > 1:
            moved += folder.set_unreadable_aside(start_name(attempt))
            if not folder.has_start(attempt):
                folder.open_attempt(attempt, me, after)
        moved += folder.set_unreadable_aside(end_name(attempt))
        end = folder.end(attempt)
        if end is None:
            folder.end_damaged(attempt, f"{end_name(attempt)}: it could not be read", me)
        after = RETRY if end is None or end.result is not None else str(end.end)
    moved += folder.set_unreadable_aside(RESULT)
    folder.forget_damage()
    return moved
