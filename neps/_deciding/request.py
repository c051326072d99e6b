"""What a decision depends on, as one value.

Who decides often keeps its parts up, so that making one costs no more than what is new.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import attrs

from neps._budget import Budget, ExpectedCost, Improvement, Spending
from neps._ending import Ending
from neps._history import History
from neps._queue import Queue
from neps._trial import Decision

__all__ = ["Request"]


@attrs.frozen(kw_only=True)
class Request:
    """What is asked: what does trial `number` evaluate, given all this? Nothing in it is changed by the answer.

    Its history, `spending` and `pending` may be lent: views of what the asker keeps up, the same until it is answered.

    Args:
        history: the space, the seed, the trials that are known, and their places by bracket and rung.
        number: of the trial to decide.
        budget: what the run may spend.
        spending: what it has spent, and what its trials have cost.
        pending: the decisions without a result.
        seen_results: how many trials have a result.
        expected_cost: what the user says that an evaluation costs; None: as others have.
        independent: whether numbers are decided in any order; then nothing is known of the others.
        awaited: the trial whose cost, the first of all, this asker was told to wait for.
        improvement: what has come since the incumbent; None: as the history tells.
        endings: the published ones: that results have ended the run, for a budget of their kind.
        seen_known: how many documents of what users know.
        queue: what users have enqueued, and what of it the known decisions have taken.
        spare: what was decided for a number that somebody else got first, and would do as well for this one.
    """

    history: History
    number: int
    budget: Budget
    spending: Spending
    pending: Collection[Decision] = ()
    seen_results: int = 0
    expected_cost: ExpectedCost | None = None
    independent: bool = False
    awaited: int | None = None
    improvement: Improvement | None = None
    endings: Sequence[Ending] = ()
    seen_known: int = 0
    queue: Queue = attrs.field(factory=Queue)
    spare: Decision | None = None

    def since_incumbent(self) -> Improvement:
        """What has come since the incumbent."""
        if self.improvement is not None:
            return self.improvement
        history = self.history
        return Improvement(history.space.highest_fidelity, self.budget.cost_if_missing, history.by_number.values())
