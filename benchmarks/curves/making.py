"""Trains what is missing in a store: a round of each task, then the next round, so that tables are always balanced.

Called by the command line, in one process or several at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from benchmarks.curves.design import ROUND, configuration, training_seed
from benchmarks.curves.store import Record, Store
from benchmarks.problems import Config
from benchmarks.problems.curve_tasks import CurveTask

__all__ = ["Trained", "make", "trained"]

Trained = Callable[[CurveTask, int, Config], Record]
"""Makes the record of a task's configuration, which has that number."""


def make(store: Store, tasks: Sequence[CurveTask], number: int, training: Trained | None = None) -> None:
    """Train until the store has so many configurations of each task."""
    for start in range(0, number, ROUND):
        for task in tasks:
            _make_round(store, task, range(start, min(start + ROUND, number)), training or trained)


def _make_round(store: Store, task: CurveTask, numbers: range, training: Trained) -> None:
    """First what nobody else is at, and then what isn't there yet, because its process ended or is still at it."""
    made, began = 0, time.monotonic()
    missing = [number for number in numbers if store.read(task, number) is None]
    if not missing:
        return
    earlier = store.first(task)[: numbers.start]
    for wait in (False, True):
        for number in missing:
            with store.claim(task, number, wait=wait) as mine:
                if mine and store.read(task, number) is None:
                    store.add(task, number, training(task, number, configuration(task, number, earlier)))
                    made += 1
    seconds = time.monotonic() - began
    print(
        f"{time.strftime('%F %T')} {task.name} {numbers.start}-{numbers.stop - 1}: {made} in {seconds:.0f} s",
        flush=True,
    )


def trained(task: CurveTask, number: int, config: Config) -> Record:
    """Train a configuration."""
    from benchmarks.curves.training import train

    each = [train(task, config, training_seed(task, number, seed)) for seed in range(task.repeats)]
    return Record(config, [one.losses for one in each], [one.errors for one in each], [one.seconds for one in each])
