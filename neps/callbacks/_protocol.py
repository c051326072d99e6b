"""What a callback of `neps.run` is, and what it is told: values only, and checks before anything is written.

The worker calls callbacks (`neps._worker.notifying`); the ready ones beside this module are callbacks like any other.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from neps.errors import ArgumentError, shown

__all__ = ["Callback", "Ending", "RunningTrial", "TrialEnd", "checked"]


def _nothing() -> Mapping[Any, Any]:
    return MappingProxyType({})


class Ending(enum.StrEnum):
    """How an attempt at a trial has ended. Only the first two are final; a later attempt goes on with the others."""

    SUCCESS = "success"
    """Its loss is published."""
    FAILED = "failed"
    """run_pipeline raised an error, which is published. Only `neps retry` reopens the trial."""
    LEFT = "left"
    """It was interrupted (a signal, Ctrl-C, a full disk), and handed back."""
    DIED = "died"
    """run_pipeline called sys.exit. It counts as a death: after `max_attempts` of them the trial fails."""
    PENDING = "pending"
    """run_pipeline returned `neps.PENDING`: the evaluation goes on elsewhere. What is told of it, nobody here hears."""
    DROPPED = "dropped"
    """Another worker has taken it over while this one was thought dead: what came of it here counts for nothing."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunningTrial:
    """An attempt at a trial that this worker has begun.

    `run` identifies the run, wherever its directory is moved, and `root` is that directory. `config` is the
    configuration, with the fidelity and constants, and with names where run_pipeline gets objects; `fidelity`, None
    without one; `previous` the number of the trial that it continues, or None; `directory` its folder. `attempt` counts
    from 1. `reported` holds what earlier attempts have reported, by step.
    """

    run: str
    root: Path
    number: int
    attempt: int
    config: Mapping[str, Any]
    directory: Path
    fidelity: float | None = None
    previous: int | None = None
    reported: Mapping[float, float] = dataclasses.field(default_factory=_nothing)

    @property
    def id(self) -> str:
        """The same for all attempts at the trial, and for no other trial of any run.

        Example:
            >>> root = Path("/results")
            >>> RunningTrial(run="4f2a", root=root, number=3, attempt=2, config={}, directory=root / "config_3").id
            '4f2a-3'
        """
        return f"{self.run}-{self.number}"

    @property
    def resumed(self) -> bool:
        """Whether there was an earlier attempt, which has died, was interrupted, or has failed and is retried."""
        return self.attempt > 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrialEnd:
    """How an attempt has ended, and, with `success` and `failed`, what is published.

    `error` is the text with the traceback, or why the attempt was left. `learning_curve` holds (step, loss) pairs, of
    all attempts. `duration` is in seconds.
    """

    status: Ending
    loss: float | None = None
    cost: float | None = None
    info_dict: Mapping[str, Any] = dataclasses.field(default_factory=_nothing)
    learning_curve: tuple[tuple[float, float], ...] = ()
    error: str | None = None
    duration: float | None = None

    @property
    def final(self) -> bool:
        """Whether no later attempt goes on with the trial, unless it is retried."""
        return self.status in {Ending.SUCCESS, Ending.FAILED}


class Callback:
    """Base of what is passed as `neps.run(..., callbacks=[...])`. Override what you need.

    Called in the worker's process, one at a time for each trial. An error in a callback is logged once, and costs the
    trial nothing. What isn't an `Exception`, such as KeyboardInterrupt, passes through. If a call takes more than 5 s
    to fail, the callback is skipped for ten times as long.

    Example:
        >>> import neps, tempfile
        >>> class Printing(neps.Callback):
        ...     def on_report(self, trial, step, loss):
        ...         print(f"trial {trial.number}, epoch {step:g}: loss {loss:g}")
        ...
        ...     def on_trial_end(self, trial, end):
        ...         print(f"trial {trial.number}: {end.status}, loss {end.loss:g}")
        >>> def run_pipeline(x):
        ...     neps.report(1, x)
        ...     return x / 2
        >>> space = {"x": neps.Integer(1, 1)}
        >>> _ = neps.run(run_pipeline, tempfile.mkdtemp(), space, searcher="grid_search", callbacks=[Printing()])
        trial 1, epoch 1: loss 1
        trial 1: success, loss 0.5
    """

    def on_trial_start(self, trial: RunningTrial) -> None:
        """Called before run_pipeline, in the same thread, at each attempt."""

    def on_report(self, trial: RunningTrial, step: float, loss: float) -> None:
        """Called by `neps.report`, in the thread that calls it; not for steps in `trial.reported`.

        What processes that run_pipeline has started report comes at the end of the attempt, before `on_trial_end`.
        """

    def on_trial_end(self, trial: RunningTrial, end: TrialEnd) -> None:
        """Called once the result is published, or the trial handed back or pending, in run_pipeline's thread.

        Not called where the process is killed, or restarts in place of an evaluation that doesn't end.
        """


_ARGUMENTS = {"on_trial_start": ("trial",), "on_report": ("trial", "step", "loss"), "on_trial_end": ("trial", "end")}


def checked(callbacks: Any) -> tuple[Callback, ...]:
    """The argument `callbacks` of `neps.run`.

    Raises:
        ArgumentError: if it isn't a list of callbacks, or one has a method that would never be called, or can't be.
    """
    if callbacks is None:
        return ()
    if isinstance(callbacks, Callback) or not isinstance(callbacks, Iterable):
        message = f"callbacks is {shown(callbacks)}; it must be a list of neps.Callback: pass callbacks=[…]."
        raise ArgumentError(message)
    listed = tuple(callbacks)
    for callback in listed:
        _check(callback)
    return listed


def _check(callback: Any) -> None:
    if inspect.isclass(callback) and issubclass(callback, Callback):
        message = f"callbacks has the class {callback.__name__}; pass an instance: callbacks=[{callback.__name__}(…)]."
        raise ArgumentError(message)
    if not isinstance(callback, Callback):
        message = (
            f"callbacks has {shown(callback)}, of type {type(callback).__name__}; each must be an instance of a class "
            "derived from neps.Callback."
        )
        raise ArgumentError(message)
    for name in dir(type(callback)):
        if name.startswith("on_") and name not in _ARGUMENTS:
            message = (
                f"the callback {type(callback).__name__} has a method {name!r}, which is never called: neps.run calls "
                f"{', '.join(_ARGUMENTS)}. Rename it; a method of your own needs a name without 'on_' in front."
            )
            raise ArgumentError(message)
    for name, arguments in _ARGUMENTS.items():
        _check_method(callback, name, arguments)


def _check_method(callback: Callback, name: str, arguments: tuple[str, ...]) -> None:
    method, called = getattr(callback, name), f"{name}({', '.join(arguments)})"
    if inspect.iscoroutinefunction(method) or inspect.isgeneratorfunction(method):
        message = (
            f"{name} of the callback {type(callback).__name__} is asynchronous or a generator: calling it would do "
            "nothing. Make it a plain method."
        )
        raise ArgumentError(message)
    try:
        inspect.signature(method).bind(*arguments)
    except TypeError as error:
        message = (
            f"the callback {type(callback).__name__} can't be called as {called}: {error}. Give the method these "
            "arguments, beside self."
        )
        raise ArgumentError(message) from error
    except ValueError:  # no signature to be had: a builtin, or a mock
        return
