"""`scripts/bench curves run`: trains what is missing in a store. `figures`: what it tells. `pack`: makes the tables."""

from __future__ import annotations

import os

if __name__ == "__main__":  # before numpy is imported
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.curves.figures import HEADER, bounds, row
from benchmarks.curves.making import make
from benchmarks.curves.packing import pack, table_of
from benchmarks.curves.store import Store
from benchmarks.driving.command_line import names
from benchmarks.problems.curve_tables import FOLDER, Table, table
from benchmarks.problems.curve_tasks import TASKS, CurveTask, task

_FEWEST = 20
"""Below so many configurations, figures say nothing."""


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench curves", description=__doc__)
    parser.add_argument("command", choices=["run", "figures", "pack"])
    parser.add_argument("--tasks", type=names, metavar="A,B", help=", ".join(each.name for each in TASKS))
    parser.add_argument(
        "--store", type=Path, metavar="DIR", help="trainings that are done; for figures, default: those of the tables"
    )
    parser.add_argument("--number", type=int, default=500, metavar="N", help="configurations of each task (500)")
    parser.add_argument("--tables", type=Path, default=FOLDER, metavar="DIR", help="where tables are")
    options = parser.parse_args(arguments)
    if options.store is None and options.command != "figures":
        parser.error(f"{options.command} needs --store DIR")
    return options


def _show(tasks: Sequence[CurveTask], options: argparse.Namespace) -> None:
    known = [(each, found) for each in tasks if len((found := _known(each, options)).configs) >= _FEWEST]
    print(*HEADER, *(row(*each) for each in known), sep="\n")
    print("", *(line for each in known for line in bounds(*each)), sep="\n")


def _known(each: CurveTask, options: argparse.Namespace) -> Table:
    if options.store is None:
        return table(each.name, options.tables)
    return table_of(each, Store(options.store).first(each)[: options.number])


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit status."""
    options = _options(arguments)
    tasks = [task(name) for name in options.tasks] if options.tasks else TASKS
    if options.command == "run":
        make(Store(options.store), tasks, options.number)
    elif options.command == "pack":
        for each in tasks:
            print(pack(each, Store(options.store), options.number, options.tables))
    else:
        _show(tasks, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
