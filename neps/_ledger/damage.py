"""Damaged trials: what is still known of one, and that each is said once, with where it lies and what to do.

Whether a trial is damaged is the view's to tell: it calls this.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
from collections.abc import Callable

from neps._ledger.documents import UnreadableDocumentError
from neps._ledger.layout import Layout
from neps._ledger.records import End
from neps._ledger.trial_folder import TrialFolder
from neps._ledger.trial_state import spent_before, spent_on
from neps._trial import Decision, Result, Status, Trial

__all__ = ["Notices", "damaged_trial", "verdict_on"]

_logger = logging.getLogger("neps.ledger")


def damaged_trial(
    folder: TrialFolder,
    decision: Decision | None,
    error: UnreadableDocumentError,
    check: Callable[[Decision, str], object],
) -> Trial:
    """A failed trial, with what can still be read of it.

    Args:
        folder: the trial's.
        decision: what it evaluates, as far as that is known already; else what trial.yaml says counts, if it is whole.
        error: why it can't be trusted. A verdict that was published goes before it.
        check: raises UnreadableDocumentError where the decision of that path can't be trusted.
    """
    attempts, spent, cost = folder.last_attempt(), 0.0, None
    with contextlib.suppress(UnreadableDocumentError, OSError):
        folder.check()
        spent, cost = spent_before(folder, attempts), spent_on(folder, attempts)
        if decision is None and (committed := folder.decision()) is not None:
            check(committed[0], folder.path)
            decision = committed[0]
    verdict = verdict_on(folder)
    result = Result.of_damage(verdict.outcome.error if verdict else error.without_path, cost=cost)
    return Trial(
        number=folder.number,
        decision=decision,
        result=result,
        status=Status.FAILED,
        attempts=attempts,
        spent=spent + (cost or 0.0),
    )


def verdict_on(folder: TrialFolder) -> Result | None:
    """What was published of a trial, where that is that it is damaged; what a retry has made void doesn't count."""
    last = folder.last_attempt()
    for published in (folder.result, functools.partial(folder.end, last)):
        with contextlib.suppress(UnreadableDocumentError, OSError):
            end = published()
            if end is not None and end.end is End.DAMAGED and end.attempt >= last:
                return end.result
    return None


class Notices:
    """What is to be said of damaged trials.

    Args:
        layout: the run's paths.
        at_once: whether each is said at once, or only by `say`: who reads may look once more, with another view.
    """

    def __init__(self, layout: Layout, *, at_once: bool) -> None:
        self._layout, self._at_once = layout, at_once
        self._unsaid: list[tuple[object, ...]] = []

    def named(self, trial: Trial) -> Trial:
        """A damaged trial, said so; where it lies goes before what was published of it, which names no path."""
        if trial.result is None or not trial.damaged:
            return trial
        folder, error = self._layout.trial(trial.number), trial.error or "damaged"
        place = self._layout.root if error.startswith(f"config_{trial.number}: ") else folder
        error = error if error.startswith(f"{place}/") else f"{place}/{error}"
        self._unsaid.append((trial.number, error, folder, self._layout.root, trial.number))
        if self._at_once:
            self.say()
        outcome = dataclasses.replace(trial.result.outcome, error=error)
        return dataclasses.replace(trial, result=dataclasses.replace(trial.result, outcome=outcome))

    def say(self) -> None:
        """Say of each that it is damaged, where that was not said yet."""
        unsaid, self._unsaid = self._unsaid, []
        for details in unsaid:
            _logger.warning(
                "Trial %d is damaged and counts as failed: %s. The files in %s stay as they are. "
                "To try it again, run `neps retry %s --trial %d`: it reopens the trial, or says what is in the way.",
                *details,
            )
