"""Examining one trial: its folder is read, and what was found is said in the observer's knowledge.

A look that fails, or finds what can't be trusted, says nothing until the lease is over. Which trials are examined, and
when, is decided in `view`.
"""

from __future__ import annotations

import contextlib
import logging
import time

from neps._ledger.documents import UnreadableDocumentError
from neps._ledger.foreign import read
from neps._ledger.knowledge import Knowledge
from neps._ledger.layout import Layout
from neps._ledger.numbering import Reserved
from neps._ledger.pending import Pending
from neps._ledger.silence import Silence
from neps._ledger.trial_folder import TrialFolder
from neps._ledger.trial_state import TrialState, trial_of
from neps._ledger.trust import Trust
from neps._trial import Trial

__all__ = ["Examiner"]

_logger = logging.getLogger("neps.ledger")
_JUST_RESERVED = 1.0


class Examiner:
    """Examines trials for an observer, who plans pauses of at most `poll` seconds between two looks."""

    def __init__(self, layout: Layout, trust: Trust, known: Knowledge, poll: float) -> None:
        self._layout, self._trust, self._known, self._poll = layout, trust, known, poll

    def examine_reserved(self, number: int, *, joining: bool = False) -> None:
        """Try to learn what a number was decided to be of which only its name is known.

        Without details a success is enough, but for who is `joining`, and finds it in no cache: it looks at both.
        """
        folder, reserved = TrialFolder(self._layout, number), self._known.numbers.reserved[number]
        try:
            if self._has_succeeded(folder, reserved, joining=joining):
                self._known.succeeded(number, None)
            elif (state := self._trust.read_state(folder)) is not None:
                self.place(trial_of(folder, state), folder, state)
            else:
                self._undecided(folder, reserved)
        except UnreadableDocumentError as error:
            reserved.why = error.without_path
            self._distrust(folder, reserved.torn, error)
        except OSError as error:
            self._failed_look(folder, reserved.torn, error)

    def _has_succeeded(self, folder: TrialFolder, reserved: Reserved, *, joining: bool) -> bool:
        """Whether that is known, and how doesn't matter."""
        if self._known.details or reserved.was_undecided or reserved.torn.looks:
            return False
        return bool(folder.has_succeeded()) and (not joining or folder.seems_decided())

    def _undecided(self, folder: TrialFolder, reserved: Reserved) -> None:
        """There is no decision. In a folder in which an attempt has left anything there was one, and nobody knows it.

        Seldom asked: another worker has reserved most such numbers a moment ago, and is about to commit them.
        """
        now = time.monotonic()
        if self._trust.only_reads or now - reserved.since >= _JUST_RESERVED:
            folder.check_undecided()
        reserved.undecided, reserved.torn = now, Silence(self._poll)

    def examine_pending(self, number: int) -> Trial | None:
        """Look closely at a pending trial: its attempts, their ends, its heartbeat. The trial, if it has a result."""
        pending = self._known.pending[number]
        now = time.monotonic()
        pending.looked = now
        try:
            state = self._trust.read_state(pending.folder, pending.state)
            if state is None:
                return None
            mark = pending.folder.heartbeat(state.start.attempt)
            trial = trial_of(pending.folder, state)
        except UnreadableDocumentError as error:
            self._distrust(pending.folder, pending.torn, error)
            return None
        except OSError as error:
            self._failed_look(pending.folder, pending.torn, error)
            return None
        before, pending.torn = pending.trial, Silence(self._poll)
        pending.seen(now, state, mark)
        if trial.ended:
            self.end(trial)
            return trial
        if trial != before:  # it was left, or it had ended and was retried, say, since the last look
            pending.spent = trial.spent
            self._known.tell(trial)
        return None

    def examine_failed(self, before: Trial) -> None:
        """Has somebody reopened a failed trial?"""
        folder = TrialFolder(self._layout, before.number)
        if not folder.has_start(before.attempts + 1):
            return
        with contextlib.suppress(UnreadableDocumentError, OSError):
            state = self._trust.read_state(folder)
            if state is not None and state.start.attempt > before.attempts:
                trial = trial_of(folder, state)
                self._known.reopen(folder.number)
                self.place(trial, folder, state)

    def place(self, trial: Trial, folder: TrialFolder, state: TrialState) -> None:
        """A committed trial stands so."""
        if trial.ended:
            self.end(trial)
        else:
            self._known.begin(trial, Pending.of(folder, state, trial.spent, poll=self._poll, lease=self._trust.lease))

    def end(self, trial: Trial) -> None:
        """A trial has ended; one that is damaged is said to be."""
        self._known.end(self._trust.notices.named(trial))

    def _failed_look(self, folder: TrialFolder, torn: Silence, error: OSError) -> None:
        """A look that did not succeed says nothing, unless it is this folder alone that can't be read, for a lease."""
        _logger.debug("Can't look at %s: %s", folder.path, error)
        with contextlib.suppress(OSError):
            if read(self._layout.definition):  # so this is no outage of the filesystem
                self._distrust(folder, torn, UnreadableDocumentError(folder.path, f"it can't be read: {error}"))

    def _distrust(self, folder: TrialFolder, torn: Silence, error: UnreadableDocumentError) -> None:
        """A document can't be trusted: look again, or else it is damaged."""
        torn.observe(time.monotonic(), error.path)
        if torn.looks == 1 and not error.lasting:
            torn.go_on_from(self._trust.waited_before(folder.number, error.document))
        pending = self._known.pending.get(folder.number)
        trial = self._trust.judged(folder, pending.state if pending else None, torn, error)
        if trial is not None:
            self.end(trial)
