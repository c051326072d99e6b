"""How far the search of a storm may get: so that it isn't over before all has struck. Called by the storms."""

from __future__ import annotations

from chaos.evidence import read
from storms.plan import Plan
from storms.verdict import Seen

__all__ = ["Reach"]


class Reach:
    """Lengthens the leash of a search."""

    def __init__(self, plan: Plan, seen: Plan | None = None) -> None:
        """`seen`: the plan with the root's place as the storm sees it."""
        self._plan = plan
        self._seen = seen or plan
        self._reach = 0

    def advance(self, trials: int) -> None:
        """Lets the search get so much further."""
        self._reach = min(self._reach + trials, self._plan.trials)
        self._plan.let(self._reach)

    def deaths(self) -> list[str]:
        """The worker of each attempt that ended as dead."""
        return [owner for _, _, how, owner in Seen(self._seen).ends() if how == "died"]

    def has_died(self, before: int) -> bool:
        """Whether more than so many were taken for dead; if not, somebody gets on with the search, and so looks."""
        if len(self.deaths()) > before:
            return True
        self.advance(1)
        return False

    def evaluating(self) -> set[str]:
        """Who is in an evaluation, by its last word."""
        last = {entry.worker: entry.event for entry in read(self._plan.evidence)}
        return {worker for worker, event in last.items() if event in ("begin", "loaded", "epoch", "saved")}
