"""`scripts/bench multifidelity run`: makes the runs that are missing. `try`: our searchers, in memory. Else: tables."""

from __future__ import annotations

import os

if __name__ == "__main__":  # before numpy is imported
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import argparse
import dataclasses
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
from benchmarks.multifidelity.accounts import FOLDER, results_in
from benchmarks.multifidelity.methods import CONDITIONAL_METHODS, CURVE_METHODS, METHODS, find
from benchmarks.multifidelity.running import perform
from benchmarks.multifidelity.study import studies
from benchmarks.multifidelity.tables import cpu_table, ranking_tables, ranks, regret_tables, tables
from benchmarks.multifidelity.trying import attempt
from benchmarks.problems import (
    FIDELITY_CONDITIONAL,
    FIDELITY_CURVES_REPORTED,
    FIDELITY_CURVES_TUNED,
    FIDELITY_REPORTED,
    FIDELITY_TUNED,
    FidelityProblem,
    fidelity_problem,
)

_TRIED = ("asha", "hyperband", "successive_halving", "async_hyperband")
_TRIED_SEEDS = range(100, 104)
_TRIED_HELP = "hyperband, priorband@good, asha:eta=4 (any searcher of ours, with any settings)"
_WITH_WORKERS = (
    *("neps-freeze-thaw", "neps-priorband", "neps-hyperband", "neps-random-search"),
    *("optuna-tpe-hyperband", "dehb", "neps-0.17-priorband"),
)
"""What runs with several workers on learning curves by default."""
_SEEDS_WITH_WORKERS = 20

_GROUPS: Mapping[str, Sequence[str]] = {
    "reported": FIDELITY_REPORTED,
    "functions": tuple(name for name in FIDELITY_REPORTED if name.startswith("mf-hartmann")),
    "networks": tuple(name for name in FIDELITY_REPORTED if not name.startswith("mf-hartmann")),
    "tuned": FIDELITY_TUNED,
    "pits": tuple(name for name in FIDELITY_TUNED if name.startswith("mf-pits")),
    "conditional": FIDELITY_CONDITIONAL,
    "curves-reported": FIDELITY_CURVES_REPORTED,
    "curves-tuned": FIDELITY_CURVES_TUNED,
}


def _problems(text: str) -> tuple[str, ...]:
    """Names of problems, where that of a group stands for its members; "pits" are tuned ones that train nothing."""
    return selected(text, _GROUPS)


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
    parser.add_argument(
        "--problems",
        type=_problems,
        metavar="X,Y",
        help=f"names, or {', '.join(_GROUPS)}",
    )
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="how many evaluate at once (1)")
    parser.add_argument("--results", type=Path, default=FOLDER, metavar="DIR", help="where runs are recorded")
    add_running(parser)
    add_showing(parser)
    return parser.parse_args(arguments)


def _selection(options: argparse.Namespace) -> tuple[list[Method], list[FidelityProblem]]:
    """By default everything that is reported."""
    try:
        problems = [fidelity_problem(name) for name in options.problems or FIDELITY_REPORTED]
    except ValueError as error:
        raise SystemExit(f"error: {error}") from None
    conditional = all(problem.conditional for problem in problems)
    curves = all(problem.name in FIDELITY_CURVES_REPORTED for problem in problems)
    if options.workers > 1:
        chosen = options.methods or (_WITH_WORKERS if curves else METHODS)
        known = (dataclasses.replace(find(name, conditional=conditional), seeds=_SEEDS_WITH_WORKERS) for name in chosen)
        return [method.with_workers(options.workers) for method in known], problems
    if curves:
        return [CURVE_METHODS.get(name) or find(name) for name in options.methods or CURVE_METHODS], problems
    chosen = options.methods or (CONDITIONAL_METHODS if conditional else METHODS)
    return [find(name, conditional=conditional) for name in chosen], problems


def _run(options: argparse.Namespace) -> int:
    methods, problems = _selection(options)
    refuse_changed(methods)
    made = campaign(options, results_in(options.results), perform)
    made.run(requests(methods, problems, options.seeds, None))
    return ended(made)


def _try(options: argparse.Namespace) -> int:
    methods = [parsed(name) for name in options.methods or _TRIED]
    problems = [fidelity_problem(name) for name in options.problems or FIDELITY_TUNED]
    began = time.monotonic()
    seeds = options.seeds or _TRIED_SEEDS
    records = list(tried(attempt, methods, [problem.name for problem in problems], seeds, options.jobs))
    by_account = studies(records, problems, methods)
    for part in (*regret_tables(by_account), *ranking_tables(by_account), *cpu_table(by_account["scratch"])):
        print(f"{part}\n")
    print(f"{len(records)} runs in {time.monotonic() - began:.0f} s.")
    return 0


def _show(options: argparse.Namespace) -> int:
    """Print the tables; write them, and draw, where that was asked for."""
    methods, problems = _selection(options)
    found = results_in(options.results)
    records = found.latest([each.name for each in methods], dict(options.version), {each.name for each in problems})
    seeds = options.seeds or range(max(method.seeds for method in methods))
    by_account = studies([each for each in records if each.key.seed in seeds], problems, methods)
    print(text := tables(by_account))
    if options.write:
        print(*publish(_page_name(options), text, ranks(by_account)), sep="\n")
    if options.figures or (options.methods is None and options.problems is None):
        from benchmarks.multifidelity.plots import plots  # matplotlib is needed here only

        for path in plots(by_account, options.figures or DOCS / "figures"):
            print(f"Drawn: {path}")
    print(*missing(next(iter(by_account.values())), "multifidelity", _again(options)), sep="\n")
    return 0


def _page_name(options: argparse.Namespace) -> str:
    """What the marks of these tables are called in the pages."""
    group = shortened(options.problems or FIDELITY_REPORTED, _GROUPS)
    group = group if group in _GROUPS else "reported"
    parts = [group] * (group != "reported") + ["multifidelity"] + ["workers"] * (options.workers > 1)
    return " ".join(parts)


def _again(options: argparse.Namespace) -> str:
    """The options that select these problems and so many workers once more."""
    problems = "" if options.problems is None else f" --problems {shortened(options.problems, _GROUPS)}"
    return problems + (f" --workers {options.workers}" if options.workers > 1 else "")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit status."""
    options = _options(arguments)
    return {"run": _run, "try": _try}.get(options.command, _show)(options)


if __name__ == "__main__":
    sys.exit(main())
