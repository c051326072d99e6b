"""One worker's life in an opened run: puts its parts together, works, and leaves things as they were."""

from __future__ import annotations

import contextlib
import functools
import signal
from collections.abc import Callable
from typing import Any, Protocol

from neps._budget import Improvement, Spending
from neps._deciding import is_independent
from neps._evaluation import CurrentTrial, Interrupted, current_trial
from neps._evaluation.walltime import WALLTIME
from neps._fidelity import Brackets
from neps._ledger.endings import Endings
from neps._ledger.opening import OpenedRun
from neps._ledger.stopping import Stops
from neps._ledger.view import View
from neps._trial import Decision
from neps._worker import anew
from neps._worker.context import Context
from neps._worker.known import Known
from neps._worker.loop import Worker
from neps._worker.peers import Alone, Peers
from neps._worker.settings import Keep, Settings
from neps._worker.tenure import Tenure
from neps._worker.time_left import TimeLeft
from neps.errors import DirectoryError
from neps.samplers import Sampler
from neps.space import SearchSpace

__all__ = ["Listener", "prepare", "work"]

_LONGEST_POLL = 5.0
_SHORTEST_POLL = 0.05
_POLLS_A_LEASE = 12


def prepare(
    run: OpenedRun, space: SearchSpace, sampler: Sampler, settings: Settings, peers: Peers | None = None
) -> Context:
    """What a worker has at hand in a run that it has opened; nothing is read or written yet."""
    lease = run.definition.lease_seconds
    poll = max(_SHORTEST_POLL, min(_LONGEST_POLL, lease / _POLLS_A_LEASE))
    independent = is_independent(sampler, settings.budget)
    details = not independent or settings.keep_checkpoints is not Keep.ALL
    fits = functools.partial(Decision.check, space=space)
    view = View(run.layout, run.me, lease=lease, poll=poll, details=details, fits=fits)
    spending = Spending(settings.budget.cost_if_missing)
    brackets = None if independent else Brackets()
    known = Known(run.layout, space, run.definition)
    view.observe(spending, known.queue, *([] if brackets is None else [brackets]))
    improvement = Improvement(space.highest_fidelity, settings.budget.cost_if_missing)
    if settings.budget.ends_by_results:
        view.observe(improvement)
    peers = peers or Alone()
    time_left = TimeLeft(WALLTIME, settings.max_seconds_per_trial)
    if WALLTIME.may_end:  # else nobody asks, and each trial would pay for it
        view.observe(time_left)
        WALLTIME.left()  # SLURM has until the first evaluation ends to answer
    stops = Stops(run.layout, run.me.worker, lease, anew.known_stops(run.definition.run))
    anew.hand_on(run.definition.run, lambda: stops.before_asked)
    return Context(
        me=run.me,
        layout=run.layout,
        space=space,
        sampler=sampler,
        seed=run.definition.seed,
        lease=lease,
        poll=poll,
        any_order=independent,
        settings=settings,
        view=view,
        spending=spending,
        improvement=improvement,
        endings=Endings(run.layout, run.me),
        brackets=brackets,
        heartbeat=run.heartbeat,
        signals=peers.signals,
        tenure=Tenure(run.layout, lease),
        peers=peers,
        walltime=WALLTIME,
        time_left=time_left,
        stops=stops,
        known=known,
    )


class Listener(Protocol):
    """Who is told how a worker goes on."""

    def update(self, view: View, what: str) -> None:
        """It has joined, which comes first, or now does something else."""

    def interrupted(self, view: View, by: str) -> None:
        """It stops early, by a signal or an exception of this name."""


def work(
    context: Context, run_pipeline: Callable[..., Any], listener: Listener, last: Callable[[], None] | None = None
) -> int:
    """Work until nothing is left, this worker's share is done, or a signal comes; how many evaluations were begun.

    Args:
        context: what it has at hand.
        run_pipeline: what to call with each configuration.
        listener: told what it does now.
        last: called where the worker ends early, by an interruption or a failed evaluation. Its trial has been handed
            back by then, and the user's handlers of signals are in place again; what a signal ends is ended after that.

    Raises:
        EvaluationError: if an evaluation of this worker failed, and it doesn't tolerate errors.
        BaseException: what interrupted it: KeyboardInterrupt, or what run_pipeline raised; a signal other than SIGINT
            ends the process.
    """
    worker, around = Worker(context, run_pipeline, lambda what: listener.update(context.view, what)), _around()
    interrupted: Interrupted | None = None
    early = True
    try:
        with context.signals:
            interrupted = worker.work()
            if (by := _by(interrupted, context.signals.received)) is not None:
                listener.interrupted(context.view, by)
        early = interrupted is not None or context.signals.received is not None
    except DirectoryError:  # it can't be written to, or is another run's by now
        early = False
        raise
    finally:
        if worker.cut_short_by is not None:
            around.when.cut_short(worker.cut_short_by)
        context.view.hand_on_patience()
        try:
            if early and last is not None:
                last()
        finally:
            if context.signals.received is not None:
                context.heartbeat.disappear()
                context.peers.ends_by_signal(context.signals.received)
            context.signals.leave()  # whatever else is on its way out: a signal was to end the process
    if interrupted is not None:
        raise interrupted.exception
    return worker.evaluated


def _around() -> CurrentTrial:
    """The trial whose run_pipeline has called neps.run here, if one has."""
    with contextlib.suppress(DirectoryError):  # a child's, of a trial that is gone
        return current_trial()
    return CurrentTrial()


def _by(interrupted: Interrupted | None, signum: int | None) -> str | None:
    """The name of what interrupted a worker, if something did."""
    signum = interrupted.signum if interrupted is not None else signum
    if signum is not None:
        return signal.Signals(signum).name
    return type(interrupted.exception).__name__ if interrupted is not None else None
