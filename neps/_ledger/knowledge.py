"""What one observer knows of a run's trials: which there are, how each stands, and what follows. In memory only.

It looks at nothing: `view` does, and says here what it has seen.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from typing import Protocol

from neps._ledger.numbering import Numbering
from neps._ledger.pending import Pending
from neps._ranking import better
from neps._trial import Status, Trial

__all__ = ["Knowledge", "Observer"]


class Observer(Protocol):
    """What keeps something up from trials as they become known, such as their costs."""

    def seen(self, trial: Trial) -> None:
        """A trial is known, or stands differently now."""

    def gone(self, number: int) -> None:
        """Nothing is known of this number any more."""


class Knowledge:
    """Trials by number, and what they come to.

    `trials` are those with a result (without details, only those that failed), `pending` those without. `ended` is how
    many have a result, `best` the incumbent, as far as either is known. `observers` are told whenever a trial becomes
    known or stands differently, or its folder is gone. `details`: whether results are kept, or only that trials ended.
    """

    def __init__(self, numbers: Numbering, *, details: bool) -> None:
        self.numbers, self.details = numbers, details
        self.pending: dict[int, Pending] = {}
        self.trials: dict[int, Trial] = {}
        self.failed: dict[int, Trial] = {}
        self.ended = 0
        self.best: Trial | None = None
        self.observers: list[Observer] = []

    def succeeded(self, number: int, trial: Trial | None) -> None:
        """A trial is known to have succeeded; with details also how."""
        before = self.trials.get(number)
        self.ended += before is None
        self.failed.pop(number, None)
        self.pending.pop(number, None)
        self.numbers.note_decided(number)
        if trial is not None:
            self.trials[number] = trial
            self.tell(trial)

    def end(self, trial: Trial) -> None:
        """A trial has ended."""
        self.numbers.note_decided(trial.number)
        self.pending.pop(trial.number, None)
        self.ended += 1
        if trial.status is Status.FAILED:
            self.failed[trial.number] = trial
        if self.details or trial.status is Status.FAILED:
            self.trials[trial.number] = trial
        self.tell(trial)

    def begin(self, trial: Trial, pending: Pending) -> None:
        """A trial is committed, and has no result."""
        self.numbers.note_decided(trial.number)
        self.pending[trial.number] = pending
        self.tell(trial)

    def reopen(self, number: int) -> None:
        """A failed trial was retried: it has no result any more."""
        del self.trials[number], self.failed[number]
        self.ended -= 1

    def forget(self, number: int) -> None:
        """The folder of a pending trial is gone, so its number is free."""
        self.pending.pop(number, None)
        self.numbers.free(number)
        for observer in self.observers:
            observer.gone(number)

    def forget_ended(self) -> None:
        """Those that have ended are about to be learned anew, with details."""
        self.trials.clear()
        self.failed.clear()
        self.ended = 0

    def tell(self, trial: Trial) -> None:
        """A trial is known, or stands differently now."""
        if better(trial, self.best):
            self.best = trial
        for observer in self.observers:
            observer.seen(trial)

    def known(self) -> Mapping[int, Trial]:
        """All trials that are known, pending ones included; not a copy, which would cost more with each trial."""
        return ChainMap({number: pending.trial for number, pending in self.pending.items()}, self.trials)

    def everything(self) -> dict[int, Trial]:
        """All trials by number; numbers that are reserved but not committed wait, without a decision."""
        trials = dict(self.known())
        for number in self.numbers.reserved:
            trials[number] = Trial(number=number, decision=None, status=Status.WAITING, attempts=0)
        return dict(sorted(trials.items()))
