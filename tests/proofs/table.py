"""The tables of docs/reliability.md, made of the records, between two marks of that page."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

from proofs.catalogue import PROOFS
from proofs.record import Record

__all__ = ["PAGE", "RECORDED", "records", "tables", "written"]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
RECORDED = Path(__file__).resolve().parent / "recorded"
_BEGIN, _END = "<!-- proofs: begin -->", "<!-- proofs: end -->"
_HEAD = "| scenario | faults | survived | |\n|---|---:|---:|---|"
_MINUTE = 60.0


def records(folder: Path = RECORDED) -> dict[str, Record]:
    """The records by the names of their proofs, in the order of the catalogue."""
    return {name: Record.read(path) for name in PROOFS if (path := folder / f"{name}.json").exists()}


def tables(found: Mapping[str, Record]) -> str:
    """All that was recorded, as Markdown: a table for each proof, and one that sums up."""
    parts = [] if not found else [_summary(found), *map(_section, found.values())]
    return "\n\n".join(parts)


def written(page: str, content: str) -> str:
    """The page with this content between its marks.

    Raises:
        ValueError: if the marks are missing.
    """
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"the page has no {_BEGIN} and {_END}")
    return f"{before}{_BEGIN}\n{content}\n{_END}{after}"


def _summary(found: Mapping[str, Record]) -> str:
    lines = ["| proof | faults | survived | time | command |", "|---|---:|---:|---:|---|"]
    for record in found.values():
        faults, survived = sum(row.faults for row in record.rows), sum(row.survived for row in record.rows)
        proof = f"[{record.proof}](#{record.proof.replace(' ', '-').lower()})"
        lines.append(f"| {proof} | {faults:,} | {survived:,} | {_duration(record.seconds)} | `{record.command}` |")
    return "\n".join(lines)


def _section(record: Record) -> str:
    when = f" Recorded on {record.date}." if record.date else ""
    rows = [f"| {row.scenario} | {row.faults:,} | {row.survived:,} | {row.detail} |" for row in record.rows]
    wrong = ["", "This went wrong:", "", *(f"- {line}" for line in record.wrong)] if record.wrong else []
    sentence = _wrapped(f"{record.what}{when}")
    title = record.proof[0].upper() + record.proof[1:]
    return "\n".join([f"### {title}", "", sentence, "", _HEAD, *rows, *wrong])


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < _MINUTE else f"{seconds / _MINUTE:.0f} min"
