"""`scripts/bench tables run`: trains what is missing in a store. `figures`: what it tells. `pack`: makes the tables."""

from __future__ import annotations

import os

if __name__ == "__main__":  # before numpy is imported
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import argparse
import sys
from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.coordination.report import Table
from benchmarks.curves.command_line import Known, perform
from benchmarks.problems.model_tables import FOLDER, TASKS, metric
from benchmarks.tables.training import trained

_COLUMNS = ("task", "configurations", "best, 10 %, 25 %, median, 90 %", "noise among the best half", "seconds")


def _figures(known: Known) -> Iterator[str]:
    """What is spread over the space, and the noise of one seed and fold."""
    rows = []
    for task, found in known:
        losses = (found.errors if metric(task) == "error" else found.losses)[:, :, 0]
        means = losses.mean(axis=1)
        spread = ", ".join(f"{each:.4g}" for each in np.quantile(means, [0, 0.1, 0.25, 0.5, 0.9]))
        noise = np.sqrt(losses.var(axis=1, ddof=1)[means <= np.median(means)].mean())
        rows.append([task.name, str(len(means)), spread, f"{noise:.4f}", f"{found.seconds.sum(axis=1).mean():.2f}"])
    yield str(Table(_COLUMNS, rows))


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit status."""
    parser = argparse.ArgumentParser(prog="scripts/bench tables", description=__doc__)
    parser.set_defaults(tables=FOLDER)
    return perform(parser, arguments, TASKS, _figures, trained)


if __name__ == "__main__":
    sys.exit(main())
