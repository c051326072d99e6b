"""`neps check`: whether a filesystem is fit for neps, as a table. What is tried is in `neps.testing.filesystem`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from neps.testing.filesystem import Finding, Probe

__all__ = ["check"]

_FOLDER = click.Path(exists=True, file_okay=False)


@click.command()
@click.argument("first", metavar="DIR", type=_FOLDER)
@click.argument("second", metavar="[DIR]", required=False, type=_FOLDER)
@click.option(
    "--rounds", type=click.IntRange(min=1), default=50, show_default=True, help="How many races for each primitive."
)
@click.option(
    "--processes", type=click.IntRange(min=2), default=4, show_default=True, help="How many processes in a race."
)
def check(first: str, second: str | None, rounds: int, processes: int) -> int:
    """Test whether a filesystem is fit for neps.

    Real processes race on what neps needs of it, in a new folder in DIR, which is removed. A second DIR is the same
    folder as another mount, or another host's view, shows it. Exits with 1 if the filesystem is not fit.
    """
    from neps.testing.filesystem import Probe

    with Probe(first, second or first, rounds=rounds, processes=processes) as probe:
        return _report(probe)


def _report(probe: Probe) -> int:
    """A line for each primitive, and the verdict."""
    print(f"{'primitive':28}{'winners':26}ok?")
    findings = list(_tried(probe))
    fit = all(finding.problem is None for finding in findings)
    verdict = "fit for neps" if fit else "NOT fit for neps: runs on it may decide a trial twice or lose results"
    print(f"This filesystem is {verdict}.")
    return 0 if fit else 1


def _tried(probe: Probe) -> Iterator[Finding]:
    """What was found of each primitive, printed at once: a race takes a while."""
    from neps.testing.filesystem import CHECKS, shown_winners

    for test in CHECKS.values():
        finding = test(probe)
        print(f"{finding.primitive:28}{shown_winners(finding):26}{finding.problem or 'yes'}", flush=True)
        yield finding
        if probe.hangs or (finding.primitive == "hard links" and finding.problem):
            return  # the processes would only wait for what never comes
