"""What is wrong after a scenario was finished: the directory against the evidence. Files are read without neps."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from stress.evidence import numbers, tree
from system_calls.place import Entry, Place
from system_calls.training import CHECKPOINT, saved_epoch

__all__ = ["Allowed", "Expected", "announced", "results", "seen", "unreadable", "wrong"]


@dataclasses.dataclass(frozen=True)
class Expected:
    """What a calm run leaves behind: how many trials, evaluations of each, and deaths; and earlier runs, by content."""

    trials: int
    begun: Counter[int]
    deaths: int
    earlier: Counter[str]


def seen(place: Place, trials: int) -> Expected:
    """What a calm run has left behind."""
    return Expected(trials, _begun(place), _deaths(place), _earlier_runs(place.root))


def _begun(place: Place) -> Counter[int]:
    """How often the evaluation of each number was begun."""
    return Counter(entry.number for entry in place.told() if entry.event == "begin")


def _deaths(place: Place) -> int:
    """How many attempts have ended as deaths."""
    found = 0
    for path in place.root.glob("config_*/attempt_*.end.yaml"):
        end = _document(path)
        start = path.parent / f"attempt_{end['attempt']}.yaml"
        of_retry = start.exists() and _document(start)["after"] == "retry"  # which evaluates nothing
        found += end["end"] == "died" and not of_retry
    return found


@dataclasses.dataclass(frozen=True)
class Allowed:
    """What a fault may cost.

    Args:
        evaluations: more of them.
        deaths: of attempts.
        staged: files that are left behind, hidden.
        fewer: whether the process may have ended before all that it does in a calm run.
    """

    evaluations: int = 0
    deaths: int = 0
    staged: int = 0
    fewer: bool = False


def wrong(place: Place, expected: Expected, allowed: Allowed) -> Iterator[str]:
    """Each thing that is wrong, in words, compared with a calm run."""
    yield from unreadable(place.root)
    told = place.told()
    yield from results(place.root, expected.trials, told)
    yield from _wasted(place, expected, allowed)
    yield from _checkpoints(place.root, told)
    yield from _left_behind(place.root, allowed.staged)
    if (runs := _earlier_runs(place.root)) != expected.earlier:
        yield f"{runs.total()} earlier runs, instead of {expected.earlier.total()}, or not as they were"


def _document(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    if not content.endswith(b"\n...\n"):
        raise ValueError(f"{path} has no end marker")
    fields = yaml.safe_load(content)
    if not isinstance(fields, dict):
        raise ValueError(f"{path} is no mapping")  # noqa: TRY004 - it is what was read that is wrong
    return fields


def unreadable(root: Path) -> Iterator[str]:
    """Documents that aren't whole."""
    for path in [root / "neps.yaml", *root.glob("config_*/[!.]*.yaml"), *root.glob("launches/**/[!.]*.yaml")]:
        try:
            _document(path)
        except (OSError, ValueError, yaml.YAMLError) as error:
            yield f"a document can't be read: {error}"


def results(root: Path, trials: int, told: list[Entry]) -> Iterator[str]:
    """Every number once, each a success, and what was announced is what is there."""
    if (there := numbers(root)) != list(range(1, trials + 1)):
        yield f"numbers {there} instead of 1 to {trials}"
    returned = {entry.evaluation: entry for entry in told if entry.event == "returned"}
    found = {number: _result(root, number) for number in there}
    for number, result in found.items():
        if result is None or result["status"] != "success":
            yield f"trial {number} has no success: {result}"
        elif (evaluation := result.get("info_dict", {}).get("evaluation")) is not None:
            source = returned.get(evaluation)
            if source is None or (source.number, source.facts["loss"]) != (number, result["loss"]):
                yield f"the result of trial {number} is not what an evaluation has returned: {result}"
    for entry in told:
        yield from announced(entry, found.get(entry.number))


def announced(entry: Entry, result: dict[str, Any] | None) -> Iterator[str]:
    """A result that was announced is what is there."""
    was = entry.event == "told" or (entry.event == "ended" and entry.facts["status"] == "success")
    if not was:
        return
    if result is None or result.get("loss") != entry.facts["loss"]:
        yield f"trial {entry.number} was announced with loss {entry.facts['loss']}, and has {result}"
    elif entry.evaluation and result["info_dict"]["evaluation"] != entry.evaluation:
        yield f"trial {entry.number} was announced of one evaluation, and has the result of another"


def _result(root: Path, number: int) -> dict[str, Any] | None:
    path = root / f"config_{number}" / "result.yaml"
    return _document(path) if path.exists() else None


def _wasted(place: Place, expected: Expected, allowed: Allowed) -> Iterator[str]:
    """A call that fails costs no evaluation, and a kill costs one; a death is one of a worker that died."""
    now = _begun(place)
    more, fewer = (now - expected.begun).total(), (expected.begun - now).total()
    if more > allowed.evaluations:
        yield f"{dict(now)} evaluations of each trial, instead of {dict(expected.begun)}"
    if fewer and not allowed.fewer:
        yield f"only {dict(now)} evaluations of each trial, instead of {dict(expected.begun)}"
    if (died := _deaths(place)) > expected.deaths + allowed.deaths:
        yield f"{died} deaths instead of {expected.deaths}"


def _checkpoints(root: Path, told: list[Entry]) -> Iterator[str]:
    """An evaluation goes on from the last checkpoint that was announced, of its own trial or of the one before."""
    saved = dict[int, int]()
    for entry in told:
        if entry.event == "saved":
            saved[entry.number] = entry.facts["epoch"]
        elif entry.event == "begin":
            least = saved.get(entry.number, saved.get(entry.facts["previous"] or 0, 0))
            if not least <= entry.facts["epoch"] <= least + 1:
                yield f"trial {entry.number} began at epoch {entry.facts['epoch']}; {least} were saved"
    for path in root.glob(f"config_*/{CHECKPOINT}"):
        with path.open("rb") as file:
            try:
                saved_epoch(file)
            except ValueError as error:
                yield f"{path}: {error}"


def _left_behind(root: Path, allowed: int) -> Iterator[str]:
    """Hidden names, but for the signs beside checkpoints, `.neps`, and what one fault may leave."""
    own = {root / ".neps"}
    hidden = [path for path in root.rglob(".*") if path not in own and not path.name.endswith(".neps")]
    if len(hidden) > allowed:
        yield f"left behind: {', '.join(str(path.relative_to(root)) for path in hidden)}"


def _earlier_runs(root: Path) -> Counter[str]:
    """The earlier runs, each as one text of all that is in it."""
    return Counter(str(sorted(tree(folder).items(), key=str)) for folder in root.glob("overwritten/*"))
