"""`scripts/bench regret run`: makes the runs that are missing. `scripts/bench regret`: tables and plots of all runs."""

from __future__ import annotations

import os

if __name__ == "__main__":  # before numpy is imported
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.problems import REPORTED, TUNED, problem
from benchmarks.regret.campaign import Campaign, requests
from benchmarks.regret.methods import METHODS, find
from benchmarks.regret.results import FOLDER, Results
from benchmarks.regret.study import Study
from benchmarks.regret.tables import missing, tables

_DOCS = Path(__file__).parents[2] / "docs"
_BEGIN, _END = "<!-- regret tables: begin -->", "<!-- regret tables: end -->"


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _problems(text: str) -> tuple[str, ...]:
    """Names of problems; "reported" and "tuned" stand for theirs."""
    groups = {"reported": REPORTED, "tuned": TUNED}
    return tuple(name for part in _names(text) for name in groups.get(part, (part,)))


def _seeds(text: str) -> list[int]:
    """`0-9` or `0,3,4`."""
    first, dash, last = text.partition("-")
    return list(range(int(first), int(last) + 1)) if dash else [int(seed) for seed in _names(text)]


def _versions(text: str) -> tuple[str, str]:
    method, equals, version = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not METHOD=VERSION")
    return method, version


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench regret", description=__doc__)
    parser.add_argument(
        "command", nargs="?", choices=["run"], help="make the runs that are missing; else show all runs"
    )
    parser.add_argument("--methods", type=_names, default=list(METHODS), metavar="A,B", help=", ".join(METHODS))
    parser.add_argument("--problems", type=_problems, default=REPORTED, metavar="X,Y", help="names, reported, or tuned")
    parser.add_argument("--results", type=Path, default=FOLDER, metavar="DIR", help="where runs are recorded")
    run = parser.add_argument_group("to run")
    run.add_argument("--seeds", type=_seeds, metavar="0-9", help="default: as many as the method has in the tables")
    run.add_argument("--evaluations", type=int, metavar="N", help="default: the same")
    run.add_argument("--jobs", type=int, default=1, metavar="N", help="runs at once (1)")
    run.add_argument("--minutes", type=float, default=math.inf, metavar="M", help="start no run after so long")
    run.add_argument("--limit", type=float, default=60, metavar="M", help="kill a run after so many minutes (60)")
    show = parser.add_argument_group("to show")
    show.add_argument("--version", type=_versions, action="append", default=[], metavar="METHOD=VERSION")
    show.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks.md")
    show.add_argument(
        "--figures", type=Path, metavar="DIR", help="default: docs/figures, unless only some are selected"
    )
    return parser.parse_args(arguments)


def _run(options: argparse.Namespace) -> int:
    methods = [find(name) for name in options.methods]
    problems = [problem(name) for name in options.problems]
    campaign = Campaign(
        Results(options.results), jobs=options.jobs, run_seconds=60 * options.limit, seconds=60 * options.minutes
    )
    campaign.run(requests(methods, problems, options.seeds, options.evaluations))
    print(f"{campaign.made} runs recorded{', stopped' if campaign.stopped else ''}.")
    for failure in campaign.failures:
        print(f"FAILED {failure}")
    return 130 if campaign.stopped else 1 if campaign.failures else 0


def _show(options: argparse.Namespace) -> int:
    """Print the tables; write them, and draw, where that was asked for."""
    methods = [find(name) for name in options.methods]
    problems = [problem(name) for name in options.problems]
    study = Study.read(Results(options.results), problems, methods, dict(options.version))
    text = tables(study)
    print(text)
    if options.write:
        print(_put(text, _DOCS / "benchmarks.md"))
    everything = options.methods == list(METHODS) and options.problems == REPORTED
    if options.figures or everything:
        from benchmarks.regret.plots import plots  # matplotlib is needed here only

        for path in plots(study, options.figures or _DOCS / "figures"):
            print(f"Drawn: {path}")
    selection = "" if options.problems == REPORTED else f" --problems {','.join(options.problems)}"
    print("\n".join(missing(study, selection)))
    return 0


def _put(text: str, page: Path) -> str:
    """Write the tables between the marks of a page; what to say about it."""
    content = page.read_text(encoding="utf-8") if page.exists() else ""
    before, begin, rest = content.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not end:
        return f"Not written: {page} has no lines {_BEGIN} and {_END}."
    page.write_text(f"{before}{begin}\n\n{text}\n{end}{after}", encoding="utf-8")
    return f"Written: {page}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit status."""
    options = _options(arguments)
    return _run(options) if options.command == "run" else _show(options)


if __name__ == "__main__":
    sys.exit(main())
