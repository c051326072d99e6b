# ruff: noqa: ARG002, ARG005 - an objective has to name the parameters that it ignores
"""check_signature and keywords, with every kind of callable that Python has."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from neps._evaluation import check_signature, keywords, named_directories
from neps.errors import ArgumentError

SPACE = ["lr", "width"]
HERE, BEFORE = Path("/run/config_2"), Path("/run/config_1")


def called_with(run_pipeline: Callable[..., Any], config: dict[str, Any], *directories: Path) -> dict[str, Any]:
    return keywords(named_directories(run_pipeline), config, *directories)


def exact(lr: float, width: int) -> float:
    return lr * width


def with_directories(pipeline_directory: Path, previous_pipeline_directory: Path, **config: float) -> float:
    return 0.0


def three(lr: float, width: int, depth: int) -> float:
    return lr * width * depth


@functools.wraps(exact)
def decorated(*args: Any, **config: Any) -> float:
    return exact(*args, **config)


class Pipeline:
    def __call__(self, lr: float, width: int) -> float:
        return lr * width

    def method(self, lr: float, *, width: int = 3) -> float:
        return lr * width

    @classmethod
    def of_class(cls, lr: float, width: int) -> float:
        return lr * width

    @staticmethod
    def static(**config: float) -> float:
        return config["lr"]


class AsyncPipeline:
    async def __call__(self, **config: float) -> float:
        return 0.0


async def coroutine(**config: float) -> float:
    return 0.0


def generator(**config: float) -> Iterator[float]:
    yield 0.0


async def async_generator(**config: float) -> AsyncIterator[float]:
    yield 0.0


@pytest.mark.parametrize(
    "run_pipeline",
    [
        exact,
        decorated,
        with_directories,
        functools.partial(three, depth=2),
        functools.partial(exact, lr=0.1),
        Pipeline(),
        Pipeline().method,
        Pipeline.of_class,
        Pipeline.static,
        lambda **config: config["lr"],
        lambda lr, width, seed=0: lr,
        lambda position=0, /, **config: 0.0,
        dict.update,  # a builtin without a signature
    ],
)
def test_accepts(run_pipeline: Callable[..., Any]) -> None:
    check_signature(run_pipeline, SPACE)


def test_long_defaults_and_annotations_are_left_out_of_the_message() -> None:
    table = dict.fromkeys(range(1000), "x")

    def run_pipeline(lr: float, table: dict[int, str] = table) -> float:
        return lr

    with pytest.raises(ArgumentError) as raised:
        check_signature(run_pipeline, ["lr", "width"])
    assert str(raised.value).startswith("run_pipeline(lr, table=…) doesn't accept the parameter 'width'")


@pytest.mark.parametrize(
    ("run_pipeline", "words"),
    [
        (None, "run_pipeline is None (NoneType), which can't be called"),
        (lambda lr: lr, "run_pipeline(lr) doesn't accept the parameter 'width'"),
        (lambda lr, widht: lr, "'width' of pipeline_space. Did you mean 'widht'?"),
        (lambda lr, width, working_directory: 0.0, "The trial's own folder is passed as pipeline_directory."),
        (lambda config: 0.0, "takes the whole configuration as 'config', but neps passes each parameter by name"),
        (lambda trial, pipeline_directory: 0.0, "or run_pipeline(**trial), where trial is a dict"),
        (lambda *args: 0.0, "doesn't accept the parameter 'lr'"),
        (print, "doesn't accept the parameter 'lr'"),
        (three, "requires 'depth', which pipeline_space doesn't have"),
        (lambda learning_rate, **config: 0.0, "requires 'learning_rate'"),
        (lambda widths, **config: 0.0, "Did you mean 'width'?"),
        (lambda pipeline_dir, **config: 0.0, "Did you mean 'pipeline_directory'?"),
        (lambda lr, /, width: 0.0, "takes 'lr' by position only"),
        (lambda lr, /, **config: 0.0, "takes 'lr' by position only"),
        (lambda pipeline_directory, /, **config: 0.0, "takes 'pipeline_directory' by position only"),
        (functools.partial(exact, 0.1), "doesn't accept the parameter 'lr'"),
        (Pipeline, "run_pipeline is the class 'Pipeline'"),
        (functools.partial(Pipeline), "run_pipeline is the class 'Pipeline'"),
        (coroutine, "is asynchronous or a generator"),
        (functools.partial(functools.partial(coroutine, a=1), b=1), "is asynchronous or a generator"),
        (generator, "is asynchronous or a generator"),
        (async_generator, "is asynchronous or a generator"),
        (AsyncPipeline(), "is asynchronous or a generator"),
        (AsyncPipeline().__call__, "is asynchronous or a generator"),
    ],
)
def test_refuses(run_pipeline: Callable[..., Any], words: str) -> None:
    with pytest.raises(ArgumentError, match=re.escape(words)):
        check_signature(run_pipeline, SPACE)


def test_a_parameter_cannot_have_a_directorys_name() -> None:
    with pytest.raises(ArgumentError, match="Rename the parameter"):
        check_signature(lambda **config: 0.0, ["pipeline_directory"])


def test_directories_are_passed_only_by_name() -> None:
    config = {"lr": 0.1}
    both = config | {"pipeline_directory": HERE, "previous_pipeline_directory": BEFORE}
    assert called_with(with_directories, config, HERE, BEFORE) == both
    assert called_with(with_directories, config, HERE) == both | {"previous_pipeline_directory": None}
    assert called_with(lambda pipeline_directory=None, **config: 0.0, config, HERE, BEFORE) == {
        "lr": 0.1,
        "pipeline_directory": HERE,
    }
    assert called_with(lambda **config: 0.0, config, HERE, BEFORE) == config
    assert called_with(lambda pipeline_directory=None, /, **config: 0.0, config, HERE, BEFORE) == config
    assert called_with(dict.update, config, HERE, BEFORE) == config


def test_keywords_are_a_new_dict_each_time() -> None:
    config = {"lr": 0.1}
    first = called_with(exact, config, HERE)
    first["lr"] = 7.0
    assert called_with(exact, config, HERE) == config == {"lr": 0.1}


@pytest.mark.parametrize(
    "run_pipeline",
    [
        lambda lr, optimizer, momentum=0.0: 0.0,
        lambda lr, *, momentum=0.0, optimizer: 0.0,
        lambda lr, optimizer, **config: 0.0,
        lambda **config: 0.0,
    ],
)
def test_what_only_some_configurations_have_needs_a_default(run_pipeline: Callable[..., Any]) -> None:
    check_signature(run_pipeline, ["lr", "optimizer", "momentum"], {"momentum": "optimizer is 'sgd'"})


@pytest.mark.parametrize(
    ("run_pipeline", "line"),
    [
        (lambda momentum, lr, optimizer: 0.0, "def run_pipeline(lr, optimizer, momentum=None): …"),
        (
            lambda lr, optimizer, width=3, *, momentum: 0.0,
            "def run_pipeline(lr, optimizer, width=…, *, momentum=None): …",
        ),
        (
            lambda nesterov, momentum, lr, optimizer, **rest: 0.0,
            "def run_pipeline(lr, optimizer, nesterov=None, momentum=None, **rest): …",
        ),
        (
            functools.partial(lambda momentum, lr, optimizer: 0.0, lr=1),
            "def run_pipeline(momentum=None, *, optimizer, lr=…): …",
        ),
    ],
)
def test_a_required_argument_that_only_some_configurations_have_is_refused(
    run_pipeline: Callable[..., Any], line: str
) -> None:
    conditional = {"nesterov": "momentum is more than 0.5", "momentum": "optimizer is 'sgd'"}
    names = [name for name in inspect.signature(run_pipeline).parameters if name != "rest"]
    with pytest.raises(ArgumentError, match="which a configuration has only if") as refused:
        check_signature(run_pipeline, names, conditional)
    assert line in str(refused.value)
