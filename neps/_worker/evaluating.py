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
from pathlib import Path
from types import MappingProxyType
from typing import Any

from neps._evaluation import (
    CurrentTrial,
    Evaluated,
    Fence,
    Interrupted,
    PendingType,
    Reports,
    Stopping,
    WalltimeOver,
    active,
    evaluate,
    keywords,
    named_directories,
    out_of_time,
)
from neps._ledger.claims import Claim, Hold
from neps._ledger.stopping import Asked
from neps._ledger.trial_folder import TrialFolder
from neps._outcome import Result
from neps._trial import Trial
from neps._worker import anew
from neps._worker.context import Context
from neps._worker.ending import Endings, origin_of
from neps._worker.notifying import Audience, Telling
from neps._worker.peers import Ended
from neps._worker.previous import Previous
from neps._worker.recorded import error_of, recorded
from neps._worker.reports import reports_of, with_reports
from neps._worker.shortage import Shortage
from neps._worker.time_limit import allowance_of, limited
from neps._worker.too_short import judged
from neps.checkpoint._attempts import open_attempt
from neps.checkpoint._files import discard_unfinished
from neps.errors import DirectoryError

__all__ = ["BORNE", "Evaluations"]

_logger = logging.getLogger("neps.worker")
_LAST_WORDS = "a second signal ended the process"
BORNE = {"fenced", "storage", "walltime", "stop"}
"""Interruptions after which a worker looks what is next: after the last two, that is to leave."""


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

    def _evaluate_and_end(self, held: Claim, telling: Telling | None) -> tuple[Ended, Trial | Interrupted | None]:
        """What came of it, and how the attempt stands then, as `run` returns it."""
        began = _Began(telling)
        reports = reports_of(held, self._context, None if telling is None else telling.reported)
        return self._end(held, self._evaluate(held, reports, began), reports, began)

    def _end(
        self, held: Claim, evaluated: Ended, reports: Reports, began: _Began
    ) -> tuple[Ended, Trial | Interrupted | None]:
        """End the attempt as what came of it demands."""
        if isinstance(evaluated, Interrupted):
            if evaluated.reason != "storage":  # else it was left already
                self._endings.leave(held, evaluated)
            return evaluated, evaluated
        anew.evaluated()
        if isinstance(evaluated, PendingType):
            return evaluated, self._endings.mark(held, began.date)
        result = self._result(held, evaluated, reports, began)
        return dataclasses.replace(evaluated, outcome=result.outcome), self._endings.publish(held, result)

    def _result(self, held: Claim, evaluated: Evaluated, reports: Reports, began: _Began) -> Result:
        seconds, settings = began.seconds, self._context.settings
        outcome = limited(evaluated, with_reports(evaluated.outcome, held, reports.points), settings)
        outcome = recorded(outcome, settings, seconds)
        return Result(outcome, origin_of(self._context.me.worker, held.attempt, began.date, seconds))

    def _evaluate(self, held: Claim, reports: Reports, began: _Began) -> Ended:
        folder, decision = held.folder, held.decision
        self._write_config(held)
        given, previous = self._context.space.handed(decision.config), self._previous.of(decision)
        directory = folder.directory
        arguments = keywords(self._directories, given, directory, previous)
        hold, view, signals = held.hold, self._context.view, self._context.signals
        allowance, peers = allowance_of(held, self._context.settings), self._context.peers
        stopping = Stopping(
            lambda: signals.noticed, lambda: fence.broken, allowance=allowance, walltime=self._context.walltime
        )
        fence = Fence(
            lambda: self._abandon(held, fence, reports, began, stopping),
            peers.grace(self._context.lease),
            lambda: stopping.is_overdue,
            stopping.gets_on,
        )

        def on_beat() -> None:
            reports.flush()
            view.check_heartbeats()
            self._look_for_stop()
            if stopping.is_overdue:
                fence.await_end()

        with peers.evaluating(held, previous, fence, stopping, reports) as taken_over:
            self._context.heartbeat.hold(hold, taken_over, on_beat)
            if hold.attempt > 1:
                self._discard_unfinished(folder)
            # What a checkpoint has seen is never reported again: so its reports are written first.
            current = active(_current(held, directory, previous, stopping))
            opened = open_attempt(hold, taken_over, reports.flush, self._patience, allowance.ends)
            last_words = signals.last_words(lambda: held.leave_hastily(_LAST_WORDS))
            with reports, current, opened as mine, last_words:
                own = evaluate(self._run_pipeline, arguments, signals, fence, began.before, stopping)
                is_around = isinstance(own, Interrupted) and own.reason == "around"
                evaluated = own if is_around else self._told_in_a_child(hold, peers.settle(own))
        if not isinstance(evaluated, Evaluated) or not evaluated.outcome.success:
            reports.flush()
        evaluated = judged(evaluated, held, stopping, self._context)
        if isinstance(evaluated, PendingType):
            return evaluated
        evaluated = self._shortage.judge(held, evaluated, mine)
        if isinstance(evaluated, Interrupted):
            evaluated = dataclasses.replace(evaluated, asks_within=stopping.asks_within)
            if evaluated.reason == "storage":
                self._endings.leave_short(held, evaluated, mine)
        return evaluated

    def _write_config(self, held: Claim) -> None:
        folder = held.folder
        try:
            folder.write_config(held.decision, self._context.me)
        except OSError as error:  # derived, for people: no reason to lose an evaluation
            _logger.warning("config.yaml of trial %d can't be written: %s. See %s", folder.number, error, folder.path)

    def _look_for_stop(self) -> None:
        with contextlib.suppress(OSError):  # the next beat looks again
            if self._context.stops.look() is Asked.NOW:
                self._context.signals.stop()

    def _told_in_a_child(self, hold: Hold, evaluated: Ended) -> Ended:
        """Where a process that run_pipeline has started was told to stop, what this one made of that is no result."""
        if not isinstance(evaluated, Evaluated) or not self._context.walltime.may_end or not hold.was_stopped():
            return evaluated
        return Interrupted(reason="walltime", exception=WalltimeOver("a child process was told to stop"))

    def _abandon(self, held: Claim, fence: Fence, reports: Reports, began: _Began, stopping: Stopping) -> None:
        """Make an end of an evaluation that was taken over, or whose time was over, a while ago; it doesn't ask."""
        signals, heartbeat, folder = self._context.signals, self._context.heartbeat, held.folder
        late, peers = out_of_time(stopping), self._context.peers
        if peers.are_there:
            evaluated, ended = self._end(held, peers.settle(None if fence.broken else late), reports, began)
            heartbeat.stop()
            peers.end(self._raised(held, evaluated, ended))
        if signals.noticed:
            return  # it ends by that
        lease = f"{self._context.lease:g} s"
        if fence.broken:
            said = (
                f"Trial {folder.number} was taken over by another worker, because this one was silent for longer than "
                f"lease_seconds. Its run_pipeline still runs, and has called neither neps.report nor neps.checkpoint "
                f"for another {lease}. Its result will be dropped."
            )
        else:
            said = (
                f"Trial {folder.number} has taken longer than max_seconds_per_trial={stopping.limit:g}. Its "
                f"run_pipeline still runs, and has called neither neps.report nor neps.checkpoint for another {lease}."
            )
        if (why := anew.obstacle(main_thread=signals.active)) is not None:
            _logger.warning("%s It is left to end by itself. This process can't be restarted: %s.", said, why)
            return
        if not fence.broken:
            self._endings.publish_late(held, self._result(held, late, reports, began))
            anew.evaluated()
        _logger.warning("%s This process restarts. See %s", said, folder.path)
        heartbeat.stop()
        anew.start(signals.give_back)

    def _raised(self, held: Claim, evaluated: Ended, ended: Trial | Interrupted | None) -> BaseException | None:
        """What this worker would raise after that; None where it would go on."""
        if isinstance(evaluated, Interrupted):
            return None if evaluated.reason in BORNE else evaluated.exception
        if isinstance(evaluated, PendingType) or ended is None:
            return None
        return error_of(evaluated, self._context.settings, held.folder)

    @staticmethod
    def _discard_unfinished(folder: TrialFolder) -> None:
        """What earlier attempts were saving when they died may be large."""
        with contextlib.suppress(OSError):
            discard_unfinished(folder.path)


@dataclasses.dataclass(slots=True)
class _Began:
    """When an evaluation began, by the wall clock and by the monotonic one, and who is told of it."""

    telling: Telling | None
    date: datetime = dataclasses.field(default_factory=lambda: datetime.now(UTC))
    clock: float = dataclasses.field(default_factory=time.monotonic)

    @property
    def before(self) -> Callable[[], object] | None:
        """What is called before run_pipeline."""
        return None if self.telling is None else self.telling.started

    @property
    def seconds(self) -> float:
        """How long it has taken so far, without that."""
        before = self.telling.seconds_before if self.telling else 0.0
        return round(time.monotonic() - self.clock - before, 6)


def _current(held: Claim, directory: Path, previous: Path | None, stopping: Stopping) -> CurrentTrial:
    decision = held.decision
    return CurrentTrial(
        number=decision.number,
        attempt=held.attempt,
        seed=decision.seed,
        config=MappingProxyType(dict(decision.config)),
        pipeline_directory=directory,
        previous_pipeline_directory=previous,
        when=stopping,
    )
