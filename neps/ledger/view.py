"""What one worker knows of the directory, kept up at a cost of new plus running trials.

Decisions never change once seen; results may come to be known late, which is the same as a slower trial. The
worker asks it for the next number, for what is pending, and for what may be resumed.
"""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from neps.errors import shown
from neps.ledger.accelerator import MANY, Accelerator, parse
from neps.ledger.damage import Notices, damaged_trial
from neps.ledger.documents import UnreadableDocumentError
from neps.ledger.foreign import read
from neps.ledger.identity import Identity
from neps.ledger.layout import TRIAL, Layout
from neps.ledger.numbering import Numbering
from neps.ledger.pending import Pending
from neps.ledger.silence import Silence
from neps.ledger.standing import Standing, condemn, look, trial_of, trial_with
from neps.ledger.trial_folder import TrialFolder
from neps.trial import Decision, Status, Trial

__all__ = ["Observer", "View"]

_logger = logging.getLogger("neps.ledger")
_SETTLE_AFTER = 1.0
_FEW = 16
_FEW_WATCHED = 4


class Observer(Protocol):
    """What keeps something up from trials as they become known, such as their costs."""

    def seen(self, trial: Trial) -> None:
        """A trial is known, or stands differently now."""

    def gone(self, number: int) -> None:
        """Nothing is known of this number any more."""


class View:
    """A worker's knowledge of a run.

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
        self._layout, self._me, self._fits = layout, me, fits
        self._lease, self._poll, self._details = lease, poll, details
        self._accelerator = Accelerator(layout, me.worker if me else "")
        self._turn = 0
        self._failed: dict[int, Trial] = {}
        self._notices = Notices(layout, at_once=me is not None)
        self._look_for_retries_at = 0.0
        self.numbers = Numbering(poll)
        self.pending: dict[int, Pending] = {}
        self.trials: dict[int, Trial] = {}
        """Trials with a result. Without details, only those that failed."""
        self.ended = 0
        """How many trials have a result."""
        self.best: Trial | None = None
        """The incumbent, as far as it is known; without details, among this worker's own trials."""
        self.observers: Sequence[Observer] = ()
        """Told whenever a trial becomes known or stands differently (with details), or its folder is gone."""

    # Joining

    def join(self) -> None:
        """Learn what there is: first from the accelerator, then from the folders that it doesn't hold."""
        remembered = self._accelerator.load()
        numbers = set(self._layout.numbers())
        if not remembered.keys() <= numbers:  # somebody has removed trials: what it says of their numbers is void
            remembered = {}
            if self._me:
                self._accelerator.discard()
        for number, payload in remembered.items():
            if self._remember(number, payload):
                numbers.discard(number)
        for number in sorted(numbers):
            self.take(number)
            self._settle(number)
        if self._me:
            self._rebuild([number for number in sorted(numbers) if number not in self.numbers.taken])

    def _rebuild(self, numbers: Sequence[int]) -> None:
        """Have the accelerator remember what the folders alone told, though it be but that a trial has succeeded.

        Else readers of a run whose workers look at no details would read all folders for ever, once it is deleted.
        Where result.yaml could not be linked, who joins later tries that again.
        """
        if self._details:
            ended = (number for number in numbers if number in self.trials)
            complete = [number for number in ended if TrialFolder(self._layout, number).has_result()]
            self._accelerator.add(complete, self.trials.get)
            return
        succeeded = [number for number in numbers if number not in self.trials and number not in self.pending]
        if len(succeeded) >= MANY:  # to read fewer is no trouble
            self._accelerator.add(succeeded, self._read)

    def _read(self, number: int) -> Trial | None:
        folder = TrialFolder(self._layout, number)
        with contextlib.suppress(UnreadableDocumentError, OSError):
            if (standing := look(folder, complete=False)) is not None:
                return trial_of(folder, standing)
        return None

    def _remember(self, number: int, payload: bytes) -> bool:
        """Believe a line of the accelerator, or, where it says anything odd, leave it to the folder."""
        if self._details:
            try:
                trial = parse(number, payload)
                self._check(trial.decision, "a line of the accelerator")
            except UnreadableDocumentError as error:
                _logger.debug("The accelerator is not believed: %s", error)
                return False
            self.trials[number] = trial
            self._tell(trial)
        self.numbers.note(number)
        self.ended += 1
        return True

    def hear(self, number: int, payload: bytes) -> None:
        """Somebody has written a line into the accelerator since this view has joined."""
        before = self.trials.get(number)
        if (before is None or not before.succeeded) and self._remember(number, payload):
            self.ended -= before is not None
            self._failed.pop(number, None)
            self.pending.pop(number, None)
            self.numbers.settle(number)

    def take(self, number: int) -> None:
        """Somebody holds this number, as a failed mkdir has shown."""
        self.numbers.take(number, time.monotonic())

    def forget(self, number: int) -> None:
        """The folder of a pending trial is gone, so its number is free."""
        self.pending.pop(number, None)
        self.numbers.free(number)
        for observer in self.observers:
            observer.gone(number)

    # Refreshing

    def refresh(self) -> None:
        """Learn all new decisions, and of what is pending whether it has ended."""
        for number in sorted(self.numbers.taken):
            self._settle(number)
        while TrialFolder(self._layout, self.numbers.frontier).has_start(1):
            number = self.numbers.frontier
            self.take(number)
            self._settle(number)
        for number in list(self.pending):
            self._glance(number)

    def settle_some(self) -> None:
        """Look at a few numbers that others took a while ago: enough where decisions look at nothing."""
        for number in self.numbers.taken_before(time.monotonic() - _SETTLE_AFTER, most=_FEW):
            self._settle(number)
            self.numbers.put_last(number)

    def _settle(self, number: int) -> None:
        """Try to learn what a taken number was decided to be."""
        folder, taken = TrialFolder(self._layout, number), self.numbers.taken[number]
        try:
            if not self._details and folder.has_succeeded():
                self.numbers.settle(number)
                self.ended += 1
            elif (standing := self._look(folder)) is not None:
                self._place(trial_of(folder, standing), folder, standing)
            else:
                taken.undecided, taken.torn = time.monotonic(), Silence(self._poll)
        except UnreadableDocumentError as error:
            taken.why = error.without_path
            self._distrust(folder, taken.torn, error)
        except OSError as error:
            self._failed_look(folder, taken.torn, error)

    def _look(self, folder: TrialFolder, known: Standing | None = None, *, complete: bool = True) -> Standing | None:
        """Where a trial stands, if all that is read of it can be trusted."""
        folder.check()
        standing = look(folder, known, complete=complete and self._me is not None)
        if standing is not None and known is None:
            self._check(standing.decision, f"{folder.path}/{TRIAL}")
        return standing

    def _check(self, decision: Decision | None, path: str) -> None:
        try:
            if decision is not None:
                self._fits(decision)
        except ValueError as error:
            why = f"its configuration doesn't belong to the search space: {shown(str(error), 300)}"
            raise UnreadableDocumentError(path, why, lasting=True) from error

    def _place(self, trial: Trial, folder: TrialFolder, standing: Standing) -> None:
        if trial.ended:
            self._end(trial)
        else:
            self.numbers.settle(trial.number)
            pending = Pending.of(folder, standing, trial.spent, poll=self._poll, lease=self._lease)
            self.pending[trial.number] = pending
            self._tell(trial)

    def _end(self, trial: Trial) -> None:
        trial = self._notices.named(trial)
        self.numbers.settle(trial.number)
        self.pending.pop(trial.number, None)
        self.ended += 1
        if trial.status is Status.FAILED:
            self._failed[trial.number] = trial
        if self._details or trial.status is Status.FAILED:
            self.trials[trial.number] = trial
        self._tell(trial)

    def _tell(self, trial: Trial) -> None:
        finite = math.isfinite(trial.rank_key)
        if finite and (self.best is None or trial.incumbent_key < self.best.incumbent_key):
            self.best = trial
        for observer in self.observers:
            observer.seen(trial)

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
            standing = self._look(pending.folder, pending.standing)
            if standing is None:
                return
            mark = pending.folder.heartbeat(standing.start.attempt)
            trial = trial_of(pending.folder, standing)
        except UnreadableDocumentError as error:
            self._distrust(pending.folder, pending.torn, error)
            return
        except OSError as error:
            self._failed_look(pending.folder, pending.torn, error)
            return
        before, pending.torn = pending.trial, Silence(self._poll)
        pending.seen(now, standing, mark)
        if trial.ended:
            self._end(trial)
            if before.awaits_tell and trial.succeeded and standing.start.identity == self._me:
                self._accelerator.append(trial)  # who has told it keeps no such file
        elif trial != before:  # it was left, or it had ended and was retried, say, since the last look
            pending.spent = trial.spent
            self._tell(trial)

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
        return [pending for pending in waiting if pending is not None and pending.is_resumable(self._lease, self._me)]

    def watch(self) -> None:
        """Look at the heartbeats of a few pending trials: called by a busy worker's heartbeat, each third of a lease.

        Else a trial whose worker died would wait for somebody who has nothing to do, in a long run till its end.
        """
        now, numbers = time.monotonic(), sorted(self.pending)
        first = hash(self._me) % len(numbers) if numbers else 0
        for number in (numbers[first:] + numbers[:first])[:_FEW_WATCHED]:
            with contextlib.suppress(OSError):
                self.pending[number].watch(now)

    def inspect_all(self) -> None:
        """Look closely at every pending trial."""
        for number in list(self.pending):
            self.inspect(number)

    def look_for_retries(self) -> None:
        """Whether somebody has reopened a failed trial: a few are looked at in each poll, in turn."""
        now = time.monotonic()
        if now < self._look_for_retries_at:
            return
        self._look_for_retries_at = now + self._poll
        self.reopen_retried(most=_FEW)

    def reopen_retried(self, most: int) -> None:
        """Of so many failed trials, those that were looked at longest ago, learn whether somebody has reopened them."""
        for number in list(self._failed)[:most]:
            self._failed[number] = trial = self._failed.pop(number)
            folder = TrialFolder(self._layout, number)
            if folder.has_start(trial.attempts + 1):
                with contextlib.suppress(UnreadableDocumentError, OSError):
                    self._reopened(folder, trial)

    def _reopened(self, folder: TrialFolder, before: Trial) -> None:
        standing = self._look(folder)
        if standing is not None and standing.start.attempt > before.attempts:
            trial = trial_of(folder, standing)
            del self.trials[folder.number], self._failed[folder.number]
            self.ended -= 1
            self._place(trial, folder, standing)

    # Damage

    def _failed_look(self, folder: TrialFolder, torn: Silence, error: OSError) -> None:
        """A look that did not succeed says nothing, unless it is this folder alone that can't be read, for a lease."""
        _logger.debug("Can't look at %s: %s", folder.path, error)
        with contextlib.suppress(OSError):
            if read(self._layout.definition):  # so this is no outage of the filesystem
                self._distrust(folder, torn, UnreadableDocumentError(folder.path, f"it can't be read: {error}"))

    def _distrust(self, folder: TrialFolder, torn: Silence, error: UnreadableDocumentError) -> None:
        """A document can't be trusted: look again; past the lease, or once somebody has said so, it is damaged."""
        torn.look(time.monotonic(), error.path)
        if folder.verdict() is not None:
            self._damaged(folder, error)
        elif error.lasting or torn.longer_than(self._lease) or folder.is_noted(error):
            if self._me is not None:
                condemn(folder, error.without_path, self._me)
            self._after_verdict(folder, error)

    def _after_verdict(self, folder: TrialFolder, error: UnreadableDocumentError) -> None:
        """The verdict may have come second to a result: then that counts, unless nobody can tell of what."""
        pending = self.pending.get(folder.number)
        trial: Trial | None = None
        with contextlib.suppress(UnreadableDocumentError, OSError):
            standing = self._look(folder, pending.standing if pending else None, complete=False)
            trial = trial_of(folder, standing) if standing is not None else None
        if trial is not None and trial.result is not None and not trial.result.damaged:
            self._end(trial)
            return
        if self._me is not None and not error.lasting and folder.verdict() is None:
            folder.note_damage(error, self._me)  # its names are taken, or it can't be written to: lest all wait a lease
        self._damaged(folder, error)

    def _damaged(self, folder: TrialFolder, error: UnreadableDocumentError) -> None:
        pending = self.pending.get(folder.number)
        self._end(damaged_trial(folder, pending.standing.decision if pending else None, error, self._check))

    def say_damage(self) -> None:
        """Say of each damaged trial that it is, where that was not said yet: a reader, once he has chosen a view."""
        self._notices.say()

    # Own trials

    def begun(self, folder: TrialFolder, standing: Standing) -> None:
        """This worker has opened an attempt. Reads nothing, so that nothing can fail between that and holding it."""
        pending = self.pending.get(folder.number)
        spent = pending.spent if pending is not None else 0.0
        self._place(trial_with(folder, standing, spent), folder, standing)

    def finished(self, folder: TrialFolder, standing: Standing) -> Trial:
        """This worker has published a result. Reads nothing: what is published must not be lost on the way."""
        trial = trial_with(folder, standing, self.pending[folder.number].spent)
        self._end(trial)
        self._accelerator.append(trial)
        return trial

    # Answers

    @property
    def failures(self) -> int:
        """How many trials are known to have failed."""
        return len(self._failed)

    @property
    def untold(self) -> list[int]:
        """The trials that wait for `neps.tell`."""
        return sorted(number for number, pending in self.pending.items() if pending.awaits_tell)

    def half_claims(self, patience: float) -> list[int]:
        """The numbers that were reserved, and not committed within so many seconds."""
        return [number for number, taken in self.numbers.taken.items() if taken.is_half_claim(patience)]

    def known(self) -> Mapping[int, Trial]:
        """All trials that are known, pending ones included; not a copy, which would cost more with each trial."""
        return ChainMap({number: pending.trial for number, pending in self.pending.items()}, self.trials)
