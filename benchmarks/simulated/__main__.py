"""`scripts/bench simulated workers|priors`: what many workers lose, and what priors gain and cost. Prints Markdown."""

from __future__ import annotations

import os

if __name__ == "__main__":  # before numpy is imported
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import argparse
from collections.abc import Sequence

from benchmarks.problems import synthetic
from benchmarks.simulated import priors, real, workers
from benchmarks.simulated.running import SURFACES

_REPORTED = [surface.name for surface in synthetic.REPORTED]
_TUNED = [surface.name for surface in synthetic.TUNED]
_LEAST = 5


def _problems(text: str) -> list[str]:
    """Names of problems; "reported" and "tuned" stand for those of theirs whose minimum is known."""
    groups = {"reported": _REPORTED, "tuned": _TUNED}
    names = [name for part in text.split(",") if part for name in groups.get(part, [part])]
    if unknown := [name for name in names if name not in SURFACES]:
        raise argparse.ArgumentTypeError(f"{unknown} not among reported, tuned, {', '.join(SURFACES)}")
    if not names:
        raise argparse.ArgumentTypeError("none is named")
    return list(dict.fromkeys(names))


def _seeds(text: str) -> list[int]:
    """`0-9` or `0,3,4`."""
    first, dash, last = text.partition("-")
    seeds = list(range(int(first), int(last) + 1)) if dash else [int(seed) for seed in text.split(",")]
    if not seeds:
        raise argparse.ArgumentTypeError(f"there are none in {text}")
    return seeds


def _evaluations(text: str) -> int:
    if int(text) < _LEAST:
        raise argparse.ArgumentTypeError(f"{text} are too few: there have to be {_LEAST} or more")
    return int(text)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench simulated", description=__doc__)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--problems", type=_problems, default=_REPORTED, metavar="X,Y", help="names, reported, or tuned"
    )
    common.add_argument("--seeds", type=_seeds, default=list(range(5)), metavar="0-4", help="one run of each (0-4)")
    common.add_argument("--jobs", type=int, default=1, metavar="N", help="runs at once (1)")
    commands = parser.add_subparsers(dest="command", required=True)
    many = commands.add_parser("workers", parents=[common], help="eight workers beside one")
    many.add_argument("--evaluations", type=_evaluations, metavar="N", help="of all workers (100; with --real 40)")
    many.add_argument("--real", type=float, metavar="SECONDS", help="time processes whose evaluations take so long")
    prior = commands.add_parser("priors", parents=[common], help="a good prior and a bad one beside none")
    prior.add_argument("--evaluations", type=_evaluations, default=60, metavar="N", help="and 20 %% more (60)")
    prior.add_argument(
        "--confidence", choices=["low", "medium", "high"], default="medium", help="of the prior (medium)"
    )
    return parser.parse_args(arguments)


def _measured(options: argparse.Namespace) -> str:
    if options.command == "priors":
        return priors.measure(options.problems, options.seeds, options.evaluations, options.jobs, options.confidence)
    if options.real is not None:
        return real.measure(options.real, options.evaluations or 40)
    return workers.measure(options.problems, options.seeds, options.evaluations or 100, options.jobs)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    print(_measured(_options(arguments)))


if __name__ == "__main__":
    main()
