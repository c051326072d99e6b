"""`scripts/bench conditional run`: measures what is missing. `scripts/bench conditional`: tables of all of it.

`scripts/bench conditional table` makes the table of pipelines anew.
"""

from __future__ import annotations

import os

if __name__ == "__main__":  # before numpy is imported
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import argparse
import dataclasses
import itertools
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.conditional.kernels import WAYS
from benchmarks.conditional.report import tables
from benchmarks.conditional.running import EVALUATIONS, SEARCHERS, SIZES, Job, perform
from benchmarks.problems.conditional import CONDITIONAL

_RESULTS = Path(__file__).with_name("results.jsonl")


def jobs(seeds: int) -> list[Job]:
    """All measurements; seeds are in the outer loop."""
    found = []
    for seed, problem in itertools.product(range(seeds), CONDITIONAL):
        found += [Job("prediction", problem, way, size, seed) for way in WAYS for size in SIZES]
        found += [Job("search", problem, way, EVALUATIONS, seed) for way in (*WAYS, *SEARCHERS)]
    return found


def recorded(path: Path) -> dict[Job, list[float]]:
    """What has been measured."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    read = [json.loads(line) for line in lines]
    return {Job(**{key: value for key, value in each.items() if key != "values"}): each["values"] for each in read}


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="scripts/bench conditional", description=__doc__)
    parser.add_argument("command", nargs="?", choices=["run", "table"])
    parser.add_argument("--seeds", type=int, default=10, metavar="N", help="so many (10)")
    parser.add_argument("--results", type=Path, default=_RESULTS, metavar="FILE", help="where it is recorded")
    options = parser.parse_args(arguments)
    if options.command == "table":
        from benchmarks.conditional.tabulating import tabulate  # scikit-learn is needed here only

        tabulate()
    elif options.command == "run":
        _run(options)
    else:
        print(tables(recorded(options.results)))


def _run(options: argparse.Namespace) -> None:
    known, wanted, began = recorded(options.results), jobs(options.seeds), time.monotonic()
    for number, job in enumerate(wanted, start=1):
        if job not in known:
            line = json.dumps(dataclasses.asdict(job) | {"values": perform(job)})
            with options.results.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
            print(f"[{number}/{len(wanted)}, {time.monotonic() - began:.0f} s] {job}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
