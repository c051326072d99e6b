"""Who is promoted: what a bracket needs next, from the trials that are known of it.

A failed evaluation, or a loss that isn't finite, is never promoted, even if a place stays empty, and holds nobody up.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

from neps._fidelity.brackets import Bracket
from neps._fidelity.members import BracketMembers, Brackets, RungMembers
from neps._rounding import rounded_down
from neps._trial import Trial

__all__ = ["Vacancy", "asynchronous_promotion", "left_behind", "synchronous_place", "synchronous_places"]


@dataclasses.dataclass(frozen=True, slots=True)
class Vacancy:
    """A place in a bracket that is to be filled.

    Args:
        rung: counted from 0 at the lowest of all rungs.
        slot: counted from 0 among the bracket's places at this rung.
        previous: the trial whose configuration is promoted to it; None for a new configuration.
    """

    rung: int
    slot: int
    previous: Trial | None = None


def synchronous_places(kinds: Sequence[Bracket], brackets: Brackets) -> Iterator[tuple[int, Vacancy]]:
    """The next place of each begun bracket that has one, with the bracket's number, the oldest first.

    Args:
        kinds: the sizes of the brackets, which come in turn, again and again.
        brackets: those of the run. A bracket that is found to be closed isn't looked at again before it changes.
    """
    key = tuple(kinds)
    for number in brackets.unclosed(key):
        members = brackets.get(number, BracketMembers())
        place = synchronous_place(kinds[number % len(kinds)], members)
        if place is not None:
            yield number, place
        elif members.ended == len(members):
            brackets.close(number, key)


def synchronous_place(bracket: Bracket, trials: Iterable[Trial] | BracketMembers) -> Vacancy | None:
    """The next place of a bracket whose rungs promote when they are full: all ended, and none free.

    Args:
        bracket: its sizes.
        trials: those that have been decided in it, in any order, each with its decision.

    Returns:
        The place, or None where nothing is to be decided: while evaluations run, or because the bracket is closed.
    """
    members = BracketMembers.of(trials)
    below: RungMembers | None = None
    for rung, size in enumerate(bracket.sizes, bracket.lowest):
        here = members.rung(rung)
        places = size if below is None else min(size, len(here) + below.waiting)
        if len(here) < places:
            best = below.best_waiting if below is not None else None
            return Vacancy(rung, here.free_slot, best[1] if best is not None else None)
        if here.ended < len(here):
            return None
        below = here
    return None


def left_behind(bracket: Bracket, trials: Iterable[Trial] | BracketMembers) -> set[int]:
    """The numbers of the trials that a synchronous bracket won't promote, now or later: the rung above is full.

    That is so once its places are all taken; here, once they have all ended, too, so that it stays so if one of them
    should turn out to be damaged.

    Args:
        bracket: its sizes.
        trials: those that have been decided in it, in any order, each with its decision.
    """
    members, behind = BracketMembers.of(trials), set[int]()
    for rung, size in enumerate(bracket.sizes[1:], bracket.lowest):
        above = members.rung(rung + 1)
        if sum(trial.ended and not trial.damaged for trial in above) >= size:
            behind |= {trial.number for trial in members.rung(rung)} - {trial.previous for trial in above}
    return behind


def asynchronous_promotion(rung_count: int, eta: float, trials: Iterable[Trial] | BracketMembers) -> Vacancy | None:
    """The promotion that ASHA makes next, or None.

    Of the trials that have ended at a rung, the best 1 / eta are promoted, each once; the highest rung comes first, and
    in it the best trial (Li et al. 2020, "A system for massively parallel hyperparameter tuning", algorithm 2).

    Args:
        rung_count: how many rungs there are.
        eta: above 1.
        trials: those of one bracket, in any order, each with its decision.
    """
    members = BracketMembers.of(trials)
    for rung in reversed(range(rung_count - 1)):
        here = members.rung(rung)
        if (best := here.best_waiting) is not None:
            better, trial = best
            if better < rounded_down(here.ended / eta):
                return Vacancy(rung + 1, members.rung(rung + 1).free_slot, trial)
    return None
