"""`scripts/bench starting`: evaluations to equal regret with `start_from` and without: widened, and misled.

`--record` writes what was measured to benchmarks/starting/results.json, from which `--table` makes that of the docs.
"""

from __future__ import annotations

import os

if __name__ == "__main__":  # before numpy is imported
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import argparse
import itertools
import json
from collections.abc import Sequence
from multiprocessing import Pool
from pathlib import Path

import numpy as np

from benchmarks.starting.problems import PROBLEMS, Sequel
from neps._api.import_found import Found
from neps._api.importing import trial_of
from neps._history import History
from neps._trial import Trial
from neps.samplers import BayesianOptimization
from neps.testing import simulate

__all__ = ["main", "measured", "needed", "table"]

_RECORDED = Path(__file__).with_name("results.json")
_BEFORE, _AFTER = 40, 36
_LEVELS = (10, 15, 20, 25)
_WAYS = ("without", "widened", "misled")

Regrets = dict[str, dict[str, list[list[float]]]]
"""By problem and way: of each seed the lowest regret so far, after each evaluation."""


def measured(task: tuple[str, int]) -> tuple[str, dict[str, list[float]]]:
    """One seed of one problem, in each way."""
    name, seed = task
    sequel = PROBLEMS[name]()
    found = {"without": _searched(sequel, seed, None)}
    for way, loss in (("widened", sequel.loss), ("misled", sequel.other)):
        earlier = simulate(BayesianOptimization(), sequel.before, loss, _BEFORE, seed=1000 + seed)
        found[way] = _searched(sequel, seed, earlier)
    return name, found


def _searched(sequel: Sequel, seed: int, earlier: History | None) -> list[float]:
    known: list[Trial] = []
    first = []
    if earlier is not None and earlier.best is not None:
        known = [trial_of(sequel.space, Found(trial.config, trial.loss)) for trial in earlier]
        first = [earlier.best.config]
    sampler, loss = BayesianOptimization(), sequel.loss
    history = simulate(sampler, sequel.space, loss, _AFTER, seed=seed, earlier=known, first_configs=first)
    losses = [trial.loss if trial.loss is not None else np.inf for trial in history]
    return [float(regret) for regret in np.minimum.accumulate(losses) - sequel.optimum]


def needed(regrets: Regrets, name: str, way: str, level: int) -> int | None:
    """After how many evaluations the median regret is as low as without an earlier run after `level`."""
    aim = np.median(regrets[name]["without"], axis=0)[level - 1]
    reached = np.flatnonzero(np.median(regrets[name][way], axis=0) <= aim)
    return int(reached[0]) + 1 if len(reached) else None


def table(regrets: Regrets) -> str:
    """In Markdown: evaluations to the regret that a search without an earlier run has after 10, 15, 20 and 25."""
    lines = [
        "| problem | start_from | " + " | ".join(f"as after {level}" for level in _LEVELS) + " |",
        "|---|---|" + "---|" * len(_LEVELS),
    ]
    for name, way in itertools.product(regrets, _WAYS[1:]):
        cells = [needed(regrets, name, way, level) for level in _LEVELS]
        shown = " | ".join(f"more than {_AFTER}" if cell is None else str(cell) for cell in cells)
        lines.append(f"| {name} | {way} | {shown} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, or print what was recorded."""
    parser = argparse.ArgumentParser(prog="scripts/bench starting", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10, metavar="N", help="of each problem (10)")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes (2)")
    parser.add_argument("--record", action="store_true", help=f"write {_RECORDED.name}")
    parser.add_argument("--table", action="store_true", help="print what was recorded")
    options = parser.parse_args(arguments)
    if options.table:
        print(table(json.loads(_RECORDED.read_text())))
        return 0
    regrets: Regrets = {name: {way: [] for way in _WAYS} for name in PROBLEMS}
    with Pool(options.jobs) as pool:
        tasks = list(itertools.product(PROBLEMS, range(options.seeds)))
        for name, found in pool.imap(measured, tasks):
            for way, curve in found.items():
                regrets[name][way].append([float(f"{regret:.4g}") for regret in curve])
            print(f"{name}: {len(regrets[name]['misled'])} of {options.seeds}", flush=True)
    if options.record:
        _RECORDED.write_text(json.dumps(regrets, indent=1) + "\n")
    print(table(regrets))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
