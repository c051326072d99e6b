"""Which trial is better: all that compares outcomes, for samplers, workers, the ledger and views.

A trial ranks if it has succeeded with a finite loss. Only losses at one fidelity compare, so a higher fidelity goes
first; then the lower loss, and of equal ones the earlier.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from typing import Protocol, TypeVar

__all__ = [
    "Ranked",
    "best",
    "best_first",
    "better",
    "incumbent_key",
    "incumbents",
    "key_of",
    "loss_key",
    "rank_key",
    "ranks",
    "rung_key",
]


class Ranked(Protocol):
    """What is compared: a trial."""

    @property
    def number(self) -> int: ...
    @property
    def fidelity(self) -> float | None: ...
    @property
    def succeeded(self) -> bool: ...
    @property
    def loss(self) -> float | None: ...


_T = TypeVar("_T", bound=Ranked)


def rank_key(trial: Ranked) -> float:
    """What to sort by within one fidelity: the finite loss of a success, infinity for everything else."""
    loss = trial.loss
    return loss if loss is not None and math.isfinite(loss) and trial.succeeded else math.inf


def ranks(trial: Ranked) -> bool:
    """Whether a trial can be compared at all: it has succeeded, and its loss is finite."""
    return rank_key(trial) < math.inf


def loss_key(trial: Ranked) -> tuple[float, int]:
    """Smallest for the best of one fidelity."""
    return rank_key(trial), trial.number


def rung_key(trial: Ranked, slot: int) -> tuple[float, int, int] | None:
    """Smallest for the best of one rung of a bracket, None for one that doesn't rank.

    Of equal losses the earlier slot is better, which, unlike the number, no timing decides.
    """
    loss = rank_key(trial)
    return (loss, slot, trial.number) if loss < math.inf else None


def key_of(fidelity: float | None, loss: float, number: int) -> tuple[float, float, int]:
    """Smallest for the incumbent among trials that rank."""
    return -(fidelity or 0.0), loss, number


def incumbent_key(trial: Ranked) -> tuple[bool, bool, float, float, int]:
    """Smallest for the incumbent: a success, of finite loss, at the highest fidelity, the lowest, the earliest.

    A training that diverged at the highest fidelity is worse than one that went well at a lower.
    """
    loss = rank_key(trial)
    return not trial.succeeded, loss == math.inf, *key_of(trial.fidelity, loss, trial.number)


def best_first(trials: Iterable[_T]) -> list[_T]:
    """All of them, the incumbent first; those that don't rank come last."""
    return sorted(trials, key=incumbent_key)


def best(trials: Iterable[_T | None]) -> _T | None:
    """The incumbent among these: None where none ranks."""
    return min((trial for trial in trials if trial is not None and ranks(trial)), key=incumbent_key, default=None)


def better(trial: _T, incumbent: _T | None) -> bool:
    """Whether a trial takes the incumbent's place."""
    return ranks(trial) and (incumbent is None or incumbent_key(trial) < incumbent_key(incumbent))


def incumbents(trials: Iterable[_T]) -> list[_T]:
    """The best of the trials up to each one, in their order; before the first that ranks it is one that doesn't."""
    return list(itertools.accumulate(trials, lambda *two: min(two, key=incumbent_key)))
