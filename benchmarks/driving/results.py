"""The runs that are recorded: one line of JSON each, in one file for each method, appended and never edited.

Called by whoever makes runs and by whoever reads them. Several processes may append at once.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, NamedTuple, Protocol, TypeVar

__all__ = ["VERSIONS", "Key", "Recorded", "Results", "rounded"]

VERSIONS = "versions.json"
"""Beside the records: by method, which version's are those of a later one as well, since it decides the same. It is
`scripts/bench same` that compares, and writes it."""


class Key(NamedTuple):
    """What tells runs apart."""

    problem: str
    method: str
    version: str
    seed: int


class Recorded(Protocol):
    """What is recorded of a complete run."""

    @property
    def key(self) -> Key:
        """Which run it is."""

    @property
    def evaluations(self) -> int:
        """How many evaluations the run had."""

    @property
    def cpu(self) -> Sequence[float]:
        """What each suggestion cost, in seconds."""

    @property
    def summary(self) -> str:
        """What it found, in some words."""

    def line(self) -> str:
        """As JSON, with no more digits than matter."""


_Record = TypeVar("_Record", bound=Recorded)


class Results(Generic[_Record]):
    """The files of one folder. `parse` reads the record of a line. Versions that are the same are read as the later."""

    def __init__(self, folder: Path, parse: Callable[[str], _Record]) -> None:
        self.folder = folder
        self._parse = parse

    def read(self, method: str) -> list[_Record]:
        """The records of `method` in the order of the file; of those with one key, the longest, then the last."""
        longest: dict[Key, _Record] = {}
        path = self.folder / f"{method}.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        old, new = self._same_versions(method)
        for number, line in enumerate(lines, start=1):
            try:
                record = self._parse(line.replace(old, new, 1))
            except (ValueError, KeyError, TypeError) as error:
                raise SystemExit(f"error: {path}, line {number} is no record of a run: {error!r}. Remove it.") from None
            if record.key not in longest or record.evaluations >= longest[record.key].evaluations:
                longest.pop(record.key, None)  # for the order
                longest[record.key] = record
        return list(longest.values())

    def _same_versions(self, method: str) -> tuple[str, str]:
        """Which version, as in a line, stands for which; empty texts where none does."""
        path = self.folder / VERSIONS
        notes = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        note = notes.get(method)
        return (json.dumps(note["from"]), json.dumps(note["to"])) if note else ("", "")

    def has(self, key: Key, evaluations: int) -> bool:
        """Whether a run with this key and at least so many evaluations is recorded."""
        return any(record.key == key and record.evaluations >= evaluations for record in self.read(key.method))

    def append(self, record: _Record) -> None:
        """Add a record, in one write at the end of the file, wherever that has got to by then."""
        self.folder.mkdir(parents=True, exist_ok=True)
        line = record.line().encode()
        descriptor = os.open(self.folder / f"{record.key.method}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            if os.write(descriptor, line) != len(line):
                raise OSError(f"{record.key} was recorded in part: is the disk full?")
        finally:
            os.close(descriptor)


def rounded(numbers: Sequence[float], digits: int) -> list[float | None]:
    """To so many digits that count; None for what is not finite, which JSON doesn't know."""
    return [float(f"{number:.{digits}g}") if math.isfinite(number) else None for number in numbers]
