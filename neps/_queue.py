"""What users have enqueued, which decisions have taken it, and which of its own decisions a sampler is at.

Kept up by whoever decides often, from the trials that it knows. Nothing is stored: a decision names what it takes.
"""

from __future__ import annotations

import bisect
import contextlib
from collections.abc import Mapping, Sequence

from neps._trial import Entry, Trial, Value

__all__ = ["Queue"]

Given = Mapping[str, Value]
"""A configuration, or a part of one."""


class Queue:
    """The enqueued configurations of a run.

    Call `seen` for each trial that becomes known, in any order, and `gone` for one whose folder was removed.

    The run's `first_configs` take its first numbers, whoever decides them. Of all others, the next is the first that no
    known decision has taken. What is refused here is passed over: it waits for somebody who doesn't refuse it.

    Args:
        first: the run's `first_configs`.

    Example:
        >>> queue = Queue([{"x": 1}])
        >>> queue.add(1, [{"x": 2}, {"x": 3}])
        >>> queue.next(1), queue.next(2), queue.index(3)
        (Entry(batch=0, place=1), Entry(batch=1, place=1), 2)
    """

    def __init__(self, first: Sequence[Given] = ()) -> None:
        self._first = tuple(first)
        self._configs: dict[Entry, Given] = {}
        self._untaken: list[Entry] = []
        self._taken: dict[int, Entry] = {}
        self._refused: set[Entry] = set()
        self._drawn: set[int] = set()
        self._indices: dict[int, int] = {}
        self._used: dict[int, int] = {}
        self._counts = False
        self._lowest = 1

    @property
    def more(self) -> bool:
        """Whether anything was enqueued after the run had begun: then who decides has to know all earlier decisions."""
        return bool(self._configs)

    def add(self, batch: int, configs: Sequence[Given]) -> None:
        """Another list that was enqueued."""
        entries = {Entry(batch, place): config for place, config in enumerate(configs, start=1)}
        self._configs |= entries
        taken = set(self._taken.values())
        self._untaken += [entry for entry in entries if entry not in taken]
        self._untaken.sort()  # which is quick where it is sorted already

    def seen(self, trial: Trial) -> None:
        """A trial is known, or stands differently now."""
        number, decision = trial.number, trial.decision
        if decision is None:  # damaged: nobody knows what it was, and its number is used up
            self._drawn.add(number)
        elif decision.entry is not None:
            self._drawn.discard(number)  # it could not be read before
            self._take(number, decision.entry)
        elif decision.index is None:
            self._drawn.add(number)
        else:
            self._indices[number], self._used[decision.index] = decision.index, number
            self._counts = True

    def _take(self, number: int, entry: Entry) -> None:
        self._taken[number] = entry
        self._counts = self._counts or entry.batch > 0
        at = bisect.bisect_left(self._untaken, entry)
        if self._untaken[at : at + 1] == [entry]:
            del self._untaken[at]

    def gone(self, number: int) -> None:
        """Nothing is known of this number any more: what it had taken is free."""
        self._drawn.discard(number)
        self._used.pop(self._indices.pop(number, 0), None)
        self._lowest = 1
        entry = self._taken.pop(number, None)
        if entry in self._configs and entry not in self._refused and entry not in self._taken.values():
            bisect.insort(self._untaken, entry)

    def refuse(self, entry: Entry) -> None:
        """Pass this one over from now on, since it is no configuration of the space as it is here."""
        self._refused.add(entry)
        self._counts = True
        with contextlib.suppress(ValueError):
            self._untaken.remove(entry)

    def next(self, number: int) -> Entry | None:
        """What trial `number` takes; None if nothing waits."""
        if number <= len(self._first) and (entry := Entry(0, number)) not in self._refused:
            return entry
        return self._untaken[0] if self._untaken else None

    def config(self, entry: Entry) -> Given:
        """What a user has given."""
        return self._first[entry.place - 1] if entry.batch == 0 else self._configs[entry]

    def index(self, number: int) -> int:
        """Which of the sampler's own decisions trial `number` is, if it takes nothing: the lowest one that is free.

        Who doesn't know yet that something was enqueued has taken the one that goes with the number; so two decisions
        are never the same one, and none is left out for long.
        """
        if not self._counts:
            return number - len(self._first)
        while self._lowest in self._used or self._lowest + len(self._first) in self._drawn:
            self._lowest += 1
        return self._lowest

    def stored(self, number: int, index: int) -> int | None:
        """What a decision says of its index: nothing where its number tells it."""
        return None if index == number - len(self._first) else index

    @property
    def coming(self) -> list[Given]:
        """What no known decision has taken, `first_configs` included, in its order."""
        decided = self._taken.keys() | self._indices.keys() | self._drawn
        first = [config for number, config in enumerate(self._first, start=1) if number not in decided]
        return [*first, *map(self._configs.__getitem__, self._untaken)]

    @property
    def waiting(self) -> int:
        """How many there are of these."""
        return len(self.coming)

    @property
    def total(self) -> int:
        """How many were enqueued, as far as is known."""
        return len(self._first) + len(self._configs)
