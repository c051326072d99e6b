"""A surrogate of the loss: which Gaussian process explains the losses, and what of it to remember for the next one.

Arrays in, arrays out. Samplers call `surrogate`.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from neps._models.fitting import NegativeLogPosterior, beginnings, bounded, most_probable
from neps._models.gaussian_process import GaussianProcess, Hyperparameters
from neps._models.losses import WARPS, Targets

__all__ = ["Surrogate", "believed", "explanation", "surrogate"]

_Array = NDArray[np.float64]
H = TypeVar("H")
_Fitted = Callable[[Targets, Sequence[H], int], tuple[float, H, Targets]]

_FEW = 20  # with so few results all warps are compared each time, and with more each eighth time
_SELDOM = 8
_FRESH = 64  # with so few, hyperparameters are searched each time, and then afresh too; with more, each eighth time
_TOGETHER = 400  # with more, a decision searches hyperparameters or one other warp, not all warps
_BELIEVED = 1200  # of more results the posterior is of a part
_SEARCHED, _FIRST = 800, 250  # of more, hyperparameters are found on a part; the first ones on a smaller
_ITERATIONS, _FEW_ITERATIONS = 50, 10


@dataclasses.dataclass(frozen=True, slots=True)
class Surrogate:
    """A fitted process, and the warp of the losses that it was fitted to."""

    process: GaussianProcess
    warp: float


def believed(losses: _Array) -> NDArray[np.intp]:
    """Which results the posterior is of: indices (at most 1200,), in order.

    All up to 1200. Of more, the best half and the latest quarter: there the search goes on, and a model that forgot
    what came of its last proposals would make them again. The rest are spread evenly over all others: they say where
    not to look.

    Args:
        losses: of all results, (n,), in the order of their trials; NaN where an evaluation failed.
    """
    return _part(losses, _BELIEVED)


def surrogate(
    X: _Array,
    losses: _Array,
    choices: NDArray[np.intp],
    remembered: tuple[Hyperparameters, float] | None = None,
    among: NDArray[np.intp] | None = None,
) -> Surrogate:
    """The Gaussian process and the warp of the losses that are most probable together.

    The posterior is exact for the k results that are believed. Past 64, hyperparameters are searched again with each
    eighth result: they change little. Past 400, warps are no longer compared all at once: with each eighth result
    another one is tried. Past 800, hyperparameters are found on 800: each step of the search costs n³. A search that
    begins without a memory takes more steps, and is made on 250.

    Args:
        X: (k, d), k at least 1: where the results were found that are believed.
        losses: of all results, (n,); NaN where an evaluation failed.
        choices: (d,), how many categories a dimension encodes; 0 where it is a number.
        remembered: hyperparameters and warp of an earlier surrogate, to begin with.
        among: which of all results are believed, as `believed` says, (k,); None: all.

    Returns:
        The same for the same arguments: nothing is drawn.
    """
    among = np.arange(len(losses)) if among is None else among
    rows = _part(losses[among], _FIRST if remembered is None else _SEARCHED)
    part = among[rows]

    @functools.cache
    def objective() -> NegativeLogPosterior:
        return NegativeLogPosterior(X[rows], np.zeros(len(rows)), choices)

    def search(y: _Array, starts: Sequence[Hyperparameters], iterations: int) -> tuple[Hyperparameters, float]:
        return most_probable(objective().given(y), starts, iterations)

    begin = beginnings(len(choices))
    found, targets = explanation(losses, part, search, begin, remembered, begin)
    if remembered is not None and found is remembered[0]:
        found = bounded(found)
    return Surrogate(GaussianProcess(X, targets.values[among], choices, found), targets.warp)


def explanation(
    losses: _Array,
    part: NDArray[np.intp],
    search: Callable[[_Array, Sequence[H], int], tuple[H, float]],
    beginnings: Sequence[H],
    remembered: tuple[H, float] | None,
    beside: Sequence[H],
) -> tuple[H, Targets]:
    """The hyperparameters and the warp that are most probable together, for any kind of process.

    Args:
        losses: (n,), NaN where an evaluation failed.
        part: which of them hyperparameters are found on.
        search: from targets of the part, hyperparameters to begin with, and how many steps to take from each, to the
            most probable hyperparameters and their negative log posterior.
        beginnings: where to begin without anything better.
        remembered: earlier hyperparameters and their warp, which a long run keeps for seven results of eight.
        beside: which of the beginnings are tried beside earlier hyperparameters, now and then.
    """
    n = len(losses)

    def fitted(targets: Targets, starts: Sequence[H], iterations: int) -> tuple[float, H, Targets]:
        found, value = search(targets.values[part], starts, iterations)
        return value - float(targets.log_slopes[part].sum()), found, targets

    if remembered is None:
        return _best_warp(losses, fitted, fitted(Targets(losses, WARPS[0]), beginnings, _ITERATIONS))
    start, warp = remembered
    if n > _TOGETHER:
        return _in_turns(losses, fitted, start, warp)
    if not (n <= _FEW or n % _SELDOM == 0):
        return (
            (start, Targets(losses, warp))
            if n > _FRESH
            else fitted(Targets(losses, warp), [start], _FEW_ITERATIONS)[1:]
        )
    starts, iterations = ([start], _FEW_ITERATIONS) if n > _FRESH else ([start, *beside], _ITERATIONS)
    return _best_warp(losses, fitted, fitted(Targets(losses, warp), starts, iterations))


def _best_warp(losses: _Array, fitted: _Fitted[H], best: tuple[float, H, Targets]) -> tuple[H, Targets]:
    """The most probable of the best so far and what begins there with any other warp; equal losses have none."""
    _, found, targets = best
    rivals = [Targets(losses, warp) for warp in WARPS if warp != targets.warp and targets.values.any()]
    others = [fitted(rival, [found], _FEW_ITERATIONS) for rival in rivals]
    return min([best, *others], key=lambda fitted: fitted[0])[1:]


def _in_turns(losses: _Array, fitted: _Fitted[H], start: H, warp: float) -> tuple[H, Targets]:
    """A search where each takes long: with one result of eight for hyperparameters, with another for another warp."""
    turn, targets = divmod(len(losses), _SELDOM), Targets(losses, warp)
    if turn[1] == 0:
        return fitted(targets, [start], _FEW_ITERATIONS)[1:]
    if turn[1] == _SELDOM // 2 and targets.values.any():
        others = [other for other in WARPS if other != warp]
        rival = Targets(losses, others[turn[0] % len(others)])
        _, start, targets = min(
            fitted(targets, [start], 0), fitted(rival, [start], _FEW_ITERATIONS), key=lambda fitted: fitted[0]
        )
    return start, targets


def _part(losses: _Array, most: int) -> NDArray[np.intp]:
    """Some of these: indices (at most `most`,), in order, of which half are the best and a quarter the latest.

    The others change little from one result to the next, and a model with them: of the numbers counted from 0, those
    that are divided by the highest power of 2 come first.
    """
    n = len(losses)
    if n <= most:
        return np.arange(n)
    numbers = np.arange(n, dtype=np.int64)
    evenness = np.where(numbers > 0, numbers & -numbers, n)
    chosen = np.zeros(n, dtype=np.bool_)
    chosen[np.argsort(np.where(np.isfinite(losses), losses, np.inf), kind="stable")[: most // 2]] = True
    chosen[n - most // 4 :] = True
    rest = np.flatnonzero(~chosen)
    chosen[rest[np.argsort(-evenness[rest], kind="stable")[: most - int(chosen.sum())]]] = True
    return np.flatnonzero(chosen)
