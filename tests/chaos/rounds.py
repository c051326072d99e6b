"""What the rounds of chaos are: a searcher each, and what else goes on in it."""

from __future__ import annotations

import dataclasses
from typing import Literal

__all__ = ["ROUNDS", "Round"]


@dataclasses.dataclass(frozen=True)
class Round:
    """One kind of round; what the fields mean, `chaos.plan.Plan` says. `share` is of how many trials there shall be."""

    searcher: str
    share: float = 1.0
    keep: Literal["all", "promotable", "best"] = "all"
    pending: float = 0.0
    failing: float = 0.0
    launches: bool = False
    cost: float = 0.0

    @property
    def name(self) -> str:
        """With what goes on in it."""
        parts = {
            f"keep_checkpoints={self.keep}": self.keep != "all",
            "neps.PENDING": self.pending,
            "failures and neps.retry": self.failing,
            "launches that overwrite": self.launches,
            "a cost budget": self.cost,
        }
        return ", ".join([self.searcher, *(part for part, there in parts.items() if there)])


ROUNDS = (
    Round("hyperband", keep="promotable", pending=0.1, failing=0.03, launches=True),
    Round("bayesian_optimization", pending=0.1, failing=0.05, keep="best"),
    Round("asha", keep="best", launches=True),
    Round("priorband", pending=0.1, failing=0.05, keep="promotable"),
    Round("random_search", cost=2.0, launches=True),
    Round("freeze_thaw", share=0.6, keep="promotable", failing=0.03),
)
"""In turn. The first has most in it: it is what the tests have time for."""
