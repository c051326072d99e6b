"""`neps.PENDING`: what run_pipeline returns where its evaluation goes on elsewhere, in a job that it submits, say."""

from __future__ import annotations

import enum
from typing import Final, Literal

__all__ = ["PENDING", "PendingType"]


class PendingType(enum.Enum):
    """The type of `neps.PENDING`, its only value; pickling keeps it the same object."""

    PENDING = "pending"

    def __repr__(self) -> str:
        """As users write it."""
        return "neps.PENDING"

    __str__ = __repr__


PENDING: Final[Literal[PendingType.PENDING]] = PendingType.PENDING
"""Return it from run_pipeline if the evaluation goes on elsewhere: `neps.tell` publishes the result later.

Example:
    >>> import neps, tempfile
    >>> root, space = tempfile.mkdtemp(), {"x": neps.Integer(1, 1)}
    >>> history = neps.run(lambda x: neps.PENDING, root, space, searcher="grid_search", max_evaluations_total=1)
    >>> history.pending
    (<Trial 1: running, waits for neps.tell>,)
    >>> neps.tell(root, 1, 0.5)
    <Trial 1: success, loss 0.5>
"""
