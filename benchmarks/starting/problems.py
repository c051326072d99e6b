"""Searches that follow earlier ones: a space, the part of it that was searched before, and a misleading objective."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import neps
from benchmarks.problems import problem
from neps.space import SearchSpace

__all__ = ["PROBLEMS", "Sequel"]

Loss = Callable[[Mapping[str, Any]], float]


@dataclasses.dataclass(frozen=True)
class Sequel:
    """What is minimised, `before` in a space a tenth as large, which has not the optimum, and in the whole `space` now.

    `other` is what a misleading run has minimised before: another unit, and an optimum far away.
    """

    loss: Loss
    optimum: float
    before: SearchSpace
    space: SearchSpace
    other: Loss


def _training() -> Sequel:
    """A learning rate whose best value lies a factor of two beyond the old bound, a weight decay and a momentum."""

    def loss(rate: float, decay: float, momentum: float) -> Loss:
        def height(config: Mapping[str, Any]) -> float:
            a, b = math.log10(config["rate"]) - rate, math.log10(config["decay"]) - decay
            c = config["momentum"] - momentum
            ripples = 0.02 * math.sin(3 * a) * math.sin(2 * b)
            return float(0.05 * a * a + 0.03 * b * b + 0.03 * a * b + 0.4 * c * c + ripples)

        return height

    def space(highest: float) -> SearchSpace:
        return SearchSpace(
            {
                "rate": neps.Float(1e-5, highest, log=True),
                "decay": neps.Float(1e-7, 1e-1, log=True),
                "momentum": neps.Float(0, 1),
            }
        )

    other = loss(-4.0, -2.0, 0.1)
    misleading = lambda config: 1.0 + 3.0 * other(config)  # noqa: E731
    return Sequel(loss(-1.3, -4.0, 0.7), -0.006281046689, space(1e-2), space(1e-1), misleading)


def _of(name: str, unit: float, constant: float) -> Sequel:
    """A classic: before in the lower part of each parameter, and misled by what is seen in a mirror."""
    classic = problem(name)
    bounds = {param["name"]: (param["lower"], param["upper"]) for param in classic.space}
    share = 0.1 ** (1 / len(bounds))
    before = {key: neps.Float(low, low + share * (high - low)) for key, (low, high) in bounds.items()}

    def mirrored(config: Mapping[str, Any]) -> float:
        there = {key: low + high - config[key] for key, (low, high) in bounds.items()}
        return constant + unit * classic.value(there)

    space = {key: neps.Float(low, high) for key, (low, high) in bounds.items()}
    return Sequel(classic.value, classic.optimum or 0.0, SearchSpace(before), SearchSpace(space), mirrored)


PROBLEMS: Mapping[str, Callable[[], Sequel]] = {
    "training": _training,
    "hartmann3": lambda: _of("hartmann3", 2.0, 5.0),
    "levy4": lambda: _of("levy4", 0.3, -7.0),
}
