"""`scripts/bench decisions`: decisions of searches over fidelities in long runs, and utilisation. Prints Markdown."""

from __future__ import annotations

import os

if __name__ == "__main__":  # before numpy is imported
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import argparse
from collections.abc import Iterator, Sequence

from benchmarks.coordination.report import Table
from benchmarks.decisions import deciding
from benchmarks.decisions.pool import simulated
from benchmarks.decisions.real import real

_SEARCHERS = ("asha", "async_hyperband", "hyperband", "successive_halving")
_SIZES = (100, 1_000, 10_000)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench decisions", description=__doc__)
    parser.add_argument("--searchers", type=_names, default=_SEARCHERS, metavar="X,Y", help=",".join(_SEARCHERS))
    parser.add_argument("--sizes", type=_sizes, default=_SIZES, metavar="N,M", help="trials in a run (100,1000,10000)")
    parser.add_argument("--workers", type=int, default=32, metavar="W", help="of which utilisation is measured (32)")
    parser.add_argument("--evaluations", type=int, default=2_000, metavar="N", help="of all simulated workers (2000)")
    parser.add_argument("--real", type=float, metavar="SECONDS", help="processes too, that sleep so long an epoch")
    parser.add_argument("--real-evaluations", type=int, default=500, metavar="N", help="of all processes (500)")
    return parser.parse_args(arguments)


def _names(text: str) -> list[str]:
    return text.split(",")


def _sizes(text: str) -> list[int]:
    return [int(size) for size in text.split(",")]


def _utilisation(options: argparse.Namespace) -> Iterator[str]:
    yield f"## Utilisation of {options.workers} workers"
    yield (
        "How much of their time they evaluate until the last trial has begun, and how often one was free and found "
        "nothing to do."
    )
    rows = []
    for searcher in options.searchers:
        share, idle = simulated(searcher, options.workers, options.evaluations)
        row = [searcher, f"{100 * share:.1f} %", str(idle)]
        if options.real is not None:
            shares = real(searcher, options.workers, options.real_evaluations, options.real)
            row += [f"{100 * share:.1f} %" for share in shares]
        rows.append(row)
    heading = ["searcher", f"simulated, {options.evaluations} evaluations", "nothing to do"]
    if options.real is not None:
        what = f"processes, {options.real_evaluations} evaluations, {options.real:g} s an epoch"
        heading += [what, "once each had begun"]
    yield str(Table(tuple(heading), rows))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    options = _options(arguments)
    print(deciding.measure(options.searchers, options.sizes), *_utilisation(options), sep="\n\n", flush=True)


if __name__ == "__main__":
    main()
