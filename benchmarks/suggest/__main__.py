"""`scripts/bench suggest`: what a suggestion costs, of ours and of other libraries. Lines go to results.jsonl too."""

from __future__ import annotations

import os

if __name__ == "__main__":  # before numpy is imported
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import argparse
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from benchmarks.driving.driver import RunFailed, version_of
from benchmarks.driving.environments import Unavailable
from benchmarks.regret.methods import METHODS
from benchmarks.suggest.measuring import OURS, PEERS, PLACES, Place, Sample, measure
from benchmarks.suggest.starting import starting
from benchmarks.suggest.tables import ratios, seconds, throughput
from benchmarks.suggest.throughput import measure as measure_workers

_T = TypeVar("_T")

_RESULTS = Path(__file__).with_name("results.jsonl")
_RIVAL = "optuna-gp"
_SIZES = dict.fromkeys(place.results for place in PLACES)
_KNOWN, _SUGGESTIONS = 100, 100
_THROUGHPUT = f"""\
Each turn begins with {_KNOWN} results of six floats. Then {_SUGGESTIONS} suggestions by a model are timed, of workers
in processes of their own, whose objective returns at once. Medians and ranges of the rounds, ratios round by round.

- Cores had: other work on the machine leaves a crowd more of it than one worker, and the ratio is as much higher.
- Processor seconds: of one suggestion, its files included.
- Decisions: for one suggestion. More than 1 where another worker decided the same first, so it was decided anew.
- Deciding: the part of the workers' time. The rest is files, and waiting for each other."""


def _names(text: str) -> list[str]:
    return _known([name for name in text.split(",") if name], PEERS)


def _sizes(text: str) -> list[int]:
    return _known([int(size) for size in text.split(",")], _SIZES)


def _known(given: list[_T], known: Iterable[_T]) -> list[_T]:
    if unknown := set(given) - set(known):
        raise argparse.ArgumentTypeError(f"{sorted(map(str, unknown))} not among {', '.join(map(str, known))}")
    return given


def _counts(text: str) -> list[int]:
    counts = [int(count) for count in text.split(",")]
    if min(counts) < 1:
        raise argparse.ArgumentTypeError(f"{min(counts)} workers make no suggestion: 1 or more do")
    return list(dict.fromkeys(counts))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench suggest", description=__doc__)
    parser.add_argument("--peers", type=_names, default=list(PEERS), metavar="A,B", help=", ".join(PEERS))
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="how often, with other points (3)")
    parser.add_argument("--results", type=_sizes, default=list(_SIZES), metavar="N,M", help="how many are known; all")
    parser.add_argument("--workers", type=_counts, metavar="N,M", help="time crowds of ours in real processes instead")
    return parser.parse_args(arguments)


def _versions(methods: list[str]) -> dict[str, str]:
    """Of the methods that can be started, which are those that are timed."""
    versions = {}
    for method in methods:
        try:
            versions[method] = version_of(METHODS[method], threading.Event())
        except (RunFailed, Unavailable) as failure:
            print(f"{method} cannot be started: {failure}\n", flush=True)
    return versions


def _measured(versions: dict[str, str], rounds: int, places: list[Place]) -> Iterator[Sample]:
    """All methods in turn at each place: whatever else the machine does comes over all of them."""
    wanted = [
        (number, place, method)
        for number in range(1, rounds + 1)
        for place in places
        for method in versions
        if place.has(method)
    ]
    for number, place, method in wanted:
        try:
            yield measure(method, versions[method], place, number)
        except RunFailed as failure:
            print(f"FAILED {method} after {place.results} results: {failure}", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, record, print."""
    options = _options(arguments)
    print(f"# Suggestions\n\nLoad before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; one thread each.\n")
    if options.workers:
        turns = measure_workers(options.workers, max(options.rounds, 5), _KNOWN, _SUGGESTIONS)
        print(f"{_THROUGHPUT}\n\n{throughput(turns, len(os.sched_getaffinity(0)))}")
        return
    versions = _versions([*OURS, *options.peers])
    print("\n".join(f"- {method} {version}" for method, version in versions.items()), flush=True)
    places = [place for place in PLACES if place.results in options.results]
    samples = []
    with _RESULTS.open("a", encoding="utf-8") as file:
        for sample in _measured(versions, options.rounds, places):
            samples.append(sample)
            file.write(sample.line())
            file.flush()
    print(f"\nSeconds of a suggestion, processor / wall:\n\n{seconds(samples)}\n")
    print(f"Ours and {_RIVAL}, median and range of the rounds:\n\n{ratios(samples, _RIVAL)}\n")
    print(starting(max(options.rounds, 5)))


if __name__ == "__main__":
    main()
