"""The trials of a search by bracket and rung, so that what is next is found without a look at all of them.

Whoever makes many decisions in one run keeps `Brackets` up, at the cost of what is new; it says the same as one that is
made from all trials at once.
"""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from neps._fidelity.brackets import Bracket
from neps._ranking import loss_key, ranks, rung_key
from neps._trial import Trial

__all__ = ["BracketMembers", "Brackets", "RungMembers"]

_Rank = tuple[float, int, int]
_Ranked = TypeVar("_Ranked", _Rank, tuple[float, int])


class RungMembers:
    """The trials at one rung of one bracket.

    Those that ended with a finite loss may be promoted, and wait for that until the rung above has one that continues
    them.
    """

    def __init__(self) -> None:
        self.ended = 0
        """How many have a result."""
        self._trials: dict[int, Trial] = {}
        self._ranked: list[_Rank] = []
        self._waiting: list[_Rank] = []
        self._promoted: defaultdict[int, int] = defaultdict(int)
        self._slots: defaultdict[int, int] = defaultdict(int)
        self._free = 0

    def __len__(self) -> int:
        return len(self._trials)

    def __iter__(self) -> Iterator[Trial]:
        return iter(self._trials.values())

    @property
    def free_slot(self) -> int:
        """The first slot that none has."""
        while self._slots.get(self._free):
            self._free += 1
        return self._free

    @property
    def waiting(self) -> int:
        """How many may still be promoted."""
        return len(self._waiting)

    @property
    def best_waiting(self) -> tuple[int, Trial] | None:
        """The best that may still be promoted, and how many of all are better."""
        if not self._waiting:
            return None
        best = self._waiting[0]
        return bisect.bisect_left(self._ranked, best), self._trials[best[-1]]

    def add(self, trial: Trial) -> None:
        """One more."""
        self._trials[trial.number] = trial
        self.ended += trial.ended
        self._slots[_slot(trial)] += 1
        if (rank := _rank(trial)) is not None:
            bisect.insort(self._ranked, rank)
            if not self._promoted.get(trial.number):
                bisect.insort(self._waiting, rank)

    def remove(self, trial: Trial) -> None:
        """One less, as it was when it was added."""
        del self._trials[trial.number]
        self.ended -= trial.ended
        self._slots[_slot(trial)] -= 1
        self._free = min(self._free, _slot(trial))
        if (rank := _rank(trial)) is not None:
            _take(self._ranked, rank)
            if not self._promoted.get(trial.number):
                _take(self._waiting, rank)

    def promote(self, number: int) -> None:
        """The rung above has a trial that continues this one, whether or not it is known here yet."""
        if not self._promoted[number] and (rank := self._rank(number)) is not None:
            _take(self._waiting, rank)
        self._promoted[number] += 1

    def demote(self, number: int) -> None:
        """It no longer has."""
        self._promoted[number] -= 1
        if not self._promoted[number] and (rank := self._rank(number)) is not None:
            bisect.insort(self._waiting, rank)

    def _rank(self, number: int) -> _Rank | None:
        trial = self._trials.get(number)
        return _rank(trial) if trial is not None else None


class BracketMembers:
    """The trials of one bracket."""

    def __init__(self) -> None:
        self._rungs: defaultdict[int, RungMembers] = defaultdict(RungMembers)

    @classmethod
    def of(cls, trials: Iterable[Trial] | BracketMembers) -> BracketMembers:
        """Those that are given, each with its decision.

        Raises:
            ValueError: if one is in no rung.
        """
        if isinstance(trials, BracketMembers):
            return trials
        members = cls()
        for trial in trials:
            members.add(trial)
        return members

    def __iter__(self) -> Iterator[Trial]:
        return iter(sorted((trial for rung in self._rungs.values() for trial in rung), key=lambda each: each.number))

    def __len__(self) -> int:
        return sum(map(len, self._rungs.values()))

    @property
    def ended(self) -> int:
        """How many have a result."""
        return sum(rung.ended for rung in self._rungs.values())

    def rung(self, rung: int) -> RungMembers:
        """Those at one rung, counted from 0 at the lowest of all."""
        return self._rungs[rung]

    def add(self, trial: Trial) -> None:
        """One more."""
        rung = _rung(trial)
        self.rung(rung).add(trial)
        if trial.previous is not None:
            self.rung(rung - 1).promote(trial.previous)

    def remove(self, trial: Trial) -> None:
        """One less, as it was when it was added."""
        rung = _rung(trial)
        self.rung(rung).remove(trial)
        if trial.previous is not None:
            self.rung(rung - 1).demote(trial.previous)


class Brackets(Mapping[int, BracketMembers]):
    """The brackets of a run, by their number; trials without a place, such as damaged ones, are in none.

    Call `seen` for each trial that becomes known, in any order, and again when it has a result or is reopened.

    Example:
        >>> from neps._trial import Decision, Place
        >>> brackets = Brackets()
        >>> brackets.seen(Trial(number=1, decision=Decision(number=1, config={}, place=Place(2, bracket=0, slot=0))))
        >>> len(brackets[0].rung(2)), brackets[0].rung(2).free_slot, brackets.begun
        (1, 1, 1)
    """

    def __init__(self, trials: Iterable[Trial] = ()) -> None:
        self.begun = 0
        """One more than the highest number."""
        self._placed: dict[int, Trial] = {}
        self._members: defaultdict[int, BracketMembers] = defaultdict(BracketMembers)
        self._unclosed: dict[tuple[Bracket, ...], set[int]] = {}
        self._ranked: defaultdict[int, list[tuple[float, int]]] = defaultdict(list)
        self._empty = 0
        for trial in trials:
            self.seen(trial)

    def __getitem__(self, bracket: int) -> BracketMembers:
        if bracket not in self._members:
            raise KeyError(bracket)
        return self._members[bracket]

    def __iter__(self) -> Iterator[int]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def seen(self, trial: Trial) -> None:
        """A trial is known, or stands differently now."""
        self.gone(trial.number)
        place = trial.place
        if place is None or place.bracket is None:
            return
        self._placed[trial.number] = trial
        self._members[place.bracket].add(trial)
        if ranks(trial):
            bisect.insort(self._ranked[place.rung], loss_key(trial))
        self._changed(place.bracket)

    def gone(self, number: int) -> None:
        """Nothing is known of this number any more."""
        trial = self._placed.pop(number, None)
        place = trial.place if trial is not None else None
        if trial is None or place is None or place.bracket is None:
            return
        bracket = place.bracket
        self._members[bracket].remove(trial)
        if ranks(trial):
            _take(self._ranked[place.rung], loss_key(trial))
        self._changed(bracket)
        if not self._members[bracket]:
            del self._members[bracket]
            self.begun = max(self._members, default=-1) + 1
            self._empty = min(self._empty, bracket)
            for numbers in self._unclosed.values():
                numbers.discard(bracket)

    def finite(self, rung: int) -> int:
        """How many trials at this rung, in all brackets, have a finite loss."""
        return len(self._ranked.get(rung, ()))

    def best(self, rung: int, count: int) -> list[Trial]:
        """So many of these at most, the best first; of equal ones the earlier."""
        return [self._placed[number] for _, number in self._ranked.get(rung, [])[:count]]

    def highest_rung(self, least: float) -> int | None:
        """The highest rung that has at least so many of these; None if none has."""
        return max((rung for rung, ranked in self._ranked.items() if len(ranked) >= least), default=None)

    def unclosed(self, kinds: tuple[Bracket, ...]) -> list[int]:
        """The begun brackets that may need something, where they come as these kinds in turn; the oldest first.

        Of those without a trial (damaged ones had been in them) only the first: a number in a foreign trial.yaml may
        leave a million, which are begun one after the other.
        """
        numbers = self._unclosed.setdefault(kinds, set(self._members))
        while self._empty in self._members:
            self._empty += 1
        return sorted(numbers | {self._empty} if self._empty < self.begun else numbers)

    def close(self, bracket: int, kinds: tuple[Bracket, ...]) -> None:
        """This one needs nothing, unless one of its trials changes."""
        self._unclosed[kinds].discard(bracket)

    def _changed(self, bracket: int) -> None:
        for numbers in self._unclosed.values():
            numbers.add(bracket)
        self.begun = max(self.begun, bracket + 1)


def _rank(trial: Trial) -> _Rank | None:
    return rung_key(trial, _slot(trial))


def _take(ranks: list[_Ranked], rank: _Ranked) -> None:
    del ranks[bisect.bisect_left(ranks, rank)]


def _slot(trial: Trial) -> int:
    return (trial.place.slot if trial.place is not None else None) or 0


def _rung(trial: Trial) -> int:
    if trial.place is None:
        raise ValueError(f"trial {trial.number} is in no rung")
    return trial.place.rung
