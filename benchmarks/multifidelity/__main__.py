"""`scripts/bench multifidelity run`: makes the runs that are missing. `try`: our searchers, in memory. Else: tables."""

from __future__ import annotations

import os

if __name__ == "__main__":  # before numpy is imported
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.driving.campaign import requests
from benchmarks.driving.command_line import add_running, add_showing, campaign, ended, names, put, selected
from benchmarks.multifidelity.accounts import FOLDER, results_in
from benchmarks.multifidelity.methods import METHODS, Method, find
from benchmarks.multifidelity.running import perform
from benchmarks.multifidelity.study import latest
from benchmarks.multifidelity.tables import cpu_table, missing, ranking_tables, regret_tables, studies, tables
from benchmarks.multifidelity.trying import parsed, try_all
from benchmarks.problems import FIDELITY_REPORTED, FIDELITY_TUNED, FidelityProblem, fidelity_problem

_DOCS = Path(__file__).parents[2] / "docs"
_TRIED = ("asha", "hyperband", "successive_halving", "async_hyperband")
_TRIED_SEEDS = range(100, 104)
_TRIED_HELP = "hyperband, priorband@good, asha:eta=4 (any searcher of ours, with any settings)"
_SEEDS = range(10)
"""Results are reported on these."""


def _problems(text: str) -> tuple[str, ...]:
    """Names of problems; "reported" and "tuned" stand for theirs, "pits" for those tuned ones that train nothing."""
    pits = tuple(name for name in FIDELITY_TUNED if name.startswith("mf-pits"))
    return selected(text, {"reported": FIDELITY_REPORTED, "tuned": FIDELITY_TUNED, "pits": pits})


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench multifidelity", description=__doc__)
    parser.add_argument(
        "command",
        nargs="?",
        choices=["run", "try"],
        help="run: make the runs that are missing; try: print what searchers of ours are worth, recording nothing "
        "(by default on the tuned problems and seeds 100-103); else show all runs",
    )
    parser.add_argument("--methods", type=names, metavar="A,B", help=f"{', '.join(METHODS)}; to try: {_TRIED_HELP}")
    parser.add_argument("--problems", type=_problems, metavar="X,Y", help="names, reported, tuned, or pits")
    parser.add_argument("--results", type=Path, default=FOLDER, metavar="DIR", help="where runs are recorded")
    add_running(parser)
    add_showing(parser)
    return parser.parse_args(arguments)


def _selection(options: argparse.Namespace) -> tuple[list[Method], list[FidelityProblem]]:
    """By default everything that is reported."""
    methods = [find(name) for name in options.methods or METHODS]
    return methods, [fidelity_problem(name) for name in options.problems or FIDELITY_REPORTED]


def _run(options: argparse.Namespace) -> int:
    methods, problems = _selection(options)
    made = campaign(options, results_in(options.results), perform)
    made.run(requests(methods, problems, options.seeds, None))
    return ended(made)


def _try(options: argparse.Namespace) -> int:
    methods = [parsed(name) for name in options.methods or _TRIED]
    problems = [fidelity_problem(name) for name in options.problems or FIDELITY_TUNED]
    began = time.monotonic()
    records = try_all(methods, [problem.name for problem in problems], options.seeds or _TRIED_SEEDS, options.jobs)
    by_account = studies(records, problems, methods)
    for part in (*regret_tables(by_account), *ranking_tables(by_account), *cpu_table(records, methods)):
        print(f"{part}\n")
    print(f"{len(records)} runs in {time.monotonic() - began:.0f} s.")
    return 0


def _show(options: argparse.Namespace) -> int:
    """Print the tables; write them, and draw, where that was asked for."""
    methods, problems = _selection(options)
    records = latest(results_in(options.results), problems, methods, dict(options.version))
    records = [record for record in records if record.key.seed in (options.seeds or _SEEDS)]
    text = tables(records, problems, methods)
    print(text)
    if options.write:
        print(put(text, _DOCS / "benchmarks.md", "multifidelity tables"))
    if options.figures or (options.methods is None and options.problems is None):
        from benchmarks.multifidelity.plots import plots  # matplotlib is needed here only

        for path in plots(studies(records, problems, methods), options.figures or _DOCS / "figures"):
            print(f"Drawn: {path}")
    print("\n".join(missing(records, problems, methods)))
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit status."""
    options = _options(arguments)
    return {"run": _run, "try": _try}.get(options.command, _show)(options)


if __name__ == "__main__":
    sys.exit(main())
