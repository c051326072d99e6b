"""The four parameters: what they accept, what they refuse and say, equality, and their looks. Not their encoding."""

from __future__ import annotations

import copy
import enum
import math
import pickle
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from neps.errors import ArgumentError, SpaceError
from neps.space import (
    Categorical,
    CategoricalParameter,
    Constant,
    ConstantParameter,
    Float,
    FloatParameter,
    Integer,
    IntegerParameter,
    Parameter,
)
from neps.space._parameter import arguments_of


class Activation(str, enum.Enum):  # noqa: UP042 - users have them, and their str() is not their value
    RELU = "relu"


class Depth(enum.IntEnum):
    DEEP = 4


def test_aliases_are_the_same_classes() -> None:
    assert FloatParameter is Float
    assert IntegerParameter is Integer
    assert CategoricalParameter is Categorical
    assert ConstantParameter is Constant


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Float(1, 0), "lower is 1.0 and upper is 0.0"),
        (lambda: Float(0, math.inf), "upper is inf, but it must be finite"),
        (lambda: Float(math.nan, 1), "lower is nan, but it must be finite"),
        (lambda: Float(0, 10**400), "upper is inf, but it must be finite"),
        (lambda: Float(False, 1), "lower is False, but it must be a number"),
        (lambda: Float("0", 1), "lower is '0', but it must be a number"),  # type: ignore[arg-type]
        (lambda: Float(Decimal(0), 1), r"lower is Decimal\('0'\)"),  # type: ignore[arg-type]
        (lambda: Float(0, 1, log=True), "a log scale needs lower > 0"),
        (lambda: Float(0, 1, 0.5), "log is 0.5, but it must be True or False"),  # type: ignore[arg-type]
        (lambda: Float(0, 1, is_fidelity=1), "is_fidelity is 1, but it must be"),  # type: ignore[arg-type]
        (lambda: Float(0, 1, default=2), "default: the value is 2.0, but it must lie between 0.0 and 1.0"),
        (lambda: Float(0, 1, default=math.nan), "default: the value is nan"),
        (lambda: Float(0, 1, default_confidence="hihg"), "Did you mean 'high'?"),  # type: ignore[arg-type]
        (lambda: Integer(1, 2.0), "upper is 2.0, but it must be an int"),  # type: ignore[arg-type]
        (lambda: Integer(True, 2), "lower is True, but it must be an int"),
        (lambda: Integer(0, 2**53 + 1), "upper is 9007199254740993, but it must lie within ±2\\^53"),
        (lambda: Integer(-(2**53) - 1, 0), "must lie within ±2\\^53"),
        (lambda: Integer(0, 9, log=True), "a log scale needs lower > 0"),
        (lambda: Integer(5, 4), "lower must not be above upper"),
        (lambda: Integer(0, 1, default=2), "default: the value is 2, but it must lie between 0 and 1"),
        (lambda: Categorical([]), "choices is empty"),
        (lambda: Categorical("abc"), "choices is 'abc', but it must be a list or tuple"),
        (lambda: Categorical({"a", "b"}), "its order is kept"),  # type: ignore[arg-type]
        (lambda: Categorical({1: dict}), "the name of a choice is 1, but it must be a text"),  # type: ignore[dict-item]
        (lambda: Categorical({"": dict}), "the name of a choice is '', but it must be a text"),
        (lambda: Categorical({}), "choices is empty"),
        (lambda: Categorical([dict]), r"name other objects, as in neps.Categorical\({"),  # type: ignore[list-item]
        (lambda: Categorical([1, 2], ordered=1), "ordered is 1, but it must be True or False"),  # type: ignore[arg-type]
        (lambda: Float(0, 1, step=0), "step is 0.0, but it must be above 0"),
        (lambda: Float(0, 1, step=math.nan), "step is nan, but it must be finite"),
        (lambda: Float(0, 1, step=0.3), "upper is 1.0, but steps of 0.3 from 0.0 lead to 0.9 .* write upper=0.9"),
        (lambda: Float(0, 1, step=2), "lead to 0.0 and then beyond: write a smaller step"),
        (lambda: Float(0, 1, step=1e-16), "step is 1e-16, but numbers up to 1.0 can't be told apart"),
        (lambda: Float(-1e308, 1e308, step=1), "step is 1.0, but numbers up to 1e.308 can't be told apart"),
        (lambda: Float(1, 2, log=True, step=1), "step is 1.0, but steps are even, and a log scale is not"),
        (lambda: Float(1, 2, is_fidelity=True, step=1), "step is 1.0, but searchers choose the values of a fidelity"),
        (lambda: Float(0, 1, default=0.25, step=0.1), "default: the value is 0.25, but it must be 0.0 plus a multiple"),
        (lambda: Integer(0, 9, step=0.5), "step is 0.5, but it must be an int"),  # type: ignore[arg-type]
        (lambda: Integer(16, 100, step=16), "upper is 100, but steps of 16 from 16 lead to 96 .* write upper=96"),
        (lambda: Integer(1, 9, log=True, step=2), r"as in neps.Categorical\(\[16, 32, 64\], ordered=True\)"),
        (lambda: Integer(0, 8, default=3, step=2), "the value is 3, but it must be 0 plus a multiple of 2"),
        (lambda: Categorical([1, True]), "choices 1 and True are equal"),
        (lambda: Categorical([1, 2, 1.0]), "choices 1 and 1.0 are equal"),
        (lambda: Categorical(["a", "a"]), "choices 'a' and 'a' are equal"),
        (lambda: Categorical([0.0, math.nan]), "a choice is nan"),
        (lambda: Categorical([[1], [2]]), r"a choice is \[1\], but it must be a str"),  # type: ignore[list-item]
        (lambda: Categorical(["adam", "sgd"], default="adm"), "one of .* Did you mean 'adam'?"),
        (lambda: Categorical([0, 1], default=True), "default: the value is True"),
        (lambda: Categorical([0, 1], default=0, default_confidence="x"), "'x'"),  # type: ignore[arg-type]
        (lambda: Float(0, 1, default_confidence=[]), r"default_confidence is \[\]"),  # type: ignore[arg-type]
        (lambda: Constant([1]), r"value is \[1\], but it must be a str"),  # type: ignore[arg-type]
        (lambda: Constant(math.nan), "value is nan"),
    ],
)
def test_refused_with_value_and_rule(make: Callable[[], Parameter], message: str) -> None:
    with pytest.raises(SpaceError, match=message) as raised:
        make()
    assert str(raised.value).startswith(("Float: ", "Integer: ", "Categorical: ", "Constant: "))
    assert isinstance(raised.value, ArgumentError)


def _types(values: Sequence[Any]) -> list[type]:
    return [type(value) for value in values]


def test_bounds_and_defaults_become_plain_python() -> None:
    real = Float(np.float32(0.5), np.int64(2), np.bool_(True), default=1)  # type: ignore[arg-type]
    assert (real.lower, real.upper, real.log, real.default) == (0.5, 2.0, True, 1.0)
    assert _types([real.lower, real.upper, real.log, real.default]) == [float, float, bool, float]
    whole = Integer(np.int8(1), Depth.DEEP, default=np.uint16(2))  # type: ignore[arg-type]
    assert (whole.lower, whole.upper, whole.default) == (1, 4, 2)
    assert _types([whole.lower, whole.upper, whole.default]) == [int, int, int]


def test_choices_become_plain_python_and_keep_their_order() -> None:
    yes = np.True_
    given: list[Any] = [np.str_("b"), Activation.RELU, np.float64(2.5), np.int32(7), yes, None, -0.0]
    parameter = Categorical(given, default=np.int64(7))  # type: ignore[arg-type]
    assert parameter.choices == ("b", "relu", 2.5, 7, True, None, 0.0)
    assert str(parameter.choices[-1]) == "0.0"
    assert _types(parameter.choices) == [str, str, float, int, bool, type(None), float]
    assert type(parameter.default) is int
    assert Categorical(np.array([1, 2])) == Categorical([1, 2])  # type: ignore[arg-type]
    assert Categorical(range(3)).choices == (0, 1, 2)


def test_single_value_ranges_are_legal() -> None:
    assert Float(1, 1, log=True).lower == 1.0
    assert Integer(-3, -3).upper == -3


def test_parse_converts_what_is_harmless_and_refuses_the_rest() -> None:
    parsed = Float(0, 10).parse(3)
    assert (parsed, type(parsed)) == (3.0, float)
    assert type(Integer(0, 10).parse(np.int64(3))) is int
    no_ints: list[object] = [3.0, True, "3", None]
    for odd in no_ints:
        with pytest.raises(SpaceError, match="must be an int"):
            Integer(0, 10).parse(odd)
    no_floats: list[object] = [-1e-300, 10.0000001, math.inf, math.nan, True, "3", None, [1]]
    for odd in no_floats:
        with pytest.raises(SpaceError, match="the value is"):
            Float(0, 10).parse(odd)


def test_choices_and_constants_tell_true_from_one() -> None:
    assert Categorical([0.5, 1.0]).parse(1) == 1.0
    assert type(Categorical([0.5, 1.0]).parse(1)) is float
    with pytest.raises(SpaceError, match="the value is True, but it must be one of"):
        Categorical([0, 1]).parse(True)
    with pytest.raises(SpaceError, match="the value is 1, but this is a constant: use True"):
        Constant(True).parse(1)
    assert Constant("x").parse(np.str_("x")) == "x"


def test_equality_sees_types_where_they_matter() -> None:
    assert Float(0, 1) == Float(0.0, 1.0)
    assert hash(Float(-0.0, 1)) == hash(Float(0.0, 1))
    assert Float(1, 2) != Integer(1, 2)  # type: ignore[comparison-overlap]
    assert Constant(1) != Constant(True)
    assert Constant(1) != Constant(1.0)
    assert Categorical([1, 2]) != Categorical([1.0, 2])
    assert Categorical([1, 2]) != Categorical([2, 1])
    assert Categorical([1, 2]) == Categorical((1, 2))


def test_confidence_means_nothing_without_a_default() -> None:
    assert Float(0, 1, default_confidence="high") == Float(0, 1)
    assert Float(0, 1, default=0.5, default_confidence="high") != Float(0, 1, default=0.5)


PARAMETERS: list[Parameter] = [
    Float(1e-5, 0.1, log=True, default=1e-3, default_confidence="medium"),
    Integer(1, 100, is_fidelity=True),
    Categorical(["a", 1, 2.5, None, False], default=1),
    Constant(None),
]


@pytest.mark.parametrize("parameter", PARAMETERS)
def test_repr_is_the_call_that_makes_it(parameter: Parameter) -> None:
    names = {"Float": Float, "Integer": Integer, "Categorical": Categorical, "Constant": Constant}
    assert eval(repr(parameter), names) == parameter  # noqa: S307 - that is the claim


@pytest.mark.parametrize("parameter", PARAMETERS)
def test_values_are_frozen_and_can_be_copied(parameter: Parameter) -> None:
    assert copy.deepcopy(parameter) == parameter
    assert pickle.loads(pickle.dumps(parameter)) == parameter  # noqa: S301 - our own bytes
    with pytest.raises(AttributeError):
        setattr(parameter, next(iter(arguments_of(type(parameter)))), 0.5)
