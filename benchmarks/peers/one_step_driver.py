"""The humble baseline: train all for one step, and only the best few to the end: `one_step_driver.py one-step`.

Egele et al. (2023, "Is one epoch all you need for multi-fidelity hyperparameter optimization?", arXiv 2307.15422). So
that it has an answer at any time, it goes in rounds of 5 full evaluations: 3 go to the best configurations that
haven't been trained to the end, after random ones have been trained for one step with the rest.

A method of `benchmarks.multifidelity`, run in neps's own environment; `pipe` says how the two talk.
"""

from __future__ import annotations

import random
from typing import Any

from pipe import Host, Parameter, seed_everything

_ROUND = 5.0
_FEW = 3


def main() -> None:
    """One round after the other, until the budget is spent."""
    host = Host()
    task = host.read_task("1")
    seed_everything(task.seed)
    generator, fidelity = random.Random(task.seed), task.fidelity  # noqa: S311 - no secrets
    waiting: list[tuple[float, int, dict[str, Any]]] = []
    number = 0
    for _ in task.turns:
        left, step = _ROUND - _FEW, 0.0
        while left >= step:
            number += 1
            config = {parameter["name"]: _drawn(parameter, generator) for parameter in task.searched}
            loss = host.evaluate({**config, fidelity["name"]: fidelity["lower"]})
            waiting.append((loss, number, config))
            step = host.cost
            left -= step
        waiting.sort()
        for _, _, config in waiting[:_FEW]:
            host.evaluate({**config, fidelity["name"]: fidelity["upper"]})
        del waiting[:_FEW]


def _drawn(parameter: Parameter, generator: random.Random) -> Any:
    """A value, uniformly on the parameter's own scale."""
    if parameter["type"] == "categorical":
        return generator.choice(parameter["choices"])
    half = 0.5 if parameter["type"] == "integer" else 0.0
    lower, upper, unit = parameter["lower"] - half, parameter["upper"] + half, generator.random()
    value = lower * (upper / lower) ** unit if parameter["log"] else lower + unit * (upper - lower)
    return min(max(round(value), parameter["lower"]), parameter["upper"]) if half else value


if __name__ == "__main__":
    main()
