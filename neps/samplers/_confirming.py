"""What `neps.confirm` lets workers evaluate: configurations and seeds that are given, each pair once.

It searches nothing. Each worker may have another list, since the search goes on meanwhile, or somebody wants more: all
of it is evaluated.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from neps.samplers._protocol import Done, Sampler, Suggestion

if TYPE_CHECKING:
    import numpy as np

    from neps._budget import Budget
    from neps._history import History
    from neps._trial import Trial, Value

__all__ = ["CONFIRMS", "Confirming", "Pair", "missing"]

CONFIRMS = "confirms"
"""Under this name a decision remembers which trial of the search it confirms."""


@dataclasses.dataclass(frozen=True, slots=True)
class Pair:
    """The configuration of trial `number` of the search, and a seed to evaluate it with."""

    number: int
    config: Mapping[str, Value]
    seed: int


def missing(pairs: Sequence[Pair], trials: Mapping[int, Trial]) -> list[Pair]:
    """Those of the pairs that are no decision yet, in their order."""
    decided = {(_key(each.config), each.decision.seed) for each in trials.values() if each.decision is not None}
    return [pair for pair in pairs if (_key(pair.config), pair.seed) not in decided]


def _key(config: Mapping[str, Value]) -> frozenset[tuple[str, str]]:
    return frozenset((name, repr(value)) for name, value in config.items())


class Confirming(Sampler):
    """Suggests the first pair that nobody has decided yet."""

    name = "confirm"

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self._pairs = pairs

    def settings(self) -> dict[str, Any]:
        """None: whoever confirms trials of this search may join."""
        return {}

    def decide(
        self, history: History, number: int, budget: Budget, generator: np.random.Generator
    ) -> Suggestion | Done:
        """The next pair."""
        del number, budget, generator
        left = missing(self._pairs, history.by_number)
        if not left:
            return Done("each configuration has been begun with each seed")
        pair = left[0]
        return Suggestion(config=pair.config, seed=pair.seed, metadata={CONFIRMS: pair.number})
