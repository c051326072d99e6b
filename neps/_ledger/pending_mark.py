"""attempt_K.pending.yaml: an attempt goes on without its worker, until `neps.tell` publishes what came of it.

The worker that opened the attempt makes it; an end of the attempt outweighs it. `trial_state` and `neps.tell` read it.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from datetime import datetime
from typing import Any

from neps._ledger import documents
from neps._ledger import fields as typed
from neps._ledger.exclusive import publish, sync_folder
from neps._ledger.identity import Identity
from neps._ledger.layout import pending_name
from neps._ledger.records import parsed
from neps._ledger.trial_folder import TrialFolder

__all__ = ["PendingMark", "mark_pending", "read_mark"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PendingMark:
    """That attempt `attempt`, which `worker` has opened, goes on without that worker; it was `marked` at this time.

    The rest is what the worker would have recorded by: when the evaluation `started`, and its arguments.
    """

    attempt: int
    worker: str
    started: datetime | None = None
    marked: datetime | None = None
    max_cost_total: float | None = None
    patience_cost: float | None = None
    cost_is_duration: bool = False
    loss_value_on_error: float | None = None
    cost_value_on_error: float | None = None


def mark_pending(folder: TrialFolder, mark: PendingMark, me: Identity) -> None:
    """Publish the mark of an attempt that this worker holds; it is durable then.

    Raises:
        OSError: if it can't be written.
    """
    fields: dict[str, Any] = {
        "attempt": mark.attempt,
        "worker": mark.worker,
        "started": mark.started.isoformat() if mark.started else None,
        "time": documents.now(),
        "max_cost_total": mark.max_cost_total,
        "patience_cost": mark.patience_cost,
        "cost_is_duration": mark.cost_is_duration or None,
        "loss_value_on_error": mark.loss_value_on_error,
        "cost_value_on_error": mark.cost_value_on_error,
    }
    publish(folder.path, pending_name(mark.attempt), documents.encode(fields), me.token)
    sync_folder(folder.path)


def read_mark(folder: TrialFolder, attempt: int) -> PendingMark | None:
    """The mark of an attempt, or None while there is none.

    Raises:
        UnreadableDocumentError: if it can't be trusted (yet).
        OSError: if the filesystem fails.
    """
    path = f"{folder.path}/{pending_name(attempt)}"
    if not os.path.lexists(path):  # the usual case, at a tenth of what a failed opening costs
        return None
    fields = documents.load(path)
    if fields is None:
        return None
    return parsed(
        path,
        lambda: PendingMark(
            attempt=typed.need(fields, "attempt", functools.partial(typed.equal, attempt)),
            worker=typed.need(fields, "worker", typed.text),
            started=typed.get(fields, "started", typed.moment),
            marked=typed.get(fields, "time", typed.moment),
            max_cost_total=typed.get(fields, "max_cost_total", typed.cost),
            patience_cost=typed.get(fields, "patience_cost", typed.cost),
            cost_is_duration=typed.get(fields, "cost_is_duration", typed.flag, False),
            loss_value_on_error=typed.get(fields, "loss_value_on_error", typed.any_number),
            cost_value_on_error=typed.get(fields, "cost_value_on_error", typed.cost),
        ),
    )
