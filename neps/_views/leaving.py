"""Who was asked to leave by `neps stop`, and has not left yet: what `neps status` shows of it."""

from __future__ import annotations

import dataclasses
import time
from datetime import datetime

from neps._ledger.layout import Layout
from neps._ledger.liveness import Present, workers_there
from neps._ledger.stopping import latest_stop
from neps._ledger.view import View

__all__ = ["Leaving", "Staying", "who_leaves"]


@dataclasses.dataclass(frozen=True, slots=True)
class Staying:
    """A worker that was asked to leave, and has not; it last showed life so many seconds ago (None: nobody knows)."""

    worker: str
    host: str
    seconds: float | None


@dataclasses.dataclass(frozen=True, slots=True)
class Leaving:
    """The last request to leave: how many workers it named, and who of them stays. `made` is when."""

    after_trial: bool
    made: datetime | None
    asked: int
    staying: tuple[Staying, ...]


def who_leaves(root: str, run: str, view: View) -> Leaving | None:
    """How the last request stands. None if there is none, it named nobody, or all have left and others have begun.

    Args:
        root: where the run lies.
        run: its identifier.
        view: what a reader knows of it.
    """
    layout = Layout(root, run)
    request = latest_stop(layout)
    if request is None or not request.workers:
        return None
    there = workers_there(layout, view)
    staying = tuple(_staying(there[name]) for name in request.workers if name in there)
    if not staying and there:
        return None
    return Leaving(request.after_trial, request.made, len(request.workers), staying)


def _staying(present: Present) -> Staying:
    seconds = None if present.touched is None else max(0.0, time.time() - present.touched / 1e9)
    return Staying(present.identity.worker, present.identity.host, seconds)
