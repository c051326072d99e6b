"""Tables of learning curves, and problems that are answered from them, in a fraction of a millisecond.

Between the configurations that were trained, an ensemble of extremely randomised trees (Geurts et al. 2006) answers:
each tree names one trained configuration, and the answer is the mean of their whole curves. So a trained configuration
has its own curve, the answer for an epoch is of the same curves as that for another, nothing is lower than the lowest
of the table, and there are no plateaus as wide as with the nearest neighbour. `benchmarks.curves` makes the tables.
"""

from __future__ import annotations

import dataclasses
import functools
import io
import json
import lzma
import math
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from benchmarks.problems import curve_tasks
from benchmarks.problems.curve_tasks import CurveTask, task
from benchmarks.problems.fidelities import FidelityProblem, Quality, moved
from benchmarks.problems.learning import WORST
from benchmarks.problems.problem import Config, Param, Problem, whole
from benchmarks.problems.random_search import with_draws

__all__ = [
    "FIDELITY_REPORTED",
    "FIDELITY_TUNED",
    "FOLDER",
    "REPORTED",
    "TUNED",
    "Metric",
    "Surrogate",
    "Table",
    "curve_fidelity_problem",
    "curve_problem",
    "default",
    "surrogate",
    "table",
]

Array = NDArray[Any]

FOLDER = Path(__file__).parents[1] / "curves" / "tables"
Metric = Literal["loss", "error"]
"""What is minimised: the validation loss, or the share of wrong answers."""

_TREES = 300
_SMALLEST = 1e-4
_FIRST, _SAMPLES = 50, 20


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """Configurations and their trainings.

    Args:
        configs: in the order in which they were made.
        losses: validation losses, (configurations, seeds, epochs); NaN after a training has diverged.
        errors: the same of errors.
        seconds: processor seconds of each training, (configurations, seeds).
        about: how the table was made.
    """

    configs: tuple[Config, ...]
    losses: Array
    errors: Array
    seconds: Array
    about: dict[str, Any]

    def packed(self) -> bytes:
        """As bytes that `unpacked` reads: figures with three digits."""
        shortened = {name: getattr(self, name).clip(max=6e4).astype(np.float16) for name in ("losses", "errors")}
        file, text = io.BytesIO(), json.dumps({"about": self.about, "configs": self.configs})
        np.savez(file, text=np.array(text), seconds=self.seconds.astype(np.float32), **shortened)
        return lzma.compress(file.getvalue(), preset=9)

    @classmethod
    def unpacked(cls, content: bytes) -> Self:
        """What `packed` made."""
        with np.load(io.BytesIO(lzma.decompress(content))) as arrays:
            text = json.loads(str(arrays["text"]))
            losses, errors, seconds = (arrays[name].astype(np.float64) for name in ("losses", "errors", "seconds"))
        return cls(tuple(text["configs"]), losses, errors, seconds, text["about"])


@functools.cache
def table(name: str, folder: Path | None = None) -> Table:
    """Of the task of that name."""
    path = (folder or FOLDER) / f"{name}.xz"
    if not path.exists():
        raise FileNotFoundError(f"there is no table {path}: make it with `scripts/bench curves pack` or `tables pack`.")
    return Table.unpacked(path.read_bytes())


def _inputs(space: tuple[Param, ...], config: Config) -> list[float]:
    """From 0 to 1 in each parameter; choices in their order."""
    return [_input(param, config[param["name"]]) for param in space]


def _input(param: Param, value: Any) -> float:
    if param["type"] == "categorical":
        return float(param["choices"].index(value) / max(1, len(param["choices"]) - 1))
    lower, upper = param["lower"], param["upper"]
    return math.log(value / lower) / math.log(upper / lower) if param["log"] else (value - lower) / (upper - lower)


class Surrogate:
    """Answers for any configuration.

    Args:
        known: the trained configurations.
        of: the task.
        metric: what it tells.
    """

    def __init__(self, known: Table, of: CurveTask, metric: Metric) -> None:
        self._task, self._metric, self._table = of, metric, known
        curves = self._scaled(known.losses if metric == "loss" else known.errors)
        self._means = curves.mean(axis=1)
        self._off = curves - self._means[:, None]
        inputs = np.array([_inputs(of.space, config) for config in known.configs])
        told = [max(0, round(of.epochs * share) - 1) for share in (1 / 9, 1 / 3, 1)]
        self._trees = _Trees(inputs, self._means[:, told] @ np.diag([0.5, 0.5, 1]))
        self.lowest = float(self._unscaled(self._means[:, -1].min()))
        """At the last epoch, without noise."""

    def value(self, config: Config) -> float:
        """At the last epoch, without noise."""
        return float(self._unscaled(self._means[self._named(config), -1].mean()))

    def loss(self, config: Config, epochs: int, seed: int) -> float:
        """As a training with that seed would have it.

        The noise is what one of the seeds was off in a configuration that a tree names: a whole curve, so noise of
        different epochs is as correlated as in trainings. An error is a whole number of wrong answers.
        """
        named, text = self._named(config), f"{seed} {[config[param['name']] for param in self._task.space]}"
        generator = np.random.default_rng(zlib.crc32(text.encode()))
        off = self._off[generator.choice(named), generator.choice(self._task.repeats), epochs - 1]
        found = float(self._unscaled(self._means[named, epochs - 1].mean() + off))
        answers = self._task.answers
        return min(max(round(found * answers), 0), answers) / answers if self._metric == "error" else found

    def seconds(self, config: Config) -> float:
        """That a training takes."""
        return float(self._table.seconds[self._named(config)].mean())

    def _named(self, config: Config) -> Array:
        """The trained configurations that the trees name."""
        return self._trees.named(np.array(_inputs(self._task.space, config)))

    def _scaled(self, figures: Array) -> Array:
        """Losses by their logarithm, at most twice what guessing gets; also where a training diverged."""
        if self._metric == "error":
            return np.where(np.isfinite(figures), figures, 1.0)
        worst = WORST * self._task.guessing
        return np.asarray(np.log(np.where(np.isfinite(figures), figures, worst).clip(_SMALLEST, worst)))

    def _unscaled(self, figures: Any) -> Any:
        return np.exp(figures) if self._metric == "loss" else figures


class _Trees:
    """Extremely randomised trees, each of which leads from a point to one of the points that it was made of."""

    def __init__(self, inputs: Array, targets: Array) -> None:
        from sklearn.ensemble import ExtraTreesRegressor

        fitted = ExtraTreesRegressor(_TREES, random_state=0).fit(inputs, targets)
        trees = [each.tree_ for each in fitted.estimators_]
        most = max(tree.node_count for tree in trees)
        padded = [[np.resize(getattr(tree, name), most) for tree in trees] for name in _PARTS]
        self._axes, self._thresholds, self._left, self._right = (np.array(each) for each in padded)
        self._all = np.arange(len(trees))
        self._members = np.zeros((len(trees), most), dtype=int)
        self._members[self._all, fitted.apply(inputs)] = np.arange(len(inputs))[:, None]

    def named(self, point: Array) -> Array:
        """One point for each tree: (trees,)."""
        nodes, point = np.zeros(len(self._all), dtype=int), point.astype(np.float32)
        while True:
            left = self._left[self._all, nodes]
            inside = left >= 0
            if not inside.any():
                return np.asarray(self._members[self._all, nodes])
            lower = point[self._axes[self._all, nodes]] <= self._thresholds[self._all, nodes]
            nodes = np.where(inside, np.where(lower, left, self._right[self._all, nodes]), nodes)


_PARTS = ("feature", "threshold", "children_left", "children_right")


@functools.cache
def surrogate(name: str, metric: Metric) -> Surrogate:
    """Of the task of that name."""
    return Surrogate(table(name), task(name), metric)


@dataclasses.dataclass(frozen=True, slots=True)
class _Evaluator:
    """What a run that is seeded so sees."""

    known: Surrogate
    seed: int

    def loss(self, config: Config, fidelity: int) -> float:
        """See `benchmarks.problems.fidelities.Evaluator`."""
        return self.known.loss(config, fidelity, self.seed)

    def value(self, config: Config) -> float:
        """See `benchmarks.problems.fidelities.Evaluator`."""
        return self.known.value(config)


def default(of: CurveTask, quality: Quality, seed: int) -> Config:
    """Near the best of the first 50 trained configurations, or the worst of 20 random ones."""
    known = table(of.name)
    last = np.nan_to_num(known.losses[:, :, -1], nan=np.inf).mean(axis=1)
    if quality == "good":
        return moved(of.space, known.configs[int(last[:_FIRST].argmin())], seed)
    drawn = np.random.default_rng([seed, zlib.crc32(of.name.encode())]).integers(len(last), size=_SAMPLES)
    return known.configs[int(drawn[last[drawn].argmax()])]


def _names(tasks: Sequence[CurveTask]) -> Iterator[tuple[str, tuple[CurveTask, Metric]]]:
    """Errors only of those that have answers to count."""
    for each in tasks:
        yield f"curve-{each.name}", (each, "loss")
        if each.answers:
            yield f"curve-{each.name}-error", (each, "error")


_PROBLEMS = dict(_names(curve_tasks.TASKS))
REPORTED = tuple(dict(_names(curve_tasks.REPORTED)))
"""Names of problems: results are reported on these."""
TUNED = tuple(dict(_names(curve_tasks.TUNED)))
"""Optimizers are developed on these."""
FIDELITY_REPORTED, FIDELITY_TUNED = (tuple(f"mf-{name}" for name in names) for names in (REPORTED, TUNED))
"""The same with the number of epochs as fidelity."""


@functools.cache
def curve_problem(name: str) -> Problem:
    """The last epoch alone. Loads a table."""
    of, metric = _PROBLEMS[name]
    known = surrogate(of.name, metric)
    return with_draws(
        Problem(
            name,
            of.space,
            known.value,
            known.lowest,
            cost=known.seconds,
            observed=lambda config, generator: known.loss(config, of.epochs, int(generator.integers(2**31))),
        )
    )


@functools.cache
def curve_fidelity_problem(name: str) -> FidelityProblem:
    """With its epochs. Loads a table."""
    of, metric = _PROBLEMS[name.removeprefix("mf-")]
    return FidelityProblem(
        name,
        of.space,
        whole("epochs", 1, of.epochs),
        lambda fidelity: fidelity / of.epochs,
        lambda seed: _Evaluator(surrogate(of.name, metric), seed),
        lambda quality, seed: default(of, quality, seed),
        surrogate(of.name, metric).lowest,
    )
