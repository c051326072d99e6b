"""Which configurations of a run are claimed, and which others there are: in a finite space none is suggested twice.

NumPy only. Samplers that look at the history use it; a model's candidates are told apart in `_model_based.axes`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from neps.samplers._protocol import Done
from neps.space import Value

if TYPE_CHECKING:
    import numpy as np

    from neps._history import History
    from neps.space import SearchSpace

__all__ = ["Claimed"]

_Row = tuple[Value, ...]
"""A configuration's searched values: what tells it apart from others."""

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
        return cls(history.space, frozenset(_row_of(history.space, config) for config in configs))

    def __contains__(self, config: Mapping[str, Value]) -> bool:
        """Whether somebody has claimed it."""
        return _row_of(self.space, config) in self.rows

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
        Of one more in a row than are claimed, one is new.
        """
        names = self.space.searched
        axes = [self.space.parameters[name].every_value(most=_ANY_RANGE) or () for name in names]
        start = int(generator.integers(2**63))
        rows = (_row(place, axes) for place in range(start, start + len(self.rows) + 1))
        values = next(row for row in rows if row not in self.rows)
        return self.space.decode([0.5] * len(names)) | dict(zip(names, values, strict=True))


def _row(place: int, axes: Sequence[Sequence[Value]]) -> _Row:
    """Row number `place` of the product of `axes`, the first of which turns fastest; past the last, it begins again."""
    values: list[Value] = []
    for axis in axes:
        place, index = divmod(place, len(axis))
        values.append(axis[index])
    return tuple(values)


def _row_of(space: SearchSpace, config: Mapping[str, Value]) -> _Row:
    return tuple(config[name] for name in space.searched)
