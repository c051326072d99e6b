"""`neps status --json`: how a run stands, in a stable shape for programs. docs/command-line.md specifies it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neps._history import History
from neps._ledger.layout import Layout
from neps._ledger.reading import read_definition, read_view, root_of
from neps._listing import beyond_words
from neps._ranking import best
from neps._trial import Trial
from neps._views.export import strict
from neps._views.leaving import Leaving
from neps._views.overview import Overview, Running, overview
from neps._views.status import why_damaged
from neps._views.wording import short_gist

if TYPE_CHECKING:
    from neps._views.confirmation import Confirmation

__all__ = ["fields", "read_fields"]


def read_fields(root_directory: str | Path) -> dict[str, Any]:
    """The fields of a run.

    Raises:
        neps.errors.DirectoryError: if there is no run, or it can't be read.
    """
    root = root_of(root_directory)
    definition = read_definition(root)
    return fields(overview(root, definition, read_view(root, definition)))


def fields(run: Overview) -> dict[str, Any]:
    """As plain data that JSON holds. Fields are only ever added."""
    history = run.history
    spent = history.fidelity_spent
    document = {
        "root": run.root,
        "searcher": run.definition.searcher.get("name"),
        "seed": run.definition.seed,
        "lease_seconds": run.definition.lease_seconds,
        "trials": {
            "total": len(history) + run.reserved + len(run.unreadable),
            "succeeded": len(history.succeeded),
            "failed": len(run.failed) + len(run.damaged),
            "damaged": len(run.damaged),
            "running": run.running_count,
            "dead": run.dead_count,
            "untold": run.untold_count,
            "waiting": run.waiting,
            "resumable": run.resumable,
            "reserved": run.reserved,
            "unreadable": len(run.unreadable),
        },
        "began": _time(run.began),
        "last_result": _time(run.last_result),
        "cost": run.cost,
        "fidelity": {"name": history.space.fidelity, "spent": spent.continued, "highest": spent.highest}
        if spent
        else None,
        "best": _best(run.root, history.best),
        "running": [_running(each) for each in run.running],
        "failed": [_failed(run.root, trial.number, short_gist(trial.error)) for trial in run.failed],
        "damaged": [_failed(run.root, trial.number, why_damaged(run.root, trial)) for trial in run.damaged],
        "unreadable": [_failed(run.root, number, why) for number, why in run.unreadable.items()],
        "waiting_for_storage": [{"number": number, "bytes": size} for number, size in run.short.items()],
        "stop": _leaving(run.leaving),
        "ended": None
        if run.ended is None
        else {"reason": run.ended.ending.reason, "time": _time(run.ended.made), "begun_since": run.begun_since},
        "imported": len(history.imported),
        "imported_best": _imported(history),
        "earlier": len(history.earlier),
        "queue": {"enqueued": run.queue.total, "waiting": run.queue.waiting},
        "confirmed": None if run.confirmation is None else _confirmed(run.confirmation),
    }
    plain: dict[str, Any] = strict(document)
    return plain


def _time(when: datetime | None) -> str | None:
    return when.isoformat() if when is not None else None


def _best(root: str, best: Trial | None) -> dict[str, Any] | None:
    if best is None:
        return None
    return {
        "number": best.number,
        **best.measures,
        "fidelity": best.fidelity,
        "config": dict(best.config),
        "folder": Layout(root).trial(best.number),
    }


def _imported(history: History) -> dict[str, Any] | None:
    """The best result from elsewhere, and whether it is better than all trials."""
    if (found := best(history.imported)) is None:
        return None
    better = bool(beyond_words(history.trials, history.imported))
    return {**found.measures, "fidelity": found.fidelity, "config": dict(found.config), "better": better}


def _running(running: Running) -> dict[str, Any]:
    step, loss = running.report or (None, None)
    return {
        "number": running.number,
        "attempt": running.attempt,
        "worker": running.worker,
        "host": running.host,
        "dead": running.dead,
        "sign": running.sign,
        "sign_seconds_ago": round(running.seconds, 3),
        "report": None if running.report is None else {"step": step, "loss": loss},
    }


def _leaving(leaving: Leaving | None) -> dict[str, Any] | None:
    if leaving is None:
        return None
    return {
        "after_trial": leaving.after_trial,
        "time": _time(leaving.made),
        "asked": leaving.asked,
        "staying": [
            {"worker": each.worker, "host": each.host, "sign_seconds_ago": each.seconds} for each in leaving.staying
        ],
    }


def _confirmed(confirmation: Confirmation) -> dict[str, Any]:
    measures = ("number", "mean", "deviation", "seeds", "failed", "better_than_next")
    rows = confirmation.to_rows()
    return {
        "root": confirmation.root,
        "pending": len(confirmation.history.pending),
        "finalists": [{name: row[name] for name in measures} for row in rows],
    }


def _failed(root: str, number: int, error: str) -> dict[str, Any]:
    return {"number": number, "error": error, "folder": Layout(root).trial(number)}
