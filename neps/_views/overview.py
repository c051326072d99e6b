"""How a run stands, as values: what `neps status` says in text and in JSON is derived from here.

Ages are differences between file times and this host's clock: a guess where clocks differ, and for display only.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from neps._history import History
from neps._ledger.definition import Definition
from neps._ledger.documents import UnreadableDocumentError
from neps._ledger.endings import PublishedEnding, last_ending, reason_of
from neps._ledger.known_trials import Enqueued, KnownTrials
from neps._ledger.layout import Layout, start_name
from neps._ledger.pending import Pending
from neps._ledger.reading import history_of, read_history
from neps._ledger.view import View
from neps._queue import Queue
from neps._trial import Trial
from neps._views.leaving import Leaving, who_leaves
from neps.errors import DirectoryError

if TYPE_CHECKING:
    from neps._views.confirmation import Confirmation

__all__ = ["Overview", "Running", "find_confirmation", "overview"]


@dataclasses.dataclass(frozen=True, slots=True)
class Running:
    """A trial that a worker evaluates, or did when it died (`dead`: that is proven), or that waits for `neps.tell`.

    The last sign of life is a `heartbeat`, or that the attempt was `started`, or `pending` without a worker, so many
    seconds ago. `report` is the last step and loss that were reported.
    """

    number: int
    attempt: int
    worker: str
    host: str
    dead: bool
    sign: str
    seconds: float
    report: tuple[float, float] | None


@dataclasses.dataclass(frozen=True, slots=True)
class Overview:
    """A run at one moment.

    `running` lists the dead first, and perhaps not all of them. `short` maps trials that were handed back since the
    storage failed to the bytes that they need. `unreadable` says of numbers why they can't be read now. `leaving` is
    what came of the last `neps stop`; None if there was none, or it is over. `ended` says how results have ended the
    run last; None if they haven't. `queue` is what users have enqueued. `confirmation` is what came of confirming its
    best trials; None if nobody has.
    """

    root: str
    definition: Definition
    history: History
    running: Sequence[Running]
    running_count: int
    dead_count: int
    untold_count: int
    reserved: int
    resumable: int
    short: Mapping[int, int]
    failed: Sequence[Trial]
    damaged: Sequence[Trial]
    unreadable: Mapping[int, str]
    leaving: Leaving | None
    queue: Queue
    ended: PublishedEnding | None = None
    confirmation: Confirmation | None = None

    @property
    def begun_since(self) -> int:
        """How many trials were begun although results had ended the run: by who went on, or didn't know yet."""
        return 0 if self.ended is None else sum(trial.number >= self.ended.ending.number for trial in self.history)

    @property
    def waiting(self) -> int:
        """How many trials wait, for whatever reason."""
        return self.resumable + self.reserved + len(self.unreadable)

    @property
    def began(self) -> datetime | None:
        """When the first trial was claimed."""
        return min((trial.claimed for trial in self.history if trial.claimed), default=None)

    @property
    def last_result(self) -> datetime | None:
        """When the last evaluation ended."""
        return max((trial.finished for trial in self.history if trial.finished), default=None)

    @property
    def cost(self) -> float | None:
        """What all trials have cost; None where none returned a cost."""
        costs = any(trial.cost is not None for trial in self.history)
        return self.history.total_cost if costs or self.history.total_cost else None


def overview(root: str, definition: Definition, view: View, most_running: int | None = None) -> Overview:
    """How a run stands, by what a reader's view knows; a few looks at each running trial, of so many at most."""
    pending = sorted(view.pending.items())
    running = {number: each for number, each in pending if not each.waits}
    held = {number: each for number, each in running.items() if not each.awaits_tell}
    dead = {number for number, each in held.items() if each.state.start.identity.proven_dead()}
    shown = sorted(running, key=lambda number: (number not in dead, number))[:most_running]
    failed = [view.trials[number] for number in sorted(view.trials) if not view.trials[number].succeeded]
    damaged = [trial for trial in failed if trial.damaged]
    unreadable = {
        number: reserved.why for number, reserved in sorted(view.numbers.reserved.items()) if reserved.torn.looks
    }
    ended = last_ending(Layout(root, definition.run))
    history = history_of(definition, view.known(), root, reason_of(ended))
    return Overview(
        root=root,
        definition=definition,
        history=history,
        running=[_running(running[number], dead=number in dead) for number in shown],
        running_count=len(running),
        dead_count=len(dead),
        untold_count=len(running) - len(held),
        reserved=len(view.numbers.reserved) - len(unreadable),
        resumable=len(pending) - len(running),
        short=_short(pending),
        failed=[trial for trial in failed if not trial.damaged],
        damaged=damaged,
        unreadable=unreadable,
        leaving=_leaving(root, definition, view),
        ended=ended,
        queue=_queue(root, definition, view),
        confirmation=find_confirmation(root, definition, history),
    )


def find_confirmation(root: str, definition: Definition, history: History) -> Confirmation | None:
    """What came of confirming the best of these trials; None where nobody has begun to."""
    place = Layout(root, definition.run).confirmation
    try:
        confirmed = read_history(place)
    except DirectoryError:  # nobody has begun, or it can't be read
        return None
    from neps._views.confirmation import confirmation_of  # which knows samplers: most runs have none

    return confirmation_of(history, confirmed, place)


def _leaving(root: str, definition: Definition, view: View) -> Leaving | None:
    with contextlib.suppress(OSError):
        return who_leaves(root, definition.run, view)
    return None


def _queue(root: str, definition: Definition, view: View) -> Queue:
    queue = Queue(definition.first_configs)
    with contextlib.suppress(OSError):
        for found in KnownTrials(Layout(root, definition.run), 0.0).look():
            if isinstance(found, Enqueued):
                queue.add(found.number, found.configs)
    for trial in view.known().values():
        queue.seen(trial)
    return queue


def _running(pending: Pending, *, dead: bool) -> Running:
    start = pending.state.start
    sign, seconds = _sign_of_life(pending)
    report = pending.folder.last_report(start.attempt)
    identity = start.identity
    return Running(pending.folder.number, start.attempt, identity.worker, identity.host, dead, sign, seconds, report)


def _sign_of_life(pending: Pending) -> tuple[str, float]:
    attempt, mark = pending.state.start.attempt, pending.state.mark
    if mark is not None:
        return "pending", 0.0 if mark.marked is None else max(0.0, time.time() - mark.marked.timestamp())
    beat = pending.folder.heartbeat(attempt)
    if beat is not None:
        return "heartbeat", max(0.0, time.time() - beat / 1e9)
    when = time.time()
    with contextlib.suppress(FileNotFoundError):
        when = os.stat(f"{pending.folder.path}/{start_name(attempt)}").st_mtime  # noqa: PTH116
    return "started", max(0.0, time.time() - when)


def _short(waiting: Sequence[tuple[int, Pending]]) -> dict[int, int]:
    """The bytes that each trial needs which was handed back since the storage failed."""
    needs: dict[int, int] = {}
    for number, pending in waiting:
        with contextlib.suppress(UnreadableDocumentError, OSError):
            end = pending.folder.end(pending.state.start.attempt) if pending.waits else None
            if end is not None and end.needs_bytes is not None:
                needs[number] = end.needs_bytes
    return needs
