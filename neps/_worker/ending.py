"""How an attempt that this worker holds ends: with its result, marked as pending, or handed back. Through outages.

`Evaluations` calls it once it knows what came of run_pipeline; nobody else ends an attempt of one's own.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import os
import signal
import time
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from neps._evaluation import Interrupted
from neps._ledger.claims import Claim
from neps._ledger.exclusive import PATIENCE
from neps._ledger.outage import Outage
from neps._ledger.pending_mark import PendingMark, mark_pending
from neps._ledger.records import result_fields
from neps._ledger.storage import advice, filesystem_words
from neps._ledger.trial_state import trial_with
from neps._outcome import Origin, Result
from neps._trial import Trial
from neps._worker.context import Context
from neps._worker.settings import Settings
from neps._worker.shortage import Shortage
from neps.checkpoint._attempts import Evaluation
from neps.errors import DirectoryError, gist

__all__ = ["Endings", "mark_of", "origin_of"]

_logger = logging.getLogger("neps.worker")
_PAUSE = 0.1


class Endings:
    """Ends attempts for one worker."""

    def __init__(self, context: Context, shortage: Shortage) -> None:
        self._context, self._shortage = context, shortage
        self._patience = 10 * context.lease

    def publish(self, held: Claim, result: Result) -> Trial | None:
        """The trial with its result, once that is published; None if the attempt is another's by now.

        A result may have cost hours: where the filesystem fails (a full quota, an outage), try again for long.
        """
        number, fields = held.number, result_fields(result)
        what = f"The result of trial {number} (loss {result.outcome.loss}, cost {result.outcome.cost})"
        if not self._through(held, what, lambda: self._end(held, fields), self._patience):
            self._drop(held, f"Its result (loss {result.outcome.loss}) is dropped")
            return None
        return self._published(held, result)

    def publish_late(self, held: Claim, result: Result) -> None:
        """The same for an evaluation that still runs; in another thread, so nothing that this worker knows changes."""
        what, fields = f"The result of trial {held.number}", result_fields(result)
        self._through(held, what, lambda: self._end(held, fields), self._patience)

    def mark(self, held: Claim, started: datetime) -> Trial | None:
        """Mark the attempt as pending, so that it goes on without this worker; None if it is another's by now."""
        number, view = held.number, self._context.view
        mark = mark_of(held, self._context.settings, started)
        what = f"The mark that trial {number} goes on without a worker"
        if self._through(held, what, lambda: self._mark(held, mark), self._patience):
            view.begun(held.folder, state := dataclasses.replace(held.state, mark=mark))
            view.update(number)  # a takeover may have been quicker, or the job that tells
            pending = view.pending.get(number)
            if pending is None or (pending.awaits_tell and pending.state.start.attempt == held.attempt):
                message = "Trial %d goes on elsewhere: run_pipeline returned neps.PENDING. neps.tell ends it. See %s"
                _logger.info(message, number, held.folder.path)
                return trial_with(held.folder, state, 0.0)
        self._drop(held, "run_pipeline returned neps.PENDING; what is told of this attempt will be refused")
        return None

    def _mark(self, held: Claim, mark: PendingMark) -> bool:
        if held.folder.superseded(mark.attempt) or self._is_lost(held):
            end = held.folder.end(mark.attempt)  # a result if its job was quicker, and has told already
            return end is not None and end.result is not None
        mark_pending(held.folder, mark, self._context.me)
        return True

    def _through(self, held: Claim, what: str, publish: Callable[[], bool], patience: float) -> bool:
        """Publish something that belongs into a trial's folder, through outages; permissions may come back as well."""
        outage: Outage | None = None  # in the usual case there is none
        while True:
            try:
                return publish()
            except OSError as error:
                failure = error
            outage, path = outage or Outage(_logger, patience), held.folder.path
            if isinstance(failure, FileNotFoundError) and self._is_gone(held):
                message = f"{path} is gone: run_pipeline or somebody else removed it. {what} can't be written."
                raise DirectoryError(message) from failure
            pause = outage.failed(f"{what} can't be written to {path}", failure)
            if pause is None:
                message = (
                    f"{what} can't be written to {path}: {failure}. Tried for {outage.seconds:.0f} s. "
                    f"{advice(failure)} The trial's checkpoint stays. Start again once that works."
                )
                raise DirectoryError(message) from failure
            self._context.heartbeat.beat()
            if math.isinf(patience):
                self._context.signals.wait(pause)
            else:
                time.sleep(pause)  # through signals, too: they would cost the result

    def leave_short(self, held: Claim, interrupted: Interrupted, mine: Evaluation) -> None:
        """Leave a trial since the storage failed. Where even that can't be written, wait as with a result."""
        folder = held.folder
        why = f"the storage failed: {interrupted.exception!r}"
        needs = self._shortage.needed(held, interrupted.exception, mine)
        seconds = round(self._context.heartbeat.held_for(), 3)
        _logger.warning(
            "Trial %d is handed back, to be resumed by any worker: %s. %s.",
            folder.number,
            filesystem_words(interrupted.exception, folder.path),
            self._shortage.until(needs),
        )
        traceback.clear_frames(interrupted.exception.__traceback__)

        def publish() -> bool:
            if self._context.signals.leaving:
                return False
            return held.leave(why, needs_bytes=needs, seconds=seconds, asks_within=interrupted.asks_within)

        self._through(held, f"The end of an attempt at trial {folder.number}", publish, math.inf)
        self._context.view.update(folder.number)

    def _end(self, held: Claim, fields: Mapping[str, Any]) -> bool:
        """End the attempt with its result. Who may have been thought dead first looks whether it still holds it."""
        return not self._is_lost(held) and held.publish(fields)

    def _is_lost(self, held: Claim) -> bool:
        """Whether the attempt is another's, of who was silent for long enough to be thought dead."""
        silent = self._context.heartbeat.held_for() > self._context.lease
        return silent and not held.hold.is_own()

    def _is_gone(self, held: Claim) -> bool:
        """Whether somebody has removed the trial's folder, while the run is still there."""
        return not held.folder.is_reserved() and os.path.isdir(self._context.layout.root)  # noqa: PTH112

    def _published(self, held: Claim, result: Result) -> Trial:
        folder = held.folder
        trial = self._context.view.finished(folder, held.ended(result))
        if trial.succeeded:
            cost = "" if trial.cost is None else f", cost {trial.cost:g}"
            _logger.info("Trial %d finished: loss %g%s in %s", folder.number, trial.loss, cost, folder.path)
        else:
            _logger.warning("Trial %d failed: %s. See %s", folder.number, gist(trial.error), folder.path)
        return trial

    def _drop(self, held: Claim, dropped: str) -> None:
        folder = held.folder
        self._context.view.update(folder.number)
        _logger.warning(
            "Trial %d was taken over by another worker, because this one was silent for longer than lease_seconds. "
            "%s. See %s. A longer lease_seconds tolerates longer silences.",
            folder.number,
            dropped,
            folder.path,
        )

    def leave(self, held: Claim, interrupted: Interrupted) -> None:
        """Hand the attempt back, or end it as a death, after what interrupted its evaluation; if it still is one's."""
        folder = held.folder
        if interrupted.reason == "fenced":
            _logger.warning(
                "Trial %d was interrupted: another worker has taken it over, because this one was silent for "
                "longer than lease_seconds. See %s",
                folder.number,
                folder.path,
            )
            self._context.view.update(folder.number)
            return
        died = interrupted.counts_as_death
        how = (
            "handed back, to be resumed by any worker"
            if not died
            else "ended, and counts as a death of its worker (see max_attempts)"
        )
        why = _why(interrupted)
        more = {"seconds": round(self._context.heartbeat.held_for(), 3), "asks_within": interrupted.asks_within}
        if interrupted.job_too_short:
            more["job_too_short"] = True
        try:
            _for_a_while(lambda: held.die(why) if died else held.leave(why, **more))
        except OSError as error:
            _logger.warning(
                "Trial %d can't be handed back: %s. Another worker resumes it after lease_seconds.",
                folder.number,
                error,
            )
        else:
            level = logging.WARNING if died else logging.INFO
            _logger.log(level, "Trial %d %s: %s. See %s", folder.number, how, why, folder.path)


def _for_a_while(operation: Callable[[], object]) -> None:
    """Try again for seconds, not for longer: who is interrupted must be gone before it is killed."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            operation()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE)
        else:
            return


def mark_of(held: Claim, settings: Settings, started: datetime) -> PendingMark:
    """The mark of an attempt whose evaluation began at this time: whoever tells records by these settings."""
    start = held.state.start
    return PendingMark(
        attempt=start.attempt,
        worker=start.identity.worker,
        started=started,
        max_cost_total=settings.budget.max_cost_total,
        patience_cost=settings.budget.patience_cost,
        cost_is_duration=settings.cost_is_duration,
        loss_value_on_error=settings.loss_value_on_error,
        cost_value_on_error=settings.cost_value_on_error,
    )


def origin_of(worker: str, attempt: int, started: datetime | None, seconds: float | None) -> Origin:
    """The origin of an outcome that is published now.

    Args:
        worker: who publishes it.
        attempt: the attempt that it ends.
        started: when the evaluation began; None if nobody knows.
        seconds: how long it took; None if nobody knows.
    """
    return Origin(worker=worker, attempt=attempt, started=started, finished=datetime.now(UTC), duration=seconds)


def _why(interrupted: Interrupted) -> str:
    if interrupted.reason == "rank":
        return str(interrupted.exception)
    if interrupted.counts_as_death:
        return f"run_pipeline raised {interrupted.exception!r}"
    return f"interrupted by {_interruption(interrupted)}"


def _interruption(interrupted: Interrupted) -> str:
    """What interrupted run_pipeline, by name."""
    if interrupted.reason == "walltime":
        return "the end of the job's walltime, which is near"
    if interrupted.reason == "stop":
        return "neps stop"
    if interrupted.reason == "around":
        return "the end of the evaluation around this run"
    if interrupted.signum is None:
        return type(interrupted.exception).__name__
    return signal.Signals(interrupted.signum).name
