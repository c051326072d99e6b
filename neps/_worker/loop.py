"""The worker's loop: resume what is dead, claim what is next, evaluate, wait, leave. It owns the order, no rule.

Called by `neps.run`; everything that it does to the directory is done through the ledger.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

from neps._evaluation import Cut, Interrupted
from neps._ledger.claims import Claim
from neps._ledger.links import without_links
from neps._ledger.outage import LEASES, Outage
from neps._ledger.pending import Pending
from neps._ledger.stopping import Asked
from neps._ledger.storage import SPACE, denial
from neps._ledger.view import View
from neps._trial import Trial
from neps._worker.checkpoint_retention import Disk
from neps._worker.claiming import Claims, unreadable
from neps._worker.context import Context
from neps._worker.evaluating import BORNE, Evaluations
from neps._worker.resuming import resume
from neps._worker.settings import Keep
from neps._worker.shortage import Shortage
from neps._worker.steps import Leave, Pause, Step
from neps.errors import DirectoryError, EvaluationError, LaunchError

__all__ = ["Worker"]

_logger = logging.getLogger("neps.worker")
_FIRST_PAUSE = 0.002
_BRIEF_PAUSE = 0.05
_SAY_AGAIN = 60.0
_MOST_NAMED = 5


@dataclasses.dataclass(slots=True)
class _Waiting:
    """For what it waits, since when, and since when it does so for anything: its pauses don't begin anew with each.

    `brief`: as that of `Pause`.
    """

    reason: str
    since: float
    first: float
    brief: bool = False
    say_at: float = 0.0


class Worker:
    """Works until nothing is left, its share is done, or a signal comes.

    Args:
        context: what it has at hand; its signals are looked at between any two steps.
        run_pipeline: what to call with each configuration.
        on_change: called with a line on what it does now, for progress displays.
    """

    def __init__(
        self, context: Context, run_pipeline: Callable[..., Any], on_change: Callable[[str], None] = lambda _: None
    ) -> None:
        self._context = context
        self._view, self._signals, self._settings = context.view, context.signals, context.settings
        self._claims = Claims(context)
        self._shortage = Shortage(context)
        self._evaluations = Evaluations(context, run_pipeline, self._shortage)
        self._disk = Disk(context)
        if context.settings.keep_checkpoints is not Keep.ALL:
            self._view.observe(self._disk)
        self._on_change = on_change
        self._began = time.monotonic()
        self.evaluated = 0
        """How many evaluations it has begun."""
        self._outage = Outage(_logger, LEASES * context.lease, context.poll)
        self._joined = False
        self._told_to_leave: Leave | None = None
        self.cut_short_by: Cut | None = None
        """What made it leave though there is more to do; None where there was nothing."""
        self._unusable: set[int] = set()
        self._waiting = _Waiting("", self._began, self._began)

    def work(self) -> Interrupted | None:
        """Work; how it was interrupted, if it was.

        Raises:
            EvaluationError: as `Evaluations.run`.
        """
        while self._signals.received is None:
            step = self._through_outages(self._next)
            match step:
                case Claim():
                    self._shortage.begun()
                    ended = self._evaluate(step)
                    if isinstance(ended, Interrupted) and self._ends_by(ended):
                        self.cut_short_by = "signal" if ended.signum is not None else self._cut_short_so_far
                        return ended
                    self._context.peers.conclude(self._leaves_next)
                    self._disk.free()
                case Pause():
                    self._pause(step)
                case Leave():
                    self.cut_short_by = step.cut_short_by
                    self._disk.free()
                    self._say_leaving(step)
                    return None
        self.cut_short_by = "signal"
        return None

    @property
    def _cut_short_so_far(self) -> Cut | None:
        return None if self._told_to_leave is None else self._told_to_leave.cut_short_by

    def _ends_by(self, ended: Interrupted) -> bool:
        """Whether an interruption ends this worker, and goes through `neps.run`; one by the walltime lets it leave."""
        if ended.reason == "walltime":
            self._told_to_leave = Leave("the walltime of the job is nearly over", cut_short_by="walltime")
            return isinstance(ended.exception, SystemExit | LaunchError)
        if ended.reason == "stop":
            self._told_to_leave = Leave("neps stop asks a run inside of its trial to leave", cut_short_by="stop")
        return ended.reason not in BORNE

    def _say_leaving(self, step: Leave) -> None:
        failures, root = self._view.failures, self._context.layout.root
        failed = "1 trial failed. To retry it" if failures == 1 else f"{failures} trials failed. To retry them"
        hint = f". {failed}, run `neps retry {root} --failed`" if failures else ""
        if untold := self._view.untold:
            hint += f". Trials that wait for neps.tell: {', '.join(map(str, untold[:_MOST_NAMED]))}"
            hint += f" and {len(untold) - _MOST_NAMED} more" if len(untold) > _MOST_NAMED else ""
        _logger.info("Worker %s leaves: %s%s", self._context.me.worker, step.reason, hint)
        self._on_change(step.reason)

    def _through_outages(self, operation: Callable[[], Step]) -> Step:
        """Where the filesystem fails, try again for long: nothing is held now that could be lost by waiting."""
        root = self._context.layout.root
        try:
            step = operation()
        except DirectoryError:
            raise
        except OSError as error:
            if (refused := without_links(root, error) or denial(root, error)) is not None:
                raise refused from error
            if error.errno in SPACE:
                return self._shortage.refuse(error)
            if self._outage.failed(f"{root} can't be used", error) is None:
                raise self._outage.over(root, error) from error
            return Pause(f"{root} to work again")
        self._outage.worked()
        return step

    def _next(self) -> Step:
        if not self._joined:
            self._context.stops.join()
            self._context.look_at_known()
            self._view.join()
            self._joined = True
            self._on_change("choosing the first trial")
            self._disk.free()  # it may be full, so that the first evaluation would fail
        if (left := self._to_leave()) is not None:
            return left
        self._context.tenure.check()
        self._context.look_at_known()
        if (step := self._resume_one(self._look())) is not None:
            return step
        step = self._claims.next()
        if isinstance(step, Leave) and not step.at_once:
            step = self._before_leaving() or step
        return _with_untold(step, self._view, self._context.layout.root)

    def _look(self) -> list[Pending]:
        """Learn what is new; what may be resumed."""
        view, in_turn = self._view, not self._context.independent
        if self._waiting.reason:
            return view.look_while_waiting(in_turn=in_turn, brief=self._waiting.brief)
        if in_turn:
            view.refresh()
        else:
            view.update_reserved()
        view.check_for_retries()
        return view.update_some()

    def _resume_one(self, resumable: Sequence[Pending]) -> Step | None:
        """Resume one of these trials; or what keeps this worker from beginning anything."""
        for pending in resumable:
            self._shortage.see(pending)
        if (short := self._shortage.pause()) is not None:
            return short
        for pending in resumable:
            if self._has_time_for(pending) and (held := self._try_to_resume(pending)):
                return held
        return None

    def _before_leaving(self) -> Step | None:
        """What keeps a worker that has nothing left to claim: what it may resume or judge; if it stays, what runs."""
        if self._settings.wait_for_all and (step := self._wait_for_all()) is not None:
            return step
        self._view.update_all()
        resumable = self._resumable
        if (step := self._resume_one(resumable)) is not None:
            return step
        usable = [pending for pending in resumable if pending.folder.number not in self._unusable]
        if any(self._has_time_for(pending) for pending in usable):
            return Pause("trials that another worker is resuming", brief=True)
        if torn := self._view.unreadable:  # whoever comes next would have to wait as long
            return unreadable(self._context.layout.trial(torn[0]))
        return self._lacking(usable)

    @property
    def _resumable(self) -> list[Pending]:
        """The trials that wait to be resumed, or whose worker is proven dead; no silence is waited for."""
        return [p for p in self._view.pending.values() if p.is_resumable(math.inf, self._context.me)]

    def _lacks(self, pending: Pending) -> str | None:
        return self._context.time_left.lacks(pending.state.decision)

    def _has_time_for(self, pending: Pending) -> bool:
        return self._lacks(pending) is None

    def _lacking(self, resumable: Sequence[Pending]) -> Leave | None:
        """Leave where one of these doesn't fit into what is left of the walltime: a job is not to wait for its end."""
        reasons = (self._lacks(pending) for pending in resumable)
        return next((Leave(lacks, cut_short_by="walltime") for lacks in reasons if lacks is not None), None)

    def _try_to_resume(self, pending: Pending) -> Claim | None:
        """Resume a trial if its folder allows it: one that can't be written to keeps nobody from the others."""
        number, path = pending.folder.number, pending.folder.path
        try:
            return resume(pending, self._context)
        except DirectoryError:
            raise
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not pending.folder.is_reserved():
                _logger.warning("%s is gone, so trial %d is decided again.", path, number)
                self._view.forget(number)
            elif (denied := denial(self._context.layout.root, error, self._context.layout.root)) is not None:
                raise denied from error
            elif number not in self._unusable:
                self._unusable.add(number)
                _logger.warning("Trial %d can't be resumed: %s. See %s", number, error, path)
        return None

    def _wait_for_all(self) -> Step | None:
        """With continue_until_max_evaluation_completed: wait for what runs elsewhere, a few looked at in each turn.

        The view was refreshed in this turn, else there would be something to claim.
        """
        if not self._view.pending:
            return None
        if self._context.walltime.may_end and (lacking := self._lacking(self._resumable)) is not None:
            return lacking
        numbers = ", ".join(map(str, sorted(self._view.pending)[:5]))
        running = f"{len(self._view.pending)} running trial{'s' * (len(self._view.pending) > 1)}"
        return Pause(f"{running} to end ({numbers}), to resume them if their workers die")

    def _leaves_next(self) -> bool:
        try:
            return self._to_leave() is not None
        except OSError:  # nobody knows now; the next step looks again
            return False

    def _to_leave(self) -> Leave | None:
        return self._asked_to_leave() or self._share_done()

    def _asked_to_leave(self) -> Leave | None:
        asked = self._context.stops.look()
        if asked is Asked.NOW:
            return Leave("neps stop asks all workers to leave", cut_short_by="stop")
        if self._signals.stopping:
            return Leave("the worker whose trial contains this run is asked to leave", cut_short_by="stop")
        after_trial = Leave("neps stop asks each worker to leave after its trial", cut_short_by="stop")
        return after_trial if asked else self._told_to_leave

    def _share_done(self) -> Leave | None:
        most, seconds = self._settings.max_evaluations_per_run, self._settings.max_seconds_per_run
        if most is not None and self.evaluated >= most:
            return Leave(f"max_evaluations_per_run={most} is reached")
        if seconds is not None and time.monotonic() - self._began >= seconds:
            return Leave(f"max_seconds_per_run={seconds:g} has passed")
        return None

    def _evaluate(self, held: Claim) -> Trial | Interrupted | None:
        self._waiting = _Waiting("", time.monotonic(), time.monotonic())
        self.evaluated += 1
        self._context.time_left.begin()
        number, what = held.number, "trial {} ended early"
        self._on_change(f"evaluating trial {number}")
        try:
            ended = self._evaluations.run(held)
            what = _what_came(ended)
        except EvaluationError:
            what = "trial {} failed"
            raise
        finally:
            self._on_change(what.format(number))
        return ended

    def _pause(self, pause: Pause) -> None:
        now, waiting = time.monotonic(), self._waiting
        if pause.reason != waiting.reason:
            first = waiting.first if waiting.reason else now
            self._waiting = waiting = _Waiting(pause.reason, now, first, pause.brief)
        longest = _BRIEF_PAUSE if pause.brief else self._context.poll
        seconds = min(max(_FIRST_PAUSE, (now - waiting.first) / 2), longest)
        if not pause.brief:
            self._say(now - waiting.since, now)
        if self._settings.max_seconds_per_run is not None:
            left = self._began + self._settings.max_seconds_per_run - now
            seconds = max(0.0, min(seconds, left))
        self._signals.wait(seconds)

    def _say(self, waited: float, now: float) -> None:
        waiting = self._waiting
        if now >= waiting.say_at:
            waiting.say_at = now + _SAY_AGAIN
            self._on_change(f"waiting for {waiting.reason}")
            _logger.info("Waiting for %s; for %.0f s so far", waiting.reason, waited)


def _with_untold(step: Step, view: View, root: str) -> Step:
    """What a worker waits for may be that somebody tells: it says of which trials, and where."""
    if not isinstance(step, Pause) or step.brief or not (untold := view.untold):
        return step
    folders = ", ".join(f"config_{number}" for number in untold[:_MOST_NAMED])
    more = f" and {len(untold) - _MOST_NAMED} more" if len(untold) > _MOST_NAMED else ""
    return Pause(f"{step.reason}; waiting for neps.tell: {folders}{more} in {root}")


def _what_came(ended: Trial | Interrupted | None) -> str:
    """Of an evaluation, with a place for its number."""
    match ended:
        case Trial(awaits_tell=True):
            return "trial {} goes on elsewhere"
        case Trial():
            return "evaluated trial {}" if ended.succeeded else "trial {} failed"
        case Interrupted(reason="fenced") | None:
            return "trial {} was taken over by another worker"
        case Interrupted(counts_as_death=True):
            return "trial {} will be tried again, until max_attempts of its attempts have ended like this"
    return "trial {} was handed back"
