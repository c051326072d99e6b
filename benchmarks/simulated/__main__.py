"""`scripts/bench simulated workers|priors`: what many workers lose, and what priors gain and cost. Prints Markdown."""

from __future__ import annotations

import os

if __name__ == "__main__":  # before numpy is imported
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import argparse
import signal
from collections.abc import Callable, Mapping, Sequence

from benchmarks.problems import TABLES, synthetic
from benchmarks.simulated import priors, real, workers

_FUNCTIONS = {
    "reported": tuple(surface.name for surface in synthetic.REPORTED),
    "tuned": tuple(surface.name for surface in synthetic.TUNED),
}
_LEAST = 5


def _among(groups: Mapping[str, Sequence[str]]) -> Callable[[str], list[str]]:
    """What reads names of problems, of which those of a group stand for all that are in it."""
    known = {**groups, **{name: [name] for names in groups.values() for name in names}}

    def problems(text: str) -> list[str]:
        parts = [part for part in text.split(",") if part]
        if unknown := [part for part in parts if part not in known]:
            raise argparse.ArgumentTypeError(f"{unknown} not among {', '.join(known)}")
        if not parts:
            raise argparse.ArgumentTypeError("none is named")
        return list(dict.fromkeys(name for part in parts for name in known[part]))

    return problems


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
    common.add_argument("--seeds", type=_seeds, default=list(range(5)), metavar="0-4", help="one run of each (0-4)")
    common.add_argument("--jobs", type=int, default=1, metavar="N", help="runs at once (1)")
    commands = parser.add_subparsers(dest="command", required=True)
    many = commands.add_parser("workers", parents=[common], help="eight workers beside one")
    _add_problems(many, {**_FUNCTIONS, **TABLES})
    many.add_argument("--evaluations", type=_evaluations, metavar="N", help="of all workers (100; with --real 40)")
    many.add_argument("--real", type=float, metavar="SECONDS", help="time processes whose evaluations take so long")
    prior = commands.add_parser("priors", parents=[common], help="a good prior and a bad one beside none")
    _add_problems(prior, _FUNCTIONS)
    prior.add_argument("--evaluations", type=_evaluations, default=60, metavar="N", help="and 20 %% more (60)")
    prior.add_argument(
        "--confidence", choices=["low", "medium", "high"], default="medium", help="of the prior (medium)"
    )
    return parser.parse_args(arguments)


def _add_problems(parser: argparse.ArgumentParser, groups: Mapping[str, Sequence[str]]) -> None:
    wanted, text = list(groups["reported"]), f"names, or groups: {', '.join(groups)} (reported)"
    parser.add_argument("--problems", type=_among(groups), default=wanted, metavar="X,Y", help=text)


def _measured(options: argparse.Namespace) -> str:
    if options.command == "priors":
        return priors.measure(options.problems, options.seeds, options.evaluations, options.jobs, options.confidence)
    if options.real is not None:
        return real.measure(options.real, options.evaluations or 40)
    return workers.measure(options.problems, options.seeds, options.evaluations or 100, options.jobs)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print; interrupted, of the seeds that are whole."""
    print(_measured(_options(arguments)))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    main()
