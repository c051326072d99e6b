"""HEBO, sequentially, with its own defaults: `hebo_driver.py hebo`.

A method of `benchmarks.regret`, run in an environment of its own; `pipe` says how the two talk.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from pipe import Host, Parameter, by_index, from_index, preload, seed_everything

_KINDS = {("float", False): "num", ("float", True): "pow", ("integer", False): "int", ("integer", True): "pow_int"}


def main() -> None:
    """Suggest and observe, as often as the task says."""
    host = Host()
    import numpy as np
    from hebo.design_space.design_space import DesignSpace
    from hebo.optimizers.hebo import HEBO

    preload("sympy", "torch._dynamo")
    space, seed, evaluations, *_ = host.read_task(version("HEBO"))
    seed_everything(seed)
    optimizer = HEBO(DesignSpace().parse([_definition(parameter) for parameter in by_index(space)]), scramble_seed=seed)
    for _ in range(evaluations):
        suggested = optimizer.suggest(n_suggestions=1)
        loss = host.evaluate(from_index(space, suggested.to_dict("records")[0]))
        optimizer.observe(suggested, np.array([[loss]]))


def _definition(parameter: Parameter) -> dict[str, Any]:
    if parameter["type"] == "categorical":
        return {"name": parameter["name"], "type": "cat", "categories": parameter["choices"]}
    kind = _KINDS[parameter["type"], parameter["log"]]
    return {"name": parameter["name"], "type": kind, "lb": parameter["lower"], "ub": parameter["upper"]}


if __name__ == "__main__":
    main()
