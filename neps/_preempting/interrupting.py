"""The order of a rehearsal: interrupt the script politely, start it again, kill it, start it again, see its trial end.

What is seen is handed on as values; `verdict` says what they mean.
"""

from __future__ import annotations

import dataclasses
import math
import signal
import time
from collections.abc import Callable

from neps._ledger.records import AttemptEnd, End
from neps._preempting.reads import Reads
from neps._preempting.rehearsing import Script
from neps._preempting.seeing import Attempt, Saved, failure, running
from neps.errors import NepsError

__all__ = ["Case", "Interrupted", "Plan", "RehearsalError", "Resumed", "rehearse"]

_POLL = 0.02
_SETTLED = 1.0
_UNTIL_REPORTS_ARE_SEEN = 3.0
_TRIES = 3
_MOST_TRIALS = 30
_TO_BEGIN = 600.0


class RehearsalError(NepsError):
    """The script could not be tried."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How the script is tried: the polite signal, and for how many seconds something is waited for.

    `wait`: for a first checkpoint; then it is interrupted without one. `grace`: for the worker to leave after the
    polite signal. `limit`: for the trial that was killed to end.
    """

    signum: int = signal.SIGTERM
    wait: float = 60.0
    grace: float = 30.0
    limit: float = 300.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted:
    """An attempt that was interrupted `after` so many seconds, at the time `at` (ns of the wall clock).

    `steps` are those that this attempt had reported, `saved` what run_pipeline had written in this attempt and those
    before it. `left_after`: seconds until the worker had left; None if it didn't. `how` the attempt ended, if it did.
    """

    signum: int
    attempt: Attempt
    after: float
    at: int
    steps: list[float]
    saved: list[Saved]
    left_after: float | None
    how: End | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """The attempt that came after it: what it had `read` (None: that can't be seen here), and the steps it reported.

    `opened`: whether there was such an attempt at all; `end`: how it ended, if it did.
    """

    opened: bool
    read: list[str] | None
    steps: list[float]
    end: AttemptEnd | None


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """An interruption, and what came of it; `resumed` is None where the trial had ended with a result after it."""

    interrupted: Interrupted
    resumed: Resumed | None

    @property
    def ended_badly(self) -> bool:
        """Whether nobody resumed the trial, or what resumed it ended without a success."""
        if self.resumed is None:
            return False
        end = self.resumed.end
        return not self.resumed.opened or (end is not None and not (end.result and end.result.outcome.success))


def rehearse(script: Script, plan: Plan, seen: Callable[[Case], object]) -> None:
    """Interrupt the script by the plan's signal and by SIGKILL, and see whether its trial goes on.

    Args:
        script: not started yet.
        plan: how it is tried.
        seen: called with each case as soon as it is known. There is no second one if the first ended badly.

    Raises:
        RehearsalError: if no evaluation could be interrupted.
    """
    script.start()
    for signum in (plan.signum, signal.SIGKILL):
        case = _case(script, plan, signum)
        seen(case)
        if case.ended_badly:
            return


def _case(script: Script, plan: Plan, signum: int) -> Case:
    """Interrupt it once; once more if the evaluation may just have come to its end."""
    for _ in range(_TRIES):
        interrupted = _interrupt(script, plan, signum)
        with Reads(interrupted.attempt.folder.directory) as reads:
            script.start()
            if interrupted.how is not End.RESULT:
                return Case(interrupted, _resumed(script, plan, interrupted, reads))
    if interrupted.attempt.is_trained:
        message = (
            f"{_TRIES} evaluations had reported their last step when they were interrupted, and returned: nothing was "
            "left to interrupt. Try a script whose evaluations last for some seconds."
        )
        raise RehearsalError(message)
    return Case(interrupted, None)


def _interrupt(script: Script, plan: Plan, signum: int) -> Interrupted:
    """Wait for an evaluation that has saved a checkpoint, or for long, and interrupt it."""
    patience, lasted = plan.wait, 0.0
    for _ in range(_MOST_TRIALS):
        attempt = _begun(script)
        began = time.monotonic()
        if _ready(script, attempt, patience):
            return _struck(script, plan, signum, attempt, time.monotonic() - began)
        _check_failure(script)
        lasted = time.monotonic() - began
        if not attempt.checkpoints(attempt.began):  # else a longer one will save while it goes on
            patience = min(patience, lasted / 2)
    message = (
        f"{_MOST_TRIALS} evaluations ended before one could be interrupted, the last after {lasted:.2f} s. Try a "
        "script whose evaluations last for some seconds: nothing that short needs a checkpoint."
    )
    raise RehearsalError(message)


def _check_failure(script: Script) -> None:
    if (end := failure(script.rehearsal)) is not None:
        raise RehearsalError(f"An evaluation failed before it was interrupted: {_first_line(end)}")


def _begun(script: Script) -> Attempt:
    """An attempt that goes on."""
    deadline = time.monotonic() + _TO_BEGIN
    while (attempt := running(script.rehearsal)) is None:
        if script.exit_code is not None:
            _check_failure(script)
            raise RehearsalError(f"The script ended, with status {script.exit_code}, and no evaluation was going on.")
        if time.monotonic() > deadline:
            raise RehearsalError(f"The script has begun no evaluation within {_TO_BEGIN:g} s.")
        time.sleep(_POLL)
    return attempt


def _ready(script: Script, attempt: Attempt, patience: float) -> bool:
    """Wait for a checkpoint that was surely saved whole, or for so many seconds; False if the attempt ended first."""
    began, first, settled = time.monotonic(), None, 0.0
    while attempt.end is None:
        saved = attempt.checkpoints(attempt.began)
        now = time.monotonic()
        if saved and first is None:
            first, settled = saved, now + _SETTLED
        if (first is not None and (saved != first or now > settled)) or now - began > patience:
            return True
        if script.exit_code is not None:
            _check_failure(script)
            raise RehearsalError(f"The script ended, with status {script.exit_code}, in the middle of an evaluation.")
        time.sleep(_POLL)
    return False


def _struck(script: Script, plan: Plan, signum: int, attempt: Attempt, after: float) -> Interrupted:
    at = time.time_ns()
    if signum == signal.SIGKILL:
        script.kill()
    else:
        script.signal(signum)
    left_after = script.ends_within(plan.grace)
    end = attempt.end
    script.kill()
    return Interrupted(
        signum=signum,
        attempt=attempt,
        after=after,
        at=at,
        steps=attempt.steps,
        saved=attempt.saved(0),
        left_after=left_after,
        how=None if end is None else end.end,
    )


def _resumed(script: Script, plan: Plan, interrupted: Interrupted, reads: Reads) -> Resumed:
    """See the next attempt begin; after a SIGKILL, which comes last, see it end."""
    attempt = interrupted.attempt.successor
    deadline = time.monotonic() + _TO_BEGIN
    while not attempt.is_there and script.runs and time.monotonic() < deadline:
        time.sleep(_POLL)
    if attempt.is_there:
        _see(attempt, script, plan, interrupted)
    read = reads.names() if reads.possible else None
    return Resumed(opened=attempt.is_there, read=read, steps=attempt.steps, end=attempt.end)


def _see(attempt: Attempt, script: Script, plan: Plan, interrupted: Interrupted) -> None:
    """Wait until it shows where it began; or, at last, until it has ended."""
    to_the_end = interrupted.signum == signal.SIGKILL
    deadline = time.monotonic() + (plan.limit if to_the_end else plan.wait)
    saved_by = math.inf
    while attempt.end is None and script.runs and (now := time.monotonic()) < deadline:
        if saved_by == math.inf and attempt.checkpoints(attempt.began):
            saved_by = now
        if not to_the_end and _has_shown(attempt, interrupted, now - saved_by):
            return
        time.sleep(_POLL)


def _has_shown(attempt: Attempt, interrupted: Interrupted, saved_ago: float) -> bool:
    """Whether it has reported, or saved a checkpoint of its own. Reports are seen a second late."""
    patience = _UNTIL_REPORTS_ARE_SEEN if interrupted.steps else 0.0
    return bool(attempt.steps) or saved_ago >= patience


def _first_line(end: AttemptEnd) -> str:
    error = end.result.outcome.error if end.result is not None else None
    return (error or "no error is recorded").strip().splitlines()[-1]
