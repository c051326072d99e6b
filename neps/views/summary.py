"""`summary/`: the trials as a table, and the incumbent, for people and other tools. Derived; no search ever reads it.

    summary/trials.csv           one row a trial; its configuration in columns `config.NAME`
    summary/learning_curves.csv  one row a point of a learning curve: number, step, loss; only where there are some
    summary/best.yaml            the incumbent, if its loss is finite: number, loss, cost, folder (in the root), config
    summary/spent.yaml           with a fidelity, how much of it trials ran, and how many full evaluations that is

Called by `neps.run` at its end. Workers that end at the same moment need no lock: each replaces whole files, and
then looks whether what it wrote still holds, so that the last one to write leaves the latest state.
"""

from __future__ import annotations

import contextlib
import csv
import io
import logging
import math
import os
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from neps.fidelity import FidelitySpent
from neps.history import History
from neps.ledger import documents
from neps.ledger.layout import Layout
from neps.ledger.reading import read_definition, read_trials
from neps.ledger.trial_folder import TrialFolder
from neps.trial import Trial
from neps.views.replacing import replace
from neps.views.status import short_gist

__all__ = ["write_summary"]

_logger = logging.getLogger("neps.views")
_TRIES = 3
_COLUMNS = ("number", "status", "loss", "cost", "fidelity", "bracket", "rung", "previous")
_MORE_COLUMNS = ("worker", "attempts", "claimed", "started", "finished", "duration", "error")


def write_summary(root: str, history: History) -> None:
    """Write the tables of a run, as it was read a moment ago. Never raises: nothing depends on them."""
    try:
        _write(root, history)
        for _ in range(_TRIES):
            if not _outdated(root, history):
                break
            history = History(history.space, read_trials(root, read_definition(root)), history.seed)
            _write(root, history)
    except Exception:  # a full disk, a missing permission, a run that is moved aside meanwhile
        _logger.debug("The tables of %s could not be written", root, exc_info=True)


def _outdated(root: str, history: History) -> bool:
    """Whether a trial has ended, or begun, since."""
    layout = Layout(root)
    following = max(history.by_number, default=0) + 1
    ended = any(TrialFolder(layout, trial.number).has_result() for trial in history.pending)
    return ended or TrialFolder(layout, following).has_start(1)


def _write(root: str, history: History) -> None:
    folder = f"{root}/summary"
    os.makedirs(folder, exist_ok=True)  # noqa: PTH103
    _replace(folder, "trials.csv", _table(history).encode())
    points = [(trial.number, step, loss) for trial in history.trials for step, loss in trial.learning_curve]
    _replace(folder, "learning_curves.csv", _curves(points).encode() if points else None)
    best, spent = history.best, history.fidelity_spent
    is_finite = best is not None and math.isfinite(best.rank_key)
    _replace(folder, "best.yaml", _document(_incumbent(best)) if best is not None and is_finite else None)
    _replace(folder, "spent.yaml", _document(_accounts(spent)) if spent is not None else None)


def _document(fields: dict[str, Any]) -> bytes:
    return documents.encode(fields, versioned=False)


def _replace(folder: str, name: str, content: bytes | None) -> None:
    """Readers see the old file or the new one; None leaves none, of an earlier run that was moved aside."""
    if content is None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{folder}/{name}")  # noqa: PTH108
        return
    replace(f"{folder}/{name}", content)


def _incumbent(best: Trial) -> dict[str, Any]:
    folder = os.path.basename(Layout("").trial(best.number))  # noqa: PTH119
    return {
        "number": best.number,
        "loss": best.loss,
        "cost": best.cost,
        "folder": folder,
        "config": dict(best.config),
    }


def _accounts(spent: FidelitySpent) -> dict[str, Any]:
    return {
        "fidelity": spent.continued,
        "full_evaluations": spent.continued / spent.highest,
        "full_evaluations_from_scratch": spent.from_scratch / spent.highest,
        "trials": spent.trials,
        "trials_at_highest": spent.at_highest,
    }


def _table(history: History) -> str:
    names = dict.fromkeys(name for trial in history.trials for name in trial.config)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(
        text, [*_COLUMNS, *(f"config.{name}" for name in names), *_MORE_COLUMNS], extrasaction="ignore"
    )
    writer.writeheader()
    writer.writerows(_rows(history))
    return text.getvalue()


def _curves(points: Iterable[tuple[int, float, float]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(("number", "step", "loss"))
    writer.writerows(points)
    return text.getvalue()


def _rows(history: History) -> Iterator[dict[str, Any]]:
    for row in history.to_dict()["trials"]:
        config = {f"config.{name}": value for name, value in row["config"].items()}
        plain = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
        yield plain | config | {"error": short_gist(row["error"])}
