"""What a worker looks at that waits: a bounded number of names in each turn, however many trials run.

All that run take turns, those first whose workers have left, or have begun another trial. A look that finds something
is free, since it comes once for each thing that is there to be found. Called by the view; what a look finds is the
business of `examining`.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
import zlib
from collections import Counter
from collections.abc import Callable, Collection

from neps._ledger.foreign import change_mark
from neps._ledger.identity import Identity
from neps._ledger.knowledge import Knowledge
from neps._ledger.layout import Layout
from neps._ledger.pending import Pending

__all__ = ["Lookout"]

_MOST = 7
_MOST_HEARTBEATS = 4
_MOST_FAILED = 2
_LEASES_BETWEEN_BEATS = 3 / 8
"""A little more than a third, after which the next heartbeat is due: so the second look mostly shows one."""
_CLOSE_LOOK = 5
"""System calls of one that finds nothing."""


class Lookout:
    """The looks of one worker that waits.

    Args:
        layout: the run's paths.
        known: what the worker knows of the run.
        me: the worker; its looks come in an order of its own, so that a crowd doesn't look at the same trial.
        lease: seconds of silence that are tolerated.
        update: looks closely at a pending trial.
        reopen: looks whether so many failed trials were retried.
    """

    def __init__(
        self,
        layout: Layout,
        known: Knowledge,
        me: Identity | None,
        lease: float,
        update: Callable[[int], None],
        reopen: Callable[[int], None],
    ) -> None:
        self._known, self._lease = known, lease
        self._name = me.worker if me is not None else ""
        self._update, self._reopen = update, reopen
        self._turns = itertools.count(1)
        self._presence = layout.presence
        self._presence_mark: int | None = None
        self._present: frozenset[str] = frozenset()
        self._left: set[str] = set()

    def look(self) -> None:
        """One turn: at heartbeats that are due, at failed trials, and for the rest at whether others have ended."""
        left = _MOST - self._at_heartbeats(time.monotonic())
        if failed := min(_MOST_FAILED, len(self._known.failed)):
            self._reopen(failed)
        self._at_presences()
        self._at_ends(max(left - failed, 1))

    def _at_presences(self) -> None:
        """Learn who takes back the sign of its presence, and so leaves: a hint, mostly at the cost of one look."""
        with contextlib.suppress(OSError):
            if (mark := change_mark(self._presence)) != self._presence_mark:
                present = frozenset(os.listdir(self._presence))  # noqa: PTH208
                self._left |= {name.removesuffix(".yaml") for name in self._present - present}
                self._presence_mark, self._present = mark, present

    def _at_ends(self, most: int) -> None:
        pending = self._known.pending
        for trial in sorted((trial for trial in pending.values() if not trial.turn), key=self._mixed):
            trial.turn = next(self._turns)
        held = Counter(_worker(trial) for trial in pending.values() if trial.runs)
        self._left &= held.keys()
        first = self._left | {worker for worker, count in held.items() if count > 1}
        spent = 0
        for trial in sorted(pending.values(), key=lambda trial: (not _is_of(trial, first), trial.turn)):
            if spent >= most:
                return
            trial.turn = next(self._turns)
            self._left.discard(_worker(trial))
            spent += self._at_end(trial, closely=_is_of(trial, first))

    def _mixed(self, pending: Pending) -> int:
        return zlib.crc32(f"{self._name} {pending.folder.number}".encode())

    def _at_end(self, pending: Pending, *, closely: bool) -> int:
        """Look whether a trial has gone on since; what that has cost, if it hasn't."""
        number, before = pending.folder.number, pending.state
        if not closely and not pending.has_gone_on():
            return 1
        self._update(number)
        return _CLOSE_LOOK if self._known.pending.get(number) is pending and pending.state == before else 0

    def _at_heartbeats(self, now: float) -> int:
        """Look at a few heartbeats that are due, each twice in a row: what that has cost.

        Whoever has beaten in between lives, and comes again after all others. Who has not is looked at until it has, or
        counts as dead.
        """
        due = [pending for pending in self._known.pending.values() if pending.runs and pending.beat_due <= now]
        due.sort(key=lambda pending: (not pending.in_doubt, pending.beat_due, self._mixed(pending)))
        return sum(self._at_heartbeat(pending, now) for pending in due[:_MOST_HEARTBEATS])

    def _at_heartbeat(self, pending: Pending, now: float) -> int:
        lease, again = self._lease, self._lease * _LEASES_BETWEEN_BEATS
        overdue = pending.silence.seconds >= lease / 2
        if overdue and pending.folder.is_marked(pending.state.start.attempt):  # so it needs no heartbeat
            self._update(pending.folder.number)
            return _CLOSE_LOOK
        with contextlib.suppress(OSError):
            pending.observe_heartbeat(now)
        silent = pending.silence.seconds
        pending.in_doubt = not pending.in_doubt or silent > 0
        pending.beat_due = now + (min(again, lease - silent) if silent <= lease else again)
        return 2 if overdue else 1


def _worker(pending: Pending) -> str:
    return pending.state.start.identity.worker


def _is_of(pending: Pending, workers: Collection[str]) -> bool:
    """Whether one of these workers runs it, as far as is known."""
    return pending.runs and _worker(pending) in workers
