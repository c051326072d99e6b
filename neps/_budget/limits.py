"""What a run may spend, and what is said where that is spent. Values only."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["Budget", "ExpectedCost", "Limit"]

ExpectedCost = float | Callable[[Mapping[str, Any]], float]
"""What the user expects one evaluation to cost: a number, or a function of the configuration."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a run may spend over all its workers, for ever. None means no limit.

    `max_evaluations_total` bounds the numbers of trials, `max_cost_total` the sum of returned costs,
    `max_fidelity_total` the sum of the fidelity really run. A success that returned no cost counts `cost_if_missing`
    towards the second; None: nothing.
    """

    max_evaluations_total: int | None = None
    max_cost_total: float | None = None
    max_fidelity_total: float | None = None
    cost_if_missing: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Limit:
    """Why no trial may start: for now (`done` is False), or for good. `reason` is shown to the user.

    `first_cost_of`: the trial whose cost would be the first that is known, where that is waited for.
    """

    done: bool
    reason: str
    first_cost_of: int | None = None
