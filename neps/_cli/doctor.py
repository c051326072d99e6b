"""`neps doctor`: what is wrong with a root and with this host's view of it; mends when told. See `neps._doctor`."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import TYPE_CHECKING

import click

from neps._cli.roots import one_root

if TYPE_CHECKING:
    from neps._doctor.examination import Report
    from neps._doctor.meeting import Between

__all__ = ["doctor"]


@click.command()
@one_root
@click.option("--together", is_flag=True, help="Measure between two hosts: start it on both within 10 minutes.")
@click.option("--mend", is_flag=True, help="Do what it would do, each of which is safe while workers run.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON: docs/command-line.md.")
def doctor(root: str, *, together: bool, mend: bool, as_json: bool) -> int:
    """Say what is wrong with a run.

    Probes this host's view of the filesystem, reads every file of the run, and says of all that is torn, foreign, dead,
    stuck, duplicate or left over what the optimizer does about it, and what you can do. Exits with 1 if anything is
    wrong.
    """
    from neps._doctor.examination import examine
    from neps._doctor.saying import as_fields, as_text, verdict

    between = _meet(root) if together else None
    report = _with_between(examine(root), between)
    if not as_json:
        print(as_text(report, between), flush=True)
    mended = _mended(report, quiet=as_json) if mend else []
    if mended:
        report = _with_between(examine(root, probe=False), between)
    if as_json:
        print(json.dumps(as_fields(report, between, mended)))
    elif mended:
        print(f"After that: {verdict(report)}")
    return 1 if report.wrong else 0


def _meet(root: str) -> Between:
    from neps._doctor.meeting import Meeting
    from neps._ledger.layout import Layout
    from neps._ledger.reading import read_definition, root_of

    path = root_of(root)
    layout = Layout(path, read_definition(path).run)
    print("waiting for `neps doctor ROOT --together` on another host …", file=sys.stderr, flush=True)
    with Meeting(layout) as meeting:
        return meeting.measure()


def _with_between(report: Report, between: Between | None) -> Report:
    if between is None:
        return report
    from neps._doctor.meeting import between_findings

    found = between_findings(between, report.definition.lease_seconds, report.root)
    return dataclasses.replace(report, findings=[*found, *report.findings])


def _mended(report: Report, *, quiet: bool) -> list[str]:
    """Mend one thing after the other: what can't be mended keeps none of the others from it."""
    done = []
    for finding in report.findings:
        if finding.mend is None:
            continue
        try:
            done.append(finding.mend.do())
        except OSError as error:
            done.append(f"couldn't {finding.mend.would}: {error}")
        if not quiet:
            print(f"mended: {done[-1]}", flush=True)
    return done
