"""What command lines of benchmarks share: lists, seeds, options of making runs, and tables that go into a page."""

from __future__ import annotations

import argparse
import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from benchmarks.driving.campaign import Campaign, Named, Planned, Request
from benchmarks.driving.driver import Driver
from benchmarks.driving.results import Recorded, Results

__all__ = [
    "DOCS",
    "add_running",
    "add_showing",
    "campaign",
    "ended",
    "names",
    "publish",
    "put",
    "seeds",
    "selected",
    "shortened",
    "versions",
]

DOCS = Path(__file__).parents[2] / "docs"

_Problem = TypeVar("_Problem", bound=Named)
_Method = TypeVar("_Method", bound=Planned)
_Record = TypeVar("_Record", bound=Recorded)


def names(text: str) -> list[str]:
    """`A,B`."""
    return [name for name in text.split(",") if name]


def selected(text: str, groups: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Names, where that of a group stands for its members."""
    return tuple(name for part in names(text) for name in groups.get(part, (part,)))


def shortened(problems: Sequence[str], groups: Mapping[str, Sequence[str]]) -> str:
    """What `selected` would make these names of: that of their group, or all of them."""
    return next((name for name, members in groups.items() if tuple(members) == tuple(problems)), ",".join(problems))


def seeds(text: str) -> list[int]:
    """`0-9` or `0,3,4`."""
    first, dash, last = text.partition("-")
    return list(range(int(first), int(last) + 1)) if dash else [int(seed) for seed in names(text)]


def versions(text: str) -> tuple[str, str]:
    """`METHOD=VERSION`."""
    method, equals, version = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not METHOD=VERSION")
    return method, version


def add_running(parser: argparse.ArgumentParser) -> None:
    """Add the options of making runs."""
    run = parser.add_argument_group("to run")
    run.add_argument("--seeds", type=seeds, metavar="0-9", help="default: as many as the method has in the tables")
    run.add_argument("--jobs", type=int, default=1, metavar="N", help="runs at once (1)")
    run.add_argument("--minutes", type=float, default=math.inf, metavar="M", help="start no run after so long")
    run.add_argument("--limit", type=float, default=60, metavar="M", help="kill a run after so many minutes (60)")


def add_showing(parser: argparse.ArgumentParser) -> None:
    """Add the options of tables and plots."""
    show = parser.add_argument_group("to show")
    show.add_argument("--version", type=versions, action="append", default=[], metavar="METHOD=VERSION")
    show.add_argument(
        "--write",
        action="store_true",
        help="put the tables into the pages of docs/",
    )
    show.add_argument(
        "--figures", type=Path, metavar="DIR", help="default: docs/figures, unless only some are selected"
    )


def campaign(
    options: argparse.Namespace,
    results: Results[_Record],
    perform: Callable[[Request[_Problem, _Method], Driver], _Record],
) -> Campaign[_Problem, _Method, _Record]:
    """The campaign that the options of `add_running` say."""
    limits = {"run_seconds": 60 * options.limit, "seconds": 60 * options.minutes}
    return Campaign(results, perform, jobs=options.jobs, **limits)


def ended(made: Campaign[_Problem, _Method, _Record]) -> int:
    """Say what a campaign has made; the exit status."""
    print(f"{made.made} runs recorded{', stopped' if made.stopped else ''}.")
    for failure in made.failures:
        print(f"FAILED {failure}")
    return 130 if made.stopped else 1 if made.failures else 0


def publish(benchmark: str, everything: str, ranks: str, docs: Path = DOCS) -> list[str]:
    """Put all tables into the log of development, and the ranks into the page for users; what to say about it."""
    return [
        put(everything, f"{benchmark} tables", docs / "benchmarks-development.md"),
        put(ranks, f"{benchmark} ranks", docs / "benchmarks.md"),
    ]


def put(text: str, mark: str, page: Path) -> str:
    """Write the tables between the marks of a page, as in `<!-- MARK: begin -->`; what to say about it."""
    begin, end = f"<!-- {mark}: begin -->", f"<!-- {mark}: end -->"
    content = page.read_text(encoding="utf-8") if page.exists() else ""
    before, _, rest = content.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        return f"Not written: {page} has no lines {begin} and {end}."
    page.write_text(f"{before}{begin}\n\n{_wrapped(text)}\n{end}{after}", encoding="utf-8")
    return f"Written: {page}"


def _wrapped(text: str) -> str:
    """Paragraphs with lines of 120 letters at most; tables as they are."""
    lines = (line if line.startswith("|") else _paragraph(line) for line in text.split("\n"))
    return "\n".join(lines)


def _paragraph(line: str) -> str:
    return textwrap.fill(line, 120, break_long_words=False, break_on_hyphens=False)
