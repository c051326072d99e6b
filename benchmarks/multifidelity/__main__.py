"""`scripts/bench multifidelity run`: makes the runs that are missing. `try`: our searchers, in memory. Else: tables."""

from __future__ import annotations

import os

if __name__ == "__main__":  # before numpy is imported
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import argparse
import sys
import time
from collections.abc import Sequence

from benchmarks.multifidelity.tables import cpu_table, ranking_tables, regret_tables, studies
from benchmarks.multifidelity.trying import parsed, try_all
from benchmarks.problems import FIDELITY_REPORTED, FIDELITY_TUNED, fidelity_problem

_TRIED = "asha,hyperband,successive_halving,async_hyperband"


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _problems(text: str) -> tuple[str, ...]:
    """Names of problems; "reported" and "tuned" stand for theirs."""
    groups = {"reported": FIDELITY_REPORTED, "tuned": FIDELITY_TUNED}
    return tuple(name for part in _names(text) for name in groups.get(part, (part,)))


def _seeds(text: str) -> list[int]:
    """`0-9` or `0,3,4`."""
    first, dash, last = text.partition("-")
    return list(range(int(first), int(last) + 1)) if dash else [int(seed) for seed in _names(text)]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench multifidelity", description=__doc__)
    parser.add_argument("command", nargs="?", choices=["try"])
    parser.add_argument("--methods", type=_names, default=_names(_TRIED), metavar="A,B")
    parser.add_argument("--problems", type=_problems, metavar="X,Y", help="names, reported, or tuned")
    parser.add_argument("--seeds", type=_seeds, metavar="100-109")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="runs at once (1)")
    return parser.parse_args(arguments)


def _try(options: argparse.Namespace) -> int:
    """Print what our searchers, with any settings, are worth on the tuned problems and seeds."""
    methods = [parsed(name) for name in options.methods]
    problems = [fidelity_problem(name) for name in options.problems or FIDELITY_TUNED]
    began = time.monotonic()
    records = try_all(methods, [problem.name for problem in problems], options.seeds or range(100, 104), options.jobs)
    by_account = studies(records, problems, methods)
    for part in (*regret_tables(by_account), *ranking_tables(by_account), *cpu_table(records, methods)):
        print(f"{part}\n")
    print(f"{len(records)} runs in {time.monotonic() - began:.0f} s.")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit status."""
    return _try(_options(arguments))


if __name__ == "__main__":
    sys.exit(main())
