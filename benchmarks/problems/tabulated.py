"""Problems with conditions whose losses are tables: real trainings, made once, so that a comparison costs nothing.

Between the values that were trained, a loss is interpolated, linearly in each parameter: no loss is lower than the
lowest of the table. `python -m benchmarks.problems.tabulating` makes the tables anew.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.problems.conditional import if_active
from benchmarks.problems.fidelities import FidelityProblem, Quality
from benchmarks.problems.problem import Config, Param, Problem, choice, real, whole

__all__ = [
    "EPOCHS",
    "NETWORK",
    "REGRESSORS",
    "SCALE",
    "TABLES",
    "Axis",
    "Family",
    "fidelity_problems",
    "grid",
    "problems",
    "tables",
]

Array = npt.NDArray[np.float64]

TABLES = Path(__file__).with_name("tables.npz")
SCALE = 10_000
"""Losses are kept as whole numbers of this part of 1."""


@dataclasses.dataclass(frozen=True, slots=True)
class Axis:
    """The values of a parameter that were trained."""

    name: str
    points: tuple[float, ...]
    log: bool = False

    def position(self, value: float) -> float:
        """Of a value among the points: 0 to their number less 1."""
        scale = np.log if self.log else np.asarray
        return float(np.interp(scale(value), scale(self.points), np.arange(len(self.points))))

    def param(self) -> Param:
        """The parameter, which has any value from the first point to the last."""
        kind = whole if all(isinstance(point, int) for point in self.points) else real
        return kind(self.name, self.points[0], self.points[-1], log=self.log)  # type: ignore[arg-type]


@dataclasses.dataclass(frozen=True, slots=True)
class Family:
    """A table for each branch: `branches` has the axes of each, by the values of the `choosing` parameters.

    `steps` are the fidelities that were tried, the last axis of a table; `lowest` is the lowest value at the highest.
    """

    name: str
    choosing: tuple[str, ...]
    branches: dict[str, tuple[Axis, ...]]
    steps: Axis
    lowest: float

    def branch(self, config: Config) -> str:
        """That of a configuration."""
        return " ".join(str(config[name]) for name in self.choosing if name in config)

    def loss(self, config: Config, fidelity: float) -> float:
        """Of a configuration at a fidelity."""
        branch = self.branch(config)
        table = tables()[f"{self.name} {branch}"]
        for axis in self.branches[branch]:
            table = _between(table, axis.position(config[axis.name]))
        return float(_between(table, self.steps.position(fidelity)))

    def value(self, config: Config) -> float:
        """At the highest fidelity."""
        return self.loss(config, self.steps.points[-1])


def grid(axes: Sequence[Axis]) -> Array:
    """All that is trained of a branch, the last axis fastest: (n, axes)."""
    return np.stack(np.meshgrid(*(axis.points for axis in axes), indexing="ij"), axis=-1).reshape(-1, len(axes))


@functools.cache
def tables() -> dict[str, Array]:
    """By family and branch: an axis for each of the branch, and one for the fidelity."""
    with np.load(TABLES) as file:
        return {name: file[name] / SCALE for name in file.files}


def _between(table: Array, position: float) -> Array:
    """Along the first axis."""
    lower = min(int(position), len(table) - 2)
    share = position - lower
    return np.asarray((1 - share) * table[lower] + share * table[lower + 1])


# A network for handwritten digits: three optimizers, each with a parameter of its own, and up to three layers, each as
# wide as it likes. The fidelity is the number of epochs.

EPOCHS = 27
_RATE = Axis("learning_rate", tuple(np.geomspace(1e-4, 1, 9).tolist()), log=True)
_OWN = {"sgd": "momentum", "adam": "beta1", "lion": "beta"}
_WIDTHS = tuple(Axis(f"width{index}", (4, 20, 100), log=True) for index in (1, 2, 3))

NETWORK = Family(
    "widths",
    ("optimizer", "layers"),
    {
        f"{optimizer} {layers}": (*_WIDTHS[:layers], _RATE, Axis(own, (0.0, 0.5, 0.8, 0.95)))
        for optimizer, own in _OWN.items()
        for layers in (1, 2, 3)
    },
    Axis("epochs", (1, 2, 3, 5, 9, 15, EPOCHS), log=True),
    lowest=0.1606,
)
_NETWORK = (
    choice("optimizer", *_OWN),
    whole("layers", 1, 3),
    _RATE.param(),
    *(if_active(real(own, 0, 0.95), optimizer=optimizer) for optimizer, own in _OWN.items()),
    *(
        if_active(axis.param(), layers=list(range(index, 4))) if index > 1 else axis.param()
        for index, axis in enumerate(_WIDTHS, 1)
    ),
)

# Regression of diabetes: four kinds of models, each with parameters of its own. The fidelity is the number of ninths of
# the data that are learned from.

_NINTHS = 9
_SVM = (Axis("C", tuple(np.geomspace(0.01, 100, 7).tolist()), log=True), Axis("epsilon", (0.01, 0.1, 1.0), log=True))
_GAMMA = Axis("gamma", tuple(np.geomspace(1e-3, 10, 7).tolist()), log=True)
_FOREST = (
    Axis("max_features", (0.1, 0.4, 0.7, 1.0)),
    Axis("min_leaf", (1, 2, 4, 8, 16, 32), log=True),
    Axis("max_depth", (2, 4, 8, 16), log=True),
)
_BOOSTING = (
    Axis("shrinkage", tuple(np.geomspace(0.01, 1, 6).tolist()), log=True),
    Axis("tree_depth", (1, 2, 3, 5)),
    Axis("subsample", (0.3, 0.65, 1.0)),
    Axis("trees", (5, 16, 50, 160), log=True),
)
_NET = (Axis("alpha", (1e-4, 1e-2, 1.0, 100.0), log=True), Axis("step", (1e-3, 1e-2, 1e-1), log=True))
_HIDDEN = (Axis("hidden1", (4, 16, 64), log=True), Axis("hidden2", (4, 16, 64), log=True))

REGRESSORS = Family(
    "regressors",
    ("scaling", "model", "kernel", "depth"),
    {
        f"{scaling} {branch}": axes
        for scaling in ("standard", "ranks")
        for branch, axes in {
            "svm linear": _SVM,
            "svm rbf": (*_SVM, _GAMMA),
            "svm sigmoid": (*_SVM, _GAMMA),
            "forest": _FOREST,
            "boosting": _BOOSTING,
            "network 1": (*_NET, _HIDDEN[0]),
            "network 2": (*_NET, *_HIDDEN),
        }.items()
    },
    Axis("ninths", (1, 3, _NINTHS), log=True),
    lowest=0.5489,
)
_REGRESSORS = (
    choice("model", "svm", "forest", "boosting", "network"),
    choice("scaling", "standard", "ranks"),
    if_active(choice("kernel", "linear", "rbf", "sigmoid"), model="svm"),
    *(if_active(axis.param(), model="svm") for axis in _SVM),
    if_active(_GAMMA.param(), kernel=["rbf", "sigmoid"]),
    *(if_active(axis.param(), model="forest") for axis in _FOREST),
    *(if_active(axis.param(), model="boosting") for axis in _BOOSTING),
    if_active(whole("depth", 1, 2), model="network"),
    *(if_active(axis.param(), model="network") for axis in (*_NET, _HIDDEN[0])),
    if_active(_HIDDEN[1].param(), depth=[2]),
)

_SPACES = ((NETWORK, _NETWORK), (REGRESSORS, _REGRESSORS))


@dataclasses.dataclass(frozen=True, slots=True)
class _Evaluator:
    """What a run sees of a family: the same for each seed, since a training is what it is."""

    family: Family

    def loss(self, config: Config, fidelity: int) -> float:
        """See `benchmarks.problems.fidelities.Evaluator`."""
        return self.family.loss(config, fidelity)

    def value(self, config: Config) -> float:
        """See `benchmarks.problems.fidelities.Evaluator`."""
        return self.family.value(config)


def _no_prior(quality: Quality, _: int) -> Config:
    msg = f"the default of a {quality} prior was asked for, but problems with conditions have none."
    raise ValueError(msg)


def _with_fidelity(family: Family, space: tuple[Param, ...]) -> FidelityProblem:
    top = family.steps.points[-1]
    return FidelityProblem(
        f"mf-{family.name}",
        space,
        whole(family.steps.name, 1, int(top)),
        lambda fidelity: fidelity / top,
        lambda _: _Evaluator(family),
        _no_prior,
        family.lowest,
    )


def problems() -> list[Problem]:
    """At the highest fidelity."""
    return [Problem(family.name, space, family.value, family.lowest) for family, space in _SPACES]


def fidelity_problems() -> list[FidelityProblem]:
    """The same with their fidelities."""
    return [_with_fidelity(family, space) for family, space in _SPACES]
