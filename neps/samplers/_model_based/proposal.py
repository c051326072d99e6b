"""The model-based step of Bayesian optimization: fit a surrogate to the history, maximise an acquisition function.

Needs scipy, so samplers import it when they first need a model. The mathematics is in `neps._models`; here it meets
trials: failures, pending ones, what earlier decisions remember, and never proposing what is claimed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neps._history import History
from neps._models.acquisition import Acquisition, LogExpectedImprovement, Sum
from neps._models.gaussian_process import GaussianProcess, Hyperparameters
from neps._models.losses import WARPS
from neps._models.main_effects import DEGREES
from neps._models.surrogate import Surrogate, believed, surrogate
from neps._models.threads import one_thread
from neps._trial import Trial
from neps.samplers._drawing.claimed import Claimed
from neps.samplers._drawing.initial_design import in_full
from neps.samplers._model_based.acquisition_optimizer import candidates
from neps.samplers._model_based.axes import Axes, axes_of
from neps.samplers._protocol import Suggestion

__all__ = [
    "INCUMBENTS",
    "PENDING",
    "Term",
    "calm",
    "observed_loss",
    "propose",
    "ranked",
    "remembered",
    "remembered_as",
    "with_term",
]

_Array = NDArray[np.float64]

Term = Callable[[Axes, Sequence[Trial], LogExpectedImprovement], Acquisition]
"""Makes what is added to log expected improvement, from the axes, all decided trials, and that itself."""

_EXPLORATION = 0.3
"""Of numbers. With less than the whole of its uncertainty the model finds better configurations in short runs: expected
improvement goes far away too often (De Ath et al. 2021, "Greed is good", for the same with other acquisition
functions). With categories it counts in full: one that is untried has no neighbours to be judged by."""
_AMONG_BRANCHES = 0.6
"""Of numbers on which it depends what is active: with 0.3 the search stays too long in the first good branch."""
_REPEATED = 0.1
"""One point repeats another if the difference of their losses has, a priori, less than this share of the noise's
variance. Without noise next to nothing does."""
INCUMBENTS = 3
"""Around so many it is looked at more closely."""
PENDING = 250
"""Of more that run, the latest count."""
_DIGITS = 4


def propose(
    history: History, generator: np.random.Generator, term: Term | None = None, *, exploration: float | None = None
) -> Suggestion:
    """The configuration that promises most.

    Args:
        history: with at least one ended trial, and, in a finite space, at least one configuration unclaimed.
        generator: draws the candidates.
        term: what to add to log expected improvement.
        exploration: how much of the model's standard deviation counts. None: 0.3, or 1 where there are categories,
            and 0.6 in a conditional space without.

    Returns:
        The suggestion. Its metadata hold the log expected improvement in standard deviations of the losses, and the
        model's hyperparameters, from which the search for the next ones begins.
    """
    decided = [*in_full(history), *(trial for trial in history.trials if trial.decision is not None)]
    with calm():
        axes = axes_of(history.space)
        if exploration is None:
            among_numbers = _AMONG_BRANCHES if history.space.is_conditional else _EXPLORATION
            exploration = 1.0 if axes.choices.any() else among_numbers
        found = _surrogate(axes, decided)
        process = _with_pending(found.process, axes, decided)
        means = process.mean(process.X)
        # Upon the lowest mean, not the lowest loss: of a noisy objective a lucky one would never be improved upon.
        improvement = LogExpectedImprovement(process, float(means.min()))
        acquisition = with_term(improvement, exploration, term, axes, decided)
        Z = ranked(axes, acquisition, process.X[np.argsort(means, kind="stable")[:INCUMBENTS]], generator)
        Z = _new_first(process, Z)
        others = Claimed.of(history) if len(decided) > len(process.X) else None
        # The promising parts of a large finite space may all be claimed.
        config = axes.first_unclaimed(Z, process.X, others) or Claimed.of(history).another(generator)
        expected = float(improvement(axes.encode([config]))[0])
    model = remembered_as(dataclasses.asdict(found.process.hyperparameters), found.warp)
    return Suggestion(config=config, metadata={"by": "model", "log_expected_improvement": expected, "model": model})


@contextlib.contextmanager
def calm() -> Iterator[None]:
    """In one thread, and without errors of NumPy: a caller that has set it to raise must survive an underflow."""
    with np.errstate(all="ignore"), one_thread():
        yield


def with_term(
    improvement: LogExpectedImprovement, exploration: float, term: Term | None, axes: Axes, decided: Sequence[Trial]
) -> Acquisition:
    """What is maximised: log expected improvement with so much of the standard deviation, and the term."""
    explored = dataclasses.replace(improvement, exploration=exploration)
    return explored if term is None else Sum((explored, term(axes, decided, improvement)))


def ranked(axes: Axes, acquisition: Acquisition, incumbents: _Array, generator: np.random.Generator) -> _Array:
    """Points that promise much, the best first: (m, d); all of a space that has few."""
    Z = axes.everything if axes.few else candidates(axes, acquisition, incumbents, generator)
    if not len(Z):  # all of them are forbidden
        return Z
    return Z[np.argsort(-acquisition(Z), kind="stable")]


def _new_first(process: GaussianProcess, Z: _Array) -> _Array:
    """Z (m, d), with what would only repeat an observation last.

    Where the noise is large, expected improvement is largest beside the best for dozens of trials: what is known there
    has a low mean, and it is never known exactly. But they would all tell the same.
    """
    repeated = (process.differences(Z) < _REPEATED * process.hyperparameters.noise).any(axis=0)
    return np.concatenate([Z[~repeated], Z[repeated]])


def _surrogate(axes: Axes, decided: Sequence[Trial]) -> Surrogate:
    ended = [trial for trial in decided if trial.ended]
    losses = np.array([observed_loss(trial) for trial in ended])
    among = believed(losses)
    points = axes.encode(ended[index].config for index in among)
    found = remembered(decided, axes.dimensions)
    return surrogate(points, losses, axes.choices, found and (found[0], found[1]), among)


def _with_pending(process: GaussianProcess, axes: Axes, decided: Sequence[Trial]) -> GaussianProcess:
    """As if pending trials had ended as it predicts."""
    pending = [trial for trial in decided if not trial.ended][-PENDING:]
    return process.believing(axes.encode(trial.config for trial in pending)) if pending else process


def observed_loss(trial: Trial) -> float:
    """The loss of a trial that has ended; NaN where it failed, and infinite where the loss isn't a finite number."""
    if trial.loss is None or not trial.succeeded:
        return math.nan
    return trial.loss if math.isfinite(trial.loss) else math.inf


def remembered_as(hyperparameters: Mapping[str, Any], warp: float) -> dict[str, Any]:
    """What the next fit begins with, as plain data: four digits of each number."""
    return {name: _shortened(value) for name, value in {**hyperparameters, "bend": warp}.items()}


def remembered(
    decided: Sequence[Trial], d: int, own: Sequence[str] = ()
) -> tuple[Hyperparameters, float, list[float]] | None:
    """What the latest decision by a model remembers, or None; of another version, or damaged, it's none.

    Args:
        decided: trials with a decision.
        d: how many dimensions the space has.
        own: names of more numbers above 0, which are returned as well.
    """
    memories = (trial.decision.metadata.get("model") for trial in reversed(decided) if trial.decision)
    memory = next((memory for memory in memories if isinstance(memory, Mapping)), {})
    try:
        found = _read(memory, own)
    except (KeyError, OverflowError, TypeError, ValueError):
        return None
    hyperparameters, warp, more = found
    shapes = hyperparameters.lengthscales.shape, hyperparameters.effects.shape
    if shapes != ((d,), (DEGREES,)) or warp not in WARPS:
        return None
    values = np.concatenate([*map(np.ravel, dataclasses.astuple(hyperparameters)), more])
    return found if (np.isfinite(values) & (values > 0.0)).all() else None


def _read(memory: Mapping[str, Any], own: Sequence[str]) -> tuple[Hyperparameters, float, list[float]]:
    lengthscales, effects = (np.array(memory[name], dtype=np.float64) for name in ("lengthscales", "effects"))
    signal, noise, warp, *more = (float(memory[name]) for name in ("signal", "noise", "bend", *own))
    return Hyperparameters(lengthscales, signal, noise, effects), warp, more


def _shortened(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [_shortened(each) for each in value.tolist()]
    return float(f"{value:.{_DIGITS}g}")
