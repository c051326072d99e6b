"""Resuming a trial whose last attempt was left or died: end it if need be, open the next, or give the trial up.

The end of an attempt is one exclusive name for which its owner, if it lives after all, competes too.
"""

from __future__ import annotations

import contextlib
import logging

from neps._ledger.claims import Claim, Hold
from neps._ledger.pending import Pending
from neps._ledger.records import End, result_fields
from neps._ledger.retrying import RETRY
from neps._ledger.setbacks import Setbacks
from neps._outcome import Origin, Outcome, Result
from neps._worker.context import Context
from neps._worker.reports import curve_of
from neps.checkpoint._files import discard_unfinished

__all__ = ["resume"]

_logger = logging.getLogger("neps.worker")


def resume(pending: Pending, context: Context) -> Claim | None:
    """Open the next attempt of a trial, in the folder where its checkpoint is; None if somebody else was first."""
    view, me = context.view, context.me
    context.tenure.check()
    number, attempt = pending.folder.number, pending.state.start.attempt
    if pending.is_mine(me):  # opened without learning it: a reply was lost
        view.update(number)
        return _go_on(pending, context) if number in view.pending and pending.is_mine(me) else None
    if not pending.waits:
        _end_for_dead(pending, context)
    is_next = number in view.pending and pending.waits and pending.state.start.attempt == attempt
    return _open_next(pending, context) if is_next else None


def _end_for_dead(pending: Pending, context: Context) -> None:
    """End the attempt of a worker that is thought dead, unless there is more to see.

    That is an end, a mark, a successor, or a heartbeat: who was silent may be back since the last look.
    """
    view, number, attempt = context.view, pending.folder.number, pending.state.start.attempt
    view.update(number)
    is_same = number in view.pending and pending.state.start.attempt == attempt
    if is_same and not pending.waits and pending.is_dead(context.lease):
        pending.folder.end_attempt(attempt, End.DIED, context.me, _why(pending))
        view.update(number)  # whose end it was; a result, if the owner lived after all


def _open_next(pending: Pending, context: Context) -> Claim | None:
    """Open the attempt after one that was left or died, or give the trial up; None if somebody else was first."""
    folder, state, me = pending.folder, pending.state, context.me
    attempt, after = state.start.attempt, state.end
    assert after is not None  # noqa: S101 - it waits
    setbacks = _setbacks(pending, context)  # before the attempt is opened: it may fail
    context.tenure.check()
    hold = Hold(folder, attempt + 1, me.worker)
    if (held := context.heartbeat.while_opening(hold, lambda: Claim.resume(folder, state, me))) is None:
        context.view.update(folder.number)
        return None
    context.view.begun(folder, held.state)
    if setbacks.died_too_often(context.settings.max_attempts):
        _give_up(held, setbacks, context)
        context.heartbeat.release()
        return None
    why = "after a retry" if state.start.after == RETRY else _how_it_ended(after)
    _logger.info("Trial %d resumed (attempt %d; %s) in %s", folder.number, attempt + 1, why, folder.path)
    return held


def _how_it_ended(end: End) -> str:
    return "the previous one died" if end is End.DIED else "the previous one was handed back"


def _go_on(pending: Pending, context: Context) -> Claim | None:
    """Hold what this worker has opened already, unless it was opened to give the trial up."""
    held, setbacks = Claim(pending.folder, pending.state), _setbacks(pending, context)
    if setbacks.died_too_often(context.settings.max_attempts):
        _give_up(held, setbacks, context)
        return None
    return held


def _why(pending: Pending) -> str:
    identity = pending.state.start.identity
    if identity.proven_dead():
        return f"process {identity.pid} on {identity.host} has ended"
    return f"worker {identity.worker} was silent for {pending.silence.seconds:.1f} s"


def _setbacks(pending: Pending, context: Context) -> Setbacks:
    return Setbacks.of(pending.folder, pending.state.start.attempt, context.settings.max_attempts)


def _why_given_up(setbacks: Setbacks, most: int) -> str:
    if setbacks.deaths >= most:
        return (
            f"given up after {_deaths(setbacks.deaths)} without progress: no checkpoint saved by neps.checkpoint, and "
            f"no neps.report of a further step (max_attempts={most})"
        )
    return (
        f"given up after {_deaths(setbacks.unreported_deaths)}: it saved checkpoints, but neps.report never reported a "
        f"further step (ten times max_attempts={most})"
    )


def _deaths(count: int) -> str:
    return f"{count} deaths of its worker" if count > 1 else "a death of its worker"


def _give_up(held: Claim, setbacks: Setbacks, context: Context) -> None:
    settings, me = context.settings, context.me
    number, attempt = held.number, held.attempt
    error = _why_given_up(setbacks, settings.max_attempts)
    with contextlib.suppress(OSError):  # nobody resumes it, and what it was saving when it died may be large
        discard_unfinished(held.folder.path)
    steps, losses = curve_of(held, {}) or (None, None)
    outcome = Outcome(
        success=False,
        loss=settings.loss_value_on_error,
        cost=settings.cost_value_on_error,
        learning_curve=losses,
        learning_curve_steps=steps,
        error=error,
    )
    held.publish(result_fields(Result(outcome, Origin(worker=me.worker, attempt=attempt))))
    context.view.update(number)
    retry = f"neps retry {context.layout.root} --trial {number}"
    _logger.warning("Trial %d failed: %s. See %s. To try it again, run `%s`.", number, error, held.folder.path, retry)
