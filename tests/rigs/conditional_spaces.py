"""Random conditional spaces: parameters of all types, conditions of all kinds to any depth, forbidden combinations.

`random_space` makes one of a seed, and `conditional_spaces` is a strategy of hypothesis, which shrinks their size.
Parameters are named after their place in a topological order (p0, p1, …), and written in a random one.
"""

from __future__ import annotations

import contextlib
from random import Random
from typing import Any

from hypothesis import strategies as st

import neps
from neps.errors import SpaceError
from neps.space import (
    Categorical,
    Choice,
    Comparison,
    Constant,
    Float,
    Integer,
    Parameter,
    Repeat,
    SearchSpace,
    Value,
)

__all__ = ["conditional_spaces", "nested_spaces", "random_space"]

_CONFIDENCES: list[Any] = ["low", "medium", "high"]
_COMPARISONS = [neps.at_least, neps.at_most, neps.more_than, neps.less_than]


def random_space(
    seed: int,
    *,
    parameters: int = 8,
    depth: int = 5,
    finite: bool = False,
    forbidden: int = 2,
    fidelity: bool = False,
) -> SearchSpace:
    """A space in which every parameter can be active.

    Args:
        seed: of all that is random.
        parameters: how many there are, without the fidelity.
        depth: how long the longest chain of conditions may be.
        finite: whether there are only finitely many values of each parameter, and few.
        forbidden: how many forbidden combinations there are at most.
        fidelity: whether there is a fidelity named `epochs` in addition.
    """
    random = Random(seed)
    made: dict[str, Parameter] = {}
    depths: dict[str, int] = {}
    for index in range(parameters):
        name, parents = f"p{index}", [parent for parent in made if depths[parent] < depth]
        among = random.sample(parents, min(len(parents), random.choice([0, 1, 1, 1, 2, 3])))
        made[name], depths[name] = _parameter(random, finite=finite, active_if=None), 0
        if active_if := {parent: _condition(random, made[parent]) for parent in among if made[parent].count != 1}:
            conditional = _parameter(random, finite=finite, active_if=active_if)
            with contextlib.suppress(SpaceError):  # conditions that never hold together
                SearchSpace(made | {name: conditional})
                made[name], depths[name] = conditional, 1 + max(depths[parent] for parent in active_if)
    if fidelity:
        made["epochs"] = Integer(1, 27, is_fidelity=True)
    return _forbidding(random, dict(random.sample([*made.items()], len(made))), forbidden)


def conditional_spaces(
    *, most: int = 30, depth: int = 5, finite: bool = False, forbidden: int = 2, fidelity: bool = False
) -> st.SearchStrategy[SearchSpace]:
    """Random spaces of up to `most` parameters; the other arguments are those of `random_space`."""
    return st.builds(
        random_space,
        st.integers(0, 2**32),
        parameters=st.integers(1, most),
        depth=st.integers(1, depth),
        finite=st.just(finite),
        forbidden=st.integers(0, forbidden),
        fidelity=st.just(fidelity),
    )


def nested_spaces(*, most: int = 3, depth: int = 3, finite: bool = False) -> st.SearchStrategy[SearchSpace]:
    """Random spaces of choices and repeats in each other, with up to `most` parameters in each block."""
    return st.builds(_nested_space, st.integers(0, 2**32), st.integers(1, most), st.integers(1, depth), st.just(finite))


def _nested_space(seed: int, most: int, depth: int, finite: bool) -> SearchSpace:  # noqa: FBT001 - a strategy passes it
    random = Random(seed)
    block = _block(random, most, depth, finite=finite)
    space = SearchSpace(block | {"outside": _nest(random, most, depth, finite=finite)})
    return _forbidding(random, dict(space.parameters), 2) if random.random() < 0.5 else space


def _block(random: Random, most: int, depth: int, *, finite: bool) -> dict[str, Parameter]:
    block: dict[str, Parameter] = {}
    for name in [f"p{index}" for index in range(random.randint(1, most))]:
        beside = [each for each, parameter in block.items() if parameter.count != 1]
        given = random.choice(beside) if beside and random.random() < 1 / 3 else None
        active_if = {given: _condition(random, block[given])} if given is not None else None
        if depth and random.random() < 0.5:
            block[name] = _nest(random, most, depth - 1, finite=finite).with_prior(active_if=active_if)
        else:
            block[name] = _parameter(random, finite=finite, active_if=active_if)
        with contextlib.suppress(SpaceError):  # a condition that never holds
            SearchSpace(block)
            continue
        block[name] = block[name].with_prior(active_if=None)
    return block


def _nest(random: Random, most: int, depth: int, *, finite: bool) -> Parameter:
    blocks = [_block(random, most, depth, finite=finite) if depth else {} for _ in range(random.randint(1, 3))]
    made: Parameter = Choice({f"o{index}": block for index, block in enumerate(blocks)})
    if random.random() < 0.5:
        inside = blocks[0] if blocks[0] and random.random() < 0.5 else _parameter(random, finite=finite, active_if=None)
        lower = random.randint(0, 2)
        made = Repeat(made if random.random() < 1 / 3 else inside, lower, max(lower + random.randint(0, 1), 1))
    if random.random() < 1 / 3:
        return made.with_prior(default=made.from_unit(random.random()), default_confidence=random.choice(_CONFIDENCES))
    return made


def _parameter(random: Random, *, finite: bool, active_if: dict[str, Any] | None) -> Parameter:
    kinds = [_choices, _sizes, _whole, _constant] + ([] if finite else [_real, _steps, _logarithmic])
    made = random.choice(kinds)(random, active_if)
    if made.searched and random.random() < 1 / 3:
        return made.with_prior(default=made.from_unit(random.random()), default_confidence=random.choice(_CONFIDENCES))
    return made


def _choices(random: Random, active_if: Any) -> Parameter:
    listed: list[Value] = ["a", "b", 1, None, 2.5]
    return Categorical(listed[: random.randint(1, 5)], active_if=active_if)


def _sizes(random: Random, active_if: Any) -> Parameter:
    return Categorical([8, 16, 32, 64][: random.randint(2, 4)], ordered=True, active_if=active_if)


def _whole(random: Random, active_if: Any) -> Parameter:
    lower = random.randint(1, 3)
    return Integer(lower, lower + random.randint(0, 3), log=random.random() < 0.5, active_if=active_if)


def _constant(random: Random, active_if: Any) -> Parameter:
    return Constant(random.choice(["digits", 3, None]), active_if=active_if)


def _real(random: Random, active_if: Any) -> Parameter:
    lower = random.uniform(-5, 5)
    return Float(lower, lower + random.choice([0.0, 1.0, 10.0, 1e3]), active_if=active_if)


def _steps(random: Random, active_if: Any) -> Parameter:
    return Float(0.0, random.randint(1, 9) / 10, step=0.1, active_if=active_if)


def _logarithmic(random: Random, active_if: Any) -> Parameter:
    return Float(10 ** random.uniform(-6, -1), 1.0, log=True, active_if=active_if)


def _condition(random: Random, parent: Parameter) -> Any:
    values = parent.every_value(20)
    bounds = [parent.from_unit(random.random()) for _ in range(2)]
    if parent.categories or (values is not None and random.random() < 0.5):
        listed = list(values or bounds)
        return random.sample(listed, random.randint(1, max(1, len(listed) - 1)))
    one = random.choice(_COMPARISONS)(bounds[0])
    with contextlib.suppress(SpaceError):
        return _both(one, random.choice(_COMPARISONS)(bounds[1])) if random.random() < 0.2 else one
    return one


def _both(one: Comparison, other: Comparison) -> Comparison:
    return one & other


def _forbidding(random: Random, parameters: dict[str, Parameter], most: int) -> SearchSpace:
    space = SearchSpace(parameters)
    several = [name for name, each in parameters.items() if each.searched and each.count != 1]
    for _ in range(random.randint(0, most)):
        among = random.sample(several, min(len(several), random.randint(1, 3)))
        with contextlib.suppress(SpaceError):  # nearly all would be forbidden
            space = SearchSpace(space, forbid=[{name: _condition(random, parameters[name]) for name in among}])
    return space
