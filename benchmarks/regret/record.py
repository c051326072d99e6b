"""What is recorded of a run: what each evaluation observed, and what its suggestion cost."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from benchmarks.driving.results import Fields, Key, Results, floats, rounded

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

    def fields(self) -> Fields:
        """All but the key, with no more digits than matter."""
        values = None if self.values is None else rounded(self.values, 10)
        return {"losses": rounded(self.losses, 10), "values": values, "cpu": rounded(self.cpu, 4)}

    @classmethod
    def parse(cls, key: Key, fields: Fields) -> Self:
        """The record that has these fields."""
        values = None if fields["values"] is None else floats(fields["values"])
        return cls(key, floats(fields["losses"]), floats(fields["cpu"]), values)

    @property
    def summary(self) -> str:
        """What it found, in some words."""
        return f"{self.incumbents()[-1]:.6g} after {self.evaluations} evaluations"


def results_in(folder: Path = FOLDER) -> Results[Record]:
    """The records of a folder."""
    return Results(folder, Record.parse)
