"""Whether run_pipeline can be called with a configuration, and the keywords of such a call.

Only inspects; nothing is called here. `neps.run` checks before anything is written, the worker builds keywords.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from neps.errors import ArgumentError, nearest, shown

__all__ = ["check_signature", "keywords"]

_DIRECTORIES = ("pipeline_directory", "previous_pipeline_directory")
_WHOLE = {
    "config",
    "conf",
    "cfg",
    "configuration",
    "params",
    "parameters",
    "hparams",
    "hyperparameters",
    "kwargs",
    "trial",
    "args",
}
"""How people name the one argument of an objective for another tool."""
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_ANYTHING = inspect.Signature([inspect.Parameter("config", inspect.Parameter.VAR_KEYWORD)])


def check_signature(
    run_pipeline: Callable[..., Any], space: Iterable[str], conditional: Mapping[str, object] | None = None
) -> None:
    """Make sure that `run_pipeline(**config)` can be called with every configuration of the space.

    Args:
        run_pipeline: any callable: a function, a method, a `functools.partial`, an object with `__call__`. One
            whose signature Python can't tell (some builtins) is taken to accept everything.
        space: the names of the parameters; a search space iterates over them.
        conditional: those that are not in every configuration, with what is true of those that have it.

    Raises:
        ArgumentError: if it isn't callable, is a class, is asynchronous or a generator, doesn't accept a parameter
            of the space by keyword, or requires something that a configuration may not have.

    Example:
        >>> check_signature(lambda lr, **config: lr, ["lr", "width"])
        >>> check_signature(lambda lr: lr, ["lr", "width"])
        Traceback (most recent call last):
        neps.errors.ArgumentError: run_pipeline(lr) doesn't accept the parameter 'width' of pipeline_space. \
Add it to the signature, or accept the rest of the configuration with **config.
    """
    _check_kind(run_pipeline)
    signature = _signature(run_pipeline)
    names = list(space)
    for name in names:
        _check_accepts(signature, name)
    for parameter in signature.parameters.values():
        _check_requires(signature, parameter, names)
    _check_sometimes(signature, conditional or {})


def named_directories(run_pipeline: Callable[..., Any]) -> tuple[str, ...]:
    """Which of the directories `run_pipeline` asks for, by naming them in its signature.

    Example:
        >>> named_directories(lambda pipeline_directory, **config: 0.0)
        ('pipeline_directory',)
    """
    named = _signature(run_pipeline).parameters
    return tuple(name for name in _DIRECTORIES if name in named and named[name].kind in _BY_NAME)


def keywords(
    named: Iterable[str],
    config: Mapping[str, Any],
    pipeline_directory: Path,
    previous_pipeline_directory: Path | None = None,
) -> dict[str, Any]:
    """What to call run_pipeline with: a new dict of the configuration and the directories that it asks for.

    Example:
        >>> keywords(["pipeline_directory"], {"lr": 0.1}, Path("/run/config_1"))
        {'lr': 0.1, 'pipeline_directory': PosixPath('/run/config_1')}
    """
    directories = dict(zip(_DIRECTORIES, (pipeline_directory, previous_pipeline_directory), strict=True))
    return dict(config) | {name: directories[name] for name in named}


def _signature(run_pipeline: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(run_pipeline)
    except (TypeError, ValueError):
        return _ANYTHING


def _check_kind(run_pipeline: Any) -> None:
    if not callable(run_pipeline):
        raise ArgumentError(
            f"run_pipeline is {shown(run_pipeline)} ({type(run_pipeline).__name__}), which can't be called. "
            "Pass a function that takes a configuration by keyword and returns its loss."
        )
    function = run_pipeline
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.isclass(function):
        raise ArgumentError(
            f"run_pipeline is the class {function.__name__!r}; calling a class makes an instance, which isn't a loss. "
            "Pass an instance that has a __call__ method, or a method of one."
        )
    for code in (function, type(function).__call__):
        if inspect.iscoroutinefunction(code) or inspect.isgeneratorfunction(code) or inspect.isasyncgenfunction(code):
            raise ArgumentError(
                f"run_pipeline ({shown(function)}) is asynchronous or a generator: calling it returns a "
                "coroutine or a generator, not a loss. Pass a plain function that returns the loss, for example "
                "one that calls asyncio.run."
            )


def _check_accepts(signature: inspect.Signature, name: str) -> None:
    if name in _DIRECTORIES:
        raise ArgumentError(
            f"pipeline_space has a parameter {name!r}, but run_pipeline gets a folder under that name. "
            "Rename the parameter."
        )
    if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in signature.parameters.values()):
        return
    parameter = signature.parameters.get(name)
    if parameter is None or parameter.kind not in _BY_NAME:
        raise ArgumentError(_not_accepted(signature, name, parameter))


def _not_accepted(signature: inspect.Signature, name: str, parameter: inspect.Parameter | None) -> str:
    """Why a parameter of the space can't be passed by its name, and what to write."""
    if parameter is not None and parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
        return _positional_only(signature, name)
    if (single := _single_argument(signature)) is not None:
        return (
            f"{_call(signature)} takes the whole configuration as {single!r}, but neps passes each parameter by name. "
            f"Write run_pipeline({name}, …) with all parameters, or run_pipeline(**{single}), where {single} is a dict."
        )
    return (
        f"{_call(signature)} doesn't accept the parameter {name!r} of pipeline_space."
        f"{nearest(name, (p for p in signature.parameters if p not in _DIRECTORIES))} "
        "Add it to the signature, or accept the rest of the configuration with **config."
    )


def _check_requires(signature: inspect.Signature, parameter: inspect.Parameter, names: list[str]) -> None:
    variadic = parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    if variadic or parameter.default is not inspect.Parameter.empty:
        return
    if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
        raise ArgumentError(_positional_only(signature, parameter.name))
    if parameter.name not in (*names, *_DIRECTORIES):
        raise ArgumentError(
            f"{_call(signature)} requires {parameter.name!r}, which pipeline_space doesn't have."
            f"{_meant(parameter.name, names)} Give it a default, bind it with functools.partial, "
            "or add it to pipeline_space, for example as a neps.Constant."
        )


def _check_sometimes(signature: inspect.Signature, conditional: Mapping[str, object]) -> None:
    """Whether it can be called without what only some configurations have."""
    needed = [name for name in conditional if name in signature.parameters and _is_required(signature.parameters[name])]
    if needed:
        raise ArgumentError(
            f"{_call(signature)} requires {needed[0]!r}, which a configuration has only if {conditional[needed[0]]}. "
            f"Give it a default: {_line(signature, needed)}"
        )


def _is_required(parameter: inspect.Parameter) -> bool:
    return parameter.kind in _BY_NAME and parameter.default is inspect.Parameter.empty


def _line(signature: inspect.Signature, optional: Iterable[str]) -> str:
    """What to write: with these as `name=None`, behind what has no default."""
    given = [each.replace(default=_Shown("None")) if each.name in optional else each for each in _plain(signature)]
    given.sort(key=lambda each: (each.kind, each.kind in _BY_NAME and not _is_required(each)))
    return f"def run_pipeline{inspect.Signature(given)}: …"


def _meant(name: str, names: list[str]) -> str:
    hint = nearest(name, (*names, *_DIRECTORIES))
    if not hint and "dir" in name:  # working_directory, output_dir, checkpoint_dir
        return " The trial's own folder is passed as pipeline_directory."
    return hint


def _single_argument(signature: inspect.Signature) -> str | None:
    """The name of what other tools pass to an objective: a dict of all parameters, or a trial object."""
    plain = [each for each in signature.parameters.values() if each.kind in _BY_NAME]
    needed = [each for each in plain if each.default is inspect.Parameter.empty]
    names = [each.name for each in needed if each.name not in _DIRECTORIES]
    return names[0] if len(names) == 1 and names[0] in _WHOLE else None


def _positional_only(signature: inspect.Signature, name: str) -> str:
    return (
        f"{_call(signature)} takes {name!r} by position only, but a configuration is passed by keyword. "
        "Remove the '/' from the signature."
    )


def _call(signature: inspect.Signature) -> str:
    """`run_pipeline(lr, width=…)`."""
    return f"run_pipeline{inspect.Signature(_plain(signature))}"


def _plain(signature: inspect.Signature) -> list[inspect.Parameter]:
    """The arguments for a message: defaults may be long, and annotations don't matter there."""
    default, empty = _Shown("…"), inspect.Parameter.empty
    return [
        each.replace(annotation=empty, default=empty if each.default is empty else default)
        for each in signature.parameters.values()
    ]


@dataclasses.dataclass(frozen=True, slots=True)
class _Shown:
    """Stands for a default."""

    text: str

    def __repr__(self) -> str:
        return self.text
