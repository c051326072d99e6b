"""What one worker knows of the directory, kept up at a cost of new plus running trials.

Decisions never change once seen; results may come to be known late, which is the same as a slower trial. The
worker asks it for the next number, for what is pending, and for what may be resumed. Here is decided which trials are
looked at, and when; what a look finds is the business of `examining`.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Collection, Mapping

from neps._ledger.examining import Examiner
from neps._ledger.identity import Identity
from neps._ledger.knowledge import Knowledge, Observer
from neps._ledger.layout import Layout
from neps._ledger.lookout import Lookout
from neps._ledger.numbering import Numbering
from neps._ledger.pending import Pending
from neps._ledger.recalling import Recall
from neps._ledger.silence import Silence
from neps._ledger.trial_folder import TrialFolder
from neps._ledger.trial_state import TrialState, trial_with
from neps._ledger.trust import Trust
from neps._trial import Decision, Trial

__all__ = ["View"]

_RESERVED_LONG_AGO = 1.0
_FEW = 16
_FEW_WATCHED = 4
_FEW_UNDECIDED = 2


class View:
    """A worker's knowledge of a run.

    `trials` are those with a result (without details, only those that failed), `pending` those without.

    Args:
        layout: the run's paths.
        me: this worker; None for a reader, who writes nothing.
        lease: seconds of silence that are tolerated.
        poll: the longest pause in seconds between two looks of a waiting worker.
        details: whether others' decisions and results are wanted, or only whether they have ended.
        fits: looks whether a decision belongs to the run's space; raises ValueError if not. Without details, and by
            default, nobody looks.
    """

    def __init__(
        self,
        layout: Layout,
        me: Identity | None,
        *,
        lease: float,
        poll: float,
        details: bool = True,
        fits: Callable[[Decision], object] = lambda _: None,
    ) -> None:
        self._layout, self._me, self._lease, self._poll = layout, me, lease, poll
        self._known = known = Knowledge(Numbering(poll), details=details)
        self.numbers, self.pending, self.trials = known.numbers, known.pending, known.trials
        self._trust = Trust(layout, me, lease, fits)
        self._recall = Recall(layout, me, self._trust, known)
        self._examiner = Examiner(layout, self._trust, known, poll)
        self._lookout = Lookout(layout, known, me, lease, self.update, self.reopen_retried)
        self._joined = False
        self._turn = 0
        self._check_for_retries_at = 0.0

    # Joining

    def join(self) -> None:
        """Learn what there is: first from the results cache, then from the folders that it doesn't hold."""
        self._joined = True
        numbers = sorted(self._recall.first())
        for number in numbers:
            self.note_reserved(number)
            self._examiner.examine_reserved(number, joining=True)
        if self._me:
            self._recall.rebuild([number for number in numbers if number not in self.numbers.reserved])

    def want_details(self) -> None:
        """From now on others' decisions and results are wanted, too, of what is known already as well."""
        if self._known.details:
            return
        self._known.details = True
        if self._joined:
            self._known.forget_ended()
            self._recall = Recall(self._layout, self._me, self._trust, self._known)  # which reads from the beginning
            self.join()

    def hear(self) -> None:
        """Learn what others have written into the results cache since: for readers, whom it saves the folders."""
        self._recall.hear()

    def note_reserved(self, number: int) -> None:
        """Somebody holds this number, as a failed mkdir has shown."""
        self.numbers.note_reserved(number, time.monotonic())

    def forget(self, number: int) -> None:
        """The folder of a pending trial is gone, so its number is free."""
        self._known.forget(number)

    # Refreshing

    def refresh(self) -> None:
        """Learn all new decisions, and of what is pending whether it has ended: one look each, in the usual case."""
        self.settle_reserved()
        self._find_more()
        for number, pending in list(self.pending.items()):
            if pending.folder.has_result():
                self.update(number)

    def settle_reserved(self, most: float = math.inf) -> None:
        """Learn what reserved numbers were decided to be, until so many turn out to be undecided still.

        The lowest comes first, since nothing else can be decided in turn; then those that were looked at longest ago.
        """
        lowest, reserved, undecided = self.numbers.lowest, self.numbers.reserved, 0
        for number in sorted(reserved, key=lambda number: (number > lowest, reserved[number].undecided, number)):
            self._examiner.examine_reserved(number)
            undecided += number in reserved
            if undecided >= most:
                return

    def _find_more(self) -> None:
        """Learn what was decided beyond all numbers that are known."""
        while TrialFolder(self._layout, self.numbers.frontier).has_start(1):
            number = self.numbers.frontier
            self.note_reserved(number)
            self._examiner.examine_reserved(number)

    def look_while_waiting(self, *, in_turn: bool, brief: bool) -> list[Pending]:
        """What a worker that waits looks at in each turn, at a cost that doesn't grow; what anybody may resume.

        Args:
            in_turn: whether it waits for what is decided next.
            brief: whether it waits for nothing else.
        """
        self.settle_reserved(_FEW_UNDECIDED)
        if in_turn:
            self._find_more()
        if not brief:
            self._lookout.look()
        return self._resumable(self._next_few())

    def update_reserved(self) -> None:
        """Look at a few numbers that others took a while ago: enough where decisions look at nothing."""
        for number in self.numbers.reserved_before(time.monotonic() - _RESERVED_LONG_AGO, most=_FEW):
            self._examiner.examine_reserved(number)
            self.numbers.put_last(number)

    def update(self, number: int) -> None:
        """Look closely at one pending trial: its attempts, their ends, its heartbeat."""
        pending = self.pending[number]
        was_untold = pending.awaits_tell
        ended = self._examiner.examine_pending(number)
        if was_untold and ended is not None and ended.succeeded and pending.state.start.identity == self._me:
            self._recall.append(ended)  # who has told it keeps no such file

    def update_some(self) -> list[Pending]:
        """Look closely at a few pending trials that are due, in turn; what anybody may resume."""
        now, chosen = time.monotonic(), self._next_few()
        for number in chosen:
            if now - self.pending[number].looked >= min(self._poll, _RESERVED_LONG_AGO) / 2:
                self.update(number)
        return self._resumable(chosen)

    def _next_few(self) -> list[int]:
        """A few pending trials, each time the next ones."""
        numbers = sorted(self.pending)
        self._turn = self._turn % len(numbers) if numbers else 0
        chosen = (numbers[self._turn :] + numbers[: self._turn])[:_FEW]
        self._turn += len(chosen)
        return chosen

    def _resumable(self, chosen: Collection[int]) -> list[Pending]:
        """What anybody may resume: of these all, of the others what is known without another look."""
        lease, me = self._lease, self._me
        return [
            pending
            for number, pending in self.pending.items()
            if pending.waits or pending.is_silent(lease) or (number in chosen and pending.is_resumable(lease, me))
        ]

    def update_all(self) -> None:
        """Look closely at every pending trial."""
        for number in list(self.pending):
            self.update(number)

    def check_heartbeats(self) -> None:
        """Look at the heartbeats of a few pending trials: called by a busy worker's heartbeat, each third of a lease.

        Else a trial whose worker died would wait for somebody who has nothing to do, in a long run till its end.
        """
        now, pending = time.monotonic(), dict(self.pending)  # another thread learns of ends meanwhile
        numbers = sorted(pending)
        first = hash(self._me) % len(numbers) if numbers else 0
        for number in (numbers[first:] + numbers[:first])[:_FEW_WATCHED]:
            with contextlib.suppress(OSError):
                pending[number].observe_heartbeat(now)

    def check_for_retries(self) -> None:
        """Whether somebody has reopened a failed trial: a few are looked at in each poll, in turn."""
        now = time.monotonic()
        if now < self._check_for_retries_at:
            return
        self._check_for_retries_at = now + self._poll
        self.reopen_retried(most=_FEW)

    def reopen_retried(self, most: int) -> None:
        """Of so many failed trials, those that were looked at longest ago, learn whether somebody has reopened them."""
        failed = self._known.failed
        for number in list(failed)[:most]:
            failed[number] = trial = failed.pop(number)
            self._examiner.examine_failed(trial)

    def say_damage(self) -> None:
        """Say of each damaged trial that it is, where that was not said yet: a reader, once it has chosen a view."""
        self._trust.notices.say()

    def hand_on_patience(self) -> None:
        """This worker leaves: what it couldn't read, and for how long, is noted for those that come."""
        for number, torn in self._torn().items():
            self._trust.hand_on(number, torn)

    def _torn(self) -> dict[int, Silence]:
        watched = {number: reserved.torn for number, reserved in self.numbers.reserved.items()}
        watched |= {number: pending.torn for number, pending in self.pending.items()}
        return {number: torn for number, torn in watched.items() if torn.looks}

    # Own trials

    def begun(self, folder: TrialFolder, state: TrialState) -> None:
        """This worker has opened an attempt. Reads nothing, so that nothing can fail between that and holding it."""
        pending = self.pending.get(folder.number)
        spent = pending.spent if pending is not None else 0.0
        self._examiner.place(trial_with(folder, state, spent), folder, state)

    def finished(self, folder: TrialFolder, state: TrialState) -> Trial:
        """This worker has published a result. Reads nothing: what is published must not be lost on the way."""
        trial = trial_with(folder, state, self.pending[folder.number].spent)
        self._examiner.end(trial)
        self._recall.append(trial)
        return trial

    # Answers

    def observe(self, *observers: Observer) -> None:
        """Have these told whenever a trial is known or stands differently (with details), or its folder is gone."""
        self._known.observers += observers

    @property
    def ended(self) -> int:
        """How many trials have a result."""
        return self._known.ended

    @property
    def failures(self) -> int:
        """How many trials are known to have failed."""
        return len(self._known.failed)

    @property
    def best(self) -> Trial | None:
        """The incumbent, as far as it is known; without details, among this worker's own trials."""
        return self._known.best

    @property
    def untold(self) -> list[int]:
        """The trials that wait for `neps.tell`."""
        return sorted(number for number, pending in self.pending.items() if pending.awaits_tell)

    @property
    def unreadable(self) -> list[int]:
        """The trials of which something can't be read now: that becomes readable, or it counts as damaged."""
        return sorted(self._torn())

    def half_claims(self, patience: float) -> list[int]:
        """The numbers that were reserved, and not committed within so many seconds."""
        return [number for number, reserved in self.numbers.reserved.items() if reserved.is_half_claim(patience)]

    def known(self) -> Mapping[int, Trial]:
        """All trials that are known, pending ones included; not a copy, which would cost more with each trial."""
        return self._known.known()

    def everything(self) -> dict[int, Trial]:
        """The same by number, and numbers that are reserved but not committed: these wait, without a decision."""
        return self._known.everything()
