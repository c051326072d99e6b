"""What was measured, as values, and as Markdown: figures with targets, tables, sections. Nothing is measured here."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

__all__ = ["Figure", "Section", "Table", "Target", "at_least", "at_most", "missed"]


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """A limit, and on which side of it a value has to be."""

    limit: float
    above: bool

    def reached_by(self, value: float) -> bool:
        """Whether `value` is on the right side; the limit itself is."""
        return value >= self.limit if self.above else value <= self.limit

    def __str__(self) -> str:
        return f"{'≥' if self.above else '≤'} {_short(self.limit)}"


def at_least(limit: float) -> Target:
    """A target that is reached from `limit` up."""
    return Target(limit, above=True)


def at_most(limit: float) -> Target:
    """A target that is reached up to `limit`."""
    return Target(limit, above=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Figure:
    """One measured value. `spread` is the smallest and largest sample where it is a median; no target: information."""

    name: str
    value: float
    unit: str = ""
    target: Target | None = None
    spread: tuple[float, float] | None = None

    @classmethod
    def median(cls, name: str, samples: Sequence[float], unit: str = "", target: Target | None = None) -> Figure:
        """The median of samples."""
        return cls(name, statistics.median(samples), unit, target, (min(samples), max(samples)))

    @classmethod
    def ratio(cls, name: str, above: Sequence[float], below: Sequence[float], target: Target | None = None) -> Figure:
        """The ratio of two medians."""
        return cls(name, statistics.median(above) / statistics.median(below), "×", target)

    @property
    def reached(self) -> bool | None:
        """Whether the target is reached; None without one."""
        return None if self.target is None else self.target.reached_by(self.value)

    def cells(self) -> tuple[str, ...]:
        """As a row of a table."""
        spread = f"{_short(self.spread[0])} – {_short(self.spread[1])}" if self.spread else ""
        verdict = {None: "", True: "yes", False: "**NO**"}[self.reached]
        return self.name, f"{_short(self.value)} {self.unit}".strip(), spread, str(self.target or ""), verdict

    def fields(self) -> dict[str, Any]:
        """As plain data."""
        return {
            **dataclasses.asdict(self),
            "target": str(self.target) if self.target else None,
            "reached": self.reached,
        }


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under a heading."""

    heading: tuple[str, ...]
    rows: Sequence[Sequence[str]]

    def __str__(self) -> str:
        rule = ["---"] * len(self.heading)
        return "\n".join("| " + " | ".join(row) + " |" for row in (self.heading, rule, *self.rows))


@dataclasses.dataclass(frozen=True, slots=True)
class Section:
    """What one part of the benchmark found. `method` says in a few sentences how."""

    title: str
    method: str
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()

    def __str__(self) -> str:
        parts: list[object] = [f"## {self.title}", self.method, *self.tables]
        if self.figures:
            parts.append(
                Table(("figure", "median", "min – max", "target", "reached"), [f.cells() for f in self.figures])
            )
        return "\n\n".join(map(str, parts)) + "\n"

    def fields(self) -> dict[str, Any]:
        """As plain data."""
        tables = [{"heading": table.heading, "rows": table.rows} for table in self.tables]
        return {"title": self.title, "figures": [figure.fields() for figure in self.figures], "tables": tables}


def missed(sections: Iterable[Section]) -> list[str]:
    """The names of the figures that don't reach their target."""
    return [figure.name for section in sections for figure in section.figures if figure.reached is False]


def _short(value: float) -> str:
    """Three significant digits, whole numbers from 100 up."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
