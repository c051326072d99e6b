"""What the doctor has found, as text for people and as JSON for programs. Called by the command line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from neps._doctor.examination import Report, counted_standings
from neps._doctor.finding import Finding
from neps._doctor.meeting import Between
from neps._ledger.storage import shown_size
from neps._listing import counted
from neps._tables import aligned, printable
from neps._views.export import strict

__all__ = ["as_fields", "as_text", "verdict"]


def as_text(report: Report, between: Between | None) -> str:
    """All of it, in lines."""
    lines = [*aligned([*_facts(report, between)], indent="")]
    for finding in report.findings:
        lines += ["", *_said(finding)]
    return printable("\n".join([*lines, "", verdict(report)]))


def verdict(report: Report) -> str:
    """The last line."""
    notes = len(report.findings) - report.wrong
    things = f"{counted(report.wrong, 'thing')} {'is' if report.wrong == 1 else 'are'} wrong"
    said = things if report.wrong else "Nothing is wrong"
    return f"{said}; {counted(notes, 'note')}." if notes else f"{said}."


def _facts(report: Report, between: Between | None) -> Iterator[tuple[str, str]]:
    host = report.host
    yield "run", report.root
    yield "host", f"{host.name}, {host.filesystem}" if host.filesystem else host.name
    if report.probed:
        yield "filesystem", "NOT fit: see below" if _unfit(report) else "fit, as far as one host can tell"
    files = "" if host.free_files is None else f", {host.free_files} files"
    yield "room", f"{shown_size(host.free_bytes)}{files}"
    if host.ahead is not None:
        yield "clock", f"{host.ahead:+.1f} s from the filesystem's"
    yield "workers", f"{report.workers} alive"
    yield "trials", counted_standings(report)
    if between is not None:
        yield from _between(between)


def _unfit(report: Report) -> bool:
    return any(finding.kind == "filesystem" for finding in report.findings)


def _between(between: Between) -> Iterator[tuple[str, str]]:
    late = ", ".join(f"{kind} {seconds:.2f} s" for kind, seconds in between.late.items())
    yield "other host", between.other
    yield "seen late", f"at most: {late}"
    yield "lease", f"lease_seconds={between.lease_seconds:.1f} or more fits that"
    yield "clocks", f"this one is {between.ahead:+.2f} s from the other, give or take {between.give:.2f} s"
    outcome = "; ".join(between.problems) or "one winner each"
    yield "races", f"{between.races} links and {between.races} folders: {outcome}"


def _said(finding: Finding) -> Iterator[str]:
    where = f"{finding.path}: " if finding.path else ""
    yield f"{'' if finding.wrong else 'note, '}{finding.kind}: {where}{finding.what}"
    yield f"  optimizer: {finding.optimizer}"
    yield f"  you: {finding.advice}"
    if finding.mend is not None:
        yield f"  --mend: would {finding.mend.would}"


def as_fields(report: Report, between: Between | None, mended: list[str]) -> dict[str, Any]:
    """All of it, as plain data that JSON holds. Fields are only ever added."""
    host = report.host
    fields: dict[str, Any] = strict(
        {
            "root": report.root,
            "wrong": report.wrong,
            "host": {
                "name": host.name,
                "filesystem": host.filesystem or None,
                "free_bytes": host.free_bytes,
                "free_files": host.free_files,
                "writable": host.refused is None,
                "clock_ahead": host.ahead,
                "probed": report.probed,
            },
            "workers": report.workers,
            "trials": {str(number): str(standing) for number, standing in report.standings.items()},
            "findings": [_finding(finding) for finding in report.findings],
            "between": None if between is None else _between_fields(between),
            "mended": mended,
        }
    )
    return fields


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "kind": str(finding.kind),
        "wrong": finding.wrong,
        "trial": finding.trial,
        "path": finding.path,
        "what": finding.what,
        "optimizer": finding.optimizer,
        "advice": finding.advice,
        "mend": finding.mend.would if finding.mend else None,
    }


def _between_fields(between: Between) -> dict[str, Any]:
    return {
        "other": between.other,
        "seen_late": dict(between.late),
        "lease_seconds": between.lease_seconds,
        "clock_ahead": between.ahead,
        "clock_give": between.give,
        "races": between.races,
        "problems": between.problems,
    }
