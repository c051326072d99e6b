"""How public functions are called: a call that can't be made is explained, and an error ends at the user's own line.

`public` wraps them, and the parameters' constructors. What other tools call an argument is said by tables beside them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import sys
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from neps.errors import (
    ArgumentError,
    DirectoryError,
    EvaluationError,
    LaunchError,
    NepsError,
    RankError,
    nearest,
    shown,
)

__all__ = ["meant", "own_arguments", "public", "unknown_argument"]

_P = ParamSpec("_P")
_T = TypeVar("_T")
_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def public(
    name: str, elsewhere: Mapping[str, str] | None = None, hidden: int = 0
) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """A decorator for a function that users call.

    Args:
        name: what they call it, such as `neps.run`.
        elsewhere: arguments of other tools, by name, with what to do instead.
        hidden: how many of its first arguments they don't write (1 for the `self` of a constructor).

    The function then raises ArgumentError where Python would raise TypeError for the call itself. Errors about its
    arguments, the directory, the launch or an evaluation come without this package's frames: the traceback ends at the
    user's line, and the frame of this decorator. Where code of others is among the frames (the user's sampler), all are
    kept. What an evaluation has raised is the cause, with its own traceback.
    """

    def decorate(function: Callable[_P, _T]) -> Callable[_P, _T]:
        signature = inspect.signature(function)
        visible = signature.replace(parameters=list(signature.parameters.values())[hidden:])
        interface = _Interface(name, visible, elsewhere or {})

        @functools.wraps(function)
        def call(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            try:
                interface.check(args[hidden:], kwargs)
                return function(*args, **kwargs)
            except (ArgumentError, LaunchError, RankError, DirectoryError, EvaluationError) as error:
                raise _without_our_frames(error) from error.__cause__
            except KeyboardInterrupt as interrupt:
                raise interrupt.with_traceback(_frames_of_others(interrupt.__traceback__)) from None

        return call

    return decorate


def own_arguments(function: Callable[..., Any]) -> list[str]:
    """The names of the arguments that a function takes, but for `*` and `**`."""
    return [each.name for each in inspect.signature(function).parameters.values() if each.kind not in _VARIADIC]


def unknown_argument(name: str, argument: str, known: Iterable[str], elsewhere: Mapping[str, str]) -> str:
    """One sentence or two: that there is no such argument, and which one is meant.

    Example:
        >>> unknown_argument("neps.run", "n_trials", ["seed"], {"n_trials": "Write max_evaluations_total=…."})
        "neps.run has no argument 'n_trials'. Write max_evaluations_total=…."
        >>> unknown_argument("neps.run", "sede", ["seed"], {})
        "neps.run has no argument 'sede'. Did you mean 'seed'?"
    """
    return f"{name} has no argument {shown(argument)}.{meant(argument, known, elsewhere)}"


def meant(argument: str, known: Iterable[str], elsewhere: Mapping[str, str]) -> str:
    """What to write for an argument that there isn't, behind a blank; empty if nobody knows."""
    return f" {elsewhere[argument]}" if argument in elsewhere else nearest(argument, known)


@dataclasses.dataclass(frozen=True, slots=True)
class _Interface:
    """What a public function takes, as its users see it."""

    name: str
    signature: inspect.Signature
    elsewhere: Mapping[str, str]

    def check(self, args: Sequence[object], kwargs: Mapping[str, object]) -> None:
        """Refuse a call that can't be made, and say all that is wrong with it."""
        with contextlib.suppress(TypeError):
            self.signature.bind(*args, **kwargs)
            return
        by_position = self._by_position[: len(args)]
        twice = [f"{self.name} got {argument} twice." for argument in by_position if argument in kwargs]
        unknown = list(self._unknown(kwargs))
        problems = [unknown_argument(self.name, argument, self._names, self.elsewhere) for argument in unknown]
        problems += [*twice, *self._too_many(len(args)), *self._missing({*by_position, *kwargs})]
        explained = unknown and all(meant(argument, self._names, self.elsewhere) for argument in unknown)
        takes = [f"{self.name} takes {', '.join(self._names)}."] if self._names and not explained else []
        raise ArgumentError("\n".join([*problems, *takes]))

    def _unknown(self, kwargs: Mapping[str, object]) -> Iterator[str]:
        takes_any = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in self._parameters)
        for argument in kwargs:
            if argument not in self._names and (argument in self.elsewhere or not takes_any):
                yield argument

    def _too_many(self, given: int) -> Iterator[str]:
        taken = self._by_position
        if given > len(taken):
            by_name = [each for each in self._names if each not in taken]
            advice = f"Pass the others by name, as in {by_name[0]}=…." if by_name else "Leave the others out."
            takes = _listed(taken) if taken else "nothing"
            yield f"{self.name} takes {takes} by position, but got {given}. {advice}"

    def _missing(self, given: Container[str]) -> Iterator[str]:
        missing = [each.name for each in self._parameters if _is_needed(each) and each.name not in given]
        if missing:
            yield f"{self.name} needs {_listed(missing)}."

    @property
    def _parameters(self) -> list[inspect.Parameter]:
        return list(self.signature.parameters.values())

    @property
    def _names(self) -> list[str]:
        return [each.name for each in self._parameters if each.kind not in _VARIADIC]

    @property
    def _by_position(self) -> list[str]:
        return [each.name for each in self._parameters if each.kind in _BY_POSITION]


def _is_needed(parameter: inspect.Parameter) -> bool:
    return parameter.default is inspect.Parameter.empty and parameter.kind not in _VARIADIC


def _listed(names: list[str]) -> str:
    *others, last = names or ["nothing"]
    return f"{', '.join(others)} and {last}" if others else last


def _without_our_frames(error: NepsError) -> NepsError:
    if not _is_ours(error.__traceback__):
        return error
    if isinstance(error, ArgumentError) and (error.__cause__ is None or isinstance(error.__cause__, NepsError)):
        error.__cause__, error.__suppress_context__ = None, True  # it says less than this one
    return error.with_traceback(None)


def _frames_of_others(traceback: TracebackType | None) -> TracebackType | None:
    """Where the user's code was interrupted, without the frames of this package around it."""
    frames = []
    while traceback is not None:
        if not _is_of_neps(traceback):
            frames.append(traceback)
        traceback = traceback.tb_next
    found: TracebackType | None = None
    for each in reversed(frames):
        found = TracebackType(found, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return found


def _is_of_neps(traceback: TracebackType) -> bool:
    return str(traceback.tb_frame.f_globals.get("__name__")).partition(".")[0] == "neps"


def _is_ours(traceback: TracebackType | None) -> bool:
    """Whether nobody else's code is on the way from the user's line to the error."""
    while traceback is not None:
        package = str(traceback.tb_frame.f_globals.get("__name__")).partition(".")[0]
        if package != "neps" and package not in sys.stdlib_module_names:
            return False
        traceback = traceback.tb_next
    return True
