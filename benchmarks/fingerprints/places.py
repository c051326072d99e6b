"""Where the trials of a story go over fidelities: by rules like those of searchers, but none that a searcher runs.

Called by `histories`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

__all__ = ["AT_RUNGS", "Placed", "place"]

AT_RUNGS: Mapping[str, Sequence[Any]] = {"epochs": (1, 3, 9), "share": (0.05, 0.3333333333333333, 1.0)}
"""The fidelity of each rung, by its parameter."""
_SIZES = ((9, 3, 1), (5, 1), (3,))
"""Of synchronous brackets, which begin at rung 0, 1 and 2 in turn."""
_RUNGS = 3


class Placed(NamedTuple):
    """A place in brackets; `previous` is the number of the trial that goes on."""

    bracket: int | None
    rung: int
    slot: int | None
    previous: int | None = None


Known = Sequence[tuple[Placed | None, str, float | None]]
"""Place, outcome and loss of each trial so far, in turn."""


def place(rule: str | None, known: Known, drawn: float) -> Placed | None:
    """The next place, by the rule of that name."""
    return None if rule is None else _RULES[rule](known, drawn)


def _asha(known: Known, _: float) -> Placed:
    return _promoted(known, 0) or Placed(0, 0, _count(known, 0, 0))


def _asynchronous(known: Known, drawn: float) -> Placed:
    for bracket in range(_RUNGS):
        if promoted := _promoted(known, bracket):
            return promoted
    bracket = 0 if drawn < 0.6 else 1 if drawn < 0.9 else 2
    return Placed(bracket, bracket, _count(known, bracket, bracket))


def _thawed(known: Known, drawn: float) -> Placed:
    promoted = _promoted(known, None)
    if promoted and drawn < 0.6:
        return promoted
    return Placed(None, int(drawn * 10) % _RUNGS, None)


def _hyperband(known: Known, _: float) -> Placed:
    bracket = 0
    while (found := _in_bracket(known, bracket)) is None:
        bracket += 1
    return found


def _in_bracket(known: Known, bracket: int) -> Placed | None:
    """The next place in a bracket that is filled rung by rung, or None if it has none, or none yet."""
    lowest = bracket % len(_SIZES)
    for rung, size in enumerate(_SIZES[lowest], start=lowest):
        slot = _count(known, bracket, rung)
        if slot >= size:
            continue
        if rung == lowest:
            return Placed(bracket, rung, slot)
        if any(outcome == "pending" for placed, outcome, _ in known if placed and placed.bracket == bracket):
            return None
        best = _best(known, bracket, rung - 1)
        return Placed(bracket, rung, slot, best[0]) if best else None
    return None


def _promoted(known: Known, bracket: int | None) -> Placed | None:
    """The best of a rung, the highest first, that isn't promoted yet, while fewer than a third are."""
    for rung in reversed(range(_RUNGS - 1)):
        waiting, ended = _best(known, bracket, rung), _count(known, bracket, rung)
        above = sum(
            placed is not None and placed.bracket == bracket and placed.rung == rung + 1 and placed.previous is not None
            for placed, _, _ in known
        )
        if waiting and above < ended // 3:
            slot = None if bracket is None else _count(known, bracket, rung + 1)
            return Placed(bracket, rung + 1, slot, waiting[0])
    return None


def _best(known: Known, bracket: int | None, rung: int) -> list[int]:
    """The numbers of those that may go on, the lowest loss first."""
    gone = {placed.previous for placed, _, _ in known if placed is not None}
    ranked = [
        (loss, number)
        for number, (placed, _, loss) in enumerate(known, start=1)
        if placed is not None and placed.bracket == bracket and placed.rung == rung and number not in gone
        if loss is not None and math.isfinite(loss)
    ]
    return [number for _, number in sorted(ranked)]


def _count(known: Known, bracket: int | None, rung: int) -> int:
    return sum(placed is not None and placed.bracket == bracket and placed.rung == rung for placed, _, _ in known)


_RULES: Mapping[str, Callable[[Known, float], Placed]] = {
    "asha": _asha,
    "asynchronous": _asynchronous,
    "thawed": _thawed,
    "hyperband": _hyperband,
}
