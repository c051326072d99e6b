"""All combinations of given values, by number: of active parameters, none twice, none that is forbidden.

NumPy isn't needed. Grids, and the search for what is unclaimed in a finite space, count by it; none builds a list.
"""

from __future__ import annotations

import bisect
import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from neps.space._activity import Activity, Test, tests_of
from neps.space._conditions import Conditions

if TYPE_CHECKING:
    from neps.space import Parameter, SearchSpace, Value

__all__ = ["Combinations", "Turns", "in_order"]

_Settled = frozenset[int]
"""Of later parameters those that can't be active any more, and of forbidden combinations those that can't hold."""
_Piece = tuple[int, int, int]
"""Neighbouring values, from one position to before another one, and how many combinations each of them has."""

Turns = Callable[[int, int, int], Sequence[int]]
"""In which order the values of a searched parameter take turns: their positions, from 0 to the last.

Its arguments: which of the searched parameters it is, counted from 0 in `Combinations.order`; the turns of those before
it, as a number in mixed radix; and how many values there are.
"""


def in_order(axis: int, before: int, size: int) -> Sequence[int]:  # noqa: ARG001 - see `Turns`
    """The order that they have."""
    return range(size)


class Combinations:
    """The combinations of some values of each searched parameter of a space, numbered from 0.

    Parameters are gone through in `order`: parents first, and children soon after them, else as in the space. The
    values of the first one take turns, each of them goes on with its own combinations of the rest, and one whose
    combinations are used up has no more turns. So without conditions a number is written in the mixed radix of the
    parameters' counts, the first one's digit last. Functions in `forbid` aren't asked: what they forbid is counted.

    Args:
        space: whose parameters they are.
        values: of each searched parameter, in their order; at least one each.
        turns: in which order values take turns.
    """

    def __init__(self, space: SearchSpace, values: Mapping[str, Sequence[Value]], turns: Turns = in_order) -> None:
        self._parameters, self._turns = space.parameters, turns
        fixed = {name: (each.from_unit(1.0),) for name, each in space.parameters.items() if not each.searched}
        self._values: Mapping[str, Sequence[Value]] = {**values, **fixed}
        tests = Activity(space.parameters).tests
        self.order = _children_soon([name for name, each in space.parameters.items() if not each.is_fidelity], tests)
        forbidden = [tests_of(each, space.parameters) for each in space.forbid if isinstance(each, Conditions)]
        rules = [*(tests[name] for name in self.order), *forbidden]
        self._watched = {
            name: [(rule, test) for rule, of in enumerate(rules) for test in of if test.parent == name]
            for name in self.order
        }
        self._cuts = {
            name: _cuts(self._parameters[name], self._values[name], self._watched[name]) for name in self.order
        }
        self._axes = {name: axis for axis, name in enumerate(name for name in self.order if name in values)}
        places = {name: place for place, name in enumerate(self.order)}
        self._ends = [*range(len(self.order)), *(max(places[test.parent] for test in clause) for clause in forbidden)]
        self._forbidding = range(len(self.order), len(self._ends))
        self._counts: dict[tuple[int, _Settled], int] = {(len(self.order), frozenset()): 1}

    @functools.cached_property
    def count(self) -> int:
        """How many there are."""
        return self._count(0, frozenset())

    def __getitem__(self, number: int) -> dict[str, Value]:
        """The one with a number from 0 to `count` - 1: at the highest fidelity, in the order of the space."""
        config: dict[str, Value] = {}
        before, radix = 0, 1
        settled: _Settled = frozenset()
        for place, name in enumerate(self.order):
            value, values = None, self._values[name]
            if place not in settled:
                turns = self._turns(self._axes[name], before, len(values)) if name in self._axes else range(1)
                turn, number = _turn(number, self._pieces(place, settled, turns))
                before, radix = before + turn * radix, radix * len(values)
                config[name] = value = values[turns[turn]]
            settled = self._after(place, settled, value)
        config |= {name: self._values[name][0] for name, each in self._parameters.items() if each.is_fidelity}
        return {name: config[name] for name in self._parameters if name in config}

    def _count(self, place: int, settled: _Settled) -> int:
        """How many combinations the parameters from `place` on have. Without recursion: chains may be long."""
        first = self._key(place, settled)
        wanted = [first]
        while wanted:
            key = wanted[-1]
            if key in self._counts or key is None:
                wanted.pop()
                continue
            ways = self._ways(key)
            missing = [then for _, then in ways if then is not None and then not in self._counts]
            if not missing:
                self._counts[key] = sum(many * self._counts[then] for many, then in ways if then is not None)
            wanted += missing
        return 0 if first is None else self._counts[first]

    def _key(self, place: int, settled: _Settled) -> tuple[int, _Settled] | None:
        """What still counts of what is settled; None if all of a forbidden combination holds."""
        if any(self._ends[rule] == place - 1 and rule not in settled for rule in self._forbidding):
            return None
        return place, frozenset(rule for rule in settled if self._ends[rule] >= place)

    def _ways(self, key: tuple[int, _Settled]) -> list[tuple[int, tuple[int, _Settled] | None]]:
        """To how many values what is settled after a parameter belongs."""
        place, settled = key
        if place in settled:
            return [(1, self._key(place + 1, self._after(place, settled, None)))]
        name = self.order[place]
        pairs = itertools.pairwise(self._cuts[name])
        return [(b - a, self._key(place + 1, self._after(place, settled, self._values[name][a]))) for a, b in pairs]

    def _after(self, place: int, settled: _Settled, value: Value) -> _Settled:
        """What is settled once a parameter has a value, or, where it can't be active, has none."""
        watched, inactive = self._watched[self.order[place]], place in settled
        return settled.union(rule for rule, test in watched if inactive or not test.holds(value))

    def _pieces(self, place: int, settled: _Settled, turns: Sequence[int]) -> list[_Piece]:
        """Of the values of an active parameter, in the order of their turns."""
        name = self.order[place]
        values = self._values[name]
        cuts = self._cuts[name] if isinstance(turns, range) or not self._watched[name] else range(len(values) + 1)
        after = ((a, b, self._after(place, settled, values[turns[a]])) for a, b in itertools.pairwise(cuts))
        return [(a, b, self._count(place + 1, then)) for a, b, then in after]


def _cuts(parameter: Parameter, values: Sequence[Value], watched: Sequence[tuple[int, Test]]) -> Sequence[int]:
    """Where values begin that the tests may tell from those before, and the number of all."""
    if not watched:
        return (0, len(values))
    if parameter.categories or not parameter.searched:
        return range(len(values) + 1)
    rank = parameter.axis.rank
    bounds = [rank(bound) for _, test in watched for bound in test.condition.values]
    sides = (side(values, bound, key=rank) for bound in bounds for side in (bisect.bisect_left, bisect.bisect_right))
    return sorted({0, len(values), *sides})


def _turn(number: int, pieces: Sequence[_Piece]) -> tuple[int, int]:
    """Whose turn is number `number`, as a position, and which of that value's combinations it is.

    Example:
        >>> [_turn(number, [(0, 1, 1), (1, 2, 3), (2, 3, 2)]) for number in range(6)]
        [(0, 0), (1, 0), (2, 0), (1, 1), (2, 1), (1, 2)]
    """
    rounds = 0
    for last in sorted({count for _, _, count in pieces if count}):
        going = [(begin, end) for begin, end, count in pieces if count >= last]
        width = sum(end - begin for begin, end in going)
        if number < (last - rounds) * width:
            more, position = divmod(number, width)
            for begin, end in going:
                if position < end - begin:
                    return begin + position, rounds + more
                position -= end - begin
        number -= (last - rounds) * width
        rounds = last
    raise IndexError(number)


def _children_soon(names: Sequence[str], tests: Mapping[str, Sequence[Test]]) -> tuple[str, ...]:
    """The names, parents first: as they come, but children as soon as the last of their parents has come.

    So little has to be remembered of what is settled, and a tree is gone through branch by branch.
    """
    parents = {name: {test.parent for test in tests[name]} for name in names}
    children: dict[str, list[str]] = {name: [] for name in names}
    for name in names:
        for parent in parents[name]:
            children[parent].append(name)
    found: dict[str, None] = {}
    next_ones = [name for name in reversed(names) if not parents[name]]
    while next_ones:
        name = next_ones.pop()
        found[name] = None
        next_ones += [child for child in reversed(children[name]) if parents[child] <= found.keys()]
    return tuple(found)
