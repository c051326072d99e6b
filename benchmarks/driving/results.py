"""The runs that are recorded: one compressed file for each method, which holds a column for each part of a run.

Called by whoever makes runs and by whoever reads them. Several processes may add runs at once, and one that is killed
loses the run that it makes, and no other. `xzcat METHOD.json.xz` shows what is in a file.
"""

from __future__ import annotations

import json
import lzma
import math
import os
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from filelock import FileLock

__all__ = ["Fields", "Key", "Recorded", "Results", "floats", "rounded"]

Fields = Mapping[str, Any]
"""The parts of a run, as JSON has them."""

_ENDING = ".json.xz"


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

    def fields(self) -> Fields:
        """All but the key, with no more digits than matter."""


_Record = TypeVar("_Record", bound=Recorded)


class Results(Generic[_Record]):
    """The files of one folder. `parse` makes a record of its key and fields."""

    def __init__(self, folder: Path, parse: Callable[[Key, Fields], _Record]) -> None:
        self.folder = folder
        self._parse = parse

    def read(self, method: str) -> list[_Record]:
        """The records of `method` in the order in which they were added; no two have one key."""
        path = self._path(method)
        if not path.exists():
            return []
        try:
            columns = json.loads(lzma.decompress(path.read_bytes()))
            rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
            return [self._parse(Key(method=method, **_key_of(row)), row) for row in rows]
        except (ValueError, KeyError, TypeError, EOFError, lzma.LZMAError) as error:
            raise SystemExit(f"error: {path} holds no records of runs: {error!r}. Restore it, or remove it.") from None

    def latest(
        self, methods: Iterable[str], versions: Mapping[str, str], problems: Container[str] | None = None
    ) -> list[_Record]:
        """The records of each method in the version that `versions` names, else in the one that was added last.

        Of all problems, or of these: on problems with conditions a method has another version.
        """
        found = list[_Record]()
        for method in methods:
            records = [record for record in self.read(method) if problems is None or record.key.problem in problems]
            version = versions.get(method, records[-1].key.version if records else "")
            found += [record for record in records if record.key.version == version]
        return found

    def has(self, key: Key, evaluations: int) -> bool:
        """Whether a run with this key and at least so many evaluations is recorded."""
        return any(record.key == key and record.evaluations >= evaluations for record in self.read(key.method))

    def add(self, *records: _Record) -> None:
        """Add records of one method. One with a key that is there already replaces it, unless it is shorter."""
        method = records[0].key.method
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / ".lock"):
            known = {record.key: record for record in self.read(method)}
            for record in records:
                if record.key not in known or record.evaluations >= known[record.key].evaluations:
                    known.pop(record.key, None)  # for the order
                    known[record.key] = record
            self._write(method, list(known.values()))

    def _path(self, method: str) -> Path:
        return self.folder / f"{method}{_ENDING}"

    def _write(self, method: str, records: Sequence[_Record]) -> None:
        """All of a method at once, under another name first."""
        rows = [{**record.key._asdict(), **record.fields()} for record in records]
        names = dict.fromkeys(name for row in rows for name in row if name != "method")
        columns = {name: [row.get(name) for row in rows] for name in names}
        content = lzma.compress(json.dumps(columns, allow_nan=False, separators=(",", ":")).encode())
        path = self.folder / f".{method}.{os.getpid()}"
        try:
            with path.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            path.replace(self._path(method))
        finally:
            path.unlink(missing_ok=True)


def _key_of(row: Fields) -> dict[str, Any]:
    return {name: row[name] for name in Key._fields if name != "method"}


def rounded(numbers: Sequence[float], digits: int) -> list[float | None]:
    """To so many digits that count; None for what is not finite, which JSON doesn't know."""
    return [float(f"{number:.{digits}g}") if math.isfinite(number) else None for number in numbers]


def floats(numbers: Sequence[float | None]) -> list[float]:
    """The way back: NaN for None."""
    return [math.nan if number is None else number for number in numbers]
