"""What a decision costs after many trials: processor seconds of 17 by a model, and the memory of the process.

Called by the command line, which prints the table.
"""

from __future__ import annotations

import math
import multiprocessing
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from benchmarks.coordination.report import Table
from neps._budget import Budget
from neps._fidelity import Brackets
from neps._history import History
from neps.samplers._protocol import Suggestion
from neps.samplers._registry import resolve
from neps.space import Categorical, Float, Integer, SearchSpace
from neps.testing.simulation import decided, ended, generator_for, simulate

__all__ = ["table"]

_BEFORE = {"mobster": "asha", "freeze_thaw": "asha", "priorband_bo": "priorband"}
"""By searcher, which one without a model has made the trials before; random search has made those of others."""
_DECISIONS = 17  # the first, and two turns of what is done with each eighth result
_COSTS = 1e9


def table(searchers: Sequence[str], sizes: Sequence[int]) -> Table:
    """One row for each searcher and number of trials, each of which is measured in a process of its own."""
    rows = [[searcher, f"{size:,}", *_apart(searcher, size)] for searcher in searchers for size in sizes]
    return Table(("searcher", "trials", "first", "median", "highest", "memory (MB)", "with none (MB)"), rows)


def _apart(searcher: str, size: int) -> list[str]:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        first, cpu, before, peak = pool.submit(_measured, searcher, size).result()
    seconds = [f"{each:.2f}" for each in (first, statistics.median(cpu), max(cpu))]
    return [*seconds, f"{peak:.0f}", f"{before:.0f}"]


def _measured(searcher: str, size: int) -> tuple[float, list[float], float, float]:
    """Seconds of the first decision, which has no hyperparameters to begin with, and of others; MB before, and most."""
    space, generator = _space(fidelity=searcher in _BEFORE), np.random.default_rng(0)

    def objective(config: Mapping[str, Any]) -> dict[str, float]:
        return {"loss": _loss(config, generator), "cost": 1.0}

    sampler, cheap = (resolve(each, space, {}) for each in (searcher, _BEFORE.get(searcher, "random_search")))
    trials = dict(simulate(cheap, space, objective, size).by_number)
    brackets, before = Brackets(trials.values()), _memory("VmRSS")
    cpu = list[float]()
    while len(cpu) < _DECISIONS:
        number, history = len(trials) + 1, History(space, MappingProxyType(dict(trials)), 0, brackets)
        began = time.process_time()
        answer = sampler.decide(history, number, Budget(max_cost_total=_COSTS), generator_for(0, number))
        seconds = time.process_time() - began
        if not isinstance(answer, Suggestion):
            raise TypeError(f"{searcher} suggests nothing after {number - 1} trials: {answer}")
        if answer.metadata.get("by") == "model":
            cpu.append(seconds)
        trials[number] = ended(decided(space, number, answer), **objective(answer.config))
        brackets.seen(trials[number])
    return cpu[0], cpu[1:], before, _memory("VmHWM")


def _memory(kind: str) -> float:
    """Of this process now (VmRSS) or at most so far (VmHWM), in MB."""
    lines: Iterable[str] = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(kind)) / 1024


def _space(*, fidelity: bool) -> SearchSpace:
    parameters = {
        "rate": Float(1e-5, 1e-1, log=True, default=1e-3),
        "decay": Float(0, 1, default=0.5),
        "dropout": Float(0, 1),
        "width": Integer(1, 200),
        "kind": Categorical(["x", "y", "z"]),
    }
    return SearchSpace(parameters | ({"epochs": Integer(1, 81, is_fidelity=True)} if fidelity else {}))


def _loss(config: Mapping[str, Any], generator: np.random.Generator) -> float:
    rate, decay, dropout = (config[name] for name in ("rate", "decay", "dropout"))
    bowl = (math.log10(rate) + 3) ** 2 + 3 * (decay - 0.3) ** 2 + (dropout - 0.7) ** 2
    others = abs(config["width"] - 60) / 100 + {"x": 0, "y": 0.3, "z": 0.5}[config["kind"]]
    return float(bowl + others + 0.05 * generator.standard_normal() + 1 / config.get("epochs", 1))
