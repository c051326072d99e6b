"""What it costs to run from one level of fidelity to the next, from what trials have cost. `fidelity_proposal` asks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from neps.fidelity import FidelityStep
from neps.rounding import just_above
from neps.trial import Trial

__all__ = ["level_of", "step_costs", "step_of"]

_Array = NDArray[np.float64]


def level_of(fidelity: float | None, levels: Sequence[float]) -> int:
    """The highest level that a fidelity has reached; -1 below the lowest."""
    return int(np.searchsorted(levels, just_above(fidelity or 0.0), side="right")) - 1


def step_of(trial: Trial, known: Mapping[int, Trial]) -> FidelityStep | None:
    """What a success has run; None where that isn't known."""
    return FidelityStep.of(trial.decision, known) if trial.succeeded else None


def step_costs(trials: Sequence[Trial], known: Mapping[int, Trial], levels: Sequence[float]) -> _Array:
    """What each level costs from the one below, in any unit: what that has on average, or by its fidelity.

    Args:
        trials: with a decision.
        known: all trials by number.
        levels: from the lowest, (k,).

    Returns:
        (k,).
    """
    widths = np.diff([0.0, *levels]) / levels[-1]
    seen = _seen(trials, known, levels, widths)
    priced = [level for level, costs in enumerate(seen) if costs]
    if not priced:
        return widths
    _, exponent = math.frexp(max(max(seen[level]) for level in priced))  # or sums of 1e308 would overflow
    means = {level: np.ldexp(seen[level], -exponent).mean() for level in priced}
    price = means[priced[-1]] / widths[priced[-1]]
    return np.array([means.get(level, price * width) for level, width in enumerate(widths)])


def _seen(
    trials: Sequence[Trial], known: Mapping[int, Trial], levels: Sequence[float], widths: _Array
) -> list[list[float]]:
    """Of each level, of trials that passed no other, or else the share of those that passed several."""
    alone: list[list[float]] = [[] for _ in levels]
    shared: list[list[float]] = [[] for _ in levels]
    for trial in trials:
        step = step_of(trial, known)
        if step is None or not trial.cost:
            continue
        passed = range(level_of(step.begin, levels) + 1, level_of(step.end, levels) + 1)
        whole = sum(widths[level] for level in passed)
        for level in passed:
            (alone if len(passed) == 1 else shared)[level].append(trial.cost * (widths[level] / whole))
    return [single or several for single, several in zip(alone, shared, strict=True)]
