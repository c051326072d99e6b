"""`python -m benchmarks.workers [--quick] [--validate] [--waiting] [--write]`: the tables of many workers.

That of docs/clusters.md is simulated. The others are counted or timed in real processes.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.coordination.report import Table
from benchmarks.workers.simulating import Outcome, Scene, simulate
from neps.space import Float, Integer, SearchSpace

_PAGE = Path("docs/clusters.md")
_SPACE = SearchSpace({"x": Float(0, 1)})
_WITH_EPOCHS = SearchSpace({"x": Float(0, 1), "epochs": Integer(1, 81, is_fidelity=True)})
_SEARCHERS = {"random_search": _SPACE, "asha": _WITH_EPOCHS}
_NO_END = 10**6
_CROWDS = (1, 10, 100, 1000)
_TRIAL_SECONDS = 600.0
_SOME_TRIALS, _FEW_TRIALS = 3 * _TRIAL_SECONDS, 1.2 * _TRIAL_SECONDS
_START = 60.0
"""Of a crowd that decides in turn: it goes on as it begins, and takes hours to simulate."""
_DECIDING_SECONDS = 0.0004


def scenes(*, quick: bool) -> Iterator[tuple[str, Scene]]:
    """What is simulated, by name: workers that start at once."""
    for name, workers, absences in _plan(quick=quick):
        searcher = name.partition(",")[0]
        yield (
            name,
            Scene(
                workers=workers,
                trials=_NO_END,
                seconds=_TRIAL_SECONDS,
                searcher=searcher,
                space=_SEARCHERS[searcher],
                deciding=_DECIDING_SECONDS,
                absences=absences,
                until=_until(searcher, workers),
            ),
        )


def _until(searcher: str, workers: int) -> float:
    if workers <= 10:
        return _SOME_TRIALS
    return _START if searcher == "asha" and workers >= 1000 else _FEW_TRIALS


def _plan(*, quick: bool) -> Iterator[tuple[str, int, bool]]:
    for workers in _CROWDS[: 3 if quick else 4]:
        yield "random_search", workers, True
    for workers in _CROWDS[: 2 if quick else 4]:
        yield "asha", workers, True
    yield "asha, lookupcache=positive", 10, False


def row(name: str, outcome: Outcome) -> tuple[str, ...]:
    """A line of the table."""
    scene, count = outcome.scene, len(outcome.claims)
    first = outcome.claims[min(scene.workers, count) - 1] if count else float("nan")
    return (
        name,
        f"{scene.workers:,}",
        f"{first:.1f} s" if count >= scene.workers else f"({count} within {outcome.ended:.0f} s)",
        f"{scene.workers / first:.0f}" if count >= scene.workers else f"{count / outcome.ended:.1f}",
        f"{outcome.decided / count - 1:.1f}",
        f"{outcome.calls / count:.0f}",
        f"{outcome.asked / count:.0f}",
        f"{outcome.asked / outcome.ended:.1f}",
        f"{outcome.peak:,}",
    )


_HEADER = (
    "searcher",
    "workers",
    "all have a trial after",
    "claims a second",
    "wasted decisions a claim",
    "system calls a trial",
    "requests a trial",
    "requests a second",
    "most in a second",
)


def main() -> None:
    """Simulate, print, and put the table into the page."""
    parser = argparse.ArgumentParser(prog="scripts/bench workers", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="without the crowds that take minutes")
    parser.add_argument("--validate", action="store_true", help="compare with real processes on a slow filesystem")
    parser.add_argument("--waiting", action="store_true", help="count the system calls of workers that wait (strace)")
    parser.add_argument("--write", action="store_true", help=f"put the table into {_PAGE}")
    options = parser.parse_args()
    if options.validate:
        from benchmarks.workers.validating import compare_calls, validate

        print(compare_calls(), validate(), sep="\n\n")
        return
    if options.waiting:
        from benchmarks.workers.waiting import waiting

        print(waiting())
        return
    rows = []
    for name, scene in scenes(quick=options.quick):
        began = time.monotonic()
        rows.append(row(name, simulate(scene)))
        print(*rows[-1], f"[{time.monotonic() - began:.0f} s]", sep=" | ", flush=True)
    table = str(Table(_HEADER, rows))
    print(table)
    if options.write:
        text = _PAGE.read_text(encoding="utf-8")
        marks = r"(<!-- scripts/bench workers --write -->\n).*?(<!-- end -->)"
        new = re.sub(marks, lambda match: f"{match[1]}\n{table}\n\n{match[2]}", text, flags=re.DOTALL)
        _PAGE.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
