"""Reopening failed trials in place: the next attempt is opened (`after: retry`) and left for any worker.

What is void afterwards (the old result) is set aside by whoever sees it, should this process die in between. A trial
that is damaged is mended first (`mending`).
"""

from __future__ import annotations

from neps._ledger.definition import Definition
from neps._ledger.identity import Identity
from neps._ledger.layout import Layout
from neps._ledger.records import End
from neps._ledger.trial_folder import TrialFolder
from neps._trial import Status, Trial

__all__ = ["RETRY", "reopen"]

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
