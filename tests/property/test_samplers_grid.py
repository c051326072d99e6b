"""Grids of every shape: each point comes once, early points are spread, values are those promised."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neps._budget import Budget
from neps._history import History
from neps.samplers import Done, GridSearch, Suggestion
from neps.samplers._drawing.combinations import Combinations
from neps.samplers._single_fidelity.grid_search import axes, turns
from neps.space import Categorical, Constant, Float, Integer, Parameter, SearchSpace

SIZES = st.lists(st.integers(1, 7), max_size=6).filter(lambda sizes: math.prod(sizes) <= 1500)

FLOATS = st.builds(lambda lower, width: Float(lower, lower + width), st.floats(-5, 5), st.sampled_from([0.0, 1.0, 1e3]))
LOGS = st.builds(lambda lower, factor: Float(lower, lower * factor, log=True), st.floats(1e-9, 1), st.floats(1, 1e6))
INTEGERS = st.builds(lambda lower, width: Integer(lower, lower + width), st.integers(-9, 9), st.integers(0, 40))
LOG_INTEGERS = st.builds(
    lambda lower, width: Integer(lower, lower + width, log=True), st.integers(1, 9), st.integers(0, 40)
)
CATEGORIES = st.builds(lambda count: Categorical(list(range(count))), st.integers(1, 7))
PARAMETERS = st.one_of(FLOATS, LOGS, INTEGERS, LOG_INTEGERS, CATEGORIES)


def spread_over(sizes: list[int]) -> Callable[[int], list[int]]:
    """The position on each axis of a point of a grid without conditions, by its number."""
    space = SearchSpace({f"p{axis}": Integer(0, size - 1) for axis, size in enumerate(sizes)} or {"c": Constant(0)})
    values = {f"p{axis}": range(size) for axis, size in enumerate(sizes)}
    combinations = Combinations(space, values, functools.partial(turns, len(sizes)))
    assert combinations.count == math.prod(sizes)
    return lambda number: [int(value) for name, value in combinations[number].items() if name in values]  # type: ignore[arg-type]


@given(SIZES)
def test_every_point_comes_once(sizes: list[int]) -> None:
    spread = spread_over(sizes)
    points = {tuple(spread(index)) for index in range(math.prod(sizes))}
    assert points == set(itertools.product(*(range(size) for size in sizes)))


@given(st.integers(1, 40), st.data())
def test_a_grid_too_large_to_build_has_no_duplicates(dimensions: int, data: st.DataObject) -> None:
    sizes = [5] * dimensions
    spread = spread_over(sizes)
    indices = data.draw(st.lists(st.integers(0, 5**dimensions - 1), unique=True, max_size=30))
    points = {tuple(spread(index)) for index in indices}
    assert len(points) == len(indices)
    assert all(0 <= position < 5 for point in points for position in point)


@given(st.lists(st.integers(2, 6), min_size=1, max_size=8))
def test_early_points_reach_every_part_of_every_axis(sizes: list[int]) -> None:
    spread = spread_over(sizes)
    for axis, size in enumerate(sizes):
        below = math.prod(sizes[:axis])
        enough = 4 * size if below >= 4 * size else below * size
        assert {spread(index)[axis] for index in range(enough)} == set(range(size))


@pytest.mark.parametrize("dimensions", [2, 3, 5, 10, 30])
def test_a_few_points_of_a_usual_grid_show_every_value(dimensions: int) -> None:
    spread = spread_over([5] * dimensions)
    early = np.array([spread(index) for index in range(10)])
    assert all(len(set(column)) == 5 for column in early.T.tolist())


@given(st.lists(PARAMETERS, min_size=1, max_size=3), st.integers(1, 6))
def test_the_search_evaluates_exactly_its_grid(parameters: list[Parameter], steps: int) -> None:
    space = SearchSpace({f"p{index}": parameter for index, parameter in enumerate(parameters)})
    history = History(space, {})
    sampler, generator = GridSearch(steps), np.random.default_rng(0)
    expected = math.prod(len(values) for values in axes(space, steps))
    configs = set()
    for number in range(1, expected + 1):
        answer = sampler.decide(history, number, Budget(), generator)
        assert isinstance(answer, Suggestion)
        assert space.validate(answer.config) == answer.config
        configs.add(tuple(answer.config.values()))
    assert len(configs) == expected
    assert isinstance(sampler.decide(history, expected + 1, Budget(), generator), Done)


@given(PARAMETERS, st.integers(2, 9))
def test_an_axis_has_its_ends_and_even_steps(parameter: Parameter, steps: int) -> None:
    space = SearchSpace({"p": parameter})
    (values,) = axes(space, steps)
    assert len(set(values)) == len(values)
    if isinstance(parameter, Categorical):
        assert tuple(values) == tuple(parameter.choices)
        return
    assert isinstance(parameter, Float | Integer)
    assert (values[0], values[-1]) == (parameter.lower, parameter.upper)
    if isinstance(parameter, Integer) and parameter.upper - parameter.lower < steps:
        assert list(values) == list(range(parameter.lower, parameter.upper + 1))
    elif isinstance(parameter, Float) and parameter.lower < parameter.upper:
        positions = [space.encode({"p": value})[0] for value in values]
        np.testing.assert_allclose(positions, np.linspace(0.0, 1.0, steps), atol=1e-9)
