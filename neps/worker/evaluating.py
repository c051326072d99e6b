"""Evaluating a trial that this worker holds, and publishing what came of it."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
import os
import signal
import time
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from neps.checkpoint.attempts import Evaluation, open_attempt
from neps.checkpoint.files import discard_unfinished
from neps.errors import DirectoryError, gist
from neps.evaluation import Evaluated, Fence, Interrupted, Reports, evaluate, keywords, named_directories
from neps.ledger.claims import Claim
from neps.ledger.outage import Outage
from neps.ledger.records import result_fields
from neps.ledger.storage import advice, filesystem_words
from neps.ledger.trial_folder import TrialFolder
from neps.outcome import Origin, Outcome, Result
from neps.trial import Decision, Trial
from neps.worker import anew
from neps.worker.context import Context
from neps.worker.recorded import error_of, recorded
from neps.worker.reports import curve_of, reports_of, thinned_curve
from neps.worker.shortage import Shortage
from neps.worker.telling import Audience, Telling

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
        self._continues = "previous_pipeline_directory" in self._directories
        self._patience = 10 * context.lease

    def run(self, held: Claim) -> Trial | Interrupted | None:
        """Evaluate; the trial with its result, how it was interrupted, or None if somebody else decided it.

        Raises:
            EvaluationError: if run_pipeline failed and this worker doesn't tolerate errors, or it returned no cost and
                a budget needs one; the result is recorded.
        """
        telling = self._audience.of(held)
        try:
            evaluated, result, won = self._evaluate_and_publish(held, telling)
        except DirectoryError as error:
            self._tell_end(telling, error)
            raise
        finally:  # not before: a full disk may keep a result from being published for longer than a lease
            self._context.heartbeat.release()
        ended = self._conclude(held, evaluated, result, won=won)
        self._tell_end(telling, ended)
        if isinstance(evaluated, Interrupted) or ended is None:
            return ended
        if (raised := error_of(evaluated, self._context.settings, held.folder)) is not None:
            raise raised
        if evaluated.exception is not None:  # its frames hold what run_pipeline had: models on a GPU, say
            traceback.clear_frames(evaluated.exception.__traceback__)
        return ended

    def _conclude(
        self, held: Claim, evaluated: Evaluated | Interrupted, result: Result, *, won: bool
    ) -> Trial | Interrupted | None:
        """What `run` returns, said and seen to."""
        if isinstance(evaluated, Interrupted):
            if evaluated.reason != "storage":  # else it was left already
                self._leave(held, evaluated)
            return evaluated
        if not won:
            self._drop(held, result)
            return None
        return self._published(held, result)

    @staticmethod
    def _tell_end(telling: Telling | None, ended: Trial | Interrupted | DirectoryError | None) -> None:
        if telling is not None:
            telling.ended(ended)

    def _evaluate_and_publish(
        self, held: Claim, telling: Telling | None
    ) -> tuple[Evaluated | Interrupted, Result, bool]:
        """What came of it, the result, and whether that was published."""
        started, clock = datetime.now(UTC), time.monotonic()
        reports = reports_of(held, self._context, None if telling is None else telling.reported)
        evaluated = self._evaluate(held, reports, None if telling is None else telling.started)
        if isinstance(evaluated, Interrupted):
            return evaluated, Result.of(success=False), False
        anew.evaluated()
        seconds = round(time.monotonic() - clock - (telling.seconds_before if telling else 0.0), 6)
        outcome = recorded(_with_reports(evaluated.outcome, held, reports), self._context.settings, seconds)
        origin = Origin(
            worker=self._context.me.worker,
            attempt=held.attempt,
            started=started,
            finished=datetime.now(UTC),
            duration=seconds,
        )
        result = Result(outcome, origin)
        return dataclasses.replace(evaluated, outcome=outcome), result, self._persist(held, result)

    def _evaluate(
        self, held: Claim, reports: Reports, before: Callable[[], object] | None = None
    ) -> Evaluated | Interrupted:
        folder, decision = held.folder, held.decision
        try:
            folder.write_config(decision, self._context.me)
        except OSError as error:  # derived, for people: no reason to lose an evaluation
            _logger.warning("config.yaml of trial %d can't be written: %s. See %s", folder.number, error, folder.path)
        given = self._context.space.handed(decision.config)
        arguments = keywords(self._directories, given, folder.directory, self._previous(decision))
        fence = Fence(lambda: self._abandon(folder), grace=self._context.lease)  # as long as others waited for it
        hold, view = held.hold, self._context.view

        def on_beat() -> None:
            reports.flush()
            view.watch()

        self._context.heartbeat.hold(hold, fence.interrupt, on_beat)
        if hold.attempt > 1:
            self._discard_unfinished(folder)
        # What a checkpoint has seen is never reported again: so its reports are written first.
        signals = self._context.signals
        opened = open_attempt(hold, fence.interrupt, reports.flush, self._patience)
        with reports, opened as mine, signals.last_words(lambda: held.leave_hastily(_LAST_WORDS)):
            evaluated = evaluate(self._run_pipeline, arguments, signals, fence, before)
        if isinstance(evaluated, Interrupted) or not evaluated.outcome.success:
            reports.flush()
        evaluated = self._shortage.judge(held, evaluated, mine)
        if isinstance(evaluated, Interrupted) and evaluated.reason == "storage":
            self._leave_short(held, evaluated, mine)
        return evaluated

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

    def _previous(self, decision: Decision) -> Path | None:
        """The folder with the checkpoint; none where somebody moved it away, and its number may be another's now."""
        if decision.previous is None:
            return None
        if not self._continues:
            self._continues = True
            _logger.warning(
                "Trial %d continues trial %d, but run_pipeline doesn't take previous_pipeline_directory, so it can't "
                "load the checkpoint there, and trains from scratch. max_fidelity_total doesn't count that. Add "
                "previous_pipeline_directory to the signature: docs/checkpoints.md has an example. Later trials do "
                "the same, and are not logged.",
                decision.number,
                decision.previous,
            )
        folder = Path(self._context.layout.trial(decision.previous))
        if self._is_continued(decision, folder):
            return folder
        _logger.warning(
            "Trial %d continues a trial whose folder %s was moved away, so it starts without a checkpoint.",
            decision.number,
            folder,
        )
        return None

    def _is_continued(self, decision: Decision, folder: Path) -> bool:
        known = self._context.view.known().get(decision.previous or 0)
        if known is None:
            return folder.is_dir()
        if decision.place is None or decision.fidelity is None or known.decision is None:
            return True  # a sampler without rungs may change more than the fidelity
        return self._context.space.at_fidelity(known.config, decision.fidelity) == decision.config

    @staticmethod
    def _discard_unfinished(folder: TrialFolder) -> None:
        """What earlier attempts were saving when they died may be large."""
        with contextlib.suppress(OSError):
            discard_unfinished(folder.path)

    def _persist(self, held: Claim, result: Result) -> bool:
        """A result may have cost hours: where the filesystem fails (a full quota, an outage), try again for long."""
        number, fields = held.number, result_fields(result)
        what = f"The result of trial {number} (loss {result.outcome.loss}, cost {result.outcome.cost})"
        return self._through(held, what, lambda: self._end(held, fields), self._patience)

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

    def _leave_short(self, held: Claim, interrupted: Interrupted, mine: Evaluation) -> None:
        """Leave a trial since the storage failed. Where even that can't be written, wait as with a result."""
        folder = held.folder
        why = f"the storage failed: {interrupted.exception!r}"
        needs = self._shortage.needed(held, interrupted.exception, mine)
        _logger.warning(
            "Trial %d is handed back, to be resumed by any worker: %s. %s.",
            folder.number,
            filesystem_words(interrupted.exception, folder.path),
            self._shortage.until(needs),
        )
        traceback.clear_frames(interrupted.exception.__traceback__)

        def publish() -> bool:
            if self._context.signals.received is not None:
                return False
            return held.leave(why, needs_bytes=needs)

        self._through(held, f"The end of an attempt at trial {folder.number}", publish, math.inf)
        self._context.view.inspect(folder.number)

    def _end(self, held: Claim, fields: Mapping[str, Any]) -> bool:
        """End the attempt with its result. Who may have been thought dead first looks whether it is still his."""
        if self._context.heartbeat.held_for() > self._context.lease and not held.hold.is_own():
            return False
        return held.publish(fields)

    def _is_gone(self, held: Claim) -> bool:
        """Whether somebody has removed the trial's folder, while the run is still there."""
        return not held.folder.taken() and os.path.isdir(self._context.layout.root)  # noqa: PTH112

    def _published(self, held: Claim, result: Result) -> Trial:
        folder = held.folder
        trial = self._context.view.finished(folder, held.ended(result))
        if trial.succeeded:
            cost = "" if trial.cost is None else f", cost {trial.cost:g}"
            _logger.info("Trial %d finished: loss %g%s in %s", folder.number, trial.loss, cost, folder.path)
        else:
            _logger.warning("Trial %d failed: %s. See %s", folder.number, gist(trial.error), folder.path)
        return trial

    def _drop(self, held: Claim, result: Result) -> None:
        folder = held.folder
        self._context.view.inspect(folder.number)
        _logger.warning(
            "Trial %d was taken over by another worker, because this one was silent for longer than lease_seconds. Its "
            "result (loss %s) is dropped. See %s. A longer lease_seconds tolerates longer silences.",
            folder.number,
            result.outcome.loss,
            folder.path,
        )

    def _leave(self, held: Claim, interrupted: Interrupted) -> None:
        folder = held.folder
        if interrupted.reason == "fenced":
            _logger.warning(
                "Trial %d was interrupted: another worker has taken it over, because this one was silent for "
                "longer than lease_seconds. See %s",
                folder.number,
                folder.path,
            )
            self._context.view.inspect(folder.number)
            return
        died = interrupted.counts_as_death
        how = (
            "handed back, to be resumed by any worker"
            if not died
            else "ended, and counts as a death of its worker (see max_attempts)"
        )
        why = (
            f"run_pipeline raised {interrupted.exception!r}" if died else f"interrupted by {_interruption(interrupted)}"
        )
        try:
            if died:
                held.die(why)
            else:
                held.leave(why)
        except OSError as error:
            _logger.warning(
                "Trial %d can't be handed back: %s. Another worker resumes it after lease_seconds.",
                folder.number,
                error,
            )
        else:
            level = logging.WARNING if died else logging.INFO
            _logger.log(level, "Trial %d %s: %s. See %s", folder.number, how, why, folder.path)


def _with_reports(outcome: Outcome, held: Claim, reports: Reports) -> Outcome:
    """What was reported is the learning curve, unless run_pipeline has returned one."""
    if outcome.learning_curve is not None:
        losses, thinned = thinned_curve(outcome.learning_curve, held.decision.fidelity)
        return dataclasses.replace(outcome, learning_curve=losses, learning_curve_steps=thinned)
    if (curve := curve_of(held, reports.points)) is None:
        return outcome
    steps, losses = curve
    return dataclasses.replace(outcome, learning_curve=losses, learning_curve_steps=steps)


def _interruption(interrupted: Interrupted) -> str:
    """What interrupted run_pipeline, by name."""
    if interrupted.signum is None:
        return type(interrupted.exception).__name__
    return signal.Signals(interrupted.signum).name
