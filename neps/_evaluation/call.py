"""Evaluates: calls run_pipeline once, and tells a result from a failure from an interruption.

The worker calls `evaluate` and acts on what comes back. Nothing is published here.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Literal, NoReturn

from neps._evaluation.fence import Fence, Fenced, TimeOver
from neps._evaluation.pending import PendingType
from neps._evaluation.returned import Evaluated, failure, read_return_value
from neps._evaluation.signals import Interruption, Signals
from neps._evaluation.stopping import Stopping, WalltimeOver
from neps.errors import ReturnValueError, TimeLimitError

__all__ = ["Interrupted", "evaluate", "out_of_time"]

Reason = Literal[
    "signal", "stop", "keyboard", "exit", "fenced", "storage", "terminal", "walltime", "rank", "unreachable", "around"
]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted:
    """An evaluation that has no result: the attempt was left, or lost.

    `reason`: a `signal` came (`signum`; SIGINT too); the worker was asked to `stop`; run_pipeline raised
    KeyboardInterrupt (`keyboard`) or SystemExit (`exit`) of its own; the attempt was taken over (`fenced`); it was told
    to stop, since the walltime of the job is nearly over (`walltime`); or it failed since the storage did, or the
    terminal that it prints to is gone (`storage`, `terminal`, which only the worker can tell); or another `rank` of the
    same training died, or is `unreachable`; or the evaluation `around` this run ends (run_pipeline may call neps.run).
    `exception` is what came out of run_pipeline. `asks_within`: in how many seconds it asks whether to stop and has
    returned, where it has shown that. `job_too_short`: whether its job was too short for any progress.
    """

    reason: Reason
    exception: BaseException
    signum: int | None = None
    asks_within: float | None = None
    job_too_short: bool = False

    @property
    def counts_as_death(self) -> bool:
        """Whether the attempt died, rather than was left: else `sys.exit(1)` would be repeated for ever."""
        return self.reason in {"exit", "rank"}


def evaluate(
    run_pipeline: Callable[..., Any],
    keywords: Mapping[str, Any],
    signals: Signals,
    fence: Fence | None = None,
    before: Callable[[], object] | None = None,
    stopping: Stopping | None = None,
) -> Evaluated | Interrupted | PendingType:
    """Call `run_pipeline(**keywords)` and say what came of it.

    A value that was returned counts, whatever signals came meanwhile, unless run_pipeline was told to stop and hand the
    trial back (`should_stop`). An exception after a signal or a takeover is
    taken to be caused by that (it often reaches us as some other exception); each other one, BaseException
    included, is a failure, but for KeyboardInterrupt and SystemExit. `neps.PENDING` is handed on. A child process that
    run_pipeline forked and that comes back here is ended.

    Args:
        run_pipeline: what the user passed.
        keywords: what to call it with; see `neps._evaluation.keywords`.
        signals: the worker's signals.
        fence: lets another thread interrupt this evaluation; None if nobody does.
        before: called first, as a part of the evaluation: interrupted like that.
        stopping: when it should stop; None: when a signal comes.

    Example:
        >>> evaluate(lambda x: x * 2, {"x": 1.5}, Signals()).outcome.loss
        3.0
        >>> evaluate(lambda x: 1 / x, {"x": 0}, Signals()).outcome.success
        False
    """
    fence, stopping = fence or Fence(), stopping or Stopping(lambda: signals.leaving)
    signals.be_patient(stopping.patience)
    try:
        value = fence.call(signals.interruptible, _call, run_pipeline, keywords, before)
    except BaseException as raised:  # noqa: BLE001 - what it means, is told from what has come
        return _ended_by(raised, signals, fence, stopping)
    finally:
        signals.be_patient(None)
    if isinstance(value, PendingType):
        return value
    if stopping.leaving:
        return _left(signals, fence, stopping)
    try:
        return Evaluated(read_return_value(value))
    except ReturnValueError as error:
        return failure(error)


def _ended_by(raised: BaseException, signals: Signals, fence: Fence, stopping: Stopping) -> Evaluated | Interrupted:
    """What came of an evaluation that raised."""
    reason = _reason(raised, signals, fence, stopping)
    if reason is not None:
        return Interrupted(reason=reason, exception=raised, signum=signals.received)
    return out_of_time(stopping, raised) if stopping.is_over else failure(raised)


def out_of_time(stopping: Stopping, raised: BaseException | None = None) -> Evaluated:
    """An evaluation that failed after its time was over, by this exception if by any, which the error names, too."""
    earlier = ", with the earlier attempts that were handed back" if stopping.resumed else ""
    error = TimeLimitError(f"the evaluation took longer than max_seconds_per_trial={stopping.limit:g}{earlier}")
    error.__cause__ = raised
    return dataclasses.replace(failure(error), out_of_time=True)


def _left(signals: Signals, fence: Fence, stopping: Stopping) -> Interrupted:
    """run_pipeline has returned since it was told to."""
    if signals.received is not None:
        return Interrupted(reason="signal", exception=signals.interruption(signals.received), signum=signals.received)
    if signals.stopping:
        return Interrupted(reason="stop", exception=signals.interruption(None))
    if fence.broken:
        return Interrupted(reason="fenced", exception=Fenced())
    if stopping.by == "stop":
        return Interrupted(reason="stop", exception=signals.interruption(None))
    return Interrupted(reason="walltime", exception=WalltimeOver("the walltime of the job is nearly over"))


def _reason(  # noqa: PLR0911 - one line for each
    raised: BaseException, signals: Signals, fence: Fence, stopping: Stopping
) -> Reason | None:
    if signals.received is not None:
        return "signal"
    if signals.stopping:
        return "stop"
    if fence.broken:
        return "fenced"
    if isinstance(raised, KeyboardInterrupt):
        return "keyboard"
    if stopping.leaving:
        return stopping.by
    if isinstance(raised, Fenced | Interruption) or (isinstance(raised, TimeOver) and raised.fence is not fence):
        return "around"
    return "exit" if isinstance(raised, SystemExit) and not stopping.is_over else None


def _call(run_pipeline: Callable[..., Any], keywords: Mapping[str, Any], before: Callable[[], object] | None) -> Any:
    process = os.getpid()
    try:
        if before is not None:
            before()
        value = run_pipeline(**keywords)
    except BaseException as raised:
        if os.getpid() != process:
            _end_child(raised)
        raise
    if os.getpid() != process:
        _end_child(None)
    return value


def _end_child(raised: BaseException | None) -> NoReturn:
    # It isn't the worker: what it returned or raised must not become the parent's result.
    status = 0 if raised is None else 1
    try:
        if isinstance(raised, SystemExit):
            status = raised.code if isinstance(raised.code, int) else int(raised.code is not None)
        elif raised is not None:
            traceback.print_exception(raised)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status & 0xFF)
