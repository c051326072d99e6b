"""That results have ended a run, as a value: from the budget that decides it, through the ledger, to who says so."""

from __future__ import annotations

import dataclasses

__all__ = ["LIMITS", "Ending"]

LIMITS = ("target_loss", "patience", "patience_cost")
"""What of a budget looks at results, by name."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """That results have ended a run: `reason` says how, in words, and `number` is the trial that wasn't started.

    One of the three is set, to the limit that was met.
    """

    reason: str
    number: int
    target_loss: float | None = None
    patience: int | None = None
    patience_cost: float | None = None

    @property
    def limit(self) -> tuple[float | None, ...]:
        """Equal of endings by the same limit."""
        return tuple(getattr(self, name) for name in LIMITS)
