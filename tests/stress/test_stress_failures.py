"""Whatever run_pipeline raises or returns: a readable result or a resumable trial, and a root that others can use.

The failing call is in this process; two other processes then finish what it left, for all failures in their turn.
"""

from __future__ import annotations

import asyncio
import logging
import random
import signal
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

import neps
from neps.errors import EvaluationError
from rigs.processes import Fleet
from stress.crew import Crew
from stress.evidence import document, evaluations, leftovers, numbers, result, results
from stress.objective import record
from stress.share import Share

FAILING = 2
TRIALS = 5


class TwoArgumentsError(Exception):
    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what} {why}")


class BrokenStrError(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __str__


class InterruptingStrError(Exception):
    def __str__(self) -> str:
        raise KeyboardInterrupt


class NoTextError(Exception):
    def __str__(self) -> str:
        return 3  # type: ignore[return-value]  # noqa: PLE0307 - that is the point


class BrokenReduceError(Exception):
    def __reduce__(self) -> NoReturn:
        raise TypeError("not to be pickled")


class FalseError(Exception):
    def __bool__(self) -> bool:
        raise RuntimeError("not to be asked")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("not to be compared")

    __hash__ = None  # type: ignore[assignment]


class OwnBaseException(BaseException):
    pass


def local_class() -> NoReturn:
    class LocalError(Exception):
        pass

    raise LocalError("of a function")


def circular() -> NoReturn:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    raise first


def endless(depth: int = 0) -> int:
    return endless(depth + 1) + 1


def strange_name() -> NoReturn:
    raise type("Odd\n...\nName: \0", (Exception,), {})


def syntax_error() -> None:
    compile("x x", "<text>", "exec")


class Treacherous:
    def __getattr__(self, name: str) -> NoReturn:
        raise RuntimeError(f"no {name}")

    def __float__(self) -> float:
        raise RuntimeError("no number")


class BrokenMapping(Mapping[str, Any]):
    def __getitem__(self, key: str) -> Any:
        raise RuntimeError("nothing to get")

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("nothing to iterate")

    def __len__(self) -> int:
        raise RuntimeError("no length")


def raising(error: BaseException | type[BaseException]) -> Callable[[], NoReturn]:
    def fail() -> NoReturn:
        raise error

    return fail


RAISED: dict[str, Callable[[], Any]] = {
    "two arguments": raising(TwoArgumentsError("what", "why")),
    "a local class": local_class,
    "a broken __str__": raising(BrokenStrError()),
    "an interrupting __str__": raising(InterruptingStrError()),
    "a __str__ that is no text": raising(NoTextError()),
    "a broken __reduce__": raising(BrokenReduceError()),
    "a broken __bool__": raising(FalseError()),
    "BaseException": raising(BaseException),
    "an own BaseException": raising(OwnBaseException("own")),
    "GeneratorExit": raising(GeneratorExit),
    "CancelledError": raising(asyncio.CancelledError),
    "StopIteration": raising(StopIteration(3)),
    "an exception group": raising(ExceptionGroup("two", [ValueError("a"), OSError(28, "full")])),
    "a group with an interrupt": raising(BaseExceptionGroup("one", [KeyboardInterrupt()])),
    "endless recursion": endless,
    "MemoryError": raising(MemoryError),
    "a circle of causes": circular,
    "a strange name": strange_name,
    "SyntaxError": syntax_error,
    "a million characters": raising(ValueError("x" * 1_000_000)),
    "text that is no text": raising(ValueError("\ud800 \0 \x1b[31m\n...\n--- \u2028 \ufeff end")),
    "an error of neps": raising(neps.errors.DirectoryError("of another run")),
}

INTERRUPTIONS: dict[str, tuple[BaseException, str]] = {
    "KeyboardInterrupt": (KeyboardInterrupt(), "left"),
    "sys.exit()": (SystemExit(), "died"),
    "sys.exit(1)": (SystemExit(1), "died"),
    "sys.exit(text)": (SystemExit("an end"), "died"),
}

RETURNED: dict[str, Any] = {
    "nothing": None,
    "text": "0.5",
    "True": True,
    "a list": [1.0, 2.0],
    "an empty mapping": {},
    "no loss": {"cost": 1.0},
    "loss None": {"loss": None},
    "two losses": {"loss": 1.0, "objective_to_minimize": 2.0},
    "a negative cost": {"loss": 1.0, "cost": -1.0},
    "a cost that is NaN": {"loss": 1.0, "cost": float("nan")},
    "an infinite cost": {"loss": 1.0, "cost": float("inf")},
    "an info_dict that is none": {"loss": 1.0, "info_dict": 3},
    "a learning curve of text": {"loss": 1.0, "learning_curve": "abc"},
    "two numbers": np.zeros(2),
    "complex": 1j,
    "a set": {1.0},
    "bytes": b"1.0",
    "a function": print,
    "a class": float,
    "an object": Treacherous(),
    "a broken mapping": BrokenMapping(),
    "an exception": ValueError("returned"),
    "keys that are no text": {1: 2, None: 3},
}


@pytest.fixture(scope="module")
def crew(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    folder = tmp_path_factory.mktemp("others")
    with Fleet(folder, random.Random(0)) as fleet, Crew(fleet, folder / "crew", 2) as crew:
        yield crew


def run(root: Path, fail: Callable[[], Any], **arguments: Any) -> neps.History:
    def run_pipeline(pipeline_directory: Path, x: float) -> Any:
        number = int(pipeline_directory.name.removeprefix("config_"))
        record(root, "begin", number, 0)
        return fail() if number == FAILING else x

    space = {"x": neps.Float(0, 1)}
    return neps.run(
        run_pipeline,
        root,
        space,
        searcher="random_search",
        max_evaluations_total=TRIALS,
        post_run_summary=False,
        **arguments,
    )


def assert_failed(root: Path) -> None:
    """Readable, by other eyes too, and not torn by what the text contains."""
    failed = result(root, FAILING)
    assert failed["status"] == "failed"
    assert failed["error"].strip()
    trial = neps.load(root).by_number[FAILING]
    assert trial.status == "failed"
    assert trial.error == failed["error"]
    assert leftovers(root) == []


def finish(crew: Crew, root: Path) -> None:
    assert crew.run([Share(root, {"max_evaluations_total": TRIALS})] * 2) == [None, None]
    assert numbers(root) == list(range(1, TRIALS + 1))
    assert sum(results(root).values()) == TRIALS
    assert leftovers(root) == []


@pytest.mark.parametrize("fail", RAISED.values(), ids=RAISED)
def test_raised(crew: Crew, tmp_path: Path, fail: Callable[[], Any]) -> None:
    root = tmp_path / "root"
    with pytest.raises(EvaluationError, match="config_2"):
        run(root, fail)
    assert_failed(root)
    assert numbers(root) == [1, 2]
    finish(crew, root)
    assert evaluations(root) == dict.fromkeys(numbers(root), 1)


@pytest.mark.parametrize("fail", RAISED.values(), ids=RAISED)
def test_raised_with_ignore_errors(tmp_path: Path, fail: Callable[[], Any]) -> None:
    root = tmp_path / "root"
    assert len(run(root, fail, ignore_errors=True).succeeded) == TRIALS - 1
    assert_failed(root)


@pytest.mark.parametrize(("interruption", "end"), INTERRUPTIONS.values(), ids=INTERRUPTIONS)
@pytest.mark.parametrize("ignore_errors", [False, True])
def test_interrupted(
    crew: Crew,
    tmp_path: Path,
    interruption: BaseException,
    end: str,
    ignore_errors: bool,  # noqa: FBT001
) -> None:
    root = tmp_path / "root"
    with pytest.raises(type(interruption)):
        run(root, raising(interruption), ignore_errors=ignore_errors)
    assert document(root / "config_2" / "attempt_1.end.yaml")["end"] == end
    assert neps.load(root).by_number[FAILING].status == "waiting"
    assert leftovers(root) == []
    finish(crew, root)
    assert results(root) == {"success": TRIALS}
    assert evaluations(root) == dict.fromkeys(numbers(root), 1) | {FAILING: 2}


def test_what_interrupted_it_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = tmp_path / "root"
    with pytest.raises(KeyboardInterrupt):
        run(root, lambda: signal.raise_signal(signal.SIGINT))
    assert document(root / "config_2" / "attempt_1.end.yaml")["why"] == "interrupted by SIGINT"
    with caplog.at_level(logging.INFO):
        run(root, lambda: 0.5)
    assert "Trial 2 resumed (attempt 2; the previous one was handed back) in " in caplog.text


@pytest.mark.parametrize("value", RETURNED.values(), ids=RETURNED)
def test_returned(crew: Crew, tmp_path: Path, value: Any) -> None:
    root = tmp_path / "root"
    with pytest.raises(EvaluationError, match="config_2"):
        run(root, lambda: value)
    assert_failed(root)
    finish(crew, root)


def test_an_odd_info_value_costs_no_trial(crew: Crew, tmp_path: Path) -> None:
    root = tmp_path / "root"
    circle: list[Any] = []
    circle.append(circle)
    odd = {"object": Treacherous(), "mapping": BrokenMapping(), "circle": circle, "decimal": Decimal("0.1"), 3: {1, 2}}
    history = run(root, lambda: {"loss": 1.0, "info_dict": odd})
    assert len(history.succeeded) == TRIALS
    assert set(result(root, FAILING)["info_dict"]) >= {"object", "mapping", "circle", "decimal"}
    finish(crew, root)
