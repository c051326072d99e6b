"""Telling the callbacks of `neps.run` how an attempt at a trial goes. An error in one costs the trial nothing.

One that takes long to fail, such as where a tracker's server is down, is left alone for a while.

`Evaluations` says when. What callbacks are, and what they are told, is in `neps.callbacks`.
"""

from __future__ import annotations

import functools
import logging
import math
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

from neps._evaluation import Interrupted
from neps._ledger.claims import Claim
from neps._trial import Trial
from neps._worker.context import Context
from neps.callbacks import Callback, Ending, RunningTrial, TrialEnd
from neps.errors import gist

__all__ = ["Audience", "Telling"]

_logger = logging.getLogger("neps.worker")
_LONG = 5  # seconds
_TIMES_AS_LONG = 10
_ENDINGS = {"fenced": Ending.DROPPED, "exit": Ending.DIED, "rank": Ending.DIED}


class Audience:
    """The callbacks of one worker."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._complained: set[tuple[int, str]] = set()
        self._down_until: dict[int, float] = {}
        self._not_started: set[int] = set()

    def of(self, held: Claim) -> Telling | None:
        """What tells them of an attempt; None where there is nobody to tell."""
        return Telling(held, self._context, self.call) if self._context.settings.callbacks else None

    def call(self, method: str, trial: RunningTrial, *values: object) -> None:
        """Call one method of all callbacks, in the order in which they were passed."""
        for callback in self._context.settings.callbacks:
            if self._is_skipped(callback, method):
                continue
            began = time.monotonic()
            try:
                getattr(callback, method)(trial, *values)
            except Exception as error:  # noqa: BLE001 - whatever it is, it's no reason to lose a trial
                self._complain(callback, method, trial, error)
                self._skip_for_a_while(callback, time.monotonic() - began)

    def _is_skipped(self, callback: Callback, method: str) -> bool:
        """Whole trials are, from their start on, and reports; an end never, where the start was told.

        So a callback that keeps something for each trial can always let go of it.
        """
        is_down = time.monotonic() < self._down_until.get(id(callback), -math.inf)
        if method == "on_trial_start":
            (self._not_started.add if is_down else self._not_started.discard)(id(callback))
        return id(callback) in self._not_started or (is_down and method == "on_report")

    def _skip_for_a_while(self, callback: Callback, seconds: float) -> None:
        """A tracker that is down may take minutes to say so, at each call."""
        if seconds <= _LONG:
            return
        first = id(callback) not in self._down_until
        self._down_until[id(callback)] = time.monotonic() + _TIMES_AS_LONG * seconds
        if first:
            _logger.warning(
                "The callback %s took %.0f s to fail, so it is skipped for %.0f s: until then it learns of no report "
                "and of no new trial. Each further failure that takes more than %d s has it skipped for %d times as "
                "long, which is not logged.",
                type(callback).__name__,
                seconds,
                _TIMES_AS_LONG * seconds,
                _LONG,
                _TIMES_AS_LONG,
            )

    def _complain(self, callback: Callback, method: str, trial: RunningTrial, error: Exception) -> None:
        if (id(callback), method) in self._complained:
            return
        self._complained.add((id(callback), method))
        _logger.warning(
            "%s of the callback %s raised %s at trial %d. The trial goes on. Further such errors are not logged.",
            method,
            type(callback).__name__,
            gist("".join(traceback.format_exception_only(error))),
            trial.number,
            exc_info=error,
        )


class Telling:
    """Tells all callbacks of one attempt, never two at once: reports may come from several threads."""

    def __init__(self, held: Claim, context: Context, call: Callable[..., None]) -> None:
        self._held, self._signals, self._call = held, context.signals, call
        self._trial = _running(held, context)
        self._told = set(self._trial.reported)
        self.seconds_before = 0.0
        """How long they took before run_pipeline was called."""
        self._one_at_a_time = threading.RLock()  # a callback may report

    def started(self) -> None:
        """Just before run_pipeline is called, and interruptible like that."""
        began = time.monotonic()
        self._tell("on_trial_start")
        self.seconds_before = time.monotonic() - began

    def reported(self, step: float, loss: float) -> None:
        """Something was reported; what an earlier attempt had reported already is passed over."""
        if step not in self._trial.reported:
            self._told.add(step)
            self._tell("on_report", step, loss)

    def ended(self, ended: Trial | Interrupted | Exception | None) -> None:
        """The attempt is over: with a result, interrupted, with one that can't be written, or with another's.

        A signal interrupts this, too, unless it has interrupted run_pipeline: then little time is left, but some.
        """
        tell = functools.partial(self._tell_end, _end(ended))
        if self._signals.leaving:
            tell()
            return
        try:
            self._signals.interruptible(tell)
        except BaseException:
            if not self._signals.leaving:
                raise

    def _tell_end(self, end: TrialEnd) -> None:
        if end.status is not Ending.DROPPED:  # else the curve may be another's by now
            for step, loss in self._told_by_children():
                self.reported(step, loss)
        self._tell("on_trial_end", end)

    def _told_by_children(self) -> list[tuple[float, float]]:
        """What processes that run_pipeline has started have written, by step."""
        reported = self._held.folder.reported(self._trial.attempt)
        return sorted((step, loss) for step, loss in reported.items() if step not in self._told)

    def _tell(self, method: str, *values: object) -> None:
        with self._one_at_a_time:
            self._call(method, self._trial, *values)


def _running(held: Claim, context: Context) -> RunningTrial:
    decision, attempt, root = held.decision, held.attempt, context.layout.root
    return RunningTrial(
        run=context.layout.run,
        root=Path(root),
        number=decision.number,
        attempt=attempt,
        config=MappingProxyType(dict(decision.config)),
        directory=held.folder.directory,
        fidelity=decision.fidelity,
        previous=decision.previous,
        reported=MappingProxyType(held.folder.reported(attempt - 1) if attempt > 1 else {}),
    )


def _end(ended: Trial | Interrupted | Exception | None) -> TrialEnd:
    match ended:
        case Trial(awaits_tell=True):
            return TrialEnd(status=Ending.PENDING)
        case Trial():
            return TrialEnd(
                status=Ending.SUCCESS if ended.succeeded else Ending.FAILED,
                loss=ended.loss,
                cost=ended.cost,
                info_dict=MappingProxyType(dict(ended.info_dict)),
                learning_curve=ended.learning_curve,
                error=ended.error,
                duration=ended.duration,
            )
        case Interrupted():
            why = f"{ended.reason}: {ended.exception!r}"
            return TrialEnd(status=_ENDINGS.get(ended.reason, Ending.LEFT), error=why)
        case None:
            why = "another worker has decided the trial while this one was thought dead"
            return TrialEnd(status=Ending.DROPPED, error=why)
    return TrialEnd(status=Ending.LEFT, error=f"its result can't be written: {ended}")
