"""What lies in a root beside its trials: strange names, leftovers, moves under way, the results cache.

Called by the examination.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import os
from collections.abc import Iterator, Mapping

from neps._doctor.finding import Finding, Kind, Mend
from neps._doctor.leftovers import hidden, leftover
from neps._ledger.documents import UnreadableDocumentError
from neps._ledger.earlier import find_runs
from neps._ledger.endings import unreadable_endings
from neps._ledger.foreign import tail
from neps._ledger.identity import Identity
from neps._ledger.known_trials import unreadable_known
from neps._ledger.layout import Layout
from neps._ledger.overwriting import unfinished_moves
from neps._ledger.results_cache import LARGEST_FILE, ResultsCache, line_of, parse, remembered
from neps._listing import counted
from neps._trial import Trial

__all__ = ["Cache", "cache_findings", "read_cache", "root_findings"]

_MOST = 5


def root_findings(layout: Layout, authors: dict[str, Identity], now: float) -> Iterator[Finding]:
    """What is found in the root, in `.neps`, `launches`, `endings` and `overwritten`."""
    yield from _strange(layout)
    for folder in (layout.root, layout.endings, f"{layout.hidden}/doctor", layout.known):
        for name in hidden(folder):
            if found := leftover(folder, name, authors, _age(f"{folder}/{name}", now), ended=False):
                yield found
    yield from _gaps(layout)
    for look in (_moves, _endings, _known):
        try:
            yield from look(layout)
        except OSError as error:
            yield Finding(
                kind=Kind.TORN,
                what=f"it can't be looked at: {error.strerror}",
                optimizer="It waits for ten leases, and then ends with an error, if it has to look there.",
                advice="Give whoever takes part the permission to read it; remove it if it is no folder of neps.",
                path=os.fspath(error.filename or layout.root),
            )


def _endings(layout: Layout) -> Iterator[Finding]:
    for path, error in unreadable_endings(layout).items():
        yield Finding(
            kind=Kind.TORN,
            what=f"it can't be read: {error.why}",
            optimizer="It passes it over, and decides by the results whether they have ended the search.",
            advice="Remove it if it stays so.",
            path=path,
            wrong=False,
        )


def _known(layout: Layout) -> Iterator[Finding]:
    for error in unreadable_known(layout):
        yield Finding(
            kind=Kind.TORN,
            what=f"what users have enqueued can't be read: {error.without_path}",
            optimizer="It passes it over once it has stayed so for lease_seconds, and takes what comes after it.",
            advice="Enqueue it again. Leave the file where it is: others are counted from it.",
            path=error.path,
        )


def _age(path: str, now: float) -> float:
    with contextlib.suppress(OSError):
        return now - os.lstat(path).st_mtime
    return 0.0


def _strange(layout: Layout) -> Iterator[Finding]:
    numbers = {f"config_{number}" for number in layout.numbers()}
    names = (name for name in sorted(os.listdir(layout.root)) if name not in numbers)  # noqa: PTH208
    if strange := [name for name in names if name.startswith("config_")]:
        yield Finding(
            kind=Kind.FOREIGN,
            what=f"{_some(strange)}: called like a trial, but no trial's name",
            optimizer="It ignores it.",
            advice="Move it out of the root if it is a copy that you have made.",
            path=layout.root,
            wrong=False,
        )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return f"{', '.join(names[:_MOST])}{more}"


def _gaps(layout: Layout) -> Iterator[Finding]:
    numbers = set(layout.numbers())
    missing = max(numbers, default=0) - len(numbers)
    if missing:
        free = (number for number in itertools.count(1) if number not in numbers)
        first = [str(number) for number in itertools.islice(free, min(missing, _MOST))]
        yield Finding(
            kind=Kind.STUCK,
            what=f"of {counted(missing, 'number')} below the highest there is no folder, first of {', '.join(first)}",
            optimizer="It decides them anew, the lowest first, as if they had never been.",
            advice="Restore the folders if you have removed them by mistake.",
            path=layout.root,
            wrong=False,
        )


def _moves(layout: Layout) -> Iterator[Finding]:
    for path in unfinished_moves(layout.root):
        yield Finding(
            kind=Kind.STUCK,
            what="a run is being moved to overwritten, or its mover has died",
            optimizer="The next worker that starts finishes what is decided, before anything else.",
            advice="Start a worker.",
            path=path,
            wrong=False,
        )
    for path in find_runs(layout.root).remains:
        yield Finding(
            kind=Kind.STALE,
            what="an interrupted `neps clean` has left it",
            optimizer="It ignores it.",
            advice="`neps clean` removes it.",
            path=path,
            wrong=False,
        )


# The results cache


@dataclasses.dataclass(frozen=True, slots=True)
class Cache:
    """What the results cache has: the last payload of each number, how many lines are bad, and names of no file."""

    payloads: dict[int, bytes]
    bad: int
    odd: list[str]


def read_cache(layout: Layout) -> Cache:
    """Read all of it; a last line without its end may just be being written."""
    cache, bad = Cache({}, 0, []), 0
    names: list[str] = []
    with contextlib.suppress(OSError):
        names = sorted(os.listdir(layout.results_cache))  # noqa: PTH208
    for name in names:
        try:
            content = tail(f"{layout.results_cache}/{name}", LARGEST_FILE) or b""
        except OSError as error:
            cache.odd.append(f"{name} ({error})")
            continue
        for line in content.split(b"\n")[:-1]:
            if (entry := remembered(layout.run, line)) is not None:
                cache.payloads[entry[0]] = entry[1]
            else:
                bad += 1
    return dataclasses.replace(cache, bad=bad)


def cache_findings(layout: Layout, cache: Cache, trials: Mapping[int, Trial]) -> Iterator[Finding]:
    """Where the results cache isn't what the folders say. `trials` are those whose folders tell a result."""
    rebuild = Mend("rebuild it from the folders", functools.partial(_rebuild, layout, trials))
    told = {number: payload for number, payload in cache.payloads.items() if number in trials}
    wrong = [number for number, payload in sorted(told.items()) if not _agrees(layout.run, trials[number], payload)]
    if wrong:
        yield Finding(
            kind=Kind.FOREIGN,
            what=f"it says something else than the folders about {_some([f'trial {number}' for number in wrong])}",
            optimizer="A worker that joins believes it where it can be read, and the folders where it can't.",
            advice="`--mend` rebuilds it from the folders, which have it all. Then restart the workers.",
            path=layout.results_cache,
            mend=rebuild,
        )
    if cache.bad or cache.odd:
        found = [counted(cache.bad, "torn or foreign line")] if cache.bad else []
        yield Finding(
            kind=Kind.TORN,
            what=", ".join([*found, *cache.odd]),
            optimizer="It ignores them, and reads these trials' folders instead.",
            advice="Nothing has to be done.",
            path=layout.results_cache,
            wrong=False,
            mend=rebuild,
        )


def _agrees(run: str, trial: Trial, payload: bytes) -> bool:
    """Whether a line is what the folder says, or can't be read as a success, so that the folder is asked."""
    line = line_of(run, trial)
    if line is not None and line.endswith(b" " + payload + b"\n"):
        return True
    try:
        cached = parse(trial.number, payload)
    except UnreadableDocumentError:
        return True
    return repr((cached.outcome, cached.decision)) == repr((trial.outcome, trial.decision))  # so NaN equals NaN


def _rebuild(layout: Layout, trials: Mapping[int, Trial]) -> str:
    """Correct what it says of these trials, and add what it lacks. What no folder tells now, it goes on to tell."""
    cache, told = ResultsCache(layout, Identity.mine().worker), set[int]()

    def say(number: int, line: bytes) -> bytes | None:
        if (trial := trials.get(number)) is None:
            return line
        told.add(number)
        return line_of(layout.run, trial)

    cache.rewrite(say)
    succeeded = [number for number, trial in trials.items() if trial.succeeded]
    cache.add([number for number in succeeded if number not in told], trials.get)
    return f"rebuilt {layout.results_cache} from {counted(len(succeeded), 'result')}"
