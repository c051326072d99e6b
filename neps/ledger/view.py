"""What one worker knows of the directory, kept up at a cost of new plus running trials.

Decisions never change once seen; results may come to be known late, which is the same as a slower trial. The
worker asks it for the next number, for what is pending, and for what may be resumed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import time
from collections import ChainMap
from collections.abc import Callable, Mapping

from neps.ledger.accelerator import Accelerator, parse
from neps.ledger.documents import UnreadableDocumentError
from neps.ledger.identity import Identity
from neps.ledger.layout import Layout
from neps.ledger.silence import Silence
from neps.ledger.standing import Standing, condemn, ended_trial, look
from neps.ledger.trial_folder import TrialFolder
from neps.trial import Result, Status, Trial

__all__ = ["Pending", "View"]

_logger = logging.getLogger("neps.ledger")
_SETTLE_AFTER = 1.0
_FEW = 16


@dataclasses.dataclass(slots=True)
class Taken:
    """A number whose folder exists, and of whose decision nothing is known yet."""

    since: float
    torn: Silence


@dataclasses.dataclass(slots=True)
class Pending:
    """A committed trial without a result."""

    folder: TrialFolder
    standing: Standing
    silence: Silence
    torn: Silence
    looked: float = 0.0

    @property
    def resumable(self) -> bool:
        """Whether its last attempt has ended without a result, and nobody has opened the next."""
        return self.standing.end is not None

    def dead(self, lease: float) -> bool:
        """Whether its last attempt's worker is proven dead, or has been silent for longer than the lease."""
        return self.silence.longer_than(lease) or self.standing.start.identity.proven_dead()


class View:
    """A worker's knowledge of a run.

    Args:
        layout: the run's paths.
        me: this worker; None for a reader, who writes nothing.
        lease: seconds of silence that are borne.
        poll: the longest pause in seconds between two looks of a waiting worker.
        details: whether others' decisions and results are wanted, or only whether they have ended.
    """

    def __init__(self, layout: Layout, me: Identity | None, *, lease: float, poll: float, details: bool = True) -> None:
        self._layout, self._me = layout, me
        self._lease, self._poll, self._details = lease, poll, details
        self._accelerator = Accelerator(layout, me.worker if me else "")
        self._turn = 0
        self.frontier = 1
        """The lowest number above all that are known to be taken."""
        self.taken: dict[int, Taken] = {}
        self.pending: dict[int, Pending] = {}
        self.trials: dict[int, Trial] = {}
        """Trials with a result. Without details, only those that failed or that this worker ended."""
        self.ended = 0
        """How many trials have a result."""
        self.on_end: Callable[[Trial], None] = lambda _: None
        """Called once for each trial whose result becomes known (with details)."""

    # Joining

    def join(self) -> None:
        """Learn what there is: first from the accelerator, then from the folders that it doesn't hold."""
        numbers = set(self._layout.numbers())
        for number, payload in self._accelerator.load().items():
            if number in numbers:
                numbers.discard(number)
                self._remember(number, payload)
        self.frontier = max(self.frontier, max(numbers, default=0) + 1)
        for number in sorted(numbers):
            self.note_taken(number)
            self._settle(number)
            if (trial := self.trials.get(number)) and self._me:
                self._accelerator.append(trial)

    def _remember(self, number: int, payload: bytes) -> None:
        self.frontier = max(self.frontier, number + 1)
        self.ended += 1
        if self._details:
            self.trials[number] = trial = parse(number, payload)
            self.on_end(trial)

    def note_taken(self, number: int) -> None:
        """Somebody holds this number, as a failed mkdir has shown."""
        self.taken.setdefault(number, Taken(time.monotonic(), Silence(self._poll)))
        self.frontier = max(self.frontier, number + 1)

    # Refreshing

    def refresh(self) -> None:
        """Learn all new decisions, and of what is pending whether it has ended."""
        for number in sorted(self.taken):
            self._settle(number)
        while TrialFolder(self._layout, self.frontier).has_start(1):
            number = self.frontier
            self.note_taken(number)
            self._settle(number)
        for number in list(self.pending):
            self._glance(number)

    def settle_some(self) -> None:
        """Look at a few numbers that others took a while ago: enough where decisions look at nothing."""
        now = time.monotonic()
        due = [n for n, taken in self._first_taken() if now - taken.since >= _SETTLE_AFTER]
        for number in due:
            self._settle(number)
            if number in self.taken:  # let others come to the front
                self.taken[number] = self.taken.pop(number)

    def _first_taken(self) -> list[tuple[int, Taken]]:
        return [item for item, _ in zip(self.taken.items(), range(_FEW), strict=False)]

    def _settle(self, number: int) -> None:
        """Try to learn what a taken number was decided to be."""
        folder, taken = TrialFolder(self._layout, number), self.taken[number]
        if not self._details and folder.has_succeeded():
            del self.taken[number]
            self.ended += 1
            return
        if not folder.usable():
            self._damaged(number, UnreadableDocumentError(folder.path, "not a folder", lasting=True))
            return
        try:
            standing = look(folder, complete=self._me is not None)
        except UnreadableDocumentError as error:
            self._distrust(number, taken.torn, error)
            return
        if standing is not None:
            del self.taken[number]
            self._place(folder, standing)

    def _place(self, folder: TrialFolder, standing: Standing) -> None:
        if standing.result is not None:
            self._end(ended_trial(folder, standing))
        else:
            silence, torn = Silence(self._poll), Silence(self._poll)
            self.pending[folder.number] = Pending(folder, standing, silence, torn)

    def _end(self, trial: Trial) -> None:
        self.pending.pop(trial.number, None)
        self.ended += 1
        if self._details or trial.status is not Status.SUCCESS:
            self.trials[trial.number] = trial
        self.on_end(trial)

    def _glance(self, number: int) -> None:
        """Has a pending trial ended? One open, in the usual case."""
        pending = self.pending[number]
        if pending.folder.has_result():
            self.inspect(number)

    def inspect(self, number: int) -> None:
        """Look closely at one pending trial: its attempts, their ends, its heartbeat."""
        pending = self.pending[number]
        now = time.monotonic()
        pending.looked = now
        try:
            standing = look(pending.folder, pending.standing, complete=self._me is not None)
            mark = pending.folder.heartbeat(standing.start.attempt) if standing else None
        except UnreadableDocumentError as error:
            self._distrust(number, pending.torn, error)
            return
        if standing is None:
            return
        pending.standing = standing
        pending.silence.look(now, (standing.start.attempt, mark))
        if standing.result is not None:
            self._end(ended_trial(pending.folder, standing))

    def inspect_some(self) -> list[Pending]:
        """Look closely at a few pending trials that are due, in turn; those that anybody may resume."""
        now = time.monotonic()
        numbers = sorted(self.pending)
        self._turn = self._turn % len(numbers) if numbers else 0
        chosen = (numbers[self._turn :] + numbers[: self._turn])[:_FEW]
        self._turn += len(chosen)
        for number in chosen:
            if now - self.pending[number].looked >= min(self._poll, _SETTLE_AFTER) / 2:
                self.inspect(number)
        waiting = (self.pending.get(number) for number in chosen)
        return [p for p in waiting if p is not None and (p.resumable or p.dead(self._lease))]

    def inspect_all(self) -> None:
        """Look closely at every pending trial."""
        for number in list(self.pending):
            self.inspect(number)

    def look_for_retries(self) -> None:
        """Whether somebody has reopened a failed trial."""
        for trial in [t for t in self.trials.values() if not t.succeeded and t.decision is not None]:
            folder = TrialFolder(self._layout, trial.number)
            if folder.has_start(trial.attempts + 1):
                with contextlib.suppress(UnreadableDocumentError):
                    standing = look(folder)
                    if standing is not None and standing.result is None:
                        del self.trials[trial.number]
                        self.ended -= 1
                        self._place(folder, standing)

    # Damage

    def _distrust(self, number: int, torn: Silence, error: UnreadableDocumentError) -> None:
        """A document can't be trusted: look again, and past the lease call it damaged."""
        torn.look(time.monotonic(), error.path)
        if not error.lasting and not torn.longer_than(self._lease):
            return
        if self._me is not None:
            condemn(TrialFolder(self._layout, number), str(error), self._me)
        self._damaged(number, error)

    def _damaged(self, number: int, error: UnreadableDocumentError) -> None:
        _logger.warning(
            "Trial %d is damaged and counts as failed; nothing in %s was changed: %s",
            number,
            self._layout.trial(number),
            error,
        )
        self.taken.pop(number, None)
        pending = self.pending.get(number)
        result = Result(success=False, damaged=True, error=str(error))
        decision = pending.standing.decision if pending else None
        self._end(Trial(number=number, decision=decision, result=result, status=Status.FAILED))

    # Own trials

    def begun(self, folder: TrialFolder, standing: Standing) -> None:
        """This worker has opened an attempt."""
        self.taken.pop(folder.number, None)
        self.frontier = max(self.frontier, folder.number + 1)
        self._place(folder, standing)

    def finished(self, folder: TrialFolder, standing: Standing) -> Trial:
        """This worker has published a result."""
        trial = ended_trial(folder, standing)
        self._end(trial)
        self._accelerator.append(trial)
        return trial

    # Answers

    @property
    def lowest(self) -> int:
        """The lowest number without a decision: the next one, where decisions are made in turn."""
        return min(self.taken, default=self.frontier)

    def half_claims(self, older_than: float) -> list[int]:
        """The taken numbers without a decision that have been known for longer than that many seconds."""
        before = time.monotonic() - older_than
        return [n for n, taken in self._first_taken() if taken.since <= before and not taken.torn.seconds]

    def known(self) -> Mapping[int, Trial]:
        """All trials that are known, pending ones included; not a copy, which would cost more with each trial."""
        return ChainMap({n: _pending_trial(n, p.standing) for n, p in self.pending.items()}, self.trials)

    def close(self) -> None:
        """Let go of open files."""
        self._accelerator.close()


def _pending_trial(number: int, standing: Standing) -> Trial:
    return Trial(number=number, decision=standing.decision, status=standing.status, attempts=standing.start.attempt)
