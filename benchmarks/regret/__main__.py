"""`scripts/bench regret run`: makes the runs that are missing. `scripts/bench regret`: tables and plots of all runs."""

from __future__ import annotations

import os

if __name__ == "__main__":  # before numpy is imported
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.comparing.methods import Method, refuse_changed
from benchmarks.comparing.tables import missing
from benchmarks.driving.campaign import requests
from benchmarks.driving.command_line import DOCS, add_running, add_showing, campaign, ended, names, publish, selected
from benchmarks.problems import (
    CONDITIONAL_REPORTED,
    CURVES_REPORTED,
    CURVES_TUNED,
    REPORTED,
    TUNED,
    Problem,
    problem,
)
from benchmarks.regret.methods import CONDITIONAL_METHODS, METHODS, find
from benchmarks.regret.record import FOLDER, results_in
from benchmarks.regret.running import perform
from benchmarks.regret.study import study_of
from benchmarks.regret.tables import ranks, tables

_PROBLEMS_HELP = "names, reported, tuned, conditional, curves-reported or curves-tuned"


def _problems(text: str) -> tuple[str, ...]:
    """Names of problems; names of groups stand for theirs."""
    groups = {"reported": REPORTED, "tuned": TUNED, "conditional": CONDITIONAL_REPORTED}
    return selected(text, groups | {"curves-reported": CURVES_REPORTED, "curves-tuned": CURVES_TUNED})


def _selection(options: argparse.Namespace) -> tuple[list[Method], list[Problem]]:
    """By default all methods that the problems have."""
    problems = [problem(name) for name in options.problems]
    conditional = all(each.conditional for each in problems)
    chosen = options.methods or (CONDITIONAL_METHODS if conditional else METHODS)
    return [find(name, conditional=conditional) for name in chosen], problems


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench regret", description=__doc__)
    parser.add_argument(
        "command", nargs="?", choices=["run"], help="make the runs that are missing; else show all runs"
    )
    parser.add_argument("--methods", type=names, metavar="A,B", help=", ".join(METHODS | CONDITIONAL_METHODS))
    parser.add_argument("--problems", type=_problems, default=REPORTED, metavar="X,Y", help=_PROBLEMS_HELP)
    parser.add_argument("--results", type=Path, default=FOLDER, metavar="DIR", help="where runs are recorded")
    parser.add_argument("--evaluations", type=int, metavar="N", help="of a run; default: as in the tables")
    add_running(parser)
    add_showing(parser)
    return parser.parse_args(arguments)


def _run(options: argparse.Namespace) -> int:
    methods, problems = _selection(options)
    refuse_changed(methods)
    made = campaign(options, results_in(options.results), perform)
    made.run(requests(methods, problems, options.seeds, options.evaluations))
    return ended(made)


def _show(options: argparse.Namespace) -> int:
    """Print the tables; write them, and draw, where that was asked for."""
    methods, problems = _selection(options)
    found = results_in(options.results)
    records = found.latest([each.name for each in methods], dict(options.version), {each.name for each in problems})
    study = study_of(records, problems, methods)
    print(text := tables(study))
    if options.write:
        name = "conditional regret" if options.problems == CONDITIONAL_REPORTED else "regret"
        print(*publish(name, text, ranks(study)), sep="\n")
    everything = options.methods is None and options.problems == REPORTED
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
