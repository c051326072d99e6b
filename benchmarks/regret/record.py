"""What is recorded of a run: what each evaluation observed, and what its suggestion cost."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.driving.results import Key, Results, rounded

__all__ = ["FOLDER", "Record", "results_in"]

FOLDER = Path(__file__).parent / "results"


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
        fields["losses"] = rounded(self.losses, 10)
        if self.values is not None:
            fields["values"] = rounded(self.values, 10)
        fields["cpu"] = rounded(self.cpu, 4)
        return json.dumps(fields, allow_nan=False) + "\n"

    @classmethod
    def parse(cls, line: str) -> Record:
        """The record that `line` holds."""
        fields = json.loads(line)
        key = Key(*(fields[name] for name in Key._fields))
        values = _floats(fields["values"]) if "values" in fields else None
        return cls(key, _floats(fields["losses"]), _floats(fields["cpu"]), values)

    @property
    def summary(self) -> str:
        """What it found, in some words."""
        return f"{self.incumbents()[-1]:.6g} after {self.evaluations} evaluations"


def results_in(folder: Path = FOLDER) -> Results[Record]:
    """The records of a folder."""
    return Results(folder, Record.parse)


def _floats(numbers: Sequence[float | None]) -> list[float]:
    return [math.nan if number is None else number for number in numbers]
