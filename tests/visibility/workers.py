"""What the clients run: a worker of neps, from opening the run to leaving it, with an evaluation of the machine's own.

All but the evaluation and the thread of the heartbeat is neps's: ledger, view, claiming, resuming, ending, the loop.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, cast

from neps._api.defining import Proposal
from neps._evaluation import Interrupted, Signals
from neps._ledger.claims import Claim
from neps._ledger.definition import find_definition
from neps._ledger.heartbeat import Heartbeat
from neps._ledger.identity import Identity
from neps._ledger.known_trials import enqueue
from neps._ledger.layout import Layout
from neps._ledger.opening import OpenedRun, open_run
from neps._outcome import Outcome, Result
from neps._trial import Trial
from neps._worker.context import Context
from neps._worker.ending import Endings, origin_of
from neps._worker.loop import Worker
from neps._worker.session import prepare
from neps._worker.settings import Settings
from neps._worker.shortage import Shortage
from neps.errors import DirectoryError
from neps.space import SearchSpace
from visibility.calls import ROOT, as_caller
from visibility.clients import Client
from visibility.reference import Reference

__all__ = ["LEASE", "Member", "Search", "enqueuing"]

LEASE = 12.0
"""lease_seconds: three times as long as anything may be seen late."""
_SIGTERM = 15


@dataclasses.dataclass(frozen=True)
class Search:
    """What all workers of a run are asked for."""

    space: SearchSpace
    searcher: str
    settings: Settings


class Member:
    """One worker: a client, and what neps has of it. `fate` is how its evaluations end: `result` or `left`."""

    def __init__(self, client: Client, search: Search, reference: Reference, losses: itertools.count[int]) -> None:
        self.client, self._search, self._reference, self._losses = client, search, reference, losses
        self.identity = Identity(client.name, f"host-{client.name}", f"boot-{client.name}", "pid:[1]", 7, 1)
        self.fate = "result"
        self.training = 1
        """For how many sleeps an evaluation lasts, of a quarter of the lease each."""
        self._heartbeat: Heartbeat | None = None
        self._beat_at = 0.0
        client.main = self._work

    def beat(self) -> None:
        """What the thread of its heartbeat does; called while time passes."""
        client, heartbeat = self.client, self._heartbeat
        if not client.may_run or heartbeat is None or heartbeat._held is None or client.clock.now < self._beat_at:
            return
        with as_caller(client):
            self._beat_at = heartbeat._beat_for(heartbeat._held)

    def _work(self) -> None:
        search = self._search
        proposal = Proposal(
            root=ROOT,
            space=search.space,
            searcher=search.searcher,
            searcher_settings={},
            seed=1,
            lease_seconds=LEASE,
        )
        run = _through(self.client, lambda: open_run(ROOT, self.identity, proposal.define, overwrite=False))
        self._heartbeat = run.heartbeat
        context = prepare(run, search.space, proposal.sampler_for(run.definition), search.settings)
        context = dataclasses.replace(context, signals=cast("Signals", _Signals(self.client)))
        worker = Worker(context, lambda **_: None)
        worker._evaluations = cast("Any", _Evaluations(self, context))
        worker.work()
        self.client.note("leaves")

    def evaluate(self, held: Claim, context: Context, endings: Endings) -> Trial | Interrupted | None:
        """In the place of an evaluation: time passes, and then there is a loss, or the worker leaves."""
        fenced: list[bool] = []
        heartbeat = context.heartbeat
        self._beat_at = 0.0
        heartbeat.hold(held.hold, lambda: fenced.append(True), context.view.check_heartbeats)
        started = datetime.now(UTC)
        self.client.note(f"evaluates attempt {held.attempt} of trial {held.number}")
        for _ in range(self.training):
            self.client.sleep(LEASE / 4)
        if fenced or self.fate == "left":
            reason, signum = ("fenced", None) if fenced else ("signal", _SIGTERM)
            interrupted = Interrupted(reason=cast("Any", reason), exception=KeyboardInterrupt(), signum=signum)
            endings.leave(held, interrupted)
            return interrupted
        loss = float(next(self._losses))
        worker = self.identity.worker
        self._reference.evaluated(held.number, held.attempt, worker, loss)
        outcome = Outcome(success=True, loss=loss, cost=1.0)
        trial = endings.publish(held, Result(outcome, origin_of(worker, held.attempt, started, 0.0)))
        self._reference.published(held.number, held.attempt, loss, believed=trial is not None)
        return trial


def enqueuing(client: Client, values: Iterator[float]) -> Callable[[], None]:
    """What a user does who enqueues two configurations of the run, if there is one; it may fail."""

    def enqueue_two() -> None:
        me = Identity(client.name, f"host-{client.name}", f"boot-{client.name}", "pid:[1]", 7, 1)
        with contextlib.suppress(OSError, DirectoryError):
            if (definition := find_definition(ROOT)) is not None:
                number = enqueue(Layout(ROOT, definition.run), [{"x": next(values)}, {"x": next(values)}], me)
                client.note(f"has enqueued list {number}")

    return enqueue_two


class _Evaluations:
    """In the place of `Evaluations`."""

    def __init__(self, member: Member, context: Context) -> None:
        self._member, self._context = member, context
        self._endings = Endings(context, Shortage(context))

    def run(self, held: Claim) -> Trial | Interrupted | None:
        """Evaluate what is held."""
        try:
            return self._member.evaluate(held, self._context, self._endings)
        finally:
            self._context.heartbeat.release()


class _Signals:
    """In the place of `Signals`: none comes."""

    received = None
    active = noticed = stopping = leaving = False

    def __init__(self, client: Client) -> None:
        self._client = client

    def wait(self, seconds: float) -> None:
        """Pause."""
        self._client.sleep(seconds)


def _through(client: Client, start: Callable[[], OpenedRun]) -> OpenedRun:
    """Who starts while the filesystem fails ends with an error, and is started again."""
    while True:
        try:
            return start()
        except (DirectoryError, OSError) as error:
            client.note(f"can't start: {error}")
            client.sleep(1.0)
