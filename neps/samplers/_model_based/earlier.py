"""Results of earlier runs: how far this run may learn from them, which its own results decide.

Needs scipy. The decision asks before it asks the sampler; what is trusted is among the imported results then, so that
every sampler that learns from those learns from these, too.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from neps._history import History
from neps._models.fitting import fit
from neps._models.losses import Targets
from neps._outcome import Result
from neps._trial import Trial
from neps.samplers._drawing.initial_design import usual_size
from neps.samplers._model_based.axes import Axes, axes_of
from neps.samplers._model_based.proposal import calm, observed_loss

__all__ = ["learning_from_earlier"]

_Array = NDArray[np.float64]

_FEWEST = 2
"""With fewer own results, earlier ones are trusted: nothing speaks against them yet."""
_MANY = 8
"""Of so many own results, the later half has to agree, too: near its end, a search knows better what is around it. And
of so many, or twice an initial design, the best half has to be predicted better with the earlier ones than without."""
_MOST_EARLIER, _MOST_OWN = 120, 80
"""So many are compared at most, the best and the latest."""
_ODDS = 1.0
"""The logarithm of the odds that an earlier run is of use, before any result."""


def learning_from_earlier(history: History) -> History:
    """The history as a sampler sees it: with the earlier results that it may learn from among the imported ones.

    Which of three explains the own results best: that the earlier run's losses are this run's; that they are, but for a
    constant; or that they say nothing? The first two are judged by how probable the own results are given the earlier
    ones, by a Gaussian process for both; the last by how probable they are by themselves. So an earlier run has to earn
    its influence anew with each result, and loses it where its optimum was another.

    Once there are more own results, it loses it, too, where these alone predict the best of them better, each from all
    others: one process has to explain what is far from the optimum as well, and is less exact near it. By probability
    alone that would not be seen, since the losses are those of one function. (Rasmussen and Williams 2006, 5.4.2: what
    is left out is the better judge of a model that can't be quite right.) Not over fidelities: no gain was measured.
    """
    own = tuple(trial for trial in history.trials if trial.ended and trial.decision is not None)
    trusted = _trusted(axes_of(history.space), history.earlier, own)
    if trusted is None:
        return history
    return attrs.evolve(history, imported=(*history.imported, *trusted), earlier=())


def _trusted(axes: Axes, earlier: tuple[Trial, ...], own: tuple[Trial, ...]) -> tuple[Trial, ...] | None:
    """What is learned from: nothing where own results are better, None where earlier ones mislead."""
    if len(own) < _FEWEST or not axes.dimensions:
        return earlier
    part, latest = _part(earlier), _latest(own)
    theirs, ours = _losses(part), _losses(latest)
    if not np.isfinite(theirs).any():
        return None
    if np.isfinite(ours).sum() < _FEWEST:
        return earlier
    choices = np.append(axes.choices, 0) if axes.space.fidelity is not None else axes.choices
    with calm():
        constant, odds, gain = _likeliest(_points(axes, part), theirs, _points(axes, latest), ours, choices)
    if odds + _ODDS < 0.0:
        return None
    if gain.at_best < 0.0 and _are_enough(own, axes):
        return ()
    return tuple(_shifted(trial, constant) for trial in earlier) if constant else earlier


def _are_enough(own: tuple[Trial, ...], axes: Axes) -> bool:
    return axes.space.fidelity is None and len(own) >= max(_MANY, 2 * usual_size(axes.space))


def _losses(trials: Sequence[Trial]) -> _Array:
    return np.array([observed_loss(trial) for trial in trials])


def _likeliest(
    X: _Array, theirs: _Array, Z: _Array, ours: _Array, choices: NDArray[np.intp]
) -> tuple[float, float, _Gain]:
    """The constant, 0 or another, with which earlier losses explain own ones best; its log odds, and what is gained."""
    shift = _shift(X, theirs, Z, ours, choices)
    gains = [_gain(X, theirs + constant, Z, ours, choices) for constant in (0.0, shift)]
    odds = [gains[0].in_turn, gains[1].in_turn - 0.5 * math.log(len(ours))]
    best = int(odds[1] > odds[0])  # never so for NaN
    return (0.0, shift)[best], odds[best], gains[best]


@dataclasses.dataclass(frozen=True, slots=True)
class _Gain:
    """By how much the earlier results make own ones more probable: differences of logarithms.

    `in_turn`: each given those before it; of many own results, or of their later half, given the others, whichever says
    less for them. `at_best`: the best half, each given all others.
    """

    in_turn: float
    at_best: float


def _gain(X: _Array, theirs: _Array, Z: _Array, ours: _Array, choices: NDArray[np.intp]) -> _Gain:
    losses = np.concatenate([theirs, ours])
    targets = Targets(losses).values
    n, m = len(theirs), len(ours)
    together = fit(np.concatenate([X, Z]), targets, choices, iterations=30)
    y = targets[n:]
    mean, deviation = float(y.mean()), float(y.std()) or 1.0
    alone = fit(Z, (y - mean) / deviation, choices, iterations=30)
    gains = [
        together.log_density(n + first) - alone.log_density(first) + (m - first) * math.log(deviation)
        for first in ((0, m // 2) if m >= _MANY else (0,))
    ]
    at_best = np.argsort(ours, kind="stable")[: max(m // 2, _FEWEST)]  # NaN is last
    left_out = together.left_out()[n:] - alone.left_out() + math.log(deviation)
    return _Gain(min(gains), float(left_out[at_best].sum()))


def _shift(X: _Array, theirs: _Array, Z: _Array, ours: _Array, choices: NDArray[np.intp]) -> float:
    """The median difference of own losses from what earlier ones predict; 0 where no number says it."""
    finite = np.isfinite(theirs)
    y = theirs[finite]
    mean, deviation = float(y.mean()), float(y.std()) or 1.0
    predicted = fit(X[finite], (y - mean) / deviation, choices, iterations=30).mean(Z) * deviation + mean
    differences = ours - predicted
    known = differences[np.isfinite(differences)]
    return float(np.median(known)) if len(known) else 0.0


def _points(axes: Axes, trials: Sequence[Trial]) -> _Array:
    """(n, d), and one more where there is a fidelity, for how near to the highest a result is."""
    X = axes.encode(trial.config for trial in trials)
    top = axes.space.highest_fidelity
    if top is None:
        return X
    return np.column_stack([X, [(trial.fidelity or top) / top for trial in trials]])


def _part(earlier: tuple[Trial, ...]) -> tuple[Trial, ...]:
    """The best half, and the rest evenly."""
    if len(earlier) <= _MOST_EARLIER:
        return earlier
    losses = np.array([observed_loss(trial) for trial in earlier])
    ranked = np.argsort(np.where(np.isfinite(losses), losses, np.inf), kind="stable")
    half = _MOST_EARLIER // 2
    spread = np.linspace(half, len(earlier) - 1, _MOST_EARLIER - half).astype(np.intp)
    return tuple(earlier[index] for index in sorted(ranked[[*range(half), *spread]]))


def _latest(own: tuple[Trial, ...]) -> tuple[Trial, ...]:
    return own[-_MOST_OWN:]


def _shifted(trial: Trial, shift: float) -> Trial:
    if trial.result is None or trial.loss is None:
        return trial
    outcome = dataclasses.replace(trial.result.outcome, loss=trial.loss + shift)
    return dataclasses.replace(trial, result=Result(outcome, trial.result.origin))
