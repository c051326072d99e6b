"""All that is known of one trial, as text for people: `neps show`. Reads the trial's folder, and writes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from neps._history import History
from neps._ledger.documents import UnreadableDocumentError
from neps._ledger.layout import Layout
from neps._ledger.reading import read_definition, read_history, root_of
from neps._ledger.records import AttemptEnd, End
from neps._ledger.storage import shown_size
from neps._ledger.trial_folder import TrialFolder
from neps._tables import aligned, printable
from neps._trial import Trial, place_fields
from neps.errors import ArgumentError

__all__ = ["details"]

_MOST_POINTS = 20
_MOST_FILES = 30


def details(root_directory: str | Path, number: int) -> str:
    """All that is known of a trial.

    Raises:
        neps.errors.ArgumentError: if there is no such trial.
        neps.errors.DirectoryError: if there is no run, or it can't be read.
    """
    root = root_of(root_directory)
    definition = read_definition(root)
    history = read_history(root, definition)
    trial = history.by_number.get(number)
    if trial is None:
        has = f"its trials are 1 to {max(history.by_number)}" if len(history) else "it has no trials yet"
        raise ArgumentError(f"There is no trial {number} in {root}: {has}.")
    folder = TrialFolder(Layout(root, definition.run), number)
    sections = [
        [
            f"trial {number}: {trial.status}{', waits for neps.tell' if trial.awaits_tell else ''}",
            *aligned(_facts(trial, history, folder.path)),
        ],
        _named("config", trial.config),
        _named("info_dict", trial.info_dict),
        _named("metadata of the searcher", trial.decision.metadata if trial.decision else {}),
        _curve(history.learning_curve(number)),
        _attempts(folder, trial),
        _files(folder.path),
        ["error:", *(f"  {line}".rstrip() for line in (trial.error or "").rstrip().expandtabs().splitlines())],
    ]
    return printable("\n\n".join("\n".join(lines) for lines in sections if len(lines) > 1))


def _facts(trial: Trial, history: History, path: str) -> list[tuple[str, str]]:
    facts: dict[str, Any] = {
        **trial.measures,
        "cost of all attempts": trial.spent if trial.spent != (trial.cost or 0.0) else None,
        f"fidelity ({history.space.fidelity})": trial.fidelity,
        **place_fields(trial.place),
        "enqueued": "yes" if trial.enqueued else None,
        "continues": f"trial {trial.previous}" if trial.previous is not None else None,
        "continued by": ", ".join(f"trial {other.number}" for other in history if other.previous == trial.number),
        "best so far": "yes" if trial is history.best else None,
        "decided": _time(trial.claimed),
        "started": _time(trial.started),
        "finished": _time(trial.finished),
        "duration": f"{trial.duration:g} s" if trial.duration is not None else None,
        "worker": trial.worker,
        "attempts": trial.attempts,
        "in": path,
    }
    return [(name, _text(value)) for name, value in facts.items() if value not in {None, ""}]


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _time(when: datetime | None) -> str | None:
    return f"{when:%Y-%m-%d %H:%M:%S} UTC" if when is not None else None


def _named(title: str, values: Mapping[str, Any]) -> list[str]:
    return [f"{title}:", *aligned([(str(name), repr(value)) for name, value in values.items()])]


def _curve(points: Sequence[tuple[float, float]]) -> list[str]:
    """The first and last points of the joined learning curve."""
    rows = [(f"{step:g}", f"{loss:.6g}") for step, loss in points]
    if len(rows) > _MOST_POINTS:
        half = _MOST_POINTS // 2
        rows = [*rows[:half], ("…", f"{len(rows) - 2 * half} more"), *rows[-half:]]
    return ["learning curve, with that of the trials that it continues:", *aligned([("step", "loss"), *rows])][
        : None if rows else 1
    ]


def _attempts(folder: TrialFolder, trial: Trial) -> list[str]:
    rows = [("attempt", "worker", "host", "how it ended")]
    rows += [_attempt(folder, attempt) for attempt in range(1, trial.attempts + 1)]
    if trial.awaits_tell:
        rows[-1] = (*rows[-1][:-1], "pending")
    return ["attempts:", *aligned(rows)][: None if len(rows) > 1 else 1]


def _attempt(folder: TrialFolder, attempt: int) -> tuple[str, str, str, str]:
    try:
        decision = folder.decision() if attempt == 1 else None
        start = decision[1] if decision else folder.start(attempt)
        end = folder.end(attempt)
    except (UnreadableDocumentError, OSError) as error:
        why = error.without_path if isinstance(error, UnreadableDocumentError) else str(error)
        return str(attempt), "", "", f"can't be read: {why}"
    how = "not yet" if end is None else _how(end)
    return str(attempt), start.identity.worker if start else "", start.identity.host if start else "", how


def _how(end: AttemptEnd) -> str:
    if end.end is not End.RESULT or end.result is None:
        return str(end.end)
    return "success" if end.result.outcome.success else "failed"


def _files(path: str) -> list[str]:
    """What lies in the trial's folder: what neps wrote, and checkpoints and other files of the user."""
    rows = sorted(_entries(path))
    more = len(rows) - _MOST_FILES
    lines = list(aligned(rows[:_MOST_FILES])) if rows else []
    return ["files:", *lines, *([f"  and {more} more"] if more > 0 else [])]


def _entries(path: str) -> Iterator[tuple[str, str]]:
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                size = "folder" if entry.is_dir(follow_symlinks=False) else shown_size(_size(entry))
                yield printable(entry.name), size
    except OSError as error:
        yield "", f"can't be listed: {error}"


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_size
    except OSError:
        return 0
