"""What the rounds of chaos are: a searcher each, and what else goes on in it."""

from __future__ import annotations

import dataclasses
from typing import Literal

__all__ = ["ROUNDS", "Round"]


@dataclasses.dataclass(frozen=True)
class Round:
    """One kind of round.

    Args:
        searcher: of the search.
        share: of how many trials there shall be.
        keep: `keep_checkpoints`.
        pending: this share of the evaluations returns `neps.PENDING`, and is told of by somebody else.
        failing: this share raises; what failed is retried while the search runs.
        launches: whether all workers are started with overwrite_working_directory, by two launches at once, and each
            reboot of a host is one more launch: all must join what runs.
        cost: of each evaluation, where a cost budget ends the search instead of a number of trials; 0: none does.
    """

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
