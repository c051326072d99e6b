"""`scripts/bench regret run`: makes the runs that are missing. `scripts/bench regret`: tables and plots of all runs."""

from __future__ import annotations

import os

if __name__ == "__main__":  # before numpy is imported
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.comparing.methods import refuse_changed
from benchmarks.comparing.tables import missing
from benchmarks.driving.campaign import requests
from benchmarks.driving.command_line import DOCS, add_running, add_showing, campaign, ended, names, put, selected
from benchmarks.problems import REPORTED, TUNED, problem
from benchmarks.regret.methods import METHODS, find
from benchmarks.regret.record import FOLDER, results_in
from benchmarks.regret.running import perform
from benchmarks.regret.study import study_of
from benchmarks.regret.tables import tables


def _problems(text: str) -> tuple[str, ...]:
    """Names of problems; "reported" and "tuned" stand for theirs."""
    return selected(text, {"reported": REPORTED, "tuned": TUNED})


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench regret", description=__doc__)
    parser.add_argument(
        "command", nargs="?", choices=["run"], help="make the runs that are missing; else show all runs"
    )
    parser.add_argument("--methods", type=names, default=list(METHODS), metavar="A,B", help=", ".join(METHODS))
    parser.add_argument("--problems", type=_problems, default=REPORTED, metavar="X,Y", help="names, reported, or tuned")
    parser.add_argument("--results", type=Path, default=FOLDER, metavar="DIR", help="where runs are recorded")
    parser.add_argument("--evaluations", type=int, metavar="N", help="of a run; default: as in the tables")
    add_running(parser)
    add_showing(parser)
    return parser.parse_args(arguments)


def _run(options: argparse.Namespace) -> int:
    methods = [find(name) for name in options.methods]
    problems = [problem(name) for name in options.problems]
    refuse_changed(methods)
    made = campaign(options, results_in(options.results), perform)
    made.run(requests(methods, problems, options.seeds, options.evaluations))
    return ended(made)


def _show(options: argparse.Namespace) -> int:
    """Print the tables; write them, and draw, where that was asked for."""
    methods = [find(name) for name in options.methods]
    records = results_in(options.results).latest(options.methods, dict(options.version))
    study = study_of(records, [problem(name) for name in options.problems], methods)
    print(text := tables(study))
    if options.write:
        print(put(text, "regret tables"))
    everything = options.methods == list(METHODS) and options.problems == REPORTED
    if options.figures or everything:
        from benchmarks.regret.plots import plots  # matplotlib is needed here only

        for path in plots(study, options.figures or DOCS / "figures"):
            print(f"Drawn: {path}")
    selection = "" if options.problems == REPORTED else f" --problems {','.join(options.problems)}"
    print(*missing(study, "regret", selection), sep="\n")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit status."""
    options = _options(arguments)
    return _run(options) if options.command == "run" else _show(options)


if __name__ == "__main__":
    sys.exit(main())
