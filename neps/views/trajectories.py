"""What a plot of a run shows, as numbers: its incumbents over what was spent, and its learning curves.

Derived from a history; no file, no matplotlib. Called by `figure`.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

from neps.fidelity import FidelityStep
from neps.history import History
from neps.trial import Trial

__all__ = ["Anytime", "Curve", "anytime", "learning_curves", "longest"]

Curve = Sequence[tuple[float, float]]
"""Steps and finite losses, by step; at least one."""


@dataclasses.dataclass(frozen=True, slots=True)
class Anytime:
    """The incumbent after each trial that has ended, from the first one with a finite loss on.

    Args:
        measure: what is counted as spent.
        spent: how much of it, by all trials that had ended; not falling.
        incumbents: as many; the last one is `History.best`.
    """

    measure: str
    spent: Sequence[float]
    incumbents: Sequence[Trial]

    @property
    def changes(self) -> list[int]:
        """The places in `incumbents` of those that were new."""
        pairs = itertools.pairwise([None, *self.incumbents])
        return [place for place, (before, after) in enumerate(pairs) if after is not before]


def anytime(history: History) -> Anytime:
    """The anytime performance of a run, by the same rule as `History.best`.

    What is spent is cost, if every success returned one; else fidelity, where there is one; else evaluations. Failed
    trials spend, too. The first of these counts whose total is above 0 and finite.
    """
    ended = sorted((trial for trial in history.trials if trial.ended), key=_ended_at)
    measure, amounts = next(
        (measure, amounts) for measure, amounts in _measures(history, ended) if 0 < sum(amounts) < math.inf
    )
    incumbents = itertools.accumulate(ended, lambda *trials: min(trials, key=lambda trial: trial.incumbent_key))
    known = [pair for pair in zip(itertools.accumulate(amounts), incumbents, strict=True) if _has_loss(pair[1])]
    return Anytime(measure, [spent for spent, _ in known], [incumbent for _, incumbent in known])


def _ended_at(trial: Trial) -> tuple[float, int]:
    """By the workers' clocks, which is for display only; a damaged trial has no time, and comes last."""
    return trial.finished.timestamp() if trial.finished else math.inf, trial.number


def _has_loss(trial: Trial) -> bool:
    return math.isfinite(trial.rank_key)


def _measures(history: History, ended: Sequence[Trial]) -> Iterator[tuple[str, list[float]]]:
    """What may count as spent, and how much of it each trial has spent."""
    if all(trial.cost is not None for trial in history.succeeded):
        yield "cost", [trial.spent for trial in ended]
    if history.space.fidelity is not None:
        steps = [FidelityStep.of(trial.decision, history.by_number) for trial in ended]
        widths = [max(step.end - step.begin, 0.0) if step is not None else 0.0 for step in steps]
        yield f"fidelity spent ({history.space.fidelity})", widths
    yield "evaluations", [1.0] * len(ended)


def learning_curves(history: History) -> dict[int, Curve]:
    """The finite part of `History.learning_curve` of each trial, where there is one."""
    numbers = (trial.number for trial in history)
    curves = {number: tuple(filter(_is_finite, history.learning_curve(number))) for number in numbers}
    return {number: curve for number, curve in curves.items() if curve}


def _is_finite(point: tuple[float, float]) -> bool:
    return all(map(math.isfinite, point))


def longest(history: History, curves: Mapping[int, Curve]) -> list[Curve]:
    """One curve a configuration, that of the trial which no later one continues; the highest final loss first."""
    continued = {trial.previous for trial in history.trials if (trial.previous or 0) < trial.number}
    return sorted((curves[number] for number in curves.keys() - continued), key=lambda curve: -curve[-1][1])
