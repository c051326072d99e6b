"""Which configurations are trained: numbered, so that a table grows and its first ones stay the same.

Even numbers are points of a scrambled Sobol sequence, odd ones are random. From number 200 on, only every other one is:
the others are near the best of all earlier rounds, since searches spend most of their time there. Called by `making`.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from benchmarks.curves.store import Record
from benchmarks.problems import Config, Param
from benchmarks.problems.curve_tasks import CurveTask
from benchmarks.problems.problem import placed

__all__ = ["ROUND", "configuration", "training_seed"]

ROUND = 100
"""How many configurations of a task are trained before it is the next task's turn."""
_SPREAD = 200
"""So many are spread over the space before any is near the best."""
_BEST, _MOVED, _STEP = 0.1, 0.5, 0.1


def configuration(task: CurveTask, number: int, earlier: Sequence[Record]) -> Config:
    """The one of that number.

    Args:
        task: whose configuration it is.
        number: from 0 on.
        earlier: the records of all earlier rounds, in their order; not needed for the first 200 numbers.
    """
    generator = np.random.default_rng([zlib.crc32(task.name.encode()), number])
    if number >= _SPREAD and number % 4 > 1:
        return _near(task.space, earlier[: number // ROUND * ROUND], generator)
    units = generator.random(len(task.space)) if number % 2 else _sobol(task, number // 2)
    return {param["name"]: placed(param, unit) for param, unit in zip(task.space, units.tolist(), strict=True)}


def training_seed(task: CurveTask, number: int, seed: int) -> int:
    """Of the training with a configuration and the first (0), second, ... seed; no two have the same."""
    return zlib.crc32(f"{task.name} {number} {seed}".encode())


def _sobol(task: CurveTask, place: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    from scipy.stats import qmc

    engine = qmc.Sobol(len(task.space), scramble=True, seed=np.random.default_rng(zlib.crc32(task.name.encode())))
    if place:  # it can't go on by 0 places
        engine.fast_forward(place)
    return np.asarray(engine.random(1)[0])


def _unit(param: Param, value: float) -> float:
    lower, upper = param["lower"], param["upper"]
    return float(np.log(value / lower) / np.log(upper / lower) if param["log"] else (value - lower) / (upper - lower))


def _near(space: Sequence[Param], earlier: Sequence[Record], generator: np.random.Generator) -> Config:
    """One of the best tenth by the last epoch, with about half of its parameters moved, by a tenth of their range."""
    order = np.argsort([record.last for record in earlier], kind="stable")
    parent = earlier[order[generator.integers(max(1, int(_BEST * len(earlier))))]].config
    moved = {}
    for param in space:
        value, moves, step = parent[param["name"]], generator.random() < _MOVED, generator.standard_normal()
        if moves and param["type"] == "categorical":
            value = str(generator.choice(param["choices"]))
        elif moves:
            value = placed(param, min(max(_unit(param, value) + _STEP * step, 0.0), 1.0))
        moved[param["name"]] = value
    return moved
