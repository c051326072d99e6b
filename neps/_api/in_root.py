"""The trials of `neps.AskAndTell` on a root directory, which workers of `neps.run` may share.

They are claimed as a worker claims them, and marked as pending at once: so they need no heartbeat, and outlive this
process. They are told by `neps._worker.untold`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
import weakref
from collections.abc import Mapping
from datetime import UTC, datetime

from neps._api.reading import load
from neps._budget import Limit
from neps._deciding.in_memory import check_cost
from neps._history import History
from neps._ledger.claims import Claim, Hold
from neps._ledger.heartbeat import Heartbeat
from neps._ledger.opening import OpenedRun
from neps._ledger.pending_mark import mark_pending
from neps._ledger.storage import told_of
from neps._ledger.trial_folder import TrialFolder
from neps._outcome import Outcome
from neps._trial import Trial
from neps._worker.claiming import Claims
from neps._worker.ending import mark_of
from neps._worker.session import prepare
from neps._worker.settings import Settings
from neps._worker.steps import Leave, Pause
from neps._worker.untold import Untold
from neps.samplers import Sampler
from neps.space import SearchSpace

__all__ = ["InRoot"]

_BRIEF = 0.01


class InRoot:
    """The trials of a run that was opened; while this lives, the run counts as one with a live worker."""

    def __init__(self, opened: OpenedRun, space: SearchSpace, sampler: Sampler, settings: Settings) -> None:
        weakref.finalize(self, _stop, opened.heartbeat, os.getpid())
        self._opened = opened
        self._context = prepare(opened, space, sampler, settings)
        self._view = self._context.view
        self._claims = Claims(self._context)
        self._context.look_at_known()
        self._view.join()

    @property
    def pending(self) -> Mapping[int, Trial]:
        """The trials of the run that wait to be told, whoever has claimed them."""
        view = self._view
        with told_of(self._opened.layout.root, "Nothing is lost: look again."):
            self._refresh()
            for number in view.untold:  # somebody may have reopened or removed it
                if view.pending[number].folder.has_start(1):
                    view.update(number)
                else:
                    view.forget(number)
            view.reopen_retried(most=view.failures)
        return {number: view.pending[number].trial for number in view.untold}

    @property
    def history(self) -> History:
        """All trials of the run, as they are now."""
        return load(self._opened.layout.root)

    def claim(self) -> Trial | Limit:
        """Claim the next trial, which waits to be told from now on; or why none may start.

        Raises:
            DirectoryError: if the run was moved aside, or the filesystem fails.
        """
        with told_of(self._opened.layout.root, "Nothing is lost: ask again."):
            while (claimed := self._try_to_claim()) is None:
                time.sleep(_BRIEF)
        return claimed

    def _try_to_claim(self) -> Trial | Limit | None:
        """The same; None where it has to be tried again in a moment."""
        self._refresh()
        match self._claims.next():
            case Claim() as held:
                return self._marked(held)
            case Leave(reason=reason):
                return Limit(done=True, reason=reason)
            case Pause(brief=False, reason=reason):
                return Limit(done=False, reason=reason)
        return None

    def publish(self, number: int, outcome: Outcome) -> Trial:
        """End a pending trial, in the attempt that is known here.

        Raises:
            NotPendingError: if somebody else was first.
            ReturnValueError: if it succeeded without a cost that the budget needs; nothing is changed.
        """
        settings, start = self._context.settings, self._view.pending[number].state.start
        check_cost(number, outcome, settings.budget)
        root, definition = self._opened.layout.root, self._opened.definition
        mine = Hold(TrialFolder(self._opened.layout, number), start.attempt, start.identity.worker)
        values = settings.loss_value_on_error, settings.cost_value_on_error
        try:
            with told_of(root, f"Tell trial {number} again: what was told before stays.", mine.folder.path):
                return Untold.of(root, definition, number, start.attempt, mine).tell(outcome, values)
        finally:
            with contextlib.suppress(OSError):  # the next look finds it
                self._view.update(number)

    def _refresh(self) -> None:
        """Learn of new trials, of results, and of marks; a few are looked at for whether they were retried.

        Raises:
            DirectoryError: if the run was moved aside: what is there now is not to be judged by what is known of it.
        """
        self._context.tenure.check()
        self._context.look_at_known()
        self._view.refresh()
        self._view.check_for_retries()
        for number, pending in list(self._view.pending.items()):
            if not pending.awaits_tell:
                self._view.update(number)

    def _marked(self, held: Claim) -> Trial:
        folder, me = held.folder, self._context.me
        mark = mark_of(held, self._context.settings, datetime.now(UTC))
        try:
            mark_pending(folder, mark, me)
        except BaseException:
            with contextlib.suppress(OSError):
                held.leave("it could not be marked as pending")
            raise
        finally:
            self._context.heartbeat.release()
        with contextlib.suppress(OSError):  # for people
            folder.write_config(held.decision, me)
        self._view.begun(folder, dataclasses.replace(held.state, mark=mark))
        return self._view.pending[folder.number].trial


def _stop(heartbeat: Heartbeat, process: int) -> None:
    """Not in a forked child: the heartbeat is its parent's."""
    if os.getpid() == process:
        heartbeat.stop()
