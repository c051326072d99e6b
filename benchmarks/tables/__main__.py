"""`scripts/bench tables run`: trains what is missing in a store. `figures`: what it tells. `pack`: makes the tables."""

from __future__ import annotations

import os

if __name__ == "__main__":  # before numpy is imported
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.coordination.report import Table as Report
from benchmarks.curves.making import make
from benchmarks.curves.packing import pack, table_of
from benchmarks.curves.store import Store
from benchmarks.driving.command_line import names
from benchmarks.problems.curve_tables import Table, table
from benchmarks.problems.curve_tasks import CurveTask
from benchmarks.problems.model_tables import FOLDER, TASKS, metric
from benchmarks.tables.training import trained

_FEWEST = 20
"""Below so many configurations, figures say nothing."""


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench tables", description=__doc__)
    parser.add_argument("command", choices=["run", "figures", "pack"])
    parser.add_argument("--tasks", type=names, metavar="A,B", help=", ".join(each.name for each in TASKS))
    parser.add_argument(
        "--store", type=Path, metavar="DIR", help="trainings that are done; for figures, default: those of the tables"
    )
    parser.add_argument("--number", type=int, default=600, metavar="N", help="configurations of each task (600)")
    parser.add_argument("--tables", type=Path, default=FOLDER, metavar="DIR", help="where tables are")
    options = parser.parse_args(arguments)
    if options.store is None and options.command != "figures":
        parser.error(f"{options.command} needs --store DIR")
    return options


def _figures(tasks: Sequence[CurveTask], options: argparse.Namespace) -> Iterator[list[str]]:
    """Of each task with enough of them: what is spread over the space, and the noise of one seed and fold."""
    for of in tasks:
        known = _known(of, options)
        if len(known.configs) >= _FEWEST:
            losses = (known.errors if metric(of) == "error" else known.losses)[:, :, 0]
            means = losses.mean(axis=1)
            spread = ", ".join(f"{each:.4g}" for each in np.quantile(means, [0, 0.1, 0.25, 0.5, 0.9]))
            noise = np.sqrt(losses.var(axis=1, ddof=1)[means <= np.median(means)].mean())
            yield [of.name, str(len(means)), spread, f"{noise:.4f}", f"{known.seconds.sum(axis=1).mean():.2f}"]


def _known(of: CurveTask, options: argparse.Namespace) -> Table:
    if options.store is None:
        return table(of.name, options.tables)
    return table_of(of, Store(options.store).first(of)[: options.number])


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit status."""
    options = _options(arguments)
    tasks = [each for each in TASKS if not options.tasks or each.name in options.tasks]
    if options.command == "run":
        make(Store(options.store), tasks, options.number, trained)
    elif options.command == "pack":
        for each in tasks:
            print(pack(each, Store(options.store), options.number, options.tables))
    else:
        columns = ("task", "configurations", "best, 10 %, 25 %, median, 90 %", "noise among the best half", "seconds")
        print(Report(columns, list(_figures(tasks, options))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
