"""Attempts that go on without their worker: who may tell what came of one, and publishing that as a worker would.

`neps.tell` calls it, in any process. An attempt's end has one name, for which whoever tells competes with everybody
else; all that is written goes through the descriptor of the folder whose trial.yaml was read, so that nothing lands in
a run that takes its place.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from neps._budget import Budget
from neps._evaluation import Evaluated
from neps._ledger.claims import Claim, Hold
from neps._ledger.definition import Definition
from neps._ledger.documents import UnreadableDocumentError
from neps._ledger.identity import Identity
from neps._ledger.layout import Layout
from neps._ledger.outage import LEASES, Outage
from neps._ledger.pending_mark import PendingMark
from neps._ledger.records import End, result_fields
from neps._ledger.silence import Silence
from neps._ledger.storage import denial, storage_error
from neps._ledger.trial_folder import TrialFolder
from neps._ledger.trial_state import TrialState, read_state, trial_of
from neps._outcome import Outcome, Result
from neps._trial import Trial
from neps._worker.ending import origin_of
from neps._worker.recorded import error_of, recorded
from neps._worker.reports import with_reports
from neps._worker.settings import Settings
from neps.errors import NotPendingError

__all__ = ["Untold"]

_logger = logging.getLogger("neps.worker")
_PATIENCE = 1.0
_POLL = 0.05
_OWNERS_LEASES = 5.0


@dataclasses.dataclass(frozen=True, slots=True)
class Untold:
    """A trial of which somebody wants to tell.

    `attempt` is the one that is meant, None if that isn't said; `job` is the same by its full name, where a job of that
    attempt tells.
    """

    layout: Layout
    lease: float
    number: int
    attempt: int | None = None
    job: Hold | None = None

    @classmethod
    def of(cls, root: str, definition: Definition, number: int, attempt: int | None, job: Hold | None) -> Untold:
        """Of the run that is in `root` now."""
        return cls(Layout(root, definition.run), definition.lease_seconds, number, job.attempt if job else attempt, job)

    def tell(self, outcome: Outcome, values_on_error: tuple[float | None, float | None] = (None, None)) -> Trial:
        """Publish what came of the evaluation; the trial with its result.

        Args:
            outcome: as run_pipeline came to it.
            values_on_error: the loss and the cost of a failure, where they aren't to be those of `neps.run`.

        Raises:
            NotPendingError: if nothing can be told of that attempt; nothing was written.
            EvaluationError: if no cost was told, and max_cost_total needs one; the loss is published.
            OSError: if it can't be written, for ten leases.
        """
        with self._pinned() as folder:
            state = self._awaited(folder)
            mark = state.mark or PendingMark(attempt=state.start.attempt, worker="")
            settings, me = _settings(mark, *values_on_error), Identity.mine()
            seconds = _seconds_since(mark.started)
            outcome = recorded(with_reports(outcome, Claim(folder, state), {}), settings, seconds or 0.0)
            result = Result(outcome, origin_of(me.worker, mark.attempt, mark.started, seconds))
            if not self._end(Claim(folder, state), result, me):
                self._running(folder)
                raise self._refused("another process was quicker")
            told = trial_of(folder, dataclasses.replace(state, end=End.RESULT, result=result, mark=None))
        if outcome.success and (error := error_of(Evaluated(outcome), settings, self._folder)) is not None:
            raise error
        return told

    def _end(self, told: Claim, result: Result, me: Identity) -> bool:
        """End the attempt, through outages, as a worker does: its job may have taken hours, and be gone after this."""
        folder, fields, outage = told.folder, result_fields(result), Outage(_logger, LEASES * self.lease)
        while True:
            try:
                return folder.end_with_result(told.attempt, fields, me, told.decision)
            except OSError as error:
                if storage_error(error, folder.path, own=True) is None or denial(self.layout.root, error, folder.path):
                    raise
                what = f"The result of trial {self.number} can't be written to {self._folder.path}"
                if (pause := outage.failed(what, error)) is None:
                    raise
            time.sleep(pause)

    @property
    def _folder(self) -> TrialFolder:
        return TrialFolder(self.layout, self.number)

    @contextlib.contextmanager
    def _pinned(self) -> Iterator[TrialFolder]:
        """The trial's folder, held by a descriptor: it stays the same one if the run is moved aside meanwhile."""
        folder = self._folder
        try:
            descriptor = os.open(folder.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise self._refused("there is no such trial") from error
        try:
            path = f"/proc/self/fd/{descriptor}"
            folder.path = path if os.path.isdir(path) else folder.path  # noqa: PTH112 - without /proc: by its name
            yield folder
        finally:
            os.close(descriptor)

    def _awaited(self, folder: TrialFolder) -> TrialState:
        """How it stands, once it may be told of: a job may be done before its worker has marked the attempt.

        The job of a worker that has died before it could do so may tell, too: its end competes with the takeover.
        """
        silence, deadline = Silence(_POLL), time.monotonic() + self._patience
        while True:
            state = self._running(folder)
            start, now = state.start, time.monotonic()
            silence.observe(now, folder.heartbeat(start.attempt))
            is_dead = start.identity.proven_dead() or silence.longer_than(self.lease)
            if state.mark is not None or (is_dead and self.job is not None):
                return state
            if is_dead or now > deadline:
                raise self._refused(_held(start.identity, is_dead=is_dead))
            time.sleep(_POLL)

    @property
    def _patience(self) -> float:
        """For how many seconds to wait for the mark."""
        return _PATIENCE if self.job is None else _OWNERS_LEASES * self.lease

    def _running(self, folder: TrialFolder) -> TrialState:
        """How it stands, if it runs, whether with a worker or without."""
        state = self._read_state(folder)
        if state is None:
            raise self._refused("there is no such trial")
        if (why := self._why_not(folder, state)) is not None:
            raise self._refused(why)
        return state

    def _read_state(self, folder: TrialFolder) -> TrialState | None:
        try:
            return read_state(folder)
        except UnreadableDocumentError as error:
            raise self._refused(f"it can't be read: {error.without_path}") from error

    def _why_not(self, folder: TrialFolder, state: TrialState) -> str | None:
        """Why nothing can be told of a trial that stands so; None if it runs."""
        if self.job is not None and not Hold(folder, self.job.attempt, self.job.worker).is_own():
            return (
                f"attempt {self.job.attempt}, of which this is told, was opened by worker {self.job.worker}, and the "
                "one here by another: it belongs to another run, which was moved aside"
            )
        return self._why_not_of(state, state.start.attempt)

    def _why_not_of(self, state: TrialState, current: int) -> str | None:
        if state.result is not None and self.attempt in {None, current}:
            return f"it has ended: {_shown(state)}"
        if self.attempt is None and current > 1:
            return f"it is in attempt {current}, after a takeover or a retry: say which attempt is told of"
        if self.attempt not in {None, current}:
            return f"this is told of attempt {self.attempt}, and it is in attempt {current} by now"
        if state.end is not None:
            return f"attempt {current} has ended ({state.end}), and any worker may evaluate it again"
        return None

    def _refused(self, why: str) -> NotPendingError:
        return NotPendingError(f"Nothing was told of trial {self.number}: {why}. See {self._folder.path}")


def _held(identity: Identity, *, is_dead: bool) -> str:
    if is_dead:
        return (
            f"its worker {identity.worker} died before it could mark it as pending, so any worker evaluates it again. "
            "Only a job of that attempt may tell of it: pass attempt=…, what NEPS_ATTEMPT was in run_pipeline"
        )
    return f"worker {identity.worker} evaluates it, and its run_pipeline has not returned neps.PENDING"


def _shown(state: TrialState) -> str:
    loss = state.result.outcome.loss if state.result is not None else None
    return f"{state.status}" + (f", loss {loss:g}" if loss is not None else "")


def _settings(mark: PendingMark, loss: float | None, cost: float | None) -> Settings:
    """The arguments of the worker that marked the attempt, as far as they say what is recorded."""
    return Settings(
        budget=Budget(max_cost_total=mark.max_cost_total, patience_cost=mark.patience_cost),
        cost_is_duration=mark.cost_is_duration,
        loss_value_on_error=mark.loss_value_on_error if loss is None else loss,
        cost_value_on_error=mark.cost_value_on_error if cost is None else cost,
    )


def _seconds_since(started: datetime | None) -> float | None:
    """By the clocks of two hosts, perhaps: there is no other."""
    return None if started is None else max(0.0, round((datetime.now(UTC) - started).total_seconds(), 6))
