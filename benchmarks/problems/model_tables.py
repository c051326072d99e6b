"""Models of scikit-learn in tables of our own: the tasks, and problems that are answered from their tables.

Each configuration was trained on five folds in two orders, and an evaluation observes one of these ten: its noise is
that of seeds and folds. The value is the mean over all ten. Between the configurations, the trees of `curve_tables`
answer. `benchmarks.tables` makes the tables.
"""

from __future__ import annotations

import functools
import math
from pathlib import Path

from benchmarks.problems.curve_tables import Metric, Surrogate, table
from benchmarks.problems.curve_tasks import CurveTask
from benchmarks.problems.problem import Param, Problem, choice, real, whole
from benchmarks.problems.random_search import with_draws

__all__ = ["FOLDER", "FOLDS", "REPORTED", "TASKS", "TUNED", "metric", "model_problem"]

FOLDER = Path(__file__).parents[1] / "tables" / "tables"
FOLDS = 5
_ORDERS = 2


def _task(name: str, space: tuple[Param, ...], answers: int = 0, classes: int = 0) -> CurveTask:
    """`answers` of a fold and `classes`, of those that classify."""
    return CurveTask(name, space, 1, math.log(classes) if classes else 1.0, answers, FOLDS * _ORDERS)


_BOOSTING = (
    *(real("learning_rate", 0.005, 1, log=True), whole("trees", 4, 128, log=True), whole("leaves", 2, 32, log=True)),
    *(whole("leaf_samples", 1, 64, log=True), real("features", 0.1, 1), real("shrinkage", 0.001, 100, log=True)),
)
_SVM = (
    *(real("C", 1e-3, 1e4, log=True), real("gamma", 1e-5, 10, log=True), real("coef0", -1, 2), whole("degree", 2, 5)),
    *(real("features", 0.1, 1), choice("kernel", "poly", "rbf", "sigmoid")),
    choice("scaling", "standard", "range", "rank"),
)
_FOREST = (
    *(whole("trees", 4, 64, log=True), whole("depth", 1, 16, log=True), whole("leaf_samples", 1, 32, log=True)),
    *(real("features", 0.05, 1), real("drawn", 0.1, 1), choice("kind", "forest", "extra")),
)
_LOGISTIC = (
    *(real("step", 1e-4, 10, log=True), real("decay", 0, 1), real("penalty", 1e-6, 0.3, log=True)),
    *(real("l1_ratio", 0, 1), whole("epochs", 1, 32, log=True), choice("averaged", "no", "yes")),
    choice("scaling", "standard", "range", "rank"),
)

TUNED = (
    _task("boosting-cancer", _BOOSTING, 113, 2),
    _task("svm-rings", _SVM, 120, 4),
    _task("forest-friedman1", _FOREST),
    _task("logistic-sparse", _LOGISTIC, 120, 3),
)
"""Optimizers are developed on these: one of each kind."""
REPORTED = (
    _task("boosting-diabetes", _BOOSTING),
    _task("svm-digits", _SVM, 120, 10),
    _task("forest-houses", _FOREST),
    _task("logistic-digits", _LOGISTIC, 120, 10),
)
"""Results are reported on these, of the same kinds, on other data."""
TASKS = (*TUNED, *REPORTED)


def metric(of: CurveTask) -> Metric:
    """What is minimised: the share of wrong answers, as people do, where there are answers to count."""
    return "error" if of.answers else "loss"


@functools.cache
def model_problem(name: str) -> Problem:
    """Of the task of that name. Loads its table."""
    of = next(each for each in TASKS if each.name == name)
    known = Surrogate(table(of.name, FOLDER), of, metric(of))
    return with_draws(
        Problem(
            f"table-{name}",
            of.space,
            known.value,
            known.lowest,
            cost=known.seconds,
            observed=lambda config, generator: known.loss(config, 1, int(generator.integers(2**31))),
        )
    )
