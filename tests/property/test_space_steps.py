"""Steps, ordered choices and all other parameters keep the promises of `Parameter`, by hypothesis.

Round trips of numbers without steps are in `test_space_encoding`.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neps.errors import SpaceError
from neps.space import Categorical, Confidence, Float, Integer, Parameter, SearchSpace
from neps.space._values import equal_values

confidences: st.SearchStrategy[Confidence] = st.sampled_from(["low", "medium", "high"])
units = st.floats(0, 1)
MOST = 60


@st.composite
def decimal_steps(draw: st.DrawFn) -> tuple[Decimal, Decimal, int]:
    """A lower bound, a step and how many steps there are, as a user writes them: with a few decimals."""
    exponent = draw(st.integers(-6, 3))
    step = Decimal(draw(st.integers(1, 999))).scaleb(exponent)
    lower = Decimal(draw(st.integers(-9999, 9999))).scaleb(exponent)
    return lower, step, draw(st.integers(0, MOST - 1))


@st.composite
def steps_of_floats(draw: st.DrawFn) -> Float:
    lower, step, count = draw(decimal_steps())
    default = draw(st.one_of(st.none(), st.integers(0, count).map(lambda k: float(lower + k * step))))
    upper = float(lower + count * step)
    return Float(float(lower), upper, step=float(step), default=default, default_confidence=draw(confidences))


@st.composite
def steps_of_integers(draw: st.DrawFn) -> Integer:
    lower, step = draw(st.integers(-(10**6), 10**6)), draw(st.integers(1, 10**4))
    count = draw(st.integers(0, MOST - 1))
    default = draw(st.one_of(st.none(), st.integers(0, count).map(lambda k: lower + k * step)))
    return Integer(lower, lower + count * step, step=step, default=default, default_confidence=draw(confidences))


scalars = st.one_of(st.booleans(), st.integers(), st.text(), st.floats(allow_nan=False))


@st.composite
def choices(draw: st.DrawFn) -> Categorical:
    listed: Any = draw(st.lists(scalars, min_size=1, max_size=12, unique=True))
    if draw(st.booleans()) and all(isinstance(choice, str) and choice for choice in listed):
        listed = {name: object() for name in listed}
    default = draw(st.one_of(st.none(), st.sampled_from(list(listed))))
    return Categorical(listed, default, draw(confidences), ordered=draw(st.booleans()))


finite = st.one_of(steps_of_floats(), steps_of_integers(), choices())


def every_value(parameter: Parameter) -> list[Any]:
    values = parameter.every_value(most=MOST)
    assert values is not None
    return list(values)


@given(decimal_steps())
def test_steps_are_the_decimal_numbers_that_one_writes(given_steps: tuple[Decimal, Decimal, int]) -> None:
    lower, step, count = given_steps
    values = every_value(Float(float(lower), float(lower + count * step), step=float(step)))
    assert values == [float(lower + k * step) for k in range(count + 1)]


@given(finite)
def test_all_values_are_counted_and_come_back_and_nothing_else_does(parameter: Parameter) -> None:
    values = every_value(parameter)
    assert len(values) == parameter.count
    assert all(equal_values(parameter.parse(value), value) for value in values)
    positions = [parameter.to_unit(value) for value in values]
    assert positions == sorted(set(positions))
    assert all(equal_values(parameter.from_unit(unit), value) for unit, value in zip(positions, values, strict=True))
    ends = [parameter.from_unit(end) for end in (-1.0, 0.0, 1.0, 2.0)]
    assert ends == [values[0], values[0], values[-1], values[-1]]


@given(finite, units)
def test_each_position_is_one_of_the_values(parameter: Parameter, unit: float) -> None:
    value = parameter.from_unit(unit)
    assert any(equal_values(value, each) for each in every_value(parameter))
    assert abs(parameter.to_unit(value) - unit) <= 0.5 / len(every_value(parameter)) + 1e-12


@given(finite)
def test_the_prior_integrates_to_one_and_its_quantiles_agree_with_its_density(parameter: Parameter) -> None:
    values = every_value(parameter)
    masses = [math.exp(parameter.log_density(value)) / len(values) for value in values]
    assert math.fsum(masses) == pytest.approx(1.0, abs=1e-9)
    below = np.cumsum([0.0, *masses])
    for index, value in enumerate(values):
        for share in (0.001, 0.5, 0.999):
            if masses[index] > 1e-9:
                drawn = parameter.from_unit(parameter.quantile(below[index] + share * masses[index]))
                assert equal_values(drawn, value), (drawn, value)


@given(finite)
def test_nothing_is_likelier_than_the_default(parameter: Parameter) -> None:
    if parameter.default is None:
        assert {parameter.log_density(value) for value in every_value(parameter)} == {0.0}
    else:
        best = parameter.log_density(parameter.default)
        assert all(parameter.log_density(value) <= best + 1e-12 for value in every_value(parameter))


@given(parameter=finite, data=st.data(), deviation=st.floats(0.01, 1.0), seed=st.integers(0, 2**32))
def test_mutation_changes_the_value_and_stays_among_them(
    parameter: Parameter, data: st.DataObject, deviation: float, seed: int
) -> None:
    values = every_value(parameter)
    if len(values) > 1:
        value = data.draw(st.sampled_from(values))
        other = parameter.mutated(value, deviation, np.random.default_rng(seed))
        assert any(equal_values(other, each) for each in values)
        assert not equal_values(other, value)


@given(finite)
def test_definitions_say_what_readers_must_know(parameter: Parameter) -> None:
    space = SearchSpace({"p": parameter})
    again = SearchSpace.from_definition(space.definition())
    assert (again, hash(again), space.differences(again)) == (space, hash(space), [])
    assert (
        again.requires
        == space.requires
        == tuple(name for name in ("ordered", "step") if name in parameter.definition())
    )


@given(steps_of_floats(), st.floats(0.1, 0.9))
def test_what_lies_between_two_steps_is_refused(parameter: Float, share: float) -> None:
    if parameter.step is not None and parameter.lower < parameter.upper:
        with pytest.raises(SpaceError, match="plus a multiple of"):
            parameter.parse(parameter.lower + share * parameter.step)
