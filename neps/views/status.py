"""`neps.status`: how a run stands, as text for people. Read-only: it takes no part in the run and makes no file.

Ages are differences between file times and this host's clock: a guess where clocks differ, and for display only.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from neps.errors import gist
from neps.history import History
from neps.ledger.definition import Definition
from neps.ledger.documents import UnreadableDocumentError
from neps.ledger.layout import Layout, start_name
from neps.ledger.pending import Pending
from neps.ledger.reading import read_definition, read_view, root_of
from neps.ledger.storage import shown_size
from neps.ledger.view import View
from neps.space import SearchSpace
from neps.trial import Trial
from neps.views.wording import loss_words, not_finite_words

__all__ = ["short_gist", "status", "why_damaged"]

_MOST_RUNNING = 50
_MOST_FAILED = 5
_MOST_SHORT = 5
_LONGEST_ERROR = 200


def status(root_directory: str | Path, *, file: TextIO | None = None) -> None:
    """Print how the run in `root_directory` stands; needs no write permission and changes nothing.

    Args:
        root_directory: where the run lies, as passed to `neps.run` (with its `task_ID` and `dev_ID` folders).
        file: where to print; None is standard output.

    Raises:
        neps.errors.DirectoryError: if there is no run, or it can't be read.

    Example:
        >>> import neps, tempfile
        >>> root, space = tempfile.mkdtemp(), {"x": neps.Constant(3)}
        >>> history = neps.run(lambda x: x / 2, root, space, "random_search", max_evaluations_total=1, seed=1)
        >>> neps.status(root)
        run       /...
        searcher  random_search, seed 1
        trials    1 succeeded, 0 failed, 0 running, 0 waiting
        time      the first began ... ago, the last result ... ago
        <BLANKLINE>
        best: trial 1, loss 1.5
          x  3
          in /.../config_1
    """
    root = Path(root_of(root_directory))
    definition, view = _read(root)
    running = [pending for pending in view.pending.values() if not pending.waits]
    dead = {pending.folder.number for pending in running if pending.standing.start.identity.proven_dead()}
    history = History(SearchSpace.from_definition(dict(definition.space)), view.known(), definition.seed)
    sections = [
        _summary(root, definition, view, history, len(dead)),
        _incumbent(root, history),
        _running(sorted(running, key=lambda p: (p.folder.number not in dead, p.folder.number)), dead, definition),
        _short(root, view),
        _failed(root, view),
        _damaged(root, view),
        _unreadable(root, view, definition),
    ]
    text = _printable("\n\n".join("\n".join(lines) for lines in sections if lines))
    (sys.stdout if file is None else file).write(f"{text}\n")


def short_gist(error: str | None) -> str:
    """The gist of an error, as a line that can be printed; cut where it is very long."""
    line = _printable(gist(error))
    return line if len(line) <= _LONGEST_ERROR else f"{line[:_LONGEST_ERROR]}..."


def why_damaged(root: str | Path, trial: Trial) -> str:
    """Why a trial is damaged, without the path: whoever shows this shows that beside it."""
    error = (trial.error or "").removeprefix(f"{Layout(root).trial(trial.number)}/")
    return short_gist(error.removeprefix(f"{root}/"))


def _printable(text: str) -> str:
    """Without what would steer a terminal: files may hold anything."""
    return "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in text)


def _read(root: Path) -> tuple[Definition, View]:
    definition = read_definition(root)
    return definition, read_view(root, definition)


# Sections: lists of lines, empty where there is nothing to say


def _summary(root: Path, definition: Definition, view: View, history: History, dead: int) -> list[str]:
    trials = [
        _count("succeeded", len(history.succeeded)),
        _count("failed", len(view.trials) - len(history.succeeded), damaged=len(_damaged_trials(view))),
        _count("running", sum(not p.waits for p in view.pending.values()), dead=dead),
        _waiting(view),
    ]
    rows = [
        ("run", str(root)),
        ("searcher", f"{definition.searcher.get('name')}, seed {definition.seed}"),
        ("trials", ", ".join(trials)),
    ]
    if ages := _ages(history.trials):
        rows.append(("time", ages))
    if any(trial.cost is not None for trial in view.trials.values()) or history.total_cost:
        rows.append(("cost", f"{history.total_cost:g}"))
    if (spent := history.fidelity_spent) is not None:
        rows.append(("fidelity", str(spent)))
    return list(_aligned(rows, indent=""))


def _count(what: str, number: int, **of_which: int) -> str:
    details = ", ".join(f"{part} {name}" for name, part in of_which.items() if part)
    return f"{number} {what}" + (f" ({details})" if details else "")


def _damaged_trials(view: View) -> list[Trial]:
    return [view.trials[n] for n in sorted(view.trials) if (result := view.trials[n].result) and result.damaged]


def _waiting(view: View) -> str:
    unreadable = sum(taken.torn.looks > 0 for taken in view.numbers.taken.values())
    reasons = {
        "to be resumed": sum(pending.waits for pending in view.pending.values()),
        "reserved but not committed": len(view.numbers.taken) - unreadable,
        "not readable now": unreadable,
    }
    return _count("waiting", sum(reasons.values()), **reasons)


def _ages(trials: Sequence[Trial]) -> str:
    """When the first trial was claimed and the last one ended, as far as there are such."""
    claimed = [trial.decision.claimed.timestamp() for trial in trials if trial.decision and trial.decision.claimed]
    finished = [trial.finished.timestamp() for trial in trials if trial.finished]
    parts = [("the first began", min(claimed, default=None)), ("the last result", max(finished, default=None))]
    return ", ".join(f"{what} {_ago(when)}" for what, when in parts if when is not None)


def _incumbent(root: Path, history: History) -> list[str]:
    best = history.best
    if best is None:
        return ["best: no trial has succeeded yet"]
    if not math.isfinite(best.rank_key):
        return [f"best: none yet: {not_finite_words(len(history.succeeded))}"]
    config = _aligned([(name, repr(value)) for name, value in best.config.items()])
    loss = loss_words(best, history.space.fidelity)
    return [f"best: trial {best.number}, loss {loss}", *config, f"  in {_folder(root, best.number)}"]


def _running(running: Sequence[Pending], dead: set[int], definition: Definition) -> list[str]:
    if not running:
        return []
    rows: list[tuple[str, ...]] = [("trial", "attempt", "worker", "host", "last sign of life", "last report")]
    for pending in running[:_MOST_RUNNING]:
        start, number = pending.standing.start, pending.folder.number
        sign = "dead, will be resumed" if number in dead else _sign_of_life(pending, definition.lease_seconds)
        rows.append(
            (str(number), str(start.attempt), start.identity.worker, start.identity.host, sign, _report(pending))
        )
    if not any(row[-1] for row in rows[1:]):
        rows = [row[:-1] for row in rows]
    more = len(running) - _MOST_RUNNING
    return ["running:", *_aligned(rows), *([f"  and {more} more"] if more > 0 else [])]


def _report(pending: Pending) -> str:
    point = pending.folder.last_report(pending.standing.start.attempt)
    return "" if point is None else f"step {point[0]:g}, loss {point[1]:g}"


def _sign_of_life(pending: Pending, lease: float) -> str:
    attempt = pending.standing.start.attempt
    beat = pending.folder.heartbeat(attempt)
    if beat is not None:
        what, when = "heartbeat", beat / 1e9
    else:
        what, when = "started", time.time()
        with contextlib.suppress(FileNotFoundError):
            when = os.stat(f"{pending.folder.path}/{start_name(attempt)}").st_mtime  # noqa: PTH116
    seconds = max(0.0, time.time() - when)
    beyond = f", longer than the lease of {lease:g} s" if seconds > lease else ""
    return f"{what} {_age(seconds)} ago{beyond}"


def _ago(when: float) -> str:
    return f"{_age(max(0.0, time.time() - when))} ago"


def _age(seconds: float) -> str:
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _short(root: Path, view: View) -> list[str]:
    """Trials that were handed back since the storage failed: no worker starts any until as much can be written."""
    needs: dict[int, int] = {}
    for number, pending in sorted(view.pending.items()):
        with contextlib.suppress(UnreadableDocumentError, OSError):
            end = pending.folder.end(pending.standing.start.attempt) if pending.waits else None
            if end is not None and end.needs_bytes is not None:
                needs[number] = end.needs_bytes
    if not needs:
        return []
    names = ", ".join(f"trial {number}" for number in list(needs)[:_MOST_SHORT])
    more = f" and {len(needs) - _MOST_SHORT} more" if len(needs) > _MOST_SHORT else ""
    return [f"waiting for storage: {names}{more}, until {shown_size(max(needs.values()))} can be written to {root}"]


def _failed(root: Path, view: View) -> list[str]:
    failed = [t for _, t in sorted(view.trials.items()) if not t.succeeded and t.result and not t.result.damaged]
    if not failed:
        return []
    lines = ["failed:" if len(failed) <= _MOST_FAILED else f"failed, the last {_MOST_FAILED} of {len(failed)}:"]
    return lines + _listed(root, {trial.number: short_gist(trial.error) for trial in failed[-_MOST_FAILED:]})


def _damaged(root: Path, view: View) -> list[str]:
    """These are all named: nobody repairs what isn't known. `neps retry` says what can be done."""
    damaged = {trial.number: why_damaged(root, trial) for trial in _damaged_trials(view)}
    return (
        [f"damaged (`neps retry {root} --trial N` says what can be done):", *_listed(root, damaged)] if damaged else []
    )


def _unreadable(root: Path, view: View, definition: Definition) -> list[str]:
    torn = {number: taken.why for number, taken in sorted(view.numbers.taken.items()) if taken.torn.looks}
    lease = f"lease_seconds={definition.lease_seconds:g}"
    next_step = f"if this stays so, a worker declares it damaged after {lease}; start one if none runs"
    return [f"not readable now ({next_step}):", *_listed(root, torn)] if torn else []


def _listed(root: Path, reasons: Mapping[int, str]) -> list[str]:
    lines = ((f"  trial {number}: {reason}", f"    in {_folder(root, number)}") for number, reason in reasons.items())
    return [line for pair in lines for line in pair]


def _folder(root: Path, number: int) -> str:
    return Layout(root).trial(number)


def _aligned(rows: Sequence[Sequence[str]], indent: str = "  ") -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"{indent}{'  '.join(cells)}".rstrip()
