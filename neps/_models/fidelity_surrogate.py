"""A surrogate of losses at several fidelities: which process explains them, and what of it to remember.

Arrays in, arrays out. Samplers call `fidelity_surrogate`.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neps._models.fidelity_fitting import (
    FidelityNegativeLogPosterior,
    fidelity_beginnings,
    fidelity_bounded,
    most_probable,
)
from neps._models.fidelity_process import FidelityHyperparameters, FidelityProcess
from neps._models.surrogate import explanation

__all__ = ["FidelitySurrogate", "fidelity_surrogate"]

_Array = NDArray[np.float64]

_BELIEVED = 1000  # of more results the posterior is of a part
_SEARCHED, _FIRST = 500, 300  # of more, hyperparameters are found on a part; the first ones on a smaller
_MANY, _FIRST_OF_MANY = 800, 200  # where the posterior takes long too


@dataclasses.dataclass(frozen=True, slots=True)
class FidelitySurrogate:
    """A fitted process, and the warp of the losses that it was fitted to."""

    process: FidelityProcess
    warp: float


def fidelity_surrogate(
    X: _Array,
    u: _Array,
    losses: _Array,
    choices: NDArray[np.intp],
    remembered: tuple[FidelityHyperparameters, float] | None = None,
) -> FidelitySurrogate:
    """The process over configurations and fidelities, and the warp of the losses, that are most probable together.

    When hyperparameters are searched is as for `neps._models.surrogate.surrogate`. Past 500 results they are found on
    500 of them (without a memory on 300, and past 800 on 200), and past 1000 the posterior is of 1000: a third are
    those of the highest fidelities, with the lowest losses first, and the others an even part of the rest.

    Args:
        X: (n, d), n at least 1.
        u: (n,), how far from the highest fidelity each was observed, from 0 to 1.
        losses: (n,), NaN where an evaluation failed, which counts as the worst here.
        choices: (d,), how many categories a dimension encodes; 0 where it is a number.
        remembered: hyperparameters and warp of an earlier surrogate, to begin with.

    Returns:
        The same for the same arguments: nothing is drawn.
    """
    losses = np.where(np.isnan(losses), np.inf, losses)  # what the upper quartile does here is not measured yet
    believed = _part(u, losses, _BELIEVED)
    first = _FIRST if len(losses) <= _MANY else _FIRST_OF_MANY
    part = believed[_part(u[believed], losses[believed], first if remembered is None else _SEARCHED)]

    @functools.cache
    def objective() -> FidelityNegativeLogPosterior:
        return FidelityNegativeLogPosterior(X[part], u[part], np.zeros(len(part)), choices)

    def search(
        y: _Array, starts: Sequence[FidelityHyperparameters], iterations: int
    ) -> tuple[FidelityHyperparameters, float]:
        return most_probable(objective().given(y), starts, iterations)

    begin = fidelity_beginnings(len(choices))
    # Long length scales beside a memory gain nothing here, neither over tables nor over functions.
    found, targets = explanation(losses, part, search, begin, remembered, begin[:1])
    if remembered is not None and found is remembered[0]:
        found = fidelity_bounded(found)
    process = FidelityProcess(X[believed], u[believed], targets.values[believed], choices, found)
    return FidelitySurrogate(process, targets.warp)


def _part(u: _Array, losses: _Array, most: int) -> NDArray[np.intp]:
    """Which results count: indices (at most `most`,), in order."""
    if len(losses) <= most:
        return np.arange(len(losses))
    order = np.lexsort((np.where(np.isfinite(losses), losses, np.inf), u))
    rest = np.sort(order[most // 3 :])
    even = np.linspace(0, len(rest) - 1, most - most // 3).astype(np.intp)
    return np.sort(np.concatenate([order[: most // 3], rest[even]]))
