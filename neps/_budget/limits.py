"""What a run may spend, and what is said where that is spent. Values only."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from neps._ending import Ending

__all__ = ["Budget", "ExpectedCost", "Limit"]

ExpectedCost = float | Callable[[Mapping[str, Any]], float]
"""What the user expects one evaluation to cost: a number, or a function of the configuration."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a run may spend over all its workers, for ever. None means no limit.

    `max_evaluations_total` bounds the numbers of trials, `max_cost_total` the sum of returned costs,
    `max_fidelity_total` the sum of the fidelity really run. A success that returned no cost counts `cost_if_missing`
    towards the second; None: nothing.

    Three end it by its results: `target_loss`, a loss to reach; `patience`, how many evaluations may bring no
    improvement; `patience_cost`, what those may cost.
    """

    max_evaluations_total: int | None = None
    max_cost_total: float | None = None
    max_fidelity_total: float | None = None
    cost_if_missing: float | None = None
    target_loss: float | None = None
    patience: int | None = None
    patience_cost: float | None = None

    @property
    def has_patience(self) -> bool:
        """Whether it matters when the last improvement was."""
        return self.patience is not None or self.patience_cost is not None

    @property
    def ends_by_results(self) -> bool:
        """Whether results may end the run before its other limits are reached."""
        return self.target_loss is not None or self.has_patience

    @property
    def counting_costs(self) -> str | None:
        """The limit that needs each success to return a cost, as users write it; None if there is none."""
        for name in ("max_cost_total", "patience_cost"):
            if (most := getattr(self, name)) is not None:
                return f"{name}={most:g}"
        return None

    def is_bound_by(self, ending: Ending) -> bool:
        """Whether an ending is one for this budget, too, whatever came of the trials that still ran then.

        Patience was at its end for whoever has no more of it. A target isn't asked for here: the loss that has reached
        it is there to see.
        """
        pairs = ((ending.patience, self.patience), (ending.patience_cost, self.patience_cost))
        return any(ended is not None and mine is not None and mine <= ended for ended, mine in pairs)


@dataclasses.dataclass(frozen=True, slots=True)
class Limit:
    """Why no trial may start: for now (`done` is False), or for good. `reason` is shown to the user.

    `first_cost_of`: the trial whose cost would be the first that is known, where that is waited for. `ending`: where
    results have ended the run.
    """

    done: bool
    reason: str
    first_cost_of: int | None = None
    ending: Ending | None = dataclasses.field(default=None, repr=False)
