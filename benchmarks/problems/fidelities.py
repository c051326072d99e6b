"""Problems whose configurations can be evaluated at lower fidelities, which are cheaper and less exact.

What such a problem is, and MF-Hartmann with relatives of it; tasks that really train are in `curves`. A loss is a
constant of seed, configuration and fidelity: all methods see the same, whatever they evaluate before.
"""

from __future__ import annotations

import dataclasses
import math
import zlib
from collections.abc import Callable
from typing import Literal, Protocol

import numpy as np

from benchmarks.problems import synthetic
from benchmarks.problems.problem import Config, Param, whole

__all__ = ["REPORTED", "TUNED", "Evaluator", "FidelityProblem", "Quality", "moved"]

Quality = Literal["good", "bad"]
"""Of a prior: whether its centre is near the optimum."""

_STEP, _SAMPLES = 0.1, 20  # as in `benchmarks.simulated.priors`


class Evaluator(Protocol):
    """What one run sees of a problem."""

    def loss(self, config: Config, fidelity: int) -> float:
        """What an evaluation observes."""

    def value(self, config: Config) -> float:
        """The loss at the highest fidelity, without noise: what a configuration is judged by."""


@dataclasses.dataclass(frozen=True, slots=True)
class FidelityProblem:
    """A function of configurations and a fidelity, to minimise at the highest.

    Args:
        name: unique among all problems.
        space: its parameters, without the fidelity.
        fidelity: the integer that is the fidelity.
        cost: of an evaluation at a fidelity from scratch: 1 at the highest.
        evaluator: what a run that is seeded so sees.
        default: the centre of a good or bad prior, for a run that is seeded so.
        optimum: the smallest value that any configuration has; None where it is not known.
    """

    name: str
    space: tuple[Param, ...]
    fidelity: Param
    cost: Callable[[int], float]
    evaluator: Callable[[int], Evaluator]
    default: Callable[[Quality, int], Config]
    optimum: float | None = None

    @property
    def conditional(self) -> bool:
        """Whether some parameters exist only under conditions."""
        return any("active_if" in param for param in self.space)

    def run_seed(self, seed: int) -> int:
        """What a run is seeded with, so that the same seed isn't the same luck on each of several similar problems."""
        return zlib.crc32(f"{self.name} {seed}".encode()) % 2**31


def moved(space: tuple[Param, ...], config: Config, seed: int) -> Config:
    """The configuration, with each number moved by a normal step of 10 % of its scaled range, within the bounds."""
    generator = np.random.default_rng([seed, zlib.crc32(str([param["name"] for param in space]).encode())])
    return {param["name"]: _moved(param, config[param["name"]], generator.standard_normal()) for param in space}


def _moved(param: Param, value: float | str, step: float) -> float | str:
    if param["type"] == "categorical" or isinstance(value, str):
        return value
    lower, upper = param["lower"], param["upper"]
    number = value * (upper / lower) ** (_STEP * step) if param["log"] else value + _STEP * step * (upper - lower)
    number = min(max(number, lower), upper)
    return round(number) if param["type"] == "integer" else float(number)


@dataclasses.dataclass(frozen=True, slots=True)
class _Preset:
    """How wrong a low fidelity is: by how much pits are `filled`, and the scale of one-sided `noise`."""

    filled: float
    noise: float


_PRESETS = {
    "good": _Preset(2.5, 2.0),
    "moderate": _Preset(3.0, 3.0),
    "bad": _Preset(3.5, 4.0),
    "terrible": _Preset(4.0, 5.0),
}
_TOP = 100


def _completeness(fidelity: int) -> float:
    """1 at the highest fidelity."""
    return math.log(fidelity) / math.log(_TOP)


@dataclasses.dataclass(frozen=True, slots=True)
class _Filled:
    """Gaussian pits that are shallower at low fidelities, with noise that is only ever above the value."""

    pits: synthetic.Pits
    names: tuple[str, ...]
    preset: _Preset
    seed: int

    def loss(self, config: Config, fidelity: int) -> float:
        """See `Evaluator`."""
        missing = 1 - _completeness(fidelity)
        point = self._point(config)
        text = f"{self.seed} {fidelity} {point.tolist()}"
        noise = abs(np.random.default_rng(zlib.crc32(text.encode())).standard_normal())
        return float(self.pits(point, self.preset.filled * missing)) + self.preset.noise * missing * float(noise)

    def value(self, config: Config) -> float:
        """See `Evaluator`."""
        return float(self.pits(self._point(config)))

    def _point(self, config: Config) -> synthetic.Array:
        return np.array([config[name] for name in self.names], dtype=float)


def _filled(surface: synthetic.Surface, kind: str) -> FidelityProblem:
    """The MF-Hartmann of the PriorBand paper (Mallik et al. 2023, appendix D), over these pits."""
    pits, names = synthetic.PITS[surface.name], tuple(param["name"] for param in surface.space)

    def default(quality: Quality, seed: int) -> Config:
        """Near the minimiser, or the worst of 20 random configurations."""
        if quality == "good":
            return moved(surface.space, surface.minimiser, seed)
        points = np.random.default_rng([seed, zlib.crc32(surface.name.encode())]).random((_SAMPLES, len(names)))
        return dict(zip(names, points[np.argmax(pits(points))].tolist(), strict=True))

    return FidelityProblem(
        f"mf-{surface.name}-{kind}",
        surface.space,
        whole("z", 3, _TOP),
        lambda fidelity: 0.05 + 0.95 * (fidelity / _TOP) ** 2,
        lambda seed: _Filled(pits, names, _PRESETS[kind], seed),
        default,
        surface.minimum,
    )


def _all(surfaces: tuple[synthetic.Surface, ...]) -> tuple[FidelityProblem, ...]:
    return tuple(_filled(surface, kind) for surface in surfaces if surface.name in synthetic.PITS for kind in _PRESETS)


REPORTED = _all(synthetic.REPORTED)
"""MF-Hartmann 3 and 6: no optimizer is tuned on them."""
TUNED = _all(synthetic.TUNED)
"""The same over other pits."""
