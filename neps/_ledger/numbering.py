"""Which numbers are reserved, decided or free, as far as one worker knows. In memory only; part of the view."""

from __future__ import annotations

import dataclasses
import itertools
import math

from neps._ledger.silence import Silence

__all__ = ["Numbering", "Reserved"]


@dataclasses.dataclass(slots=True)
class Reserved:
    """A number whose folder exists, and of whose decision nothing is known yet.

    `since` is when that became known, `undecided` when a look last found no decision; both are monotonic times.
    `torn` is since when there is one that can't be read, and `why` says why not.
    """

    since: float
    torn: Silence
    why: str = ""
    undecided: float = -math.inf

    @property
    def was_undecided(self) -> bool:
        """Whether a look has found no decision."""
        return self.undecided > -math.inf

    def is_half_claim(self, patience: float) -> bool:
        """Whether its owner was given so many seconds, and a look after that found no decision."""
        return not self.torn.looks and self.undecided >= self.since + patience


class Numbering:
    """The numbers 1, 2, 3 … of a run.

    A number is *noted* once anything is known of it, and *reserved* while its name is there and its decision unknown.

    Args:
        poll: the longest pause in seconds between two looks of a waiting worker.

    Example:
        >>> numbers = Numbering(poll=1.0)
        >>> numbers.note_reserved(1, now=0.0), numbers.note_reserved(3, now=0.5)
        (None, None)
        >>> numbers.frontier, numbers.lowest
        (2, 1)
        >>> numbers.note_decided(1)
        >>> numbers.lowest
        2
    """

    def __init__(self, poll: float) -> None:
        self._poll = poll
        self._beyond: set[int] = set()
        self.frontier = 1
        """The lowest number that was never noted; a listing may lack some below others that it has."""
        self.reserved: dict[int, Reserved] = {}

    def note(self, number: int) -> None:
        """Something is known of this number."""
        if number >= self.frontier:
            self._beyond.add(number)
        while self.frontier in self._beyond:
            self._beyond.discard(self.frontier)
            self.frontier += 1

    def is_noted(self, number: int) -> bool:
        """Whether anything is known of this number."""
        return number < self.frontier or number in self._beyond

    def note_reserved(self, number: int, now: float) -> None:
        """Somebody holds this number, as a failed mkdir has shown at monotonic time `now`."""
        self.reserved.setdefault(number, Reserved(now, Silence(self._poll)))
        self.note(number)

    def note_decided(self, number: int) -> None:
        """It is known now what this number was decided to be."""
        self.reserved.pop(number, None)
        self.note(number)

    def free(self, number: int) -> None:
        """Nothing is known of this number any more: its folder was removed."""
        self.reserved.pop(number, None)
        self._beyond.update(range(number + 1, self.frontier))
        self._beyond.discard(number)
        self.frontier = min(self.frontier, number)

    @property
    def lowest(self) -> int:
        """The lowest number without a decision: the next one, where decisions are made in turn."""
        return min([*self.reserved, self.frontier])

    def reserved_before(self, moment: float, most: int) -> list[int]:
        """The numbers that were known to be reserved at monotonic time `moment`, among the first few."""
        return [n for n, reserved in itertools.islice(self.reserved.items(), most) if reserved.since <= moment]

    def put_last(self, number: int) -> None:
        """Let other reserved numbers come to the front."""
        if number in self.reserved:
            self.reserved[number] = self.reserved.pop(number)
