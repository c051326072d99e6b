"""Random nested spaces: flat and nested configurations are the same, and definitions keep what is inside of what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from neps._deciding import checked_configs
from neps.space import SearchSpace
from rigs.conditional_spaces import nested_spaces

seeds = st.integers(0, 2**32)


def leaves(content: Any, path: str, space: SearchSpace) -> dict[str, Any]:
    """A nested value by flat names: what `flattened` promises, written from the page alone."""
    kind = space[path].kind if path in space else "block"
    found: dict[str, Any] = {}
    if kind == "choice":
        ((option, inside),) = content.items()
        found[path] = option
        for name, value in inside.items():
            found |= leaves(value, f"{path}.{option}.{name}", space)
    elif kind == "repeat":
        found[path] = len(content)
        for number, each in enumerate(content, start=1):
            found |= leaves(each, f"{path}.{number}", space)
    elif kind == "block":
        for name, value in content.items():
            found |= leaves(value, f"{path}.{name}", space)
    else:
        found[path] = content
    return found


def flat(nested: Mapping[str, Any], space: SearchSpace) -> dict[str, Any]:
    return {path: value for name, each in nested.items() for path, value in leaves(each, name, space).items()}


@settings(max_examples=200)
@given(nested_spaces(), seeds)
def test_nested_and_flat_are_the_same_configuration(space: SearchSpace, seed: int) -> None:
    config = space.sample(np.random.default_rng(seed))
    nested = space.handed(config)
    assert set(nested) <= set(space.arguments)
    assert flat(nested, space) == config
    assert repr(space.validate(nested)) == repr(config) == repr(space.validate(config))
    assert json.loads(json.dumps(nested)) == nested
    point = space.encode(config)
    np.testing.assert_allclose(space.encode(space.decode(point)), point, atol=1e-12)


@given(nested_spaces())
def test_definitions_keep_what_is_inside_of_what(space: SearchSpace) -> None:
    written = yaml.safe_load(yaml.safe_dump(space.definition(), sort_keys=False))
    again = SearchSpace.from_definition(written, space.forbidden_definition())
    assert again == space == SearchSpace(space)
    assert (hash(again), again.arguments, again.requires) == (hash(space), space.arguments, space.requires)
    config = space.sample(np.random.default_rng(0))
    assert again.handed(config) == space.handed(config)


@given(nested_spaces(), seeds)
def test_each_part_of_a_configuration_is_completed_to_one_that_has_it(space: SearchSpace, seed: int) -> None:
    generator = np.random.default_rng(seed)
    config = space.sample(generator)
    nested = space.handed(config)
    part = {name: nested[name] for name in nested if generator.random() < 0.5}
    (checked,) = checked_configs(space, [part], "configs")
    assert checked == space.flattened(part)
