"""Trust: where a trial stands if all that is read of it can be believed, and what becomes of it if something can't.

That may be seen only in part as yet: so it is looked at again, for a lease. Then one verdict is published, and holds
for everybody. Called by the view, which says what it has seen of it so far.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator

from neps._ledger import documents
from neps._ledger import fields as typed
from neps._ledger.damage import Notices, damaged_trial, verdict_on
from neps._ledger.documents import UnreadableDocumentError
from neps._ledger.exclusive import publish
from neps._ledger.identity import Identity
from neps._ledger.layout import TRIAL, Layout
from neps._ledger.silence import Silence
from neps._ledger.trial_folder import TrialFolder
from neps._ledger.trial_state import TrialState, condemn, read_state, trial_of
from neps._ledger.whole_files import replace
from neps._trial import Decision, Trial
from neps.errors import shown

__all__ = ["Trust", "forget_notes"]

_NOTE = re.compile(r"([1-9][0-9]{0,17})\.[^.]+\.yaml")


class Trust:
    """Reads trials for one observer: `me` is None for a reader, who writes nothing. For `fits` see `View`."""

    def __init__(self, layout: Layout, me: Identity | None, lease: float, fits: Callable[[Decision], object]) -> None:
        self._layout, self._me, self._fits = layout, me, fits
        self.lease = lease
        self.notices = Notices(layout, at_once=me is not None)

    @property
    def only_reads(self) -> bool:
        """Whether the observer takes no part."""
        return self._me is None

    def read_state(
        self, folder: TrialFolder, known: TrialState | None = None, *, complete: bool = True
    ) -> TrialState | None:
        """As `trial_state.read_state`, if all that is read can be trusted; else it raises as that does."""
        folder.check()
        state = read_state(folder, known, complete=complete and self._me is not None)
        if state is not None and known is None:
            self.check(state.decision, f"{folder.path}/{TRIAL}")
        return state

    def check(self, decision: Decision | None, path: str) -> None:
        """Make sure that a decision, which was read from `path`, belongs to the space: else it raises, as `look`."""
        try:
            if decision is not None:
                self._fits(decision)
        except ValueError as error:
            why = f"its configuration doesn't belong to the search space: {shown(str(error), 300)}"
            raise UnreadableDocumentError(path, why, lasting=True) from error

    def judged(
        self, folder: TrialFolder, known: TrialState | None, torn: Silence, error: UnreadableDocumentError
    ) -> Trial | None:
        """The trial as damaged, past the lease, or once somebody has said so; None if it is to be looked at again.

        Why is said by `error`, and since when by `torn`; `known` is an earlier look. The verdict may come second to a
        result: then that counts, unless nobody can tell of what.
        """
        if verdict_on(folder) is None:
            if not (error.lasting or torn.longer_than(self.lease) or self._is_noted(folder.number, error)):
                return None
            if self._me is not None:
                condemn(folder, error.without_path, self._me)
            if (trial := self._with_result(folder, known)) is not None:
                return trial
            self._note(folder, error)
        return damaged_trial(folder, known.decision if known else None, error, self.check)

    def _with_result(self, folder: TrialFolder, known: TrialState | None) -> Trial | None:
        with contextlib.suppress(UnreadableDocumentError, OSError):
            state = self.read_state(folder, known, complete=False)
            if state is not None and state.result is not None and not state.result.origin.damaged:
                return trial_of(folder, state)
        return None

    def _note(self, folder: TrialFolder, error: UnreadableDocumentError) -> None:
        """Say that a document stayed unreadable for a lease: a hint, lest all wait for one.

        Only where no verdict could be published: the names are taken, or the folder can't be written to.
        """
        me = self._me
        if me is None or error.lasting or verdict_on(folder) is not None:
            return
        with contextlib.suppress(OSError):
            os.makedirs(self._layout.damaged, exist_ok=True)  # noqa: PTH103
            fields = {"document": error.document, "why": error.why, "by": me.worker, "time": documents.now()}
            publish(self._layout.damaged, f"{folder.number}.yaml", documents.encode(fields), me.token, patience=0.0)

    def _is_noted(self, number: int, error: UnreadableDocumentError) -> bool:
        """Whether somebody has waited a lease for this document. Asked only by who can't read it, either."""
        with contextlib.suppress(UnreadableDocumentError, OSError):
            fields = documents.load(f"{self._layout.damaged}/{number}.yaml")
            return fields is not None and fields.get("document") == error.document
        return False

    def waited_before(self, number: int, document: str) -> float:
        """For how many seconds workers that have left could not read a document of a trial."""
        waited = 0.0
        if not self.only_reads:
            for path in _notes_on_waiting(self._layout, number):
                with contextlib.suppress(UnreadableDocumentError, OSError, ValueError):
                    fields = documents.load(path) or {}
                    if fields.get("document") == document:
                        waited = max(waited, typed.get(fields, "seconds", typed.cost, 0.0))
        return waited

    def hand_on(self, number: int, torn: Silence) -> None:
        """This worker leaves before its patience with a document has run out: the next one goes on from there.

        The workers overlap, so each notes its own time with what it went on from, and the longest counts.
        """
        me, document = self._me, os.path.basename(str(torn.mark))  # noqa: PTH119
        if me is None or not torn.seconds:
            return
        with contextlib.suppress(OSError):
            os.makedirs(self._layout.damaged, exist_ok=True)  # noqa: PTH103
            fields = {"document": document, "seconds": torn.seconds, "by": me.worker, "time": documents.now()}
            replace(f"{self._layout.damaged}/{number}.{me.token}.yaml", documents.encode(fields))


def forget_notes(layout: Layout, number: int) -> None:
    """What was noted of a trial's documents counts no more: it was mended."""
    for path in [f"{layout.damaged}/{number}.yaml", *_notes_on_waiting(layout, number)]:
        with contextlib.suppress(OSError):
            os.unlink(path)  # noqa: PTH108


def _notes_on_waiting(layout: Layout, number: int) -> Iterator[str]:
    with contextlib.suppress(OSError):
        for name in os.listdir(layout.damaged):  # noqa: PTH208
            if (note := _NOTE.fullmatch(name)) and int(note[1]) == number:
                yield f"{layout.damaged}/{name}"
