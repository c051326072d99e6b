"""Encoding and decoding are each other's inverse, over every range that can be written, by hypothesis.

What is promised: integers, choices and bounds exactly, floats to 1e-12 of the unit interval, and never a value
outside of the bounds.
"""

from __future__ import annotations

import math
import sys
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from neps.space import Categorical, Float, Integer, SearchSpace, Value
from neps.space._values import equal_values

LARGEST = sys.float_info.max
TINIEST = 5e-324
EXTREMES = [
    (1e-300, 1e300, True),
    (TINIEST, LARGEST, True),
    (TINIEST, 1e-310, True),
    (TINIEST, 1e-323, True),
    (1.0, math.nextafter(1, 2), True),
    (1e300, 1.001e300, True),
    (1e-5, 1e-5 * (1 + 1e-9), True),
    (LARGEST / 2, LARGEST, True),
    (math.nextafter(LARGEST, 0), LARGEST, True),
    (-1.7e308, 1.7e308, False),
    (-LARGEST, LARGEST, False),
    (-LARGEST, 1.0, False),
    (0.0, TINIEST, False),
    (-1e-310, 1e-310, False),
    (1.0, math.nextafter(1, 2), False),
    (1e6, 1e6 + 1e-6, False),
    (LARGEST / 2, LARGEST, False),
]

units = st.floats(0, 1)
finite = st.floats(allow_nan=False, allow_infinity=False)
positive = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
wholes = st.integers(-(2**53), 2**53)


@st.composite
def float_ranges(draw: st.DrawFn) -> Float:
    log = draw(st.booleans())
    one = draw(positive if log else finite)
    near = one * (1 + draw(st.sampled_from([1e-15, 1e-12, 1e-6, 1.0])))
    other = draw(positive if log else finite) if draw(st.booleans()) or math.isinf(near) else near
    return Float(min(one, other), max(one, other), log=log)


def encode(parameter: Float | Integer | Categorical, value: Any) -> float:
    return float(SearchSpace({"p": parameter}).encode({"p": value})[0])


def decode(parameter: Float | Integer | Categorical, unit: float) -> Value:
    return SearchSpace({"p": parameter}).decode([unit])["p"]


def decode_number(parameter: Float | Integer, unit: float) -> float:
    value = decode(parameter, unit)
    assert isinstance(value, int | float)
    return value


def spacing(parameter: Float, value: float) -> float:
    """How far apart representable values lie at `value`, in the unit interval. Exact arithmetic: nothing cancels."""
    step, lower, upper = Fraction(math.ulp(value)), Fraction(parameter.lower), Fraction(parameter.upper)
    if not parameter.log:
        return float(step / (upper - lower))
    near = upper <= 2 * lower
    span = math.log1p((upper - lower) / lower) if near else math.log(parameter.upper) - math.log(parameter.lower)
    return math.log1p(step / Fraction(value)) / span


def check_float(parameter: Float, unit: float) -> None:
    value = decode_number(parameter, unit)
    assert type(value) is float
    assert parameter.lower <= value <= parameter.upper
    if parameter.lower < parameter.upper:
        position = encode(parameter, value)
        assert abs(position - unit) <= 1e-12 + spacing(parameter, value)
        again = encode(parameter, decode(parameter, position))
        assert abs(again - position) <= 1e-12 + spacing(parameter, value)


def check_bounds(parameter: Float | Integer) -> None:
    low, high = encode(parameter, parameter.lower), encode(parameter, parameter.upper)
    assert (decode(parameter, low), decode(parameter, high)) == (parameter.lower, parameter.upper)
    assert (decode(parameter, 0.0), decode(parameter, 1.0)) == (parameter.lower, parameter.upper)
    if isinstance(parameter, Float) and parameter.lower < parameter.upper:
        assert (low, high) == (0.0, 1.0)


@given(parameter=float_ranges(), unit=units)
def test_floats_come_back(parameter: Float, unit: float) -> None:
    check_float(parameter, unit)
    check_bounds(parameter)


@pytest.mark.parametrize(("lower", "upper", "log"), EXTREMES)
def test_floats_of_extreme_ranges_come_back(lower: float, upper: float, log: bool) -> None:  # noqa: FBT001 - a case
    parameter = Float(lower, upper, log=log)
    check_bounds(parameter)
    ends = [0.0, TINIEST, 1e-300, 1e-17, math.nextafter(1, 0), 1 - 1e-12, 1.0]
    for unit in [*ends, *np.random.default_rng(0).random(300)]:
        check_float(parameter, float(unit))


@pytest.mark.parametrize(("lower", "upper", "log"), EXTREMES)
def test_decoding_rises_with_the_position(lower: float, upper: float, log: bool) -> None:  # noqa: FBT001 - a case
    parameter = Float(lower, upper, log=log)
    values = [decode_number(parameter, float(unit)) for unit in np.linspace(0, 1, 501)]
    assert values == sorted(values)


@pytest.mark.parametrize(("lower", "upper"), [(1e-4, 1.0), (1e-300, 1e300), (3.0, 3.5)])
def test_log_positions_are_logarithms(lower: float, upper: float) -> None:
    parameter = Float(lower, upper, log=True)
    for unit in np.linspace(0, 1, 21):
        expected = math.exp((1 - unit) * math.log(lower) + unit * math.log(upper))
        assert decode(parameter, float(unit)) == pytest.approx(expected, rel=1e-12)


@given(one=wholes, width=st.integers(0, 2**53), unit=units, data=st.data())
@example(one=0, width=2**53, unit=math.nextafter(1, 0), data=None)
@example(one=-(2**52), width=2**53, unit=0.5, data=None)
def test_integers_come_back(one: int, width: int, unit: float, data: st.DataObject | None) -> None:
    parameter = Integer(one, min(one + width, 2**53))
    check_bounds(parameter)
    value = decode(parameter, unit)
    assert type(value) is int
    inner = [data.draw(st.integers(parameter.lower, parameter.upper))] if data else [one + 2**52, one + 2**53 - 1]
    for number in [value, *inner]:
        assert decode(parameter, encode(parameter, number)) == number


@pytest.mark.parametrize("count", [2**52 + 1, 6 * 10**15 + 7, 2**53 - 1, 2**53, 2**53 + 1])
def test_integers_come_back_from_bins_that_hold_a_single_float(count: int) -> None:
    parameter = Integer(2**53 - count + 1, 2**53)
    for index in [*range(count - 100, count), *np.random.default_rng(0).integers(count, size=200).tolist()]:
        number = parameter.lower + index
        assert decode(parameter, encode(parameter, number)) == number


@given(lower=st.integers(1, 10**13), upper=st.integers(1, 10**13), unit=units, data=st.data())
def test_log_integers_come_back(lower: int, upper: int, unit: float, data: st.DataObject) -> None:
    parameter = Integer(min(lower, upper), max(lower, upper), log=True)
    check_bounds(parameter)
    for number in (decode(parameter, unit), data.draw(st.integers(parameter.lower, parameter.upper))):
        assert type(number) is int
        assert decode(parameter, encode(parameter, number)) == number


@given(lower=wholes, upper=wholes, number=wholes, log=st.booleans())
@example(lower=-(2**53), upper=2**53, number=2**53 - 1, log=False)
@example(lower=1, upper=2**53, number=2**53 - 1, log=True)
@example(lower=1, upper=2**48, number=2**48 - 1, log=True)
def test_integers_too_many_for_floats_come_back_nearby(lower: int, upper: int, number: int, log: bool) -> None:  # noqa: FBT001 - drawn
    lower, number, upper = sorted(max(bound, 1) if log else bound for bound in (lower, number, upper))
    parameter = Integer(lower, upper, log=log)
    check_bounds(parameter)
    unit = encode(parameter, number)
    assert abs(encode(parameter, decode(parameter, unit)) - unit) <= 1e-15


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize(
    ("lower", "upper"), [(1, 1), (1, 2), (1, 700), (2**53 - 700, 2**53), (2**52 - 350, 2**52 + 350)]
)
def test_every_integer_comes_back_and_is_reached_once(*, lower: int, upper: int, log: bool) -> None:
    parameter = Integer(lower, upper, log=log)
    centres = [encode(parameter, number) for number in range(lower, upper + 1)]
    assert [decode(parameter, unit) for unit in centres] == list(range(lower, upper + 1))
    assert centres == sorted(set(centres))


@pytest.mark.parametrize("count", [1, 2, 3, 7, 49, 1000])
def test_bins_are_equally_wide(count: int) -> None:
    parameter, steps = Integer(-5, count - 6), 20
    drawn = [decode(parameter, (step + 0.5) / (steps * count)) for step in range(steps * count)]
    assert drawn == [number for number in range(-5, count - 5) for _ in range(steps)]


@pytest.mark.parametrize("count", [3, 49, 1000, 2**53 - 1])
def test_positions_beside_an_edge_are_in_the_right_bin(count: int) -> None:
    for index in np.random.default_rng(0).integers(count, size=50).tolist():
        edge = index / count
        for unit in (math.nextafter(edge, 0), edge, math.nextafter(edge, 1)):
            assert decode(Integer(0, count - 1), unit) == math.floor(Fraction(unit) * count)


scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.floats(allow_nan=False))


@given(choices=st.lists(scalars, min_size=1, max_size=12, unique=True), unit=units)
def test_choices_come_back_with_their_types(choices: list[Value], unit: float) -> None:
    parameter = Categorical(choices)
    for choice in [*choices, decode(parameter, unit)]:
        back = decode(parameter, encode(parameter, choice))
        assert type(back) is type(choice)
        assert equal_values(back, choice)


@given(
    parameter=st.one_of(
        float_ranges(),
        st.builds(lambda one, two: Integer(min(one, two), max(one, two)), wholes, wholes),
        st.builds(Categorical, st.lists(scalars, min_size=1, max_size=5, unique=True)),
    )
)
def test_definitions_come_back(parameter: Float | Integer | Categorical) -> None:
    space = SearchSpace({"p": parameter})
    again = SearchSpace.from_definition(space.definition())
    assert (again, hash(again), space.differences(again)) == (space, hash(space), [])


@pytest.mark.parametrize("parameter", [Float(3, 3), Float(3, 3, log=True), Integer(3, 3), Integer(3, 3, log=True)])
def test_a_single_value_is_in_the_middle(parameter: Float | Integer) -> None:
    assert encode(parameter, 3) == 0.5
    assert [decode(parameter, unit) for unit in (0.0, 0.3, 1.0)] == [3, 3, 3]
