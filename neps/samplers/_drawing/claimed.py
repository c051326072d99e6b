"""Which configurations of a run are claimed, and which others there are: in a finite space none is suggested twice.

NumPy only. Samplers that look at the history use it; a model's candidates are told apart in `_model_based.axes`.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING

from neps.samplers._drawing.combinations import Combinations
from neps.samplers._protocol import Done
from neps.space import Value

if TYPE_CHECKING:
    import numpy as np

    from neps._history import History
    from neps.space import SearchSpace

__all__ = ["INACTIVE", "Claimed", "searched_values"]


class _Inactive(enum.Enum):
    INACTIVE = "inactive"


INACTIVE = _Inactive.INACTIVE
"""What a parameter that is inactive has in place of a value, which None may be."""
_Row = tuple[Value | _Inactive, ...]
"""A configuration's searched values, as of `searched_values`: what tells it apart from others."""

_DRAWN = 20
_ANY_RANGE = 2**55


@dataclasses.dataclass(frozen=True, slots=True)
class Claimed:
    """The configurations that earlier decisions have claimed; `config in claimed` says whether one is among them.

    Args:
        space: the run's.
        rows: their searched values, in the order of the space.
    """

    space: SearchSpace
    rows: frozenset[_Row]

    @classmethod
    def of(cls, history: History) -> Claimed:
        """Those of a history; of damaged trials nobody knows what they claimed."""
        configs = (trial.config for trial in history.trials if trial.decision is not None)
        return cls(history.space, frozenset(searched_values(history.space, config) for config in configs))

    def __contains__(self, config: Mapping[str, Value]) -> bool:
        """Whether somebody has claimed it."""
        return searched_values(self.space, config) in self.rows

    @property
    def exhausted(self) -> Done | None:
        """That all configurations are claimed, or None while some aren't."""
        if self.space.size is None or len(self.rows) < self.space.size:
            return None
        return Done(f"the search space is exhausted: all its {self.space.size} configurations have been started")

    def another(self, generator: np.random.Generator) -> dict[str, Value]:
        """One that is not claimed, drawn at random, in a space that isn't exhausted."""
        for _ in range(_DRAWN):
            config = self.space.sample(generator)
            if config not in self:
                return config
        return config if self.space.size is None else self._next(generator)

    def _next(self, generator: np.random.Generator) -> dict[str, Value]:
        """The first one that is not claimed, counted from a random one, in a finite space.

        Drawing until one is new would take for ever where a few of many are left, or an unlikely one of a log scale.
        Of one more in a row than are claimed, one is new; but for what only a function of the user forbids.
        """
        everything, start = _combinations(self.space), int(generator.integers(2**63))
        configs = (everything[place % everything.count] for place in range(start, start + everything.count))
        return next(config for config in configs if config not in self and self.space.is_allowed(config))


@functools.lru_cache(maxsize=16)
def _combinations(space: SearchSpace) -> Combinations:
    """All configurations of a finite space, by number."""
    return Combinations(space, {name: space.parameters[name].every_value(_ANY_RANGE) or () for name in space.searched})


def searched_values(space: SearchSpace, config: Mapping[str, Value]) -> _Row:
    """The values of what is searched, in the order of the space, with `INACTIVE` for what the configuration lacks."""
    return tuple(config.get(name, INACTIVE) for name in space.searched)
