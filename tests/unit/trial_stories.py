"""Histories that a test tells trial by trial, without a directory."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import neps
from neps._history import History
from neps._trial import Decision, Result, Status, Trial
from neps.space import Parameter, SearchSpace

__all__ = ["at", "story", "trial"]


def at(second: float) -> datetime:
    """A moment at which a trial may have finished."""
    return datetime.fromtimestamp(second, UTC)


def trial(
    number: int,
    loss: float | None = None,
    *,
    status: Status = Status.SUCCESS,
    fidelity: float | None = None,
    previous: int | None = None,
    spent: float | None = None,
    **result: Any,
) -> Trial:
    """One trial, with these fields of its result; it has finished at its number, and spent its cost."""
    ended = Result.of(success=status is Status.SUCCESS, loss=loss, **{"finished": at(number)} | result)
    return Trial(
        number=number,
        decision=Decision(number=number, config={}, fidelity=fidelity, previous=previous),
        result=ended if status in {Status.SUCCESS, Status.FAILED} else None,
        status=status,
        spent=ended.outcome.accounted_cost if spent is None else spent,
    )


def story(*trials: Trial, highest: float | None = None) -> History:
    """A run of these trials, over epochs from 1 to `highest` where that is given."""
    space: dict[str, Parameter] = {"x": neps.Float(0, 1)}
    if highest is not None:
        space["epochs"] = neps.Float(1, highest, is_fidelity=True)
    return History(SearchSpace(space), {each.number: each for each in trials})
