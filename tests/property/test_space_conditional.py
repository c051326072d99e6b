"""Random conditional spaces keep the promises of spaces, by hypothesis and by exact enumeration."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from neps.errors import SpaceError
from neps.space import Parameter, SearchSpace
from rigs.conditional_spaces import conditional_spaces, random_space

seeds = st.integers(0, 2**32)


def is_active(space: SearchSpace, name: str, config: Mapping[str, Any]) -> bool:
    """Written without anything of neps but the conditions."""
    for parent, condition in (space[name].active_if or {}).items():
        if (
            parent not in config
            or not is_active(space, parent, config)
            or not matches(space, parent, condition, config)
        ):
            return False
    return True


def matches(space: SearchSpace, name: str, condition: Any, config: Mapping[str, Any]) -> bool:
    plain, value = condition.plain(), config[name]
    if isinstance(plain, list):
        return any(value == each and type(value) is type(each) for each in plain)
    values = list(space[name].every_value(10) or []) if isinstance(space[name].parse(value), str) else None
    place = values.index if values else float
    return all(
        {
            "at_least": place(value) >= place(bound),
            "more_than": place(value) > place(bound),
            "at_most": place(value) <= place(bound),
            "less_than": place(value) < place(bound),
        }[relation]
        for relation, bound in plain.items()
    )


def is_forbidden(space: SearchSpace, config: Mapping[str, Any]) -> bool:
    return any(
        all(name in config and matches(space, name, each, config) for name, each in clause.items())  # type: ignore[union-attr]
        for clause in space.forbid
    )


def every(space: SearchSpace) -> Iterator[dict[str, Any]]:
    """All configurations of a small finite space, allowed or not, by trying every combination of values."""
    seen = set()
    values = {name: list(space[name].every_value(10) or ()) for name in space}
    for chosen in itertools.product(*values.values()):
        whole = dict(zip(values, chosen, strict=True))
        config = {name: value for name, value in whole.items() if is_active(space, name, whole)}
        if repr(config) not in seen:
            seen.add(repr(config))
            yield config


def combinations(space: SearchSpace) -> int:
    return math.prod(len(space[name].every_value(10) or ()) for name in space)


@given(conditional_spaces(), seeds)
def test_what_is_drawn_is_valid_and_comes_back(space: SearchSpace, seed: int) -> None:
    generator = np.random.default_rng(seed)
    for draw in (space.sample, space.sample_prior):
        config = draw(generator)
        assert list(config) == [name for name in space if is_active(space, name, config)]
        assert not is_forbidden(space, config)
        assert list(space.validate(config).items()) == list(config.items())
        point = space.encode(config)
        again = space.decode(point)
        assert list(again) == list(config)
        np.testing.assert_allclose(space.encode(again), point, atol=1e-12)
        assert [name for name, on in zip(space.searched, space.axes_active(point), strict=True) if on] == [
            name for name in space.searched if name in config
        ]
        whatever = np.where(np.isnan(point), generator.random(space.dimensions), point)
        assert repr(space.decode(whatever)) == repr(again)


@given(conditional_spaces(forbidden=0), seeds)
def test_a_changed_value_is_completed(space: SearchSpace, seed: int) -> None:
    generator = np.random.default_rng(seed)
    config, other = space.sample(generator), space.sample(generator)
    for name in space.searched:
        if name in config and name in other:
            config = space.completed(config | {name: other[name]}, generator)
            assert space.validate(config) == config
            assert config[name] == other[name]


@given(conditional_spaces(), seeds)
def test_one_parameter_more_or_less_is_refused(space: SearchSpace, seed: int) -> None:
    config = space.sample(np.random.default_rng(seed))
    for name in space:
        changed = {each: value for each, value in config.items() if each != name}
        if name not in config:
            changed = config | {name: space[name].from_unit(0.5)}
        with pytest.raises(SpaceError, match=name):
            space.validate(changed)


@given(conditional_spaces(fidelity=True))
def test_definitions_come_back(space: SearchSpace) -> None:
    again = SearchSpace.from_definition(space.definition(), space.forbidden_definition())
    assert (again, hash(again), again.differences(space), repr(again)) == (space, hash(space), [], repr(space))
    assert again.requires == space.requires
    assert ("active_if" in space.requires, "forbid" in space.requires) == (space.is_conditional, bool(space.forbid))
    parents = {name: tuple(parameter.active_if or ()) for name, parameter in space.items()}
    assert space.is_conditional == any(parents.values())


@given(conditional_spaces(most=7, finite=True))
def test_the_size_is_that_of_all_that_can_be_listed(space: SearchSpace) -> None:
    configs = [config for config in every(space) if not is_forbidden(space, config)]
    assert space.size == len(configs)
    listed = space.every_config(len(configs))
    assert listed is not None
    assert sorted(map(repr, listed)) == sorted(map(repr, configs))
    assert space.every_config(len(configs) - 1) is None


@given(conditional_spaces(most=7, finite=True, forbidden=4))
def test_the_prior_of_a_finite_space_sums_to_one(space: SearchSpace) -> None:
    """Relative to uniform: the mean over what is drawn uniformly, which `uniform_masses` knows exactly."""
    masses = uniform_masses(space)
    assert math.fsum(mass * math.exp(space.log_prior(config)) for config, mass in masses) == pytest.approx(
        1.0, abs=1e-9
    )


def uniform_masses(space: SearchSpace) -> list[tuple[dict[str, Any], float]]:
    """Each allowed configuration, with the probability that `sample` draws it."""
    found = [(config, math.prod(width(space[name], config[name]) for name in config)) for config in every(space)]
    allowed = [(config, mass) for config, mass in found if not is_forbidden(space, config)]
    whole = math.fsum(mass for _, mass in allowed)
    return [(config, mass / whole) for config, mass in allowed]


def width(parameter: Parameter, value: Any) -> float:
    if not parameter.searched:
        return 1.0
    begin, end = parameter.axis.cell(value)
    return end - begin


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("draw", [SearchSpace.sample, SearchSpace.sample_prior], ids=["uniform", "prior"])
def test_frequencies_are_those_of_an_exact_enumeration(
    seed: int, draw: Callable[[SearchSpace, np.random.Generator], dict[str, Any]]
) -> None:
    """Chi-square with a fixed seed: one test in a million would fail by chance."""
    from_prior = draw is SearchSpace.sample_prior
    space = random_space(seed, parameters=6, finite=True, forbidden=3)
    masses = uniform_masses(space)
    expected = [mass * (math.exp(space.log_prior(config)) if from_prior else 1.0) for config, mass in masses]
    draws, generator = 4000, np.random.default_rng(seed)
    counts = dict.fromkeys((repr(config) for config, _ in masses), 0)
    for _ in range(draws):
        counts[repr(draw(space, generator))] += 1
    common = [(count, draws * mass) for count, mass in zip(counts.values(), expected, strict=True) if draws * mass >= 5]
    rare = draws - math.fsum(mass for _, mass in common)
    if rare > 1:
        common.append((draws - sum(count for count, _ in common), rare))
    if len(common) > 1:
        observed, wanted = np.transpose(common)
        assert chisquare(observed, wanted * (observed.sum() / wanted.sum())).pvalue > 1e-6


@settings(max_examples=25)
@given(conditional_spaces(most=3, depth=3, forbidden=2))
def test_the_prior_of_real_numbers_integrates_to_one(space: SearchSpace) -> None:
    """The midpoint rule over the cube: the density is smooth but at the bounds of conditions, where it jumps."""
    steps = {0: 1, 1: 2000, 2: 60, 3: 15}[space.dimensions]
    middles = (np.arange(steps) + 0.5) / steps
    densities, allowed = [], 0
    for point in itertools.product(middles, repeat=space.dimensions):
        config = space.decode(point)
        if not is_forbidden(space, config):
            allowed += 1
            densities.append(math.exp(space.log_prior(config)))
    assert math.fsum(densities) / allowed == pytest.approx(1.0, abs=3.0 / steps + 1e-9)
