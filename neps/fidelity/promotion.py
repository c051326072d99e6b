"""Who is promoted: what a bracket needs next, from the trials that are known of it.

A failed evaluation, or a loss that isn't finite, is never promoted, even if a place stays empty, and holds nobody up.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

from neps.fidelity.brackets import Bracket
from neps.trial import Trial

__all__ = ["Place", "asynchronous_promotion", "synchronous_place"]

_TOLERANCE = 1e-9


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """A place in a bracket that is to be filled.

    Args:
        rung: counted from 0 at the lowest of all rungs.
        slot: counted from 0 among the bracket's places at this rung.
        previous: the trial whose configuration is promoted to it; None for a new configuration.
    """

    rung: int
    slot: int
    previous: Trial | None = None


def synchronous_place(bracket: Bracket, trials: Iterable[Trial]) -> Place | None:
    """The next place of a bracket whose rungs promote when they are full: all ended, and none free.

    Args:
        bracket: its sizes.
        trials: those that have been decided in it, in any order, each with its decision.

    Returns:
        The place, or None where nothing is to be decided: while evaluations run, or because the bracket is closed.
    """
    by_rung: dict[int, list[Trial]] = {}
    for trial in trials:
        by_rung.setdefault(_rung(trial), []).append(trial)
    below: list[Trial] = []
    for step, size in enumerate(bracket.sizes):
        rung = bracket.lowest + step
        members = by_rung.get(rung, [])
        waiting = _promotable(below, members)
        places = size if step == 0 else min(size, len(members) + len(waiting))
        if len(members) < places:
            return Place(rung, _free_slot(members), waiting[0] if step else None)
        if not all(trial.ended for trial in members):
            return None
        below = members
    return None


def asynchronous_promotion(rung_count: int, eta: float, trials: Iterable[Trial]) -> Place | None:
    """The promotion that ASHA makes next, or None.

    Of the trials that have ended at a rung, the best 1 / eta are promoted, each once; the highest rung comes first, and
    in it the best trial (Li et al. 2020, "A system for massively parallel hyperparameter tuning", algorithm 2).

    Args:
        rung_count: how many rungs there are.
        eta: above 1.
        trials: those of one bracket, in any order, each with its decision.
    """
    by_rung: list[list[Trial]] = [[] for _ in range(rung_count)]
    for trial in trials:
        by_rung[_rung(trial)].append(trial)
    for rung in reversed(range(rung_count - 1)):
        ended = sum(trial.ended for trial in by_rung[rung])
        best = sorted(_finite(by_rung[rung]), key=_order)[: math.floor(ended / eta + _TOLERANCE)]
        for trial in _promotable(best, by_rung[rung + 1]):
            return Place(rung + 1, _free_slot(by_rung[rung + 1]), trial)
    return None


def _promotable(members: Sequence[Trial], above: Sequence[Trial]) -> list[Trial]:
    """The members of a rung that may still be promoted to the next, the best first."""
    promoted = {trial.previous for trial in above}
    return sorted((trial for trial in _finite(members) if trial.number not in promoted), key=_order)


def _finite(trials: Sequence[Trial]) -> list[Trial]:
    return [trial for trial in trials if math.isfinite(trial.rank_key)]


def _order(trial: Trial) -> tuple[float, int]:
    """Lower losses first; of equal ones the earlier slot, which, unlike the number, no timing decides."""
    slot = trial.decision.slot if trial.decision else None
    return trial.rank_key, slot or 0


def _free_slot(members: Sequence[Trial]) -> int:
    taken = {trial.decision.slot for trial in members if trial.decision}
    return next(slot for slot in range(len(members) + 1) if slot not in taken)


def _rung(trial: Trial) -> int:
    rung = trial.decision.rung if trial.decision else None
    if rung is None:
        raise ValueError(f"trial {trial.number} is in no rung")
    return rung
