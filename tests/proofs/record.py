"""What a proof has found: one JSON object, which each proof writes and `scripts/stress` reads, records and shows."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any, Self

__all__ = ["Record", "Row", "arguments"]


@dataclasses.dataclass(frozen=True)
class Row:
    """One scenario: how many faults (or starts, or rounds) it met, and how many of them it survived."""

    scenario: str
    faults: int
    survived: int
    detail: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.survived <= self.faults:
            raise ValueError(f"{self.scenario}: survived {self.survived} of {self.faults} faults")


@dataclasses.dataclass(frozen=True)
class Record:
    """What came of a proof.

    Args:
        proof: its title, for people.
        what: one sentence of what is tried.
        rows: the scenarios.
        wrong: what was found wrong, a line each; none is a pass.
        seed: what repeats it.
        seconds: how long it took.
        date: when it was recorded, and
        command: how. `scripts/stress` adds these.
    """

    proof: str
    what: str
    rows: tuple[Row, ...]
    wrong: tuple[str, ...]
    seed: int
    seconds: float
    date: str = ""
    command: str = ""

    def __post_init__(self) -> None:
        if all(row.survived == row.faults for row in self.rows) != (not self.wrong):
            raise ValueError(f"{self.proof}: what is wrong ({len(self.wrong)}) and the rows don't agree")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read one.

        Raises:
            ValueError: if it is none.
        """
        return cls.of(json.loads(path.read_text(encoding="utf-8")))

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Self:
        """The same, of the object itself."""
        try:
            rows = tuple(Row(**row) for row in fields["rows"])
            return cls(**{**fields, "rows": rows, "wrong": tuple(fields["wrong"])})
        except (KeyError, TypeError) as error:
            raise ValueError(f"not the record of a proof: {error}") from error

    def write(self, path: Path) -> None:
        """Write it, a field a line."""
        path.write_text(json.dumps(dataclasses.asdict(self), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def arguments(module: str, what: str, times: str | None = None) -> argparse.ArgumentParser:
    """A parser of what each proof takes; `times` says what its size counts, and None that it is minutes."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=what)
    parser.add_argument("--seed", type=int, default=1, help="what is drawn at random (default: 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write what came of it")
    if times is None:
        parser.add_argument("--minutes", type=float, default=1.0, help="how long (default: 1)")
    else:
        parser.add_argument("--times", type=int, default=0, metavar="N", help=times)
    return parser
