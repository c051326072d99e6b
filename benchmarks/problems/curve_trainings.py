"""The tasks that have tables, really trained: to see whether methods rank there as they do over the tables.

A search over one takes minutes. The noise is a training's; the value that an incumbent is judged by is the geometric
mean of two trainings, which are the same in every run.
"""

from __future__ import annotations

import math
import zlib

from benchmarks.problems.curve_tables import default
from benchmarks.problems.curve_tasks import TASKS, CurveTask
from benchmarks.problems.fidelities import FidelityProblem
from benchmarks.problems.learning import WORST
from benchmarks.problems.problem import Config, whole

__all__ = ["FIDELITY_TRAINED", "trained_problem"]

FIDELITY_TRAINED = tuple(f"mf-trained-{each.name}" for each in TASKS)
"""Names of problems with a fidelity."""


def trained_problem(name: str) -> FidelityProblem:
    """The one of that name; its priors are those of the table's problem."""
    of = TASKS[FIDELITY_TRAINED.index(name)]
    return FidelityProblem(
        name,
        of.space,
        whole("epochs", 1, of.epochs),
        lambda fidelity: fidelity / of.epochs,
        lambda seed: _Trainings(of, seed),
        lambda quality, seed: default(of, quality, seed),
    )


class _Trainings:
    """Those of one run."""

    def __init__(self, of: CurveTask, seed: int) -> None:
        self._task, self._seed = of, seed
        self._known = dict[str, list[float]]()

    def loss(self, config: Config, fidelity: int) -> float:
        """See `benchmarks.problems.fidelities.Evaluator`. The first one of a configuration trains it to the end."""
        return self._losses(config, f"run {self._seed}")[fidelity - 1]

    def value(self, config: Config) -> float:
        """See `benchmarks.problems.fidelities.Evaluator`."""
        first, second = (self._losses(config, f"judge {number}")[-1] for number in (0, 1))
        return math.sqrt(first * second)

    def _losses(self, config: Config, seed: str) -> list[float]:
        from benchmarks.curves.training import train  # which needs this package

        text, worst = f"{seed} {[config[param['name']] for param in self._task.space]}", WORST * self._task.guessing
        if text not in self._known:
            losses = train(self._task, config, zlib.crc32(text.encode())).losses
            self._known[text] = [min(loss, worst) if math.isfinite(loss) else worst for loss in losses]
        return self._known[text]
