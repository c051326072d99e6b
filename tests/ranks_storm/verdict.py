"""What must hold after a round, read from the run's directory and from what the ranks have written down."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

import neps

__all__ = ["Strike", "ends_of", "strikes_of", "wrong_with"]

Entry = dict[str, Any]
Strike = tuple[int, int, str]
"""The trial, the attempt and what struck it."""
_END = {"kill": "died", "exit": "died", "term": "left", "usr1": "left", "raise": "failed"}
"""How an attempt ends that was struck so."""


def strikes_of(entries: list[Entry]) -> list[Strike]:
    """What was done to which attempt."""
    attempts: dict[int, int] = {}  # by process
    found = []
    for entry in entries:
        if entry["event"] == "begins":
            attempts[entry["pid"]] = entry["attempt"]
        elif entry["event"] == "struck":
            found.append((entry["trial"], attempts[entry["pid"]], entry["what"]))
    return found


def ends_of(root: Path) -> dict[tuple[int, int], str]:
    """How each attempt ended: `left`, `died`, `success` or `failed`."""
    ends = {}
    for path in root.glob("config_*/attempt_*.end.yaml"):
        document = yaml.safe_load(path.read_text())
        number = int(path.parent.name.removeprefix("config_"))
        ends[number, document["attempt"]] = document.get("status", document["end"])
    return ends


def wrong_with(root: Path, entries: list[Entry], trials: int, size: int) -> list[str]:
    """All that is wrong, one line each."""
    return [*_search(root, entries, trials), *_attempts(root, entries), *_mixed(entries, size), *_overlapping(entries)]


def _search(root: Path, entries: list[Entry], trials: int) -> Iterator[str]:
    """Nothing lost, nothing doubled, and nothing failed that was not told to."""
    history = neps.load(root)
    if [trial.number for trial in history] != list(range(1, trials + 1)):
        yield f"trials are {[trial.number for trial in history]}, not 1 to {trials}"
    told = {number for number, _, what in strikes_of(entries) if what == "raise"}
    for trial in history:
        if trial.result is None:
            yield f"trial {trial.number} has no result"
        elif trial.succeeded and trial.loss != trial.config["x"]:
            yield f"trial {trial.number} has the loss {trial.loss}, not {trial.config['x']}"
        elif trial.succeeded == (trial.number in told):
            yield f"trial {trial.number} is a {trial.status}: {trial.error}"


def _attempts(root: Path, entries: list[Entry]) -> Iterator[str]:
    """Each misfortune ended exactly one attempt, as it should; all others ended with a result."""
    ends = ends_of(root)
    strikes = strikes_of(entries)
    expected = {(number, attempt): _END[what] for number, attempt, what in strikes if what != "sudden"}
    sudden = sum(what == "sudden" for _, _, what in strikes)  # each of them ends one attempt, or hits none
    for key, end in sorted(ends.items()):
        if end == "died" and sudden and expected.get(key) != "died":  # its moment may come after another misfortune
            sudden -= 1
            expected.pop(key, None)
        elif (wanted := expected.pop(key, "success")) != end:
            yield f"attempt {key[1]} of trial {key[0]} ended as {end}, not as {wanted}"
    for number, attempt in expected:
        yield f"attempt {attempt} of trial {number} has no end"


def _mixed(entries: list[Entry], size: int) -> Iterator[str]:
    """All ranks of an attempt got the same, each once, and summed only numbers of their own trial."""
    begun: dict[tuple[int, int], list[Entry]] = collections.defaultdict(list)
    for entry in entries:
        if entry["event"] == "begins":
            begun[entry["trial"], entry["attempt"]].append(entry)
        elif entry["event"] == "epoch" and not entry["right"]:
            yield f"a sum of trial {entry['trial']} was wrong on rank {entry['rank']} in epoch {entry['epoch']}"
    for (number, attempt), of_ranks in begun.items():
        got = {tuple(str(entry[name]) for name in ("x", "net", "seed", "folder", "previous")) for entry in of_ranks}
        ranks = sorted(entry["rank"] for entry in of_ranks)
        if len(got) != 1 or len(set(ranks)) != len(ranks) or len(ranks) > size:
            yield f"attempt {attempt} of trial {number} began on ranks {ranks} with {got}"


def _overlapping(entries: Iterable[Entry]) -> Iterator[str]:
    """No attempt goes on when the next one of the same trial has begun."""
    last: dict[int, int] = {}
    for entry in entries:
        if entry["event"] not in {"begins", "epoch", "ends"}:
            continue
        number, attempt = entry["trial"], entry["attempt"]
        if attempt < last.get(number, 0):
            yield f"attempt {attempt} of trial {number} went on ({entry['event']}) after the next one had begun"
        last[number] = max(attempt, last.get(number, 0))
