"""`summary/`: the trials as a table, and the incumbent, for people and other tools. Derived; no search ever reads it.

    summary/trials.csv           one row a trial; its configuration in columns `config.NAME`, info_dict in `info.KEY`
    summary/learning_curves.csv  one row a point of a learning curve: number, step, loss; only where there are some
    summary/imported.csv         one row a result from elsewhere, imported or of an earlier run; only if there are some
    summary/best.yaml            the incumbent, if its loss is finite: number, loss, cost, folder (in the root), config
    summary/spent.yaml           with a fidelity, how much of it trials ran, and how many full evaluations that is

Called by `neps.run` whenever a worker ends, and by `neps summary`. Workers that end at the same moment need no lock:
each replaces whole files, and then looks whether what it wrote still holds, so that the last one to write leaves the
latest state.
"""

from __future__ import annotations

import contextlib
import csv
import io
import logging
import math
import os
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from neps._fidelity import FidelitySpent
from neps._history import History
from neps._ledger import documents
from neps._ledger.layout import Layout
from neps._ledger.reading import read_history
from neps._ledger.trial_folder import TrialFolder
from neps._ledger.whole_files import replace
from neps._listing import config_names
from neps._outcome import MEASURES
from neps._trial import Trial
from neps._views.columns import cells, columns
from neps._views.wording import short_gist

__all__ = ["try_to_write_summary", "write_summary", "write_summary_within"]

_logger = logging.getLogger("neps.views")
_TRIES = 3
_COLUMNS = ("number", "status", *MEASURES, "fidelity", "bracket", "rung", "previous")
_MORE_COLUMNS = ("worker", "attempts", "claimed", "started", "finished", "duration", "error")


def write_summary(root: str, history: History) -> None:
    """Write the tables of a run, as it was read a moment ago.

    Raises:
        OSError: if they can't be written, or the run can't be read again.
    """
    _write(root, history)
    for _ in range(_TRIES):
        if not _outdated(root, history):
            break
        history = read_history(root)
        _write(root, history)


def try_to_write_summary(root: str, history: History | None = None, deadline: float = math.inf) -> None:
    """Write the tables if that can be done. Never raises: nothing depends on them.

    Args:
        root: the run's directory.
        history: what is there, if that was read a moment ago.
        deadline: nothing is written after that, on the monotonic clock.
    """
    try:
        history = history or read_history(root)
        if time.monotonic() < deadline:
            write_summary(root, history)
    except Exception:  # a full disk, a missing permission, a run that is moved aside meanwhile
        _logger.debug("The tables of %s could not be written", root, exc_info=True)


def write_summary_within(root: str, seconds: float) -> None:
    """The same for a process that is about to end: returns after so many seconds, whatever the filesystem does."""
    arguments = (root, None, time.monotonic() + seconds)
    thread = threading.Thread(target=try_to_write_summary, args=arguments, name="neps-summary", daemon=True)
    with contextlib.suppress(RuntimeError):  # no thread can be started any more
        thread.start()
        thread.join(seconds)


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
    _replace(folder, "imported.csv", _imported(history).encode() if history.imported or history.earlier else None)
    points = [(trial.number, step, loss) for trial in history.trials for step, loss in trial.learning_curve]
    _replace(folder, "learning_curves.csv", _curves(points).encode() if points else None)
    best, spent = history.best, history.fidelity_spent
    _replace(folder, "best.yaml", _document(_incumbent(best)) if best is not None else None)
    _replace(folder, "ended.yaml", _document({"reason": history.ended_by}) if history.ended_by is not None else None)
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
    return {"number": best.number, **best.measures, "folder": folder, "config": dict(best.config)}


def _accounts(spent: FidelitySpent) -> dict[str, Any]:
    return {
        "fidelity": spent.continued,
        "full_evaluations": spent.continued / spent.highest,
        "full_evaluations_from_scratch": spent.from_scratch / spent.highest,
        "trials": spent.trials,
        "trials_at_highest": spent.at_highest,
    }


def _table(history: History) -> str:
    rows = list(_rows(history))
    names = config_names(history.trials, history.space)
    info = columns(trial.info_dict for trial in history.trials)
    text = io.StringIO(newline="")
    known = frozenset(info)
    header = [*_COLUMNS, *(f"config.{name}" for name in names), *_MORE_COLUMNS, *info]
    writer = csv.DictWriter(text, header, extrasaction="ignore")
    writer.writeheader()
    for row, trial in zip(rows, history.trials, strict=True):
        writer.writerow(row | cells(trial.info_dict, known))
    return text.getvalue()


def _imported(history: History) -> str:
    known = [("imported", trial) for trial in history.imported] + [("earlier", trial) for trial in history.earlier]
    names = config_names([trial for _, trial in known], history.space)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(("from", "status", *MEASURES, "fidelity", *(f"config.{name}" for name in names)))
    for source, trial in known:
        values = (trial.config.get(name) for name in names)
        writer.writerow((source, str(trial.status), *trial.measures.values(), trial.fidelity, *values))
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
