"""Which of numbered configurations are allowed: the first one, the second one, and so on.

NumPy isn't needed. Grids, and points of a Sobol sequence, skip by it what is forbidden.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from neps.errors import SpaceError

if TYPE_CHECKING:
    from neps.space import SearchSpace, Value

__all__ = ["Numbered"]

_IN_A_ROW = 20_000


class Numbered:
    """The allowed ones among configurations, by number from 0. What was found before is remembered.

    Args:
        space: what they are of.
        at: the configurations, by number.
        count: how many there are; None for infinitely many.
    """

    def __init__(self, space: SearchSpace, at: Callable[[int], dict[str, Value]], count: int | None = None) -> None:
        self._space, self._at, self._count = space, at, count
        self._found = {-1: -1}  # by number among the allowed, without gaps: the number among all

    @property
    def found(self) -> int:
        """How many have been found."""
        return len(self._found) - 1

    def get(self, number: int) -> dict[str, Value] | None:
        """The one with this number among those that are allowed; None where these are fewer.

        Raises:
            SpaceError: if 20,000 in a row are forbidden, of infinitely many.
        """
        while number not in self._found:
            last = self.found - 1
            if (following := self._next(self._found[last] + 1)) is None:
                return None
            self._found[last + 1] = following
        return self._at(self._found[number])

    def _next(self, begin: int) -> int | None:
        """The first allowed one from `begin` on; None where there is none."""
        end = begin + _IN_A_ROW if self._count is None else self._count
        found = next((place for place in range(begin, end) if self._space.is_allowed(self._at(place))), None)
        if found is None and self._count is None:
            msg = (
                f"forbid: {_IN_A_ROW} configurations in a row are forbidden, the last one being {self._at(end - 1)}. "
                "Forbid less, or narrow the parameters."
            )
            raise SpaceError(msg)
        return found
