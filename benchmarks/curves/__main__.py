"""`scripts/bench curves run`: trains what is missing in a store. `figures`: what it tells. `pack`: makes the tables."""

from __future__ import annotations

import os

if __name__ == "__main__":  # before numpy is imported
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import argparse
import sys
from collections.abc import Iterator, Sequence

from benchmarks.curves.command_line import Known, perform
from benchmarks.curves.figures import HEADER, bounds, row
from benchmarks.problems.curve_tables import FOLDER
from benchmarks.problems.curve_tasks import TASKS


def _figures(known: Known) -> Iterator[str]:
    yield from (*HEADER, *(row(*each) for each in known), "")
    for each in known:
        yield from bounds(*each)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit status."""
    parser = argparse.ArgumentParser(prog="scripts/bench curves", description=__doc__)
    parser.set_defaults(tables=FOLDER)
    return perform(parser, arguments, TASKS, _figures)


if __name__ == "__main__":
    sys.exit(main())
