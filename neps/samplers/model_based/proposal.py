"""The model-based step of Bayesian optimization: fit a surrogate to the history, maximise an acquisition function.

Needs scipy, so samplers import it when they first need a model. The mathematics is in `neps.models`; here it meets
trials: failures, pending ones, what earlier decisions remember, and never proposing what is claimed.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neps.history import History
from neps.models.acquisition import Acquisition, LogExpectedImprovement, Sum
from neps.models.gaussian_process import Hyperparameters
from neps.models.losses import BENDS
from neps.models.main_effects import DEGREES
from neps.models.surrogate import Surrogate, believed, surrogate
from neps.models.threads import one_thread
from neps.samplers.drawing.claimed import Claimed
from neps.samplers.model_based.axes import Axes, axes_of
from neps.samplers.model_based.maximisation import candidates
from neps.samplers.protocol import Suggestion
from neps.trial import Trial

__all__ = ["Term", "observed_loss", "propose", "shortened"]

_Array = NDArray[np.float64]

Term = Callable[[Axes, Sequence[Trial], Acquisition], Acquisition]
"""Makes what is added to log expected improvement, from the axes, all decided trials, and that itself."""

_EXPLORATION = 0.3
"""Of numbers. With less than the whole of its uncertainty the model finds better configurations in short runs: expected
improvement goes far away too often (De Ath et al. 2021, "Greed is good", for the same with other acquisition
functions). With categories it counts in full: one that is untried has no neighbours to be judged by."""
_INCUMBENTS = 3
_PENDING = 250  # of more that run, the latest count
_DIGITS = 4


def propose(
    history: History, generator: np.random.Generator, term: Term | None = None, *, exploration: float | None = None
) -> Suggestion:
    """The configuration that promises most.

    Args:
        history: with at least one ended trial, and, in a finite space, at least one configuration unclaimed.
        generator: draws the candidates.
        term: what to add to log expected improvement.
        exploration: how much of the model's standard deviation counts. None: 0.3, or 1 where there are categories.

    Returns:
        The suggestion. Its reasons hold the log expected improvement in standard deviations of the losses, and the
        model's hyperparameters, from which the search for the next ones begins.
    """
    # A caller that has set numpy to raise must not lose its worker to an underflow in exp(-r).
    with np.errstate(all="ignore"), one_thread():
        return _propose(history, generator, term, exploration)


def _propose(
    history: History, generator: np.random.Generator, term: Term | None, exploration: float | None
) -> Suggestion:
    axes = axes_of(history.space)
    decided = [trial for trial in history.trials if trial.decision is not None]
    ended = [trial for trial in decided if trial.ended]
    losses = np.array([observed_loss(trial) for trial in ended])
    among = believed(losses)
    points = axes.encode(ended[index].config for index in among)
    found = surrogate(points, losses, axes.choices, _remembered(axes, decided), among)
    pending = [trial for trial in decided if not trial.ended][-_PENDING:]
    process = found.process
    if pending:
        process = process.believing(axes.encode(trial.config for trial in pending))
    means = process.mean(process.X)
    # Upon the lowest mean, not the lowest loss: a lucky evaluation of a noisy objective would never be improved upon.
    improvement = LogExpectedImprovement(process, float(means.min()))
    if exploration is None:
        exploration = 1.0 if axes.choices.any() else _EXPLORATION
    acquisition: Acquisition = dataclasses.replace(improvement, exploration=exploration)
    if term is not None:
        acquisition = Sum((acquisition, term(axes, decided, improvement)))
    if axes.few:
        Z = axes.everything
    else:
        incumbents = process.X[np.argsort(means, kind="stable")[:_INCUMBENTS]]
        Z = candidates(axes, acquisition, incumbents, generator)
    Z = Z[np.argsort(-acquisition(Z), kind="stable")]
    others = Claimed.of(history) if len(decided) > len(process.X) else None
    # The promising parts of a large finite space may all be claimed.
    config = axes.first_unclaimed(Z, process.X, others) or Claimed.of(history).another(generator)
    expected = float(improvement(axes.encode([config]))[0])
    reasons = {"by": "model", "log_expected_improvement": expected, "model": _memory(found)}
    return Suggestion(config=config, reasons=reasons)


def observed_loss(trial: Trial) -> float:
    """The loss of a trial that has ended; NaN where it failed."""
    return math.nan if trial.loss is None or not trial.succeeded else trial.loss


def _memory(found: Surrogate) -> dict[str, Any]:
    """What the next fit begins with, as plain data."""
    values = dataclasses.asdict(found.process.hyperparameters) | {"bend": found.bend}
    return {name: shortened(value) for name, value in values.items()}


def shortened(value: Any) -> Any:
    """A number, or an array as a list, with four digits: plain data for a decision to remember."""
    if isinstance(value, np.ndarray):
        return [shortened(each) for each in value.tolist()]
    return float(f"{value:.{_DIGITS}g}")


def _remembered(axes: Axes, decided: Sequence[Trial]) -> tuple[Hyperparameters, float] | None:
    """What the latest decision by a model remembers, or None; of another version, or damaged, it's none."""
    for trial in reversed(decided):
        memory = trial.decision.reasons.get("model") if trial.decision else None
        if isinstance(memory, Mapping):
            return _read(memory, axes.dimensions)
    return None


def _read(memory: Mapping[str, Any], d: int) -> tuple[Hyperparameters, float] | None:
    try:
        lengthscales, effects = (np.array(memory[name], dtype=np.float64) for name in ("lengthscales", "effects"))
        signal, noise, bend = (float(memory[name]) for name in ("signal", "noise", "bend"))
    except (KeyError, OverflowError, TypeError, ValueError):
        return None
    values = np.concatenate([lengthscales.ravel(), effects.ravel(), [signal, noise]])
    if lengthscales.shape != (d,) or effects.shape != (DEGREES,) or not (values > 0).all() or bend not in BENDS:
        return None
    return Hyperparameters(lengthscales, signal, noise, effects), bend
