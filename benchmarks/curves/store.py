"""Trainings that are done, as files: one for each configuration, which appears whole or not at all. Called by `making`.

Several processes may add to a store, and each may be killed at any time. No file is ever changed. Who is about to
train a configuration holds a lock, which the system drops when its process ends.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import math
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.problems import Config
from benchmarks.problems.curve_tasks import CurveTask

__all__ = ["Record", "Store"]


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """A configuration and its trainings. Lists are [seed][epoch]; seconds only as far as it was trained."""

    config: Config
    losses: list[list[float]]
    errors: list[list[float]]
    seconds: list[list[float]]

    @property
    def last(self) -> float:
        """The loss after the last epoch, over seeds; infinite where one diverged."""
        mean = sum(losses[-1] for losses in self.losses) / len(self.losses)
        return mean if math.isfinite(mean) else math.inf


class Store:
    """The folder that holds them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, task: CurveTask, number: int, record: Record) -> None:
        """Keep what was trained; once this returns, it stays."""
        path = self._path(task, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}")
        with partial.open("w", encoding="utf-8") as file:
            json.dump({"task": _digest(task), **_rounded(dataclasses.asdict(record))}, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)

    def read(self, task: CurveTask, number: int) -> Record | None:
        """What was trained, or None; a ValueError where the task was another one then."""
        path = self._path(task, number)
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):  # after a crash of the machine, a file may be torn
            return None
        if fields.pop("task") != _digest(task):
            raise ValueError(
                f"{path} is of {task.name} as it was before a change: take another store, or remove that folder."
            )
        return Record(**fields)

    def first(self, task: CurveTask) -> list[Record]:
        """Those from number 0 to the first one that isn't there."""
        found = list[Record]()
        while (record := self.read(task, len(found))) is not None:
            found.append(record)
        return found

    @contextlib.contextmanager
    def claim(self, task: CurveTask, number: int, *, wait: bool) -> Iterator[bool]:
        """Whether this process alone may train a configuration now; waits until it may, if asked to."""
        path = self._path(task, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.with_name("claims").open("a") as file:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB), 1, number)  # the byte of its number
            except BlockingIOError:
                yield False
                return
            yield True

    def _path(self, task: CurveTask, number: int) -> Path:
        return self._folder / task.name / f"{number:05}.json"


def _digest(task: CurveTask) -> int:
    """Of all that a training depends on but the code."""
    return zlib.crc32(json.dumps([task.name, task.space, task.epochs]).encode())


def _rounded(fields: dict[str, Any]) -> dict[str, Any]:
    """With six digits of each number of a curve."""
    return {
        name: value if name == "config" else [[float(f"{each:.6g}") for each in curve] for curve in value]
        for name, value in fields.items()
    }
