"""What happened in a round, told by all that took part: lines of JSON in one file, which neps knows nothing of.

Moments are CLOCK_MONOTONIC, which all hosts share and no clock jump moves.
"""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

from rigs.appending import append

__all__ = ["WORKER", "Entry", "read", "record"]

WORKER = "NEPS_CHAOS_WORKER"
"""The environment variable that names a worker, and by which all its processes are found."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """One line: when, who, what, and the rest of it by name."""

    moment: float
    worker: str
    event: str
    facts: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        """One of the facts."""
        return self.facts[name]


def record(path: Path, worker: str, event: str, **facts: object) -> None:
    """Appends a line."""
    append(path, json.dumps([time.monotonic(), worker, event, facts], default=str) + "\n")


def read(path: Path) -> list[Entry]:
    """All lines, in order of time: who writes may be frozen between looking at the clock and writing."""
    lines = path.read_text().splitlines() if path.exists() else []
    return sorted((Entry(*json.loads(line)) for line in lines), key=lambda entry: entry.moment)
