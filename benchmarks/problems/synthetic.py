"""Functions with a known minimum, over floats (the classics) and over mixed spaces like those of hyperparameters.

A `Surface` is written for columns of configurations, `Surface.problem` makes a problem of it. A function whose minimum
lies at the centre of its box is shifted, so that looking there first is no gift. Tests look at the surfaces themselves.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.problems.problem import Config, Param, Problem, choice, real, whole

__all__ = ["PITS", "REPORTED", "TUNED", "Pits", "Surface"]

Array = NDArray[np.float64]
Columns = Mapping[str, NDArray[Any]]
"""Configurations: the values of each parameter, of one shape (…)."""
Function = Callable[[Array], Array]
"""Points (…, d) to values (…)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Surface:
    """A function of n configurations at once: `heights` maps {name: array (n,)} to an array (n,)."""

    name: str
    space: tuple[Param, ...]
    heights: Callable[[Columns], Array]
    minimiser: Config
    minimum: float
    noise: float = 0.0

    def problem(self) -> Problem:
        """The problem of minimising it."""
        return Problem(self.name, self.space, self._height, optimum=self.minimum, noise=self.noise)

    def _height(self, config: Config) -> float:
        return float(self.heights({name: np.asarray(value) for name, value in config.items()}))


def _box(name: str, function: Function, bounds: ArrayLike, minimiser: ArrayLike, minimum: float = 0.0) -> Surface:
    """A function of floats x1 … xd: `minimiser` is (d,), `bounds` is (d, 2), or (2,) for a cube."""
    best = np.asarray(minimiser, dtype=float)
    box = np.broadcast_to(np.asarray(bounds, dtype=float), (best.size, 2))
    space = tuple(real(f"x{index}", *limits) for index, limits in enumerate(box.tolist(), start=1))
    names = [param["name"] for param in space]

    def heights(columns: Columns) -> Array:
        return function(np.stack([columns[name] for name in names], axis=-1))

    return Surface(name, space, heights, dict(zip(names, best.tolist(), strict=True)), minimum)


def _shifted(name: str, function: Function, half: float, minimiser: ArrayLike, minimum: float = 0.0) -> Surface:
    """The function in a cube of ±`half`, moved so that its minimiser is 10 to 30 % of `half` off the centre in each x.

    Where exactly is a constant of each name: it is drawn with a seed that is made of the name.
    """
    old = np.asarray(minimiser, dtype=float)
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    new = half * generator.uniform(0.1, 0.3, old.size) * generator.choice([-1.0, 1.0], old.size)
    return _box(name, lambda x: function(x - new + old), (-half, half), new, minimum)


def _noisy(surface: Surface, noise: float) -> Surface:
    return dataclasses.replace(surface, name=f"noisy-{surface.name}", noise=noise)


# The classics, as in Surjanovic & Bingham, Virtual Library of Simulation Experiments (2013). x: (…, d).


def _branin(x: Array) -> Array:
    u, v = x[..., 0], x[..., 1]
    valley = v - 5.1 / (4 * np.pi**2) * u**2 + 5 / np.pi * u - 6
    return np.asarray(valley**2 + 10 * (1 - 1 / (8 * np.pi)) * np.cos(u) + 10)


@dataclasses.dataclass(frozen=True, slots=True)
class Pits:
    """n Gaussian pits in the unit cube: `depths` is (n,), `stretches` and `centres` are (n, d)."""

    depths: Array
    stretches: Array
    centres: Array

    def __call__(self, x: Array, filled: float = 0.0) -> Array:
        """Their sum at points (…, d), each pit shallower by `filled`: (…)."""
        distances = (self.stretches * (x[..., None, :] - self.centres) ** 2).sum(axis=-1)
        return np.asarray(-((self.depths - filled) * np.exp(-distances)).sum(axis=-1))


def _hartmann(stretch: list[list[float]], centres: list[list[int]]) -> Pits:
    """Four pits: `stretch` and `centres` (in 1e-4) are (4, d)."""
    stretches, points = np.asarray(stretch, dtype=float), 1e-4 * np.asarray(centres, dtype=float)
    return Pits(np.array([1.0, 1.2, 3.0, 3.2]), stretches, points)


_HARTMANN3 = _hartmann(
    [[3, 10, 30], [0.1, 10, 35], [3, 10, 30], [0.1, 10, 35]],
    [[3689, 1170, 2673], [4699, 4387, 7470], [1091, 8732, 5547], [381, 5743, 8828]],
)
_HARTMANN6 = _hartmann(
    [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]],
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ],
)


def _ackley(x: Array) -> Array:
    bowl = 20 * np.expm1(-0.2 * np.sqrt((x**2).mean(axis=-1)))
    ripples = np.exp(np.cos(2 * np.pi * x).mean(axis=-1))
    return np.asarray(np.e - ripples - bowl)


def _levy(x: Array) -> Array:
    w = 1 + (x - 1) / 4
    inner, last = w[..., :-1], w[..., -1]
    terms = (inner - 1) ** 2 * (1 + 10 * np.sin(np.pi * inner + 1) ** 2)
    end = (last - 1) ** 2 * (1 + np.sin(2 * np.pi * last) ** 2)
    return np.asarray(np.sin(np.pi * w[..., 0]) ** 2 + terms.sum(axis=-1) + end)


def _rosenbrock(x: Array) -> Array:
    steps = 100 * (x[..., 1:] - x[..., :-1] ** 2) ** 2 + (1 - x[..., :-1]) ** 2
    return np.asarray(steps.sum(axis=-1))


def _camel(x: Array) -> Array:
    u, v = x[..., 0], x[..., 1]
    return np.asarray((4 - 2.1 * u**2 + u**4 / 3) * u**2 + u * v + (4 * v**2 - 4) * v**2)


def _shekel(x: Array) -> Array:
    """Ten pits in four dimensions, the first and third of them alike, and the second and fourth."""
    odd, even = [4, 1, 8, 6, 3, 2, 5, 8, 6, 7], [4, 1, 8, 6, 7, 9, 3, 1, 2, 3.6]
    centres = np.array([odd, even, odd, even]).T
    widths = np.array([1, 2, 2, 4, 4, 6, 3, 7, 5, 5]) / 10
    return np.asarray(-(1 / (((x[..., None, :] - centres) ** 2).sum(axis=-1) + widths)).sum(axis=-1))


def _styblinski(x: Array) -> Array:
    return np.asarray((x**4 - 16 * x**2 + 5 * x).sum(axis=-1) / 2)


def _michalewicz(x: Array) -> Array:
    """With m = 2 where the literature has 10, which makes needles of the valleys."""
    i = np.arange(1, x.shape[-1] + 1)
    return np.asarray(-(np.sin(x) * np.sin(i * x**2 / np.pi) ** 4).sum(axis=-1))


def _griewank(x: Array) -> Array:
    i = np.arange(1, x.shape[-1] + 1)
    return np.asarray((x**2).sum(axis=-1) / 4000 - np.cos(x / np.sqrt(i)).prod(axis=-1) + 1)


def _dixon_price(x: Array) -> Array:
    i = np.arange(2, x.shape[-1] + 1)
    steps = i * (2 * x[..., 1:] ** 2 - x[..., :-1]) ** 2
    return np.asarray((x[..., 0] - 1) ** 2 + steps.sum(axis=-1))


def _zakharov(x: Array) -> Array:
    i = np.arange(1, x.shape[-1] + 1)
    s = (0.5 * i * x).sum(axis=-1)
    return np.asarray((x**2).sum(axis=-1) + s**2 + s**4)


def _rastrigin(x: Array) -> Array:
    """With ripples of 2 where the literature has 10, which drowns the bowl."""
    return np.asarray((x**2 + 2 * (1 - np.cos(2 * np.pi * x))).sum(axis=-1))


def _trid(x: Array) -> Array:
    return np.asarray(((x - 1) ** 2).sum(axis=-1) - (x[..., 1:] * x[..., :-1]).sum(axis=-1))


def _powell(x: Array) -> Array:
    a, b, c, e = (x[..., start::4] for start in range(4))
    terms = (a + 10 * b) ** 2 + 5 * (c - e) ** 2 + (b - 2 * c) ** 4 + 10 * (a - e) ** 4
    return np.asarray(terms.sum(axis=-1))


def _ellipsoid(x: Array) -> Array:
    """Axes that are 1 to 100 times as long as the shortest, in directions that are drawn once."""
    d = x.shape[-1]
    directions, _ = np.linalg.qr(np.random.default_rng(d).standard_normal((d, d)))
    return np.asarray(((x @ directions) ** 2 * np.geomspace(1, 1e4, d)).sum(axis=-1))


def _pits(d: int) -> Pits:
    """Five pits, each narrower along some axes than along others; all drawn once."""
    generator = np.random.default_rng(d)
    centres = generator.uniform(0.1, 0.9, (5, d))
    stretches = np.exp(generator.uniform(np.log(1.5), np.log(30), (5, d)))
    return Pits(np.array([1.0, 1.5, 2.0, 2.5, 3.5]), stretches, centres)


def _cosine(x: Array) -> Array:
    """The cosine mixture (Breiman & Cutler 1993), with its sign turned and its minimum at 0."""
    return np.asarray((x**2 + 0.1 * (1 - np.cos(5 * np.pi * x))).sum(axis=-1))


# Mixed spaces: built to look like the validation errors of hyperparameters, with a minimum known by construction.


def _mixed_sum() -> Surface:
    """A sum: an error that each pair of categories has, and penalties that are 0 at the best of the others.

    Which learning rate is best depends on the optimizer and on width and depth, and too high a one is worse than too
    low a one; width makes up for depth; momentum matters for SGD only, and wants lower rates.
    """
    optimizers, schedules = ("sgd", "adam", "rmsprop"), ("constant", "step", "cosine", "linear")
    errors = np.array([[0.09, 0.03, 0.04, 0.06], [0.05, 0.04, 0.02, 0.0], [0.07, 0.11, 0.05, 0.06]])
    rates = np.array([-1.3, -3.1, -3.6])  # log10

    def heights(columns: Columns) -> Array:
        optimizer, schedule = _index(columns["optimizer"], optimizers), _index(columns["schedule"], schedules)
        width, layers = np.log2(columns["width"] / 192), columns["layers"] - 3.0
        sgd, momentum = optimizer == 0, columns["momentum"] - 0.85
        off = np.log10(columns["learning_rate"]) - rates[optimizer] + 0.15 * width + 0.1 * layers + sgd * momentum
        step = 0.25 * -np.expm1(-(off**2) * np.where(off > 0, 1.2, 0.3))
        capacity = 0.012 * (width + 0.6 * layers) ** 2 + 0.004 * layers**2
        regularity = 0.2 * (columns["dropout"] - 0.22 - 0.04 * width) ** 2
        return np.asarray(0.05 + errors[optimizer, schedule] + step + capacity + regularity + 0.1 * sgd * momentum**2)

    space = (
        real("learning_rate", 1e-5, 1, log=True),
        real("momentum", 0, 0.99),
        real("dropout", 0, 0.8),
        whole("width", 16, 1024, log=True),
        whole("layers", 1, 8),
        choice("optimizer", *optimizers),
        choice("schedule", *schedules),
    )
    # Adam doesn't look at its momentum: any is a minimiser.
    best = {"learning_rate": 10**-3.1, "momentum": 0.5, "dropout": 0.22, "width": 192, "layers": 3}
    return Surface("mixed", space, heights, {**best, "optimizer": "adam", "schedule": "linear"}, 0.05)


def _mixed_product() -> Surface:
    """A product: 1 - quality of the categories x fit of the rest, on a plateau of 1 far away from everything.

    A ridge couples the two log floats, as the regularisation and length scale of a kernel are; it lies elsewhere for
    each kernel. The degree matters only to the polynomial kernel, and ripples run along the number of components.
    """
    kernels, scalers, weights = (
        ("linear", "polynomial", "gaussian", "laplace"),
        ("none", "standard", "rank"),
        ("a", "b"),
    )
    quality = np.array([0.72, 0.9, 0.97, 0.86])[:, None] * np.array([0.7, 0.95, 0.9])
    quality[3, 2] = 0.91  # close to the best, which is (gaussian, standard), and where neither category is
    centres = np.array([[1.5, 0.0], [-0.5, -1.0], [0.8, -2.2], [0.2, -1.4]])  # log10 of penalty and scale

    def heights(columns: Columns) -> Array:
        kernel, scaler = _index(columns["kernel"], kernels), _index(columns["scaler"], scalers)
        weighted = _index(columns["weighting"], weights) == 1
        u, v = np.log10(columns["penalty"]) - centres[kernel, 0], np.log10(columns["scale"]) - centres[kernel, 1]
        v = v + 0.5 * (scaler == 0)
        degree = np.where(kernel == 1, (columns["degree"] - 3.0) ** 2, 0)
        components, extent = columns["components"] / 40 - 1, columns["subsample"] - 0.7 - 0.1 * weighted
        misfit = 0.1 * (u + v) ** 2 + 0.5 * (u - 0.5 * v) ** 2 / (1 + 0.2 * u**2) + 0.1 * degree + 1.5 * extent**2
        ripples = 0.2 * components**2 + 0.06 * np.sin(2 * np.pi * components) ** 2
        return np.asarray(1 - quality[kernel, scaler] * np.where(weighted, 1, 0.97) * np.exp(-misfit - ripples))

    space = (
        real("penalty", 1e-3, 1e4, log=True),
        real("scale", 1e-5, 10, log=True),
        real("subsample", 0.2, 1),
        whole("degree", 2, 6),
        whole("components", 4, 120),
        choice("kernel", *kernels),
        choice("scaler", *scalers),
        choice("weighting", *weights),
    )
    best = {"penalty": 10**0.8, "scale": 10**-2.2, "subsample": 0.8, "degree": 2, "components": 40}
    best_choices = {"kernel": "gaussian", "scaler": "standard", "weighting": "b"}
    return Surface("mixed-tuned", space, heights, {**best, **best_choices}, 1 - 0.97 * 0.95)


def _index(column: NDArray[Any], choices: tuple[str, ...]) -> NDArray[np.intp]:
    """Which of the choices each is."""
    return np.asarray((np.asarray(column)[..., None] == np.array(choices)).argmax(axis=-1))


def _reported() -> tuple[Surface, ...]:
    pit = [0.2016895110067055, 0.150010691823458, 0.476873974221897, 0.2753324304940561, 0.3116516166001132]
    hartmann6 = _box("hartmann6", _HARTMANN6, (0, 1), [*pit, 0.6573005340656203], -3.3223680114155148)
    return (
        _box("branin", _branin, [(-5, 10), (0, 15)], [np.pi, 2.275], 5 / (4 * np.pi)),
        _box(
            "hartmann3",
            _HARTMANN3,
            (0, 1),
            [0.114588876655069, 0.55564889461693, 0.8525469846866774],
            -3.8627797873326625,
        ),
        hartmann6,
        *(_shifted(f"ackley{d}", _ackley, 32.768, np.zeros(d)) for d in (4, 10, 20)),
        *(_shifted(f"levy{d}", _levy, 10, np.ones(d)) for d in (4, 10, 20)),
        _box("rosenbrock4", _rosenbrock, (-5, 10), np.ones(4)),
        _mixed_sum(),
        _noisy(hartmann6, 0.1),
    )


def _tuned() -> tuple[Surface, ...]:
    styblinski = _box("styblinski5", _styblinski, (-5, 5), np.full(5, -2.9035340277711771), 5 * -39.166165703771415)
    odd, even = 4.0007468682706344, 3.9995094800857736
    four = [0.49023658854822233, 0.6560867403062403, 0.8172776891529343, 0.3817009797853985]
    six = [0.7663915209650851, 0.47995642825187607, 0.21364085916270856]
    six += [0.2981090648682766, 0.24500625751452582, 0.48935616763629797]
    eight = [0.17311941861586835, 0.3996725442884822, 0.384956721235042, 0.4093270559474693]
    eight += [0.5187054842840102, 0.4726319827988641, 0.6660718236553693, 0.18450694819067673]
    pits6 = _box("pits6", _pits(6), (0, 1), six, -3.8418757124912566)
    valleys = [2.1375583658854838, np.pi / 2, 1.2942143569641791, 1.9200206815098302, 1.7194716503711992]
    return (
        _box("camel", _camel, [(-3, 3), (-2, 2)], [0.08984201310031806, -0.7126564030207396], -1.0316284534898774),
        _box("shekel4", _shekel, (0, 10), [odd, even, odd, even], -10.536443153483528),
        styblinski,
        _box("michalewicz5", _michalewicz, (0, np.pi), valleys, -4.709316981537985),
        _shifted("griewank8", _griewank, 50, np.zeros(8)),
        _shifted("dixon-price10", _dixon_price, 10, 2.0 ** (2.0 ** -np.arange(10) - 1)),
        _box("zakharov6", _zakharov, (-5, 10), np.zeros(6)),
        _shifted("rastrigin10", _rastrigin, 2.5, np.zeros(10)),
        _shifted("cosine20", _cosine, 1, np.zeros(20)),
        _mixed_product(),
        _noisy(styblinski, 7.0),
        _box("pits4", _pits(4), (0, 1), four, -4.082843424226749),
        pits6,
        _box("pits8", _pits(8), (0, 1), eight, -4.980614583986702),
        _noisy(pits6, 0.2),
        _shifted("ellipsoid8", _ellipsoid, 5, np.zeros(8)),
        _box("trid6", _trid, (-36, 36), [6, 10, 12, 12, 10, 6], -50.0),
        _shifted("powell8", _powell, 4, np.zeros(8)),
    )


REPORTED = _reported()
"""The surfaces that results are reported on: no optimizer is tuned on them."""
TUNED = _tuned()
"""The surfaces, of other families, that optimizers are developed on."""

PITS: Mapping[str, Pits] = {"hartmann3": _HARTMANN3, "hartmann6": _HARTMANN6, "pits4": _pits(4), "pits6": _pits(6)}
"""The functions of some of the surfaces, whose pits may be made shallower."""
