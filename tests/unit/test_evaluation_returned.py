"""read_return_value and failure: every return value and every exception becomes an Outcome or a clear error."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Any, NoReturn
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch
import yaml

from neps._evaluation import failure, read_return_value
from neps._outcome import Outcome
from neps.errors import ReturnValueError


class BadMapping(Mapping[str, int]):
    def __getitem__(self, key: str) -> int:
        raise SystemExit(3)

    def __iter__(self) -> Iterator[str]:
        return iter(["loss"])

    def __len__(self) -> int:
        return 1


class BadTensor:
    size = 1

    def tolist(self) -> list[float]:
        return [1.0]

    def item(self) -> float:
        raise RuntimeError("CUDA error: an illegal memory access")


@pytest.mark.parametrize(
    ("value", "loss"),
    [
        (1, 1.0),
        (0.5, 0.5),
        (math.inf, math.inf),
        (-math.inf, -math.inf),
        (Decimal("0.5"), 0.5),
        (Fraction(1, 2), 0.5),
        (np.float32(0.5), 0.5),
        (np.longdouble("0.5"), 0.5),
        (np.int8(3), 3.0),
        (np.array(0.5), 0.5),
        (np.array([[0.5]]), 0.5),
        (torch.tensor([0.5], requires_grad=True), 0.5),
        (torch.tensor(2), 2.0),
        ({"loss": 0.5}, 0.5),
        ({"objective_to_minimize": 0.5}, 0.5),
        ({"objective_to_minimize": 1, "loss": 1.0}, 1.0),
        (MappingProxyType({"loss": np.float64(0.5)}), 0.5),
    ],
)
def test_losses(value: object, loss: float) -> None:
    outcome = read_return_value(value)
    assert outcome == Outcome(success=True, loss=loss)
    assert type(outcome.loss) is float


@pytest.mark.parametrize(
    "value", [math.nan, {"loss": math.nan, "objective_to_minimize": math.nan}, torch.tensor(math.nan)]
)
def test_nan_is_a_loss(value: object) -> None:
    outcome = read_return_value(value)
    assert outcome.success
    assert outcome.loss is not None
    assert math.isnan(outcome.loss)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, r"returned None \(NoneType\) as its loss; the loss must be a number"),
        (True, r"returned True \(bool\)"),
        (np.bool_(True), r"returned True \(bool"),
        (torch.tensor(True), r"\(Tensor\) as its loss"),
        ("0.5", r"returned '0.5' \(str\)"),
        (None, r"returned None \(NoneType\) .* must be a number\. Is a return statement missing\?"),
        (np.str_("0.5"), r"returned '0.5' \(str_\)"),
        (b"1", r"returned b'1' \(bytes\)"),
        (1j, r"\(complex\)"),
        (np.complex64(1), r"\(complex64\)"),
        ((0.5, 1.0), r"\(tuple\)"),
        ([], r"returned \[\] \(list\)"),
        (np.zeros(2), r"\(ndarray\)"),
        (np.zeros(0), r"\(ndarray\)"),
        (torch.zeros(2), r"\(Tensor\)"),
        (MagicMock(), r"\(MagicMock\)"),
        (BadTensor(), "a BadTensor that can't be read: RuntimeError: CUDA error"),
        (BadMapping(), "a BadMapping that can't be read: SystemExit: 3"),
        (10**4_000, "an integer as its loss; the loss must fit in a float"),
        ({}, r"the keys \[\], but its loss must be under 'loss'"),
        ({"los": 1}, "Rename 'los' to 'loss'"),
        ({"loss": None}, r"returned None \(NoneType\) as its loss"),
        ({"loss": 1, "objective_to_minimize": 2}, "which mean the same and differ"),
        ({"loss": 1, "cost": -1}, "the cost -1.0; a cost must be finite and at least 0"),
        ({"loss": 1, "cost": math.nan}, "the cost nan"),
        ({"loss": 1, "cost": math.inf}, "the cost inf"),
        ({"loss": 1, "cost": "2"}, r"returned '2' \(str\) as its cost"),
        ({"loss": 1, "cost": True}, r"returned True \(bool\) as its cost"),
        ({"loss": 1, "account_for_cost": 1}, "account_for_cost = 1; it must be True or False"),
        ({"loss": 1, "info_dict": [1]}, r"info_dict = \[1\]; it must be a mapping"),
        ({"loss": 1, "learning_curve": 3}, "learning_curve = 3; it must be a sequence"),
        ({"loss": 1, "learning_curve": "123"}, "learning_curve = 123"),
        ({"loss": 1, "learning_curve": [1, "a"]}, r"returned 'a' \(str\) in its learning_curve"),
        ({"loss": 1, "learning_curve": np.zeros((2, 2))}, r"\(list\) in its learning_curve"),
    ],
)
def test_everything_else_is_an_error(value: object, words: str) -> None:
    with pytest.raises(ReturnValueError, match=words):
        read_return_value(value)


def test_the_hint_for_a_misspelt_loss_names_the_key_to_write() -> None:
    with pytest.raises(ReturnValueError, match=r"Rename 'Loss' to 'loss'"):
        read_return_value({"Loss": 1})


@pytest.mark.parametrize(
    ("returned", "advice"),
    [
        ({"accuracy": 0.9}, 'If a higher accuracy is better, return {"loss": -accuracy, "accuracy": accuracy}.'),
        ({"epoch": 3, "val_acc": 0.9}, 'If a higher val_acc is better, return {"loss": -val_acc, "val_acc": val_acc}.'),
        ({"test/f1": 0.9}, 'If a higher test/f1 is better, return {"loss": -value, "test/f1": value}.'),
        ({"ROC_AUC": 0.9}, '{"loss": -ROC_AUC,'),
        ({"r2": 0.9}, '{"loss": -r2,'),
        ({"score": 0.9}, '{"loss": -score,'),
        ({"episode_reward": 0.9}, '{"loss": -episode_reward,'),
        ({"accuracy": 0.9, "val_loss": 0.3}, "Rename 'val_loss' to 'loss'."),
        ({"rmse": 0.3}, "Rename 'rmse' to 'loss'."),
        ({"objective": 0.3}, 'Return {"loss": …}.'),
        ({"x" * 10_000 + "_acc": 0.3}, "characters left out"),
        ({3: 0.3, None: 1}, 'Return {"loss": …}.'),
    ],
    ids=repr,
)
def test_a_mapping_without_a_loss_says_what_to_return(returned: dict[object, object], advice: str) -> None:
    with pytest.raises(ReturnValueError) as raised:
        read_return_value(returned)
    assert advice in str(raised.value)
    assert len(str(raised.value)) < 1000


def test_a_full_mapping() -> None:
    outcome = read_return_value(
        {
            "loss": 1,
            "cost": np.float32(2),
            "account_for_cost": np.bool_(False),
            "info_dict": {"a": np.int64(1), "b": (1, 2), "odd": lambda: None},
            "learning_curve": torch.tensor([3.0, math.inf]),
            "accuracy": 0.9,
            "a": "hidden by info_dict",
        }
    )
    assert outcome.info_dict["odd"].startswith("<function")
    assert outcome == Outcome(
        success=True,
        loss=1.0,
        cost=2.0,
        account_for_cost=False,
        info_dict={"accuracy": 0.9, "a": 1, "b": [1, 2], "odd": outcome.info_dict["odd"]},
        learning_curve=[3.0, math.inf],
    )


def test_none_stands_for_nothing() -> None:
    nothing = {"loss": 1, "cost": None, "info_dict": None, "learning_curve": None}
    assert read_return_value(nothing) == Outcome(success=True, loss=1.0)


def test_an_odd_info_value_never_costs_a_trial() -> None:
    info = read_return_value({"loss": 1, "info_dict": BadMapping(), "metric": BadMapping()}).info_dict
    assert set(info) == {"info_dict", "metric"}
    assert all(isinstance(value, str) for value in info.values())


@pytest.mark.parametrize(
    "large", [[0.5] * 100_001, {str(number): 0.5 for number in range(50_001)}, ["y" * 30] * 40_000]
)
def test_a_large_info_dict_costs_neither_a_trial_nor_its_metrics(large: object) -> None:
    outcome = read_return_value({"loss": 1, "train_accuracy": 0.9, "info_dict": {"log": large}, "accuracy": 0.8})
    assert outcome.loss == 1.0
    assert outcome.info_dict.keys() == {"train_accuracy", "accuracy", "log"}
    assert (outcome.info_dict["train_accuracy"], outcome.info_dict["accuracy"]) == (0.9, 0.8)
    assert "left out" in str(outcome.info_dict["log"])[-100:]


def test_large_metrics_leave_no_room_for_info_dict() -> None:
    info = read_return_value({"loss": 1, "history": [0.5] * 200_000, "info_dict": {"a": 1}}).info_dict
    assert list(info) == ["history", "<left out: more than 100000 values>"]


# --------------------------------------------------------------------------------------------------------- failure


class TwoArgumentsError(Exception):
    def __init__(self, first: int, second: int) -> None:
        super().__init__(first, second)


class BadTextError(Exception):
    def __init__(self, result: object) -> None:
        super().__init__()
        self.result = result

    def __str__(self) -> str:
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result  # type: ignore[return-value]


class HostileError(Exception):
    def __getattribute__(self, name: str) -> Any:
        raise GeneratorExit(name)


def _recurse() -> None:
    _recurse()


def _raise(error: BaseException) -> Callable[[], NoReturn]:
    def run() -> NoReturn:
        raise error

    return run


def _local_class() -> NoReturn:
    class LocalError(Exception):
        pass

    raise LocalError("of a local class")


def _cyclic_causes() -> NoReturn:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    raise first


def caught(run: Callable[[], Any]) -> str:
    try:
        run()
    except BaseException as error:  # noqa: BLE001 - all of them
        evaluated, raised = failure(error), error
    outcome = evaluated.outcome
    assert not outcome.success
    assert outcome.loss is None
    assert evaluated.exception is raised
    assert outcome.error is not None
    assert yaml.load(yaml.dump(outcome.error, Dumper=yaml.CSafeDumper), Loader=yaml.CSafeLoader) == outcome.error
    return outcome.error


@pytest.mark.parametrize(
    ("run", "start", "words"),
    [
        (_raise(TwoArgumentsError(1, 2)), "TwoArgumentsError: (1, 2)\n", "Traceback (most recent call last)"),
        (_local_class, "LocalError: of a local class\n", "_local_class.<locals>.LocalError"),
        (_raise(BadTextError(ValueError())), "BadTextError: <BadTextError: it can't be shown as text", "Traceback"),
        (_raise(BadTextError(SystemExit())), "BadTextError: <BadTextError: it can't be shown as text", "Traceback"),
        (_raise(BadTextError(7)), "BadTextError: <BadTextError: it can't be shown as text", "Traceback"),
        (_raise(HostileError()), "HostileError: ", "HostileError"),
        (_raise(ExceptionGroup("many", [ValueError("a"), KeyError("b")])), "ExceptionGroup: many", "ValueError: a"),
        (_recurse, "RecursionError: maximum recursion depth", "Previous line repeated"),
        (_raise(MemoryError()), "MemoryError: \n", "MemoryError"),
        (_raise(SyntaxError("bad", ("f", "x", 7, 9))), "SyntaxError: bad", "SyntaxError"),  # type: ignore[arg-type]
        (_raise(ValueError("\0 \x1b[31m \ud800")), r"ValueError: \x00 \x1b[31m \ud800", "Traceback"),
        (_cyclic_causes, "ValueError: first", "ValueError: second"),
        (_raise(GeneratorExit("own")), "GeneratorExit: own", "Traceback"),
    ],
)
def test_failures_are_stored_as_text(run: Callable[[], Any], start: str, words: str) -> None:
    error = caught(run)
    assert error.startswith(start), error
    assert words in error
    assert len(error) < 30_000


def test_a_huge_message_is_cut() -> None:
    error = caught(_raise(ValueError("x" * 10_000_000)))
    assert len(error) < 22_000
    assert "characters left out" in error


def test_a_long_chain_of_causes() -> None:
    error: BaseException = ValueError("the first cause")
    for number in range(3 * sys.getrecursionlimit()):
        later = ValueError(number)
        later.__cause__ = error
        error = later
    assert caught(_raise(error)).startswith("ValueError: ")
