"""Where the losses go that an evaluation reports: to the attempt's file while it runs, to the result at its end."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence

from neps._evaluation import Reports
from neps._evaluation.reporting import Take
from neps._ledger.claims import Claim
from neps._ledger.curve_file import Point
from neps._outcome import Outcome
from neps._worker.context import Context

__all__ = ["curve_of", "reports_of", "thinned_curve", "with_reports"]

_MOST_POINTS = 10_000


def reports_of(held: Claim, context: Context, tell: Take | None = None) -> Reports:
    """What takes the reports of an attempt that this worker holds, appends them to its file, and tells each."""
    return Reports(_Appending(held, context), tell)


class _Appending:
    """Appends to an attempt's file. Who may have been thought dead first looks whether it is still open, and its own.

    Else a worker that was frozen would add to the curve of the trial that another one took over, or, where the run was
    moved aside and another began in its place, write there.
    """

    def __init__(self, held: Claim, context: Context) -> None:
        self._hold, self._bearable = held.hold, context.lease / 3
        self._file = self._hold.curve()
        self._looked = time.monotonic()

    def __call__(self, points: Sequence[Point]) -> None:
        now = time.monotonic()
        if now - self._looked > self._bearable and self._hold.is_lost():
            return
        self._looked = now
        self._file.append(points)


def thinned_curve(losses: Sequence[float], fidelity: float | None) -> tuple[list[float], list[float] | None]:
    """A returned learning curve as it is, or, of more than 10,000 losses, so many with their steps.

    Example:
        >>> thinned_curve([3.0, 2.0], None)
        ([3.0, 2.0], None)
        >>> losses, steps = thinned_curve(range(20_000), 30_000)
        >>> losses[-2:], steps[-2:], len(steps)
        ([19997, 19999], [29998.0, 30000.0], 10000)
    """
    if len(losses) <= _MOST_POINTS:
        return list(losses), None
    first = (len(losses) if fidelity is None else fidelity) - len(losses) + 1
    points = _thinned([(float(first + place), loss) for place, loss in enumerate(losses)])
    return [loss for _, loss in points], [step for step, _ in points]


def curve_of(held: Claim, points: Mapping[float, float]) -> tuple[list[float], list[float]] | None:
    """Steps and losses that all attempts of a trial have reported, by step; None if there are none.

    Of more than 10,000 so many are kept, evenly spread, the last one among them: each worker reads each result.

    Args:
        held: its last attempt.
        points: what that has reported in this process: it replaces what is written for the same steps by processes
            that run_pipeline has started.
    """
    steps, losses = [], []
    for step, loss in _thinned(sorted(held.folder.reported(held.attempt, points).items())):
        steps.append(step)
        losses.append(loss)
    return (steps, losses) if steps else None


def with_reports(outcome: Outcome, held: Claim, points: Mapping[float, float]) -> Outcome:
    """The outcome with its learning curve: what was reported, unless one was returned.

    Args:
        outcome: of the evaluation.
        held: the attempt.
        points: as of `curve_of`.
    """
    if outcome.learning_curve is not None:
        losses, thinned = thinned_curve(outcome.learning_curve, held.decision.fidelity)
        return dataclasses.replace(outcome, learning_curve=losses, learning_curve_steps=thinned)
    if (curve := curve_of(held, points)) is None:
        return outcome
    steps, losses = curve
    return dataclasses.replace(outcome, learning_curve=losses, learning_curve_steps=steps)


def _thinned(points: list[Point]) -> list[Point]:
    if len(points) <= _MOST_POINTS:
        return points
    return [points[place * len(points) // _MOST_POINTS - 1] for place in range(1, _MOST_POINTS + 1)]
