"""Changing a configuration: another value for one of its parameters, or for several. NumPy only.

`regularized_evolution` and `ensemble` call it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from neps.space import Value

if TYPE_CHECKING:
    import numpy as np

    from neps.space import SearchSpace

__all__ = ["mutated_in_one", "mutated_in_some"]

_TRIES = 100


def mutated_in_one(
    space: SearchSpace, config: Mapping[str, Value], deviation: float, generator: np.random.Generator
) -> dict[str, Value]:
    """`config` with another value of one parameter, each of those that have several being as likely.

    Of a categorical, each other choice is as likely. A number takes a normal step on its own (log) scale, cut off at
    the bounds; an integer always changes. What becomes active by it is drawn (`SearchSpace.completed`), and what is no
    longer active is left out. The result may be forbidden.

    Args:
        space: where it lies; at least one searched parameter must have several values.
        config: a configuration of it.
        deviation: the standard deviation of a step, as a share of the range, above 0.
        generator: where the randomness comes from.
    """
    names = _varying(space, config)
    if not names:
        return space.sample(generator)
    return _mutated(space, config, [names[generator.integers(len(names))]], deviation, generator)


def mutated_in_some(
    space: SearchSpace, config: Mapping[str, Value], rate: float, deviation: float, generator: np.random.Generator
) -> dict[str, Value]:
    """`config` with other values, as of `mutated_in_one`, of those parameters that are drawn at this rate, or else one.

    Where no parameter has several values, it stays as it is; and where 100 mutations are forbidden.
    """
    for _ in range(_TRIES):
        names = _varying(space, config)
        drawn = [name for name in names if generator.random() < rate]
        if not names:
            break
        if drawn:
            mutated = _mutated(space, config, drawn, deviation, generator)
        else:
            mutated = mutated_in_one(space, config, deviation, generator)
        if space.is_allowed(mutated):
            return mutated
    return dict(config)


def _mutated(
    space: SearchSpace,
    config: Mapping[str, Value],
    names: Sequence[str],
    deviation: float,
    generator: np.random.Generator,
) -> dict[str, Value]:
    changed = {name: space.parameters[name].mutated(config[name], deviation, generator) for name in names}
    mutated = dict(config) | changed
    return space.completed(mutated, generator) if space.is_conditional else mutated


def _varying(space: SearchSpace, config: Mapping[str, Value]) -> list[str]:
    """What may be changed: the active parameters that have several values."""
    return [name for name in space.searched if name in config and space.parameters[name].count != 1]
