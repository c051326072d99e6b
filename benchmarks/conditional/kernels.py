"""The ways: where an inactive coordinate lies, which parameters a kernel is of, and for which pairs it counts.

Shapes: X is (n, d), encoded by neps, with NaN where a parameter is inactive; `choices` is (d,), as in `neps._models`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from neps._models.kernel import one_hot

__all__ = ["WAYS", "Array", "Block", "Kind", "Way"]

Array = NDArray[np.float64]
Embedding = Callable[[Array, int], Array]
"""Where coordinates (n,) along a conditional axis of so many categories lie: (n, columns), compared as they are."""

_FAR = -0.5
_ARC = 0.5


@dataclasses.dataclass(frozen=True)
class Kind:
    """A space as a kernel sees it.

    Args:
        choices: (d,), how many categories an axis has; 0 for numbers.
        conditions: of each axis, which conditions it has: equal ones are active together; 0 for none.
        parents: (d,), whether others depend on it.
    """

    choices: NDArray[np.intp]
    conditions: NDArray[np.intp]
    parents: NDArray[np.bool_]


@dataclasses.dataclass(frozen=True)
class Block:
    """A kernel of some axes, with a variance of its own: for pairs in which its axes are all active, or for all."""

    axes: NDArray[np.intp]
    where_active: bool = False


Blocks = Callable[[Kind], list[Block]]


@dataclasses.dataclass(frozen=True)
class Way:
    """One way.

    Args:
        embedding: of conditional axes.
        blocks: whose kernels are added.
        effects_at_centre: whether main effects are those of the centre where a parameter is inactive, instead of none.
        same_branch: whether only pairs with the same active parameters are correlated.
        active: whether priors scale with how many are active at once, instead of with all.
    """

    embedding: Embedding
    blocks: Blocks
    effects_at_centre: bool = False
    same_branch: bool = False
    active: bool = True


def _active(x: Array, count: int) -> Array:
    """Columns (n, c) whose distances are those without conditions; NaN where it is inactive."""
    if not count:
        column: Array = (x - 0.5)[:, None]
        return column
    columns: Array = one_hot(x, count) * 0.5**0.5
    columns[np.isnan(x)] = np.nan
    return columns


def centre(x: Array, count: int) -> Array:
    """Imputed at the centre; equally each of the categories."""
    columns = _active(x, count)
    columns[np.isnan(x)] = 0.5**0.5 / count if count else 0.0
    return columns


def outside(x: Array, count: int) -> Array:
    """Imputed by a value outside of the range, as far below it as the centre is above; or by one more category."""
    columns = np.concatenate([_active(x, count), np.zeros((len(x), 1 if count else 0))], axis=1)
    columns[np.isnan(x)] = [0.0] * count + [0.5**0.5] if count else _FAR - 0.5
    return columns


def beside(x: Array, count: int) -> Array:
    """At the centre, and half an edge beside the axis: neps's way."""
    return np.column_stack([np.nan_to_num(_active(x, count)), 0.5 * np.isnan(x)])


def arc(x: Array, count: int) -> Array:
    """On a quarter of a circle, and inactive at its centre: the arc kernel (Swersky et al. 2014), with ρ = 1/2."""
    if count:
        return np.nan_to_num(_active(x, count))
    angle = np.pi * _ARC * x
    return np.nan_to_num(np.column_stack([np.sin(angle), np.cos(angle)]) / (np.pi * _ARC))


def joint(kind: Kind) -> list[Block]:
    """One kernel of all axes."""
    return [Block(np.arange(len(kind.choices)))]


def additive(kind: Kind) -> list[Block]:
    """One kernel of each set of axes that are active together, parents apart, where they are: as in BoTorch and Ax."""
    blocks = []
    for group in np.unique(kind.conditions):
        for parents in (False, True):
            axes = np.flatnonzero((kind.conditions == group) & (kind.parents == parents))
            blocks += [Block(axes, where_active=True)] if len(axes) else []
    return blocks


WAYS: Mapping[str, Way] = {
    "imputed at the centre": Way(centre, joint, effects_at_centre=True),
    "imputed outside": Way(outside, joint),
    "arc": Way(arc, joint),
    "additive, conditional": Way(centre, additive),
    "each branch by itself": Way(centre, joint, same_branch=True),
    "beside the axis": Way(beside, joint),
    "beside, priors by all parameters": Way(beside, joint, active=False),
}
"""By name. The one before the last is what neps does."""
