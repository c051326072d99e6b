"""Evaluating a trial that this worker holds, and publishing what came of it.

From `evaluation.keywords` over `evaluation.evaluate` and `recorded` to `ending.Endings`, which publishes through the
claim: `TrialFolder.end_with_result`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from neps._evaluation import (
    Evaluated,
    Fence,
    Interrupted,
    PendingType,
    Reports,
    evaluate,
    keywords,
    named_directories,
)
from neps._ledger.claims import Claim
from neps._ledger.stopping import Asked
from neps._ledger.trial_folder import TrialFolder
from neps._outcome import Result
from neps._trial import Trial
from neps._worker import anew
from neps._worker.context import Context
from neps._worker.ending import Endings, origin_of
from neps._worker.notifying import Audience, Telling
from neps._worker.previous import Previous
from neps._worker.recorded import error_of, recorded
from neps._worker.reports import reports_of, with_reports
from neps._worker.shortage import Shortage
from neps.checkpoint._attempts import open_attempt
from neps.checkpoint._files import discard_unfinished
from neps.errors import DirectoryError

__all__ = ["Evaluations"]

_logger = logging.getLogger("neps.worker")
_LAST_WORDS = "a second signal ended the process"


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

    def run(self, held: Claim) -> Trial | Interrupted | None:
        """Evaluate; the trial with its result or pending, how it was interrupted, or None if somebody else decided it.

        Raises:
            EvaluationError: if run_pipeline failed and this worker doesn't tolerate errors, or it returned no cost and
                a budget needs one; the result is recorded.
        """
        telling = self._audience.of(held)
        try:
            evaluated, ended = self._evaluate_and_end(held, telling)
        except DirectoryError as error:
            self._tell_end(telling, error)
            raise
        finally:  # not before: a full disk may keep a result from being published for longer than a lease
            self._context.heartbeat.release()
        self._tell_end(telling, ended)
        if not isinstance(evaluated, Evaluated) or ended is None:
            return ended
        if (raised := error_of(evaluated, self._context.settings, held.folder)) is not None:
            raise raised
        if evaluated.exception is not None:  # its frames hold what run_pipeline had: models on a GPU, say
            traceback.clear_frames(evaluated.exception.__traceback__)
        return ended

    @staticmethod
    def _tell_end(telling: Telling | None, ended: Trial | Interrupted | DirectoryError | None) -> None:
        if telling is not None:
            telling.ended(ended)

    def _evaluate_and_end(
        self, held: Claim, telling: Telling | None
    ) -> tuple[Evaluated | Interrupted | PendingType, Trial | Interrupted | None]:
        """What came of it, and how the attempt stands then, as `run` returns it."""
        started, clock = datetime.now(UTC), time.monotonic()
        reports = reports_of(held, self._context, None if telling is None else telling.reported)
        evaluated = self._evaluate(held, reports, None if telling is None else telling.started)
        if isinstance(evaluated, Interrupted):
            if evaluated.reason != "storage":  # else it was left already
                self._endings.leave(held, evaluated)
            return evaluated, evaluated
        anew.evaluated()
        if isinstance(evaluated, PendingType):
            return evaluated, self._endings.mark(held, started)
        seconds = round(time.monotonic() - clock - (telling.seconds_before if telling else 0.0), 6)
        outcome = recorded(with_reports(evaluated.outcome, held, reports.points), self._context.settings, seconds)
        result = Result(outcome, origin_of(self._context.me.worker, held.attempt, started, seconds))
        return dataclasses.replace(evaluated, outcome=outcome), self._endings.publish(held, result)

    def _evaluate(
        self, held: Claim, reports: Reports, before: Callable[[], object] | None = None
    ) -> Evaluated | Interrupted | PendingType:
        folder, decision = held.folder, held.decision
        try:
            folder.write_config(decision, self._context.me)
        except OSError as error:  # derived, for people: no reason to lose an evaluation
            _logger.warning("config.yaml of trial %d can't be written: %s. See %s", folder.number, error, folder.path)
        given = self._context.space.handed(decision.config)
        arguments = keywords(self._directories, given, folder.directory, self._previous.of(decision))
        fence = Fence(lambda: self._abandon(folder), grace=self._context.lease)  # as long as others waited for it
        hold, view = held.hold, self._context.view

        def on_beat() -> None:
            reports.flush()
            view.check_heartbeats()
            self._look_for_stop()

        self._context.heartbeat.hold(hold, fence.interrupt, on_beat)
        if hold.attempt > 1:
            self._discard_unfinished(folder)
        # What a checkpoint has seen is never reported again: so its reports are written first.
        signals = self._context.signals
        opened = open_attempt(hold, fence.interrupt, reports.flush, self._patience)
        with reports, opened as mine, signals.last_words(lambda: held.leave_hastily(_LAST_WORDS)):
            evaluated = evaluate(self._run_pipeline, arguments, signals, fence, before)
        if not isinstance(evaluated, Evaluated) or not evaluated.outcome.success:
            reports.flush()
        if isinstance(evaluated, PendingType):
            return evaluated
        evaluated = self._shortage.judge(held, evaluated, mine)
        if isinstance(evaluated, Interrupted) and evaluated.reason == "storage":
            self._endings.leave_short(held, evaluated, mine)
        return evaluated

    def _look_for_stop(self) -> None:
        with contextlib.suppress(OSError):  # the next beat looks again
            if self._context.stops.look() is Asked.NOW:
                self._context.signals.stop()

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
        anew.start(signals.give_back, self._context.layout.run, self._context.stops.before_asked)

    @staticmethod
    def _discard_unfinished(folder: TrialFolder) -> None:
        """What earlier attempts were saving when they died may be large."""
        with contextlib.suppress(OSError):
            discard_unfinished(folder.path)
