"""What a plot of a run shows, as numbers: its incumbents over what was spent, and its learning curves.

Derived from a history; no file, no matplotlib. Called by `plot`, `figure` and `panels`.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

from neps import _ranking as ranking
from neps._fidelity import FidelityStep
from neps._history import History
from neps._trial import Trial

__all__ = ["PANELS", "Anytime", "Curve", "anytime", "best_first", "learning_curves", "longest", "measures"]

PANELS = BEST_SO_FAR, LEARNING_CURVES = "best_so_far", "learning_curves"
"""What can be shown, by name."""

Curve = Sequence[tuple[float, float]]
"""Steps and finite losses, by step; at least one."""


@dataclasses.dataclass(frozen=True, slots=True)
class Anytime:
    """The incumbent after each trial that has ended, from the first one with a finite loss on.

    Args:
        measure: what is counted as spent.
        spent: how much of it, by all trials that had ended; not falling.
        incumbents: as many; the last one is `History.best`.
        ended: each trial that has ended, failed ones and those without a finite loss included, and what was spent
            by then.
    """

    measure: str
    spent: Sequence[float]
    incumbents: Sequence[Trial]
    ended: Sequence[tuple[float, Trial]]

    @property
    def changes(self) -> list[int]:
        """The places in `incumbents` of those that were new."""
        pairs = itertools.pairwise([None, *self.incumbents])
        return [place for place, (before, after) in enumerate(pairs) if after is not before]


def anytime(history: History, measure: str | None = None) -> Anytime:
    """The anytime performance of a run, by the same rule as `History.best`.

    Args:
        history: of a run; its incumbent has a finite loss.
        measure: one of `measures(history)`; None is the first of them. Failed trials spend, too.
    """
    ended, amounts = _ended(history), measures(history)
    measure = next(iter(amounts)) if measure is None else measure
    spent = list(itertools.accumulate(amounts[measure]))
    known = [pair for pair in zip(spent, ranking.incumbents(ended), strict=True) if ranking.ranks(pair[1])]
    return Anytime(
        measure,
        [spent for spent, _ in known],
        [incumbent for _, incumbent in known],
        list(zip(spent, ended, strict=True)),
    )


def measures(history: History) -> dict[str, list[float]]:
    """What may count as spent, the best measure first, and how much of it each trial that has ended has spent.

    That is cost, if every success returned one; then fidelity, where there is one; then evaluations. Only those count
    whose total is above 0 and finite.
    """
    return {name: amounts for name, amounts in _measures(history, _ended(history)) if 0 < sum(amounts) < math.inf}


def _ended(history: History) -> list[Trial]:
    return sorted((trial for trial in history.trials if trial.ended), key=_ended_at)


def _ended_at(trial: Trial) -> tuple[float, int]:
    """By the workers' clocks, which is for display only; a damaged trial has no time, and comes last."""
    return trial.finished.timestamp() if trial.finished else math.inf, trial.number


def _measures(history: History, ended: Sequence[Trial]) -> Iterator[tuple[str, list[float]]]:
    """What may count as spent, and how much of it each trial has spent."""
    if all(trial.cost is not None for trial in history.succeeded):
        yield "cost as returned", [trial.spent for trial in ended]
    if history.space.fidelity is not None:
        steps = [FidelityStep.of(trial.decision, history.by_number) for trial in ended]
        widths = [max(step.end - step.begin, 0.0) if step is not None else 0.0 for step in steps]
        yield f"{history.space.fidelity} spent", widths
    yield "evaluations", [1.0] * len(ended)


def learning_curves(history: History) -> dict[int, Curve]:
    """The finite part of `History.learning_curve` of each trial, where there is one."""
    numbers = (trial.number for trial in history)
    curves = {number: tuple(filter(_is_finite, history.learning_curve(number))) for number in numbers}
    return {number: curve for number, curve in curves.items() if curve}


def _is_finite(point: tuple[float, float]) -> bool:
    return all(map(math.isfinite, point))


def best_first(history: History, curves: Mapping[int, Curve], most: int) -> list[Trial]:
    """The best trials that have a curve, as `History.best` ranks them: at most so many, one a configuration."""
    found: dict[int, Trial] = {}
    for trial in ranking.best_first(history.succeeded):
        if trial.number in curves and ranking.ranks(trial):
            found.setdefault(_origin(history, trial), trial)
    return list(found.values())[:most]


def _origin(history: History, trial: Trial) -> int:
    """The number of the trial that its configuration began with."""
    while trial.previous is not None and trial.previous < trial.number and trial.previous in history.by_number:
        trial = history.by_number[trial.previous]
    return trial.number


def longest(history: History, curves: Mapping[int, Curve]) -> dict[int, Curve]:
    """One curve a configuration, by number: that of each trial which no later one continues."""
    continued = {trial.previous for trial in history.trials if (trial.previous or 0) < trial.number}
    return {number: curve for number, curve in curves.items() if number not in continued}
