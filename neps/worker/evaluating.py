"""Evaluating a trial that this worker holds, and publishing what came of it."""

from __future__ import annotations

import contextlib
import logging
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from neps.checkpoint.attempts import open_attempt
from neps.checkpoint.files import discard_unfinished
from neps.errors import DirectoryError
from neps.evaluation import (
    Fence,
    Interrupted,
    Outcome,
    PendingType,
    Reports,
    evaluate,
    keywords,
    named_directories,
)
from neps.ledger.trial_folder import TrialFolder
from neps.trial import Trial
from neps.worker import anew
from neps.worker.context import Context
from neps.worker.ending import Endings, result_of
from neps.worker.previous import Previous
from neps.worker.recorded import error_of, recorded
from neps.worker.reports import reports_of, with_reports
from neps.worker.shortage import Shortage
from neps.worker.steps import Held
from neps.worker.telling import Audience, Telling

__all__ = ["Evaluations"]

_logger = logging.getLogger("neps.worker")


class Evaluations:
    """Evaluates trials for one worker."""

    def __init__(self, context: Context, run_pipeline: Callable[..., Any], shortage: Shortage) -> None:
        self._context = context
        self._run_pipeline = run_pipeline
        self._shortage = shortage
        self._audience = Audience(context)
        self._directories = named_directories(run_pipeline)
        self._previous = Previous(context, wanted="previous_pipeline_directory" in self._directories)
        self._endings = Endings(context, shortage)
        self._patience = 10 * context.lease

    def run(self, held: Held) -> Trial | Interrupted | None:
        """Evaluate; the trial with its result or pending, how it was interrupted, or None if somebody else decided it.

        Raises:
            EvaluationError: if run_pipeline failed and this worker doesn't tolerate errors, or it returned no cost and
                a budget needs one; the result is recorded.
        """
        telling = self._audience.of(held)
        try:
            outcome, ended = self._evaluate_and_end(held, telling)
        except DirectoryError as error:
            self._tell_end(telling, error)
            raise
        finally:  # not before: a full disk may keep a result from being published for longer than a lease
            self._context.heartbeat.release()
        self._tell_end(telling, ended)
        if not isinstance(outcome, Outcome) or ended is None:
            return ended
        if (raised := error_of(outcome, self._context.settings, held.folder)) is not None:
            raise raised
        if outcome.exception is not None:  # its frames hold what run_pipeline had: models on a GPU, say
            traceback.clear_frames(outcome.exception.__traceback__)
        return ended

    @staticmethod
    def _tell_end(telling: Telling | None, ended: Trial | Interrupted | DirectoryError | None) -> None:
        if telling is not None:
            telling.ended(ended)

    def _evaluate_and_end(
        self, held: Held, telling: Telling | None
    ) -> tuple[Outcome | Interrupted | PendingType, Trial | Interrupted | None]:
        """What came of it, and how the attempt stands then, as `run` returns it."""
        started, clock = datetime.now(UTC), time.monotonic()
        reports = reports_of(held, self._context, None if telling is None else telling.reported)
        outcome = self._evaluate(held, reports, None if telling is None else telling.started)
        if isinstance(outcome, Interrupted):
            if outcome.reason != "storage":  # else it was left already
                self._endings.leave(held, outcome)
            return outcome, outcome
        anew.evaluated()
        if isinstance(outcome, PendingType):
            return outcome, self._endings.mark(held, started)
        seconds = round(time.monotonic() - clock - (telling.seconds_before if telling else 0.0), 6)
        outcome = recorded(with_reports(outcome, held, reports.points), self._context.settings, seconds)
        result = result_of(outcome, self._context.me.worker, held.standing.start.attempt, started, seconds)
        return outcome, self._endings.publish(held, result)

    def _evaluate(
        self, held: Held, reports: Reports, before: Callable[[], object] | None = None
    ) -> Outcome | Interrupted | PendingType:
        folder, decision = held.folder, held.standing.decision
        try:
            folder.write_config(decision, self._context.me)
        except OSError as error:  # derived, for people: no reason to lose an evaluation
            _logger.warning("config.yaml of trial %d can't be written: %s. See %s", folder.number, error, folder.path)
        arguments = keywords(self._directories, decision.config, folder.directory, self._previous.of(decision))
        fence = Fence(lambda: self._abandon(folder), grace=self._context.lease)  # as long as others waited for it
        attempt, view = held.standing.start.attempt, self._context.view

        def on_beat() -> None:
            reports.flush()
            view.watch()

        self._context.heartbeat.hold(folder, attempt, fence.interrupt, on_beat)
        if attempt > 1:
            self._discard_unfinished(folder)
        # What a checkpoint has seen is never reported again: so its reports are written first.
        signals = self._context.signals
        opened = open_attempt(folder, attempt, self._context.me, fence.interrupt, reports.flush, self._patience)
        with reports, opened as mine, signals.last_words(lambda: self._endings.leave_hastily(folder, attempt)):
            outcome = evaluate(self._run_pipeline, arguments, signals, fence, before)
        if not isinstance(outcome, Outcome) or not outcome.success:
            reports.flush()
        if isinstance(outcome, PendingType):
            return outcome
        outcome = self._shortage.judge(held, outcome, mine)
        if isinstance(outcome, Interrupted) and outcome.reason == "storage":
            self._endings.leave_short(held, outcome, mine)
        return outcome

    def _abandon(self, folder: TrialFolder) -> None:
        """Make an end of an evaluation that was taken over a lease ago, and neither ends nor asks."""
        signals, heartbeat = self._context.signals, self._context.heartbeat
        if signals.noticed:
            return  # it ends by that
        said = (
            f"Trial {folder.number} was taken over by another worker, because this one was silent for longer than "
            f"lease_seconds. Its run_pipeline still runs, and has called neither neps.report nor neps.checkpoint for "
            f"another {self._context.lease:g} s. Its result will be dropped."
        )
        if (why := anew.obstacle(main_thread=signals.active)) is not None:
            _logger.warning("%s It is left to end by itself. This process can't be restarted: %s.", said, why)
            return
        _logger.warning("%s This process restarts. See %s", said, folder.path)
        heartbeat.stop()
        anew.start(signals.give_back)

    @staticmethod
    def _discard_unfinished(folder: TrialFolder) -> None:
        """What earlier attempts were saving when they died may be large."""
        with contextlib.suppress(OSError):
            discard_unfinished(folder.path)
