"""What it costs to run from one level of fidelity to the next, from what trials have cost. `fidelity_proposal` asks."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from neps._fidelity import FidelityStep, level_of
from neps._trial import Trial

__all__ = ["step_costs", "step_of"]

_Array = NDArray[np.float64]


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
    alone, shared = defaultdict[int, list[float]](list), defaultdict[int, list[float]](list)
    for trial in trials:
        if (step := step_of(trial, known)) is not None and trial.cost:
            passed = range(level_of(step.begin, levels) + 1, level_of(step.end, levels) + 1)
            for level, cost in _shares(trial.cost, passed, widths):
                (alone if len(passed) == 1 else shared)[level].append(cost)
    return [alone[level] or shared[level] for level in range(len(levels))]


def _shares(cost: float, passed: Sequence[int], widths: _Array) -> list[tuple[int, float]]:
    """What of the cost falls on each level, by how wide it is."""
    whole = sum(widths[level] for level in passed)
    return [(level, cost * (widths[level] / whole)) for level in passed]
