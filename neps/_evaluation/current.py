"""`neps.current_trial`: which trial is evaluated where it is called, how long there is, and whether to stop.

Whoever evaluates makes a `CurrentTrial` and has it `active` meanwhile. When to stop is decided by what it brings along.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType, MethodType, TracebackType
from typing import Any, Concatenate, Generic, Literal, NoReturn, ParamSpec, Protocol, Self, TypeVar, overload

from neps._checking import ARGUMENTS
from neps._evaluation.walltime import WALLTIME
from neps.errors import ArgumentError

__all__ = ["MARGIN", "CurrentTrial", "Cut", "When", "active", "current_trial", "trial_elsewhere"]

MARGIN = 60.0
"""In seconds: what run_pipeline is taken to need for saving and returning."""
_EMPTY: Mapping[str, Any] = MappingProxyType({})
Cut = Literal["walltime", "stop", "signal"]
"""What makes a worker leave though there is more to do: its job ends, `neps stop` asks it, or a signal."""
_P = ParamSpec("_P")
_T = TypeVar("_T")


class _Question(Generic[_P, _T]):
    """A method whose name reads like a flag. A method is always true: `if trial.should_stop:` would stop at once."""

    def __init__(self, method: Callable[Concatenate[Any, _P], _T]) -> None:
        self._method = method
        functools.update_wrapper(self, method)

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type) -> _Asked[_P, _T]: ...

    def __get__(self, instance: object, owner: type) -> Self | _Asked[_P, _T]:
        return self if instance is None else _Asked(self._method, instance)

    def __call__(self, instance: object, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return self._method(instance, *args, **kwargs)


class _Asked(Generic[_P, _T]):
    """Such a method of one object: to be called, and never to be taken for what it answers."""

    def __init__(self, method: Callable[Concatenate[Any, _P], _T], instance: object) -> None:
        self._bound: Callable[_P, _T] = MethodType(method, instance)
        functools.update_wrapper(self, self._bound)

    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return self._bound(*args, **kwargs)

    def __bool__(self) -> NoReturn:
        name = f"trial.{self._bound.__name__}"
        raise ArgumentError(
            f"{name} was used as a condition without being called: a method is always true. Write {name}(). To pass "
            f"it on as a function, write `lambda: {name}()`."
        )


class When(Protocol):
    """When an evaluation should stop; asked from any thread."""

    def seconds_left(self) -> float | None:
        """Until the first known limit; None where none is known."""

    def should_stop(self, margin: float) -> bool:
        """Whether it should save and return now, if that takes `margin` seconds."""

    def cut_short(self, by: Cut) -> None:
        """A run inside of it has left before it was done: so what it comes to is no result, either."""


class _Alone:
    """Outside of an evaluation: a job may end, but there is nobody to hand anything back to."""

    def seconds_left(self) -> float | None:
        return WALLTIME.left()

    def should_stop(self, margin: float) -> bool:
        left = WALLTIME.left()
        return left is not None and left <= margin

    def cut_short(self, by: Cut) -> None:
        """There is nothing to hand back."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class CurrentTrial:
    """The trial that is evaluated: what `neps.current_trial()` returns. True in a condition if there is one.

    Outside of an evaluation, all is still there, so that a training script needs no second version: `number`,
    `attempt` and `seed` are 0, `config` is empty, and both directories are None.

    Example:
        >>> trial = CurrentTrial(number=3, attempt=1, seed=7, config={"lr": 0.1})
        >>> trial.number, trial.seed, trial.should_stop(), bool(trial), bool(CurrentTrial())
        (3, 7, False, True, False)
    """

    number: int = 0
    """The trial's, from 1 on."""
    attempt: int = 0
    """Which attempt at it this is, from 1 on: above 1, it is resumed, or was retried."""
    seed: int = 0
    """For the trial's own randomness, below 2^32. It follows from the seed of the run and the trial's number alone, so
    it is the same in each attempt."""
    config: Mapping[str, Any] = dataclasses.field(default_factory=lambda: _EMPTY)
    """The configuration, read-only: a choice that stands for an object by its name, as in config.yaml."""
    pipeline_directory: Path | None = None
    """The trial's own folder."""
    previous_pipeline_directory: Path | None = None
    """The folder of the trial that it continues, or None."""
    when: When = dataclasses.field(default_factory=_Alone, repr=False)
    """What answers `seconds_left` and `should_stop`."""

    def __bool__(self) -> bool:
        """Whether a trial is evaluated here."""
        return self.number > 0

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the walltime of the job or max_seconds_per_trial is over, at least 0; None: no limit is known.

        The walltime is that of NEPS_JOB_END_TIME (Unix seconds) where that is set, else of the SLURM job.
        """
        left = self.when.seconds_left()
        return None if left is None else max(0.0, left)

    @_Question
    def should_stop(self, margin: float = MARGIN) -> bool:
        """Whether to save a checkpoint and return now. Ask after each epoch, or more often: it costs microseconds.

        True, and from then on always, once

        - a signal asks the worker to end, or `neps stop`. Who asks this at all isn't interrupted at once by the first
          signal, but only after 20 s (longer before the end of a walltime that is known, where SIGUSR1 or the like
          comes early enough), or by a second signal.
        - the walltime of the job is nearly over: less is left than `margin` and the longest time between two calls.
        - max_seconds_per_trial is over.
        - another worker has taken the trial over.

        What run_pipeline returns then is dropped, and the trial is handed back, to be resumed from its checkpoint. Only
        if max_seconds_per_trial was the one reason, it is the trial's result.

        Outside of an evaluation only the walltime counts. In a process that run_pipeline has started, signals to the
        worker aren't known.

        Args:
            margin: seconds that saving and returning takes, at least 0.

        Raises:
            neps.errors.ArgumentError: if `margin` isn't a finite number of at least 0.

        Example:
            >>> import neps, tempfile
            >>> def run_pipeline(rate):
            ...     for epoch in range(1, 10):
            ...         loss = rate / epoch  # train and save a checkpoint here
            ...         if neps.current_trial().should_stop():
            ...             break
            ...     return loss
            >>> space = {"rate": neps.Constant(0.9)}
            >>> neps.run(run_pipeline, tempfile.mkdtemp(), space, max_evaluations_total=1, seed=1).best.loss
            0.1
        """
        return self.when.should_stop(ARGUMENTS.number("margin", margin, least=0))


def current_trial() -> CurrentTrial:
    """The trial that is evaluated where this is called: its number, directories and seed, and whether to stop.

    It may be called from any thread of the worker's process, as long as that evaluates one trial at a time, and from
    processes that run_pipeline starts or forks, as `neps.report`. Everywhere else it returns one that is false in a
    condition, so that a training script runs alone, too: see `neps.CurrentTrial`.

    Example:
        >>> import neps
        >>> trial = neps.current_trial()
        >>> bool(trial), trial.number, trial.seconds_left, trial.should_stop()
        (False, 0, None, False)
    """
    process, thread = os.getpid(), threading.get_ident()
    mine = [entry for entry in _active if entry.process == process]  # a forked child inherits its parent's
    own = [entry for entry in mine if entry.thread == thread]
    if own or len({entry.thread for entry in mine}) == 1:
        return (own or mine)[-1].trial
    found = _finders[0]() if _finders and not mine else None
    return found or CurrentTrial()


class active:  # noqa: N801 - a context manager; a class, since each trial pays for it
    """While it lasts, `current_trial` finds this one: in the thread that enters it, and in those that evaluate nothing.

    Example:
        >>> with active(CurrentTrial(number=3)):
        ...     current_trial().number
        3
    """

    __slots__ = ("process", "thread", "trial")

    def __init__(self, trial: CurrentTrial) -> None:
        self.trial, self.process, self.thread = trial, os.getpid(), threading.get_ident()

    def __enter__(self) -> CurrentTrial:
        _active.append(self)
        return self.trial

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _active.remove(self)


_active: list[active] = []
_finders: list[Callable[[], CurrentTrial | None]] = []


def trial_elsewhere(find: Callable[[], CurrentTrial | None]) -> None:
    """Have `find` say which trial it is where this process evaluates none; None is none."""
    _finders[:] = [find]
