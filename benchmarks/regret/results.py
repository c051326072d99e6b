"""The runs that are recorded: one line of JSON each, in one file for each method, appended and never edited.

Called by whoever makes runs and by whoever reads them. Several processes may append at once.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["FOLDER", "Key", "Record", "Results"]

FOLDER = Path(__file__).parent / "results"


class Key(NamedTuple):
    """What tells runs apart."""

    problem: str
    method: str
    version: str
    seed: int


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """One complete run. Lists have one entry for each evaluation; a loss of NaN is an evaluation that failed.

    `values` are the losses without their noise, on problems that have noise; `cpu` is a suggestion's cost, in seconds.
    """

    key: Key
    losses: Sequence[float]
    cpu: Sequence[float]
    values: Sequence[float] | None = None

    @property
    def evaluations(self) -> int:
        """How many evaluations the run had."""
        return len(self.losses)

    def incumbents(self) -> list[float]:
        """After each evaluation: the noise-free loss of the evaluation with the lowest observed loss so far, or NaN."""
        values = self.losses if self.values is None else self.values
        incumbents, lowest, value = [], math.inf, math.nan
        for loss, candidate in zip(self.losses, values, strict=True):
            if loss < lowest:  # never so for NaN
                lowest, value = loss, candidate
            incumbents.append(value)
        return incumbents

    def line(self) -> str:
        """As JSON, with no more digits than matter."""
        fields: dict[str, Any] = {**self.key._asdict(), "evaluations": self.evaluations}
        fields["losses"] = _rounded(self.losses, 10)
        if self.values is not None:
            fields["values"] = _rounded(self.values, 10)
        fields["cpu"] = _rounded(self.cpu, 4)
        return json.dumps(fields, allow_nan=False) + "\n"

    @classmethod
    def parse(cls, line: str) -> Record:
        """The record that `line` holds."""
        fields = json.loads(line)
        key = Key(*(fields[name] for name in Key._fields))
        values = _floats(fields["values"]) if "values" in fields else None
        return cls(key, _floats(fields["losses"]), _floats(fields["cpu"]), values)


class Results:
    """The files of one folder."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self.folder = folder

    def read(self, method: str) -> list[Record]:
        """The records of `method` in the order of the file; of those with one key, the longest, then the last."""
        longest: dict[Key, Record] = {}
        path = self.folder / f"{method}.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        for number, line in enumerate(lines, start=1):
            try:
                record = Record.parse(line)
            except (ValueError, KeyError, TypeError) as error:
                raise SystemExit(f"error: {path}, line {number} is no record of a run: {error!r}. Remove it.") from None
            if record.key not in longest or record.evaluations >= longest[record.key].evaluations:
                longest.pop(record.key, None)  # for the order
                longest[record.key] = record
        return list(longest.values())

    def has(self, key: Key, evaluations: int) -> bool:
        """Whether a run with this key and at least so many evaluations is recorded."""
        return any(record.key == key and record.evaluations >= evaluations for record in self.read(key.method))

    def append(self, record: Record) -> None:
        """Add a record, in one write at the end of the file, wherever that has got to by then."""
        self.folder.mkdir(parents=True, exist_ok=True)
        line = record.line().encode()
        descriptor = os.open(self.folder / f"{record.key.method}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            if os.write(descriptor, line) != len(line):
                raise OSError(f"{record.key} was recorded in part: is the disk full?")
        finally:
            os.close(descriptor)


def _rounded(numbers: Sequence[float], digits: int) -> list[float | None]:
    return [float(f"{number:.{digits}g}") if math.isfinite(number) else None for number in numbers]


def _floats(numbers: Sequence[float | None]) -> list[float]:
    return [math.nan if number is None else number for number in numbers]
