"""What a problem is: a space, a noise-free value for each of its configurations, and what is known of both.

Which problems there are is in `synthetic` and `learning`; who minimises them is not known here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Config", "Param", "Problem", "choice", "placed", "real", "whole"]

Config = Mapping[str, Any]
"""The value of each parameter, by name."""
Param = dict[str, Any]
"""A parameter as it is sent to an optimizer: JSON."""


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """A function of configurations to minimise.

    Args:
        name: unique among all problems.
        space: its parameters.
        value: the noise-free loss of a configuration.
        optimum: the smallest value that any configuration has; None where it is not known.
        noise: standard deviation of the Gaussian noise that an evaluation adds to the value.
        cost: of evaluating a configuration; in units of its own, comparable within a problem.
        observed: what an evaluation observes, where its noise depends on the configuration; `noise` is 0 then.
        drawn: the value that random search has found after so many evaluations, in the median; None where it isn't
            known.
    """

    name: str
    space: tuple[Param, ...]
    value: Callable[[Config], float]
    optimum: float | None = None
    noise: float = 0.0
    cost: Callable[[Config], float] = lambda _: 1.0
    observed: Callable[[Config, np.random.Generator], float] | None = None
    drawn: Callable[[int], float] | None = None

    @property
    def conditional(self) -> bool:
        """Whether some parameters exist only under conditions."""
        return any("active_if" in param for param in self.space)

    @property
    def noisy(self) -> bool:
        """Whether what is observed is not the value."""
        return self.noise > 0 or self.observed is not None

    def loss(self, config: Config, generator: np.random.Generator) -> float:
        """What an evaluation observes; draws from the generator only where the problem is noisy."""
        if self.observed is not None:
            return self.observed(config, generator)
        value = self.value(config)
        return value + self.noise * float(generator.standard_normal()) if self.noisy else value


def real(name: str, lower: float, upper: float, *, log: bool = False) -> Param:
    """A float within bounds."""
    return {"name": name, "type": "float", "lower": float(lower), "upper": float(upper), "log": log}


def whole(name: str, lower: int, upper: int, *, log: bool = False) -> Param:
    """An integer within bounds, both included."""
    return {"name": name, "type": "integer", "lower": lower, "upper": upper, "log": log}


def choice(name: str, *choices: str | float) -> Param:
    """One of several values without order."""
    return {"name": name, "type": "categorical", "choices": list(choices)}


def placed(param: Param, unit: float) -> Any:
    """The value at a place from 0 to 1 between a parameter's bounds. Floats have six digits."""
    if param["type"] == "categorical":
        return param["choices"][min(int(unit * len(param["choices"])), len(param["choices"]) - 1)]
    whole = param["type"] == "integer"
    lower, upper = (param["lower"] - 0.5, param["upper"] + 0.5) if whole else (param["lower"], param["upper"])
    value = lower * (upper / lower) ** unit if param["log"] else lower + unit * (upper - lower)
    return min(max(round(value), param["lower"]), param["upper"]) if whole else float(f"{value:.6g}")
