"""`neps.status`: how a run stands, as text for people. Read-only: it takes no part in the run and makes no file."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

from neps._calling import public
from neps._ledger.endings import PublishedEnding
from neps._ledger.layout import Layout
from neps._ledger.reading import read_definition, read_view, root_of
from neps._ledger.storage import shown_size
from neps._listing import counted, imported_words, not_finite_words, readable
from neps._queue import Queue
from neps._tables import aligned, printable
from neps._trial import Trial
from neps._views.leaving import Leaving
from neps._views.overview import Overview, Running, overview
from neps._views.wording import loss_words, short_gist

__all__ = ["MOST_RUNNING", "as_text", "status", "why_damaged"]

MOST_RUNNING = 50
_MOST_FAILED = 5
_MOST_SHORT = 5
_MOST_ENQUEUED = 5
_MOST_CONFIRMED = 5


@public("neps.status")
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
        >>> history = neps.run(lambda x: x / 2, root, space, searcher="random_search", max_evaluations_total=1, seed=1)
        >>> neps.status(root)
        run       /...
        searcher  random_search, seed 1
        trials    1 succeeded, 0 failed, 0 running, 0 waiting
        time      the first trial began ... ago, the last result ... ago
        <BLANKLINE>
        best: trial 1, loss 1.5
          x  3
          in /.../config_1
    """
    root = root_of(root_directory)
    definition = read_definition(root)
    text = as_text(overview(root, definition, read_view(root, definition), MOST_RUNNING))
    (sys.stdout if file is None else file).write(f"{text}\n")


def as_text(run: Overview) -> str:
    """How a run stands, in lines for people."""
    sections = [
        _summary(run),
        _incumbent(run),
        _running(run),
        _staying(run),
        _next(run),
        _short(run),
        _failed(run),
        _damaged(run),
        _unreadable(run),
    ]
    return printable("\n\n".join("\n".join(lines) for lines in sections if lines))


def why_damaged(root: str | Path, trial: Trial) -> str:
    """Why a trial is damaged, without the path: whoever shows this shows that beside it."""
    error = (trial.error or "").removeprefix(f"{Layout(root).trial(trial.number)}/")
    return short_gist(error.removeprefix(f"{root}/"))


# Sections: lists of lines, empty where there is nothing to say


def _summary(run: Overview) -> list[str]:
    history = run.history
    trials = [
        _count("succeeded", len(history.succeeded)),
        _count("failed", len(run.failed) + len(run.damaged), damaged=len(run.damaged)),
        _count("running", run.running_count, **{"dead": run.dead_count, "waiting for neps.tell": run.untold_count}),
        _waiting(run),
    ]
    rows = [
        ("run", run.root),
        ("searcher", f"{run.definition.searcher.get('name')}, seed {run.definition.seed}"),
        ("trials", ", ".join(trials)),
    ]
    rows += _known(run)
    if ages := _ages(run):
        rows.append(("time", ages))
    if run.cost is not None:
        rows.append(("cost", f"{run.cost:g}"))
    if (spent := history.fidelity_spent) is not None:
        rows.append(("fidelity", str(spent)))
    if run.ended is not None:
        rows.append(("ended", _ended(run.ended, run.begun_since)))
    if run.confirmation is not None:
        rows.append(("confirmed", run.confirmation.in_order(_MOST_CONFIRMED)))
    if run.leaving is not None:
        rows.append(("stop", _leaving(run.leaving)))
    return list(aligned(rows, indent=""))


def _known(run: Overview) -> Iterator[tuple[str, str]]:
    """What users have told of trials."""
    history = run.history
    if run.queue.total:
        yield "queue", _queued(run.queue)
    if history.earlier:
        earlier = counted(len(run.definition.start_from), "earlier run")
        yield "start", f"from {counted(len(history.earlier), 'result')} of {earlier}"
    if history.imported:
        best = imported_words(history.trials, history.imported)
        yield "imported", f"{counted(len(history.imported), 'result')}, which count for no budget; {best}"


def _ended(ended: PublishedEnding, begun_since: int) -> str:
    when = "" if ended.made is None else f" {_ago(ended.made.timestamp())}"
    since = f"; {counted(begun_since, 'trial')} begun since" if begun_since else ""
    return f"{ended.ending.reason}{when and f',{when}'}{since}"


def _queued(queue: Queue) -> str:
    enqueued = f"{counted(queue.total, 'configuration')} enqueued"
    return f"{enqueued}, {queue.waiting} not decided yet" if queue.waiting else f"{enqueued}, all decided"


def _leaving(leaving: Leaving) -> str:
    when = "" if leaving.made is None else f" {_ago(leaving.made.timestamp())}"
    how = "after their trials" if leaving.after_trial else "now"
    left = f"{leaving.asked - len(leaving.staying)} of {leaving.asked} have left"
    return f"{counted(leaving.asked, 'worker')} asked{when} to leave {how}; {left}"


def _count(what: str, number: int, **of_which: int) -> str:
    details = ", ".join(f"{part} {name}" for name, part in of_which.items() if part)
    return f"{number} {what}" + (f" ({details})" if details else "")


def _waiting(run: Overview) -> str:
    reasons = {
        "to be resumed": run.resumable,
        "not decided yet": run.reserved,
        "not readable now": len(run.unreadable),
    }
    return _count("waiting", run.waiting, **reasons)


def _ages(run: Overview) -> str:
    """When the first trial was claimed and the last one ended, as far as there are such."""
    parts = (("the first trial began", run.began), ("the last result", run.last_result))
    return ", ".join(f"{what} {_ago(when.timestamp())}" for what, when in parts if when is not None)


def _incumbent(run: Overview) -> list[str]:
    best, diverged = run.history.best, len(run.history.succeeded)
    if best is None and not diverged:
        return ["best: no trial has succeeded yet"]
    if best is None:
        return [f"best: none yet: {not_finite_words(diverged)}"]
    config = aligned([(name, repr(value)) for name, value in best.config.items()])
    loss = loss_words(best, run.history.space.fidelity)
    return [f"best: trial {best.number}, loss {loss}", *config, f"  in {_folder(run.root, best.number)}"]


def _running(run: Overview) -> list[str]:
    if not run.running:
        return []
    rows: list[tuple[str, ...]] = [("trial", "attempt", "worker", "host", "last sign of life", "last report")]
    rows += [
        (str(each.number), str(each.attempt), each.worker, each.host, _sign_of_life(each, run), _report(each))
        for each in run.running
    ]
    if not any(row[-1] for row in rows[1:]):
        rows = [row[:-1] for row in rows]
    more = run.running_count - len(run.running)
    return ["running:", *aligned(rows), *([f"  and {more} more"] if more > 0 else [])]


def _staying(run: Overview) -> list[str]:
    if run.leaving is None or not run.leaving.staying:
        return []
    staying, lease = run.leaving.staying, run.definition.lease_seconds
    rows: list[tuple[str, ...]] = [("worker", "host", "last sign of life")]
    for each in staying[:MOST_RUNNING]:
        silent = "unknown" if each.seconds is None else f"{_age(each.seconds)} ago{_beyond(each.seconds, lease)}"
        rows.append((each.worker, each.host, silent))
    more = len(staying) - MOST_RUNNING
    return ["asked to leave, not left yet:", *aligned(rows), *([f"  and {more} more"] if more > 0 else [])]


def _next(run: Overview) -> list[str]:
    """What users have enqueued, and nobody has decided yet."""
    if not (coming := run.queue.coming):
        return []
    lines = [f"  {readable(config) or '(the defaults)'}" for config in coming[:_MOST_ENQUEUED]]
    more = len(coming) - len(lines)
    return ["enqueued, not decided yet:", *lines, *([f"  and {more} more"] if more else [])]


def _report(running: Running) -> str:
    return "" if running.report is None else "step {:g}, loss {:g}".format(*running.report)


def _sign_of_life(running: Running, run: Overview) -> str:
    if running.dead:
        return "dead, will be resumed"
    if running.sign == "pending":
        return f"waits for neps.tell, since {_age(running.seconds)}"
    return f"{running.sign} {_age(running.seconds)} ago{_beyond(running.seconds, run.definition.lease_seconds)}"


def _beyond(seconds: float, lease: float) -> str:
    return f", longer than the lease of {lease:g} s" if seconds > lease else ""


def _ago(when: float) -> str:
    return f"{_age(max(0.0, time.time() - when))} ago"


def _age(seconds: float) -> str:
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _short(run: Overview) -> list[str]:
    """Trials that were handed back since the storage failed: no worker starts any until as much can be written."""
    needs = run.short
    if not needs:
        return []
    names = ", ".join(f"trial {number}" for number in list(needs)[:_MOST_SHORT])
    more = f" and {len(needs) - _MOST_SHORT} more" if len(needs) > _MOST_SHORT else ""
    room = shown_size(max(needs.values()))
    return [f"waiting for storage: {names}{more}, until {room} can be written to {run.root}"]


def _failed(run: Overview) -> list[str]:
    failed = run.failed
    if not failed:
        return []
    lines = ["failed:" if len(failed) <= _MOST_FAILED else f"failed, the last {_MOST_FAILED} of {len(failed)}:"]
    return lines + _listed(run.root, {trial.number: short_gist(trial.error) for trial in failed[-_MOST_FAILED:]})


def _damaged(run: Overview) -> list[str]:
    """These are all named: nobody repairs what isn't known. `neps retry` says what can be done."""
    if not run.damaged:
        return []
    damaged = {trial.number: why_damaged(run.root, trial) for trial in run.damaged}
    return [f"damaged (`neps retry {run.root} N` says what can be done):", *_listed(run.root, damaged)]


def _unreadable(run: Overview) -> list[str]:
    if not run.unreadable:
        return []
    lease = f"lease_seconds={run.definition.lease_seconds:g}"
    next_step = f"if this stays so, a worker declares it damaged after {lease}; start one if none runs"
    return [f"not readable now ({next_step}):", *_listed(run.root, run.unreadable)]


def _listed(root: str, reasons: Mapping[int, str]) -> list[str]:
    lines = ((f"  trial {number}: {reason}", f"    in {_folder(root, number)}") for number, reason in reasons.items())
    return [line for pair in lines for line in pair]


def _folder(root: str, number: int) -> str:
    return Layout(root).trial(number)
