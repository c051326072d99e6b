"""Changing a configuration: another value for one of its parameters, or for several. NumPy only.

`regularized_evolution` and `ensemble` call it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from neps.space import Value

if TYPE_CHECKING:
    import numpy as np

    from neps.space import SearchSpace

__all__ = ["mutated_in_one", "mutated_in_some"]


def mutated_in_one(
    space: SearchSpace, config: Mapping[str, Value], deviation: float, generator: np.random.Generator
) -> dict[str, Value]:
    """`config` with another value of one parameter, each of those that have several being as likely.

    Of a categorical, each other choice is as likely. A number takes a normal step on its own (log) scale, cut off at
    the bounds; an integer always changes.

    Args:
        space: where it lies; at least one searched parameter must have several values.
        config: a configuration of it.
        deviation: the standard deviation of a step, as a share of the range, above 0.
        generator: where the randomness comes from.
    """
    names = _varying(space)
    name = names[generator.integers(len(names))]
    return dict(config) | {name: space.parameters[name].mutated(config[name], deviation, generator)}


def mutated_in_some(
    space: SearchSpace, config: Mapping[str, Value], rate: float, deviation: float, generator: np.random.Generator
) -> dict[str, Value]:
    """`config` with other values, as of `mutated_in_one`, of those parameters that are drawn at this rate, or else one.

    Where no parameter has several values, it stays as it is.
    """
    names = _varying(space)
    drawn = [name for name in names if generator.random() < rate]
    if not drawn:
        return mutated_in_one(space, config, deviation, generator) if names else dict(config)
    return dict(config) | {name: space.parameters[name].mutated(config[name], deviation, generator) for name in drawn}


def _varying(space: SearchSpace) -> list[str]:
    return [name for name in space.searched if space.parameters[name].count != 1]
