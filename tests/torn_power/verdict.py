"""What is wrong after a power cut: what the disk has is compared with what was announced before. Read without neps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from stress.evidence import document, numbers
from system_calls.checking import announced, results, unreadable
from system_calls.place import Entry
from system_calls.training import CHECKPOINT, saved_epoch
from torn_power.searching import Powered

__all__ = ["beginnings", "lost", "wrong_in_the_end"]


def lost(root: Path, told: list[Entry], *, keeps: bool) -> Iterator[str]:
    """What was announced and isn't there, or isn't whole; with `keeps`, so are the checkpoints of these trials."""
    epochs = dict[int, int]()
    for path in root.glob(f"config_*/{CHECKPOINT}"):
        try:
            with path.open("rb") as file:
                epochs[_number(path)] = saved_epoch(file)
        except ValueError as error:
            yield f"{path.relative_to(root)}: {error}"
    saved = {entry.number: entry.facts["epoch"] for entry in told if entry.event == "saved"}
    for entry in told:
        if entry.event != "ended":
            continue
        path = root / f"config_{entry.number}" / "result.yaml"
        yield from announced(entry, document(path) if path.exists() else None)
        if keeps and (epoch := epochs.get(entry.number)) != saved[entry.number]:
            yield f"the checkpoint of trial {entry.number} is of epoch {epoch}, not {saved[entry.number]}"


def beginnings(root: Path) -> dict[int, int]:
    """From which epoch each trial that is there goes on, by what is on the disk."""
    found = dict[int, int]()
    for number in numbers(root):
        decision = root / f"config_{number}" / "trial.yaml"
        previous = document(decision).get("previous") if decision.exists() else None
        places = [root / f"config_{number}", *([root / previous] if previous else [])]
        paths = [place / CHECKPOINT for place in places if (place / CHECKPOINT).exists()]
        if paths:
            with paths[0].open("rb") as file:
                found[number] = saved_epoch(file)
    return found


def wrong_in_the_end(place: Powered, trials: int, began: dict[int, int], before: int) -> Iterator[str]:
    """What is wrong once a clean worker has finished.

    Args:
        place: where.
        trials: how many there must be.
        began: from which epochs evaluations had to go on.
        before: how many lines of evidence are from before.
    """
    yield from (why for why in unreadable(place.root) if "config.yaml" not in why)
    yield from results(place.root, trials, place.told())
    for entry in place.told()[before:]:
        if entry.event == "begin" and entry.number in began and entry.facts["epoch"] != began[entry.number]:
            yield f"trial {entry.number} began at epoch {entry.facts['epoch']}, instead of {began[entry.number]}"


def _number(path: Path) -> int:
    return int(path.parent.name.removeprefix("config_"))
