"""Trials a second, of neps, its peers and the raw loop, at several numbers of worker processes.

The contenders take turns; every worker has a fixed share, so all stop exactly at the same total.
"""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.coordination.meeting import crowd, meet, meeting
from benchmarks.coordination.plan import Plan
from benchmarks.coordination.report import Figure, Section, Table, at_least

__all__ = ["throughput"]

_NEPS, _RAW = "neps", "raw loop"
_PEERS = {"Optuna journal": 2, "Optuna SQLite": 6}
"""Crowds don't speed them up, and their cost grows with the run: they get the share of one worker, divided by this."""
_LEAST_SHARE = 4
_WARM_UP = 2
_METHOD = """\
Random search, 4 floats, an objective that does nothing. Each worker process has a fixed share of the trials (neps:
`max_evaluations_per_run`, Optuna: `n_trials`). All processes have imported everything, opened the run and evaluated
a trial when they meet in a barrier inside an objective; the clock runs from there to the last call of the last
worker's objective. The contenders take turns in an order that rotates. Durable on all sides: Optuna's journal calls
fsync at each append, SQLite's default is synchronous=FULL. Raw loop: mkdir; twice write, fsync, link; fsync of the
folder and of the root. Ratios are of medians; where a disk's speed changes from one turn to the next, the spread of the
ratios round by round says how far to trust them. Trials a second, median (min – max):"""

Rates = dict[tuple[str, int], list[float]]


def throughput(plan: Plan) -> Section:
    """Measure and compare."""
    rates: Rates = {}
    for directory, name, workers in _turns(plan):
        share = max(_LEAST_SHARE, plan.share // _PEERS[name] // workers) if name in _PEERS else plan.share
        rates.setdefault((name, workers), []).append(_rate(name, directory, workers, share))
        shutil.rmtree(directory)
    return Section("Trials a second", _METHOD, _figures(plan, rates), [_table(plan, rates)])


def _turns(plan: Plan) -> Iterator[tuple[Path, str, int]]:
    names = [_NEPS, _RAW, *_PEERS]
    for turn in range(plan.rounds):
        for workers in plan.workers:
            for index in range(len(names)):
                name = names[(index + turn) % len(names)]
                yield plan.scratch / f"{name.replace(' ', '_')}_{workers}_{turn}", name, workers


def _rate(name: str, directory: Path, workers: int, share: int) -> float:
    """Trials a second of one turn."""
    with crowd(workers, preload=["benchmarks.coordination.contenders"]) as pool:
        pool.submit(_prepare, name, directory).result()
        spans = list(pool.map(_work, *zip(*[(name, directory, share)] * workers, strict=True)))
        finished = pool.submit(_finished, name, directory).result()
    expected = workers * (share + _WARM_UP)
    if finished != expected:
        message = f"{name} with {workers} workers finished {finished} trials, not {expected}"
        raise RuntimeError(message)
    return workers * share / (max(end for _, end in spans) - min(begin for begin, _ in spans))


def _contender(name: str) -> Any:
    from benchmarks.coordination.contenders import CONTENDERS

    return CONTENDERS[name]


def _prepare(name: str, directory: Path) -> None:
    _contender(name).prepare(directory)


def _finished(name: str, directory: Path) -> int:
    count: int = _contender(name).finished(directory)
    return count


class _Laps:
    """When the objective was called: from the barrier on, each worker does `share` trials to its last call."""

    def __init__(self) -> None:
        self.calls = 0
        self.begin = self.end = 0.0

    def __call__(self) -> None:
        self.calls += 1
        if self.calls == _WARM_UP:
            meet()
            self.begin = time.monotonic()
        self.end = time.monotonic()


def _work(name: str, directory: Path, share: int) -> tuple[float, float]:
    laps = _Laps()
    with meeting():
        _contender(name).work(directory, share + _WARM_UP, laps)
    return laps.begin, laps.end


def _better_peer(rates: Rates, workers: int) -> list[float]:
    return max((rates[peer, workers] for peer in _PEERS), key=statistics.median)


def _figures(plan: Plan, rates: Rates) -> list[Figure]:
    figures = []
    for workers in plan.workers:
        ours, label = rates[_NEPS, workers], f"{workers} worker{'s' if workers > 1 else ''}"
        ahead = {1: at_least(1), 8: at_least(5)}.get(workers)
        figures.append(Figure.ratio(f"neps / raw loop, {label}", ours, rates[_RAW, workers], at_least(0.5)))
        figures.append(Figure.ratio(f"neps / better peer, {label}", ours, _better_peer(rates, workers), ahead))
        figures.append(
            Figure.ratio(f"raw loop / better peer, {label}", rates[_RAW, workers], _better_peer(rates, workers))
        )
        by_round = [a / b for a, b in zip(ours, rates[_RAW, workers], strict=True)]
        figures.append(Figure.median(f"neps / raw loop round by round, {label}", by_round, "×"))
    return figures


def _table(plan: Plan, rates: Rates) -> Table:
    rows = []
    for workers in plan.workers:
        cells = [Figure.median("", rates[name, workers]).cells() for name in (_NEPS, _RAW, *_PEERS)]
        rows.append([str(workers), *(f"{median} ({spread})" for _, median, spread, *_ in cells)])
    return Table(("workers", _NEPS, _RAW, *_PEERS), rows)
