"""`scripts/bench regret run`: makes the runs that are missing. `try`: our searchers, in memory. Else: tables, plots."""

from __future__ import annotations

import os

if __name__ == "__main__":  # before numpy is imported
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import argparse
import functools
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.comparing.methods import Method, refuse_changed
from benchmarks.comparing.tables import missing
from benchmarks.comparing.trying import parsed, tried
from benchmarks.driving.campaign import requests
from benchmarks.driving.command_line import (
    DOCS,
    add_running,
    add_showing,
    campaign,
    ended,
    names,
    publish,
    selected,
    shortened,
)
from benchmarks.problems import (
    CONDITIONAL_REPORTED,
    CURVES_REPORTED,
    CURVES_TUNED,
    REPORTED,
    TABLES,
    TUNED,
    Problem,
    problem,
)
from benchmarks.regret.methods import CONDITIONAL_METHODS, CURVE_METHODS, EVALUATIONS, METHODS, TABLE_METHODS, find
from benchmarks.regret.record import FOLDER, Record, results_in
from benchmarks.regret.running import perform
from benchmarks.regret.standing import against, standing
from benchmarks.regret.study import study_of
from benchmarks.regret.tables import BUDGETS, ranks, tables
from benchmarks.regret.trying import attempt

_GROUPS: Mapping[str, Sequence[str]] = {
    "reported": REPORTED,
    "tuned": TUNED,
    "conditional": CONDITIONAL_REPORTED,
    "curves-reported": CURVES_REPORTED,
    "curves-tuned": CURVES_TUNED,
    **TABLES,
}
_TRIED = ("bayesian_optimization", "random_search")
_TRIED_SEEDS = range(10)
_BESIDE = ("neps", "random", "optuna-gp", "optuna-tpe")
_METHODS_HELP = (
    ", ".join(METHODS | CONDITIONAL_METHODS | TABLE_METHODS)
    + "; to try: bayesian_optimization, pibo:KEYWORD=VALUE (any searcher of ours, with any settings)"
)


def _problems(text: str) -> tuple[str, ...]:
    """Names of problems; names of groups stand for theirs."""
    return selected(text, _GROUPS)


def _selection(options: argparse.Namespace) -> tuple[list[Method], list[Problem]]:
    """By default all methods that the problems have."""
    try:
        problems = [problem(name) for name in options.problems or REPORTED]
    except ValueError as error:
        raise SystemExit(f"error: {error}") from None
    conditional, known = all(each.conditional for each in problems), METHODS
    if conditional:
        known = CONDITIONAL_METHODS
    elif all(each.drawn for each in problems):
        known = CURVE_METHODS if {each.name for each in problems} <= {*CURVES_REPORTED} else TABLE_METHODS
    return [find(name, known, conditional=conditional) for name in options.methods or known], problems


def _selected(options: argparse.Namespace) -> str:
    return shortened(options.problems or REPORTED, _GROUPS)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench regret", description=__doc__)
    parser.add_argument(
        "command",
        nargs="?",
        choices=["run", "try"],
        help="run: make the runs that are missing; try: print what searchers of ours are worth beside recorded runs, "
        "recording nothing (by default on tables-tuned and seeds 0-9); else show all runs",
    )
    parser.add_argument("--methods", type=names, metavar="A,B", help=_METHODS_HELP)
    parser.add_argument("--problems", type=_problems, metavar="X,Y", help=f"names, or {', '.join(_GROUPS)}")
    parser.add_argument("--beside", type=names, default=_BESIDE, metavar="A,B", help="to try: recorded methods")
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


def _try(options: argparse.Namespace) -> int:
    """The first method is the one that all others are compared with."""
    methods = [parsed(name) for name in options.methods or _TRIED]
    problems = [problem(name) for name in options.problems or TABLES["tables-tuned"]]
    evaluations, began = options.evaluations or EVALUATIONS, time.monotonic()
    run = functools.partial(attempt, evaluations=evaluations)
    records = list(tried(run, methods, [each.name for each in problems], options.seeds or _TRIED_SEEDS, options.jobs))
    seconds = time.monotonic() - began
    beside, recorded = _beside(options, problems)
    study = study_of([*records, *recorded], problems, [*methods, *beside])
    budgets = [each for each in BUDGETS if each <= evaluations] or [evaluations]
    print(*standing(study, study.methods, budgets), *against(study, study.methods, methods[0], budgets), sep="\n\n")
    spent = sum(sum(record.cpu) for record in records) / len(records)
    print(f"\n{len(records)} runs in {seconds:.0f} s; suggestions took {spent:.2f} s of CPU a run.")
    return 0


def _beside(options: argparse.Namespace, problems: Sequence[Problem]) -> tuple[list[Method], list[Record]]:
    """The recorded methods that have any run of the problems, and these runs."""
    known = {each.name for each in problems}
    recorded = results_in(options.results).latest(options.beside, dict(options.version), known)
    there = {record.key.method for record in recorded}
    return [find(name, TABLE_METHODS) for name in options.beside if name in there], recorded


def _show(options: argparse.Namespace) -> int:
    """Print the tables; write them, and draw, where that was asked for."""
    methods, problems = _selection(options)
    found = results_in(options.results)
    records = found.latest([each.name for each in methods], dict(options.version), {each.name for each in problems})
    study = study_of(records, problems, methods)
    print(text := tables(study))
    if options.write:
        group = _selected(options)
        name = "regret" if group == "reported" else f"{group} regret"
        print(*publish(name, text, ranks(study)), sep="\n")
    everything = options.methods is None and options.problems is None
    if options.figures or everything:
        from benchmarks.regret.plots import plots  # matplotlib is needed here only

        for path in plots(study, options.figures or DOCS / "figures"):
            print(f"Drawn: {path}")
    selection = "" if options.problems is None else f" --problems {_selected(options)}"
    print(*missing(study, "regret", selection), sep="\n")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit status."""
    options = _options(arguments)
    return {"run": _run, "try": _try}.get(options.command, _show)(options)


if __name__ == "__main__":
    sys.exit(main())
