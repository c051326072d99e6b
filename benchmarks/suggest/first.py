"""What `starting` runs in fresh processes: four results and a suggestion of the model, or nothing but imports.

`first.py BEGAN` prints, as JSON, how long after BEGAN the suggestion was made, how long the same takes again, and which
modules were imported. `first.py BEGAN imports` reads groups of modules from stdin and times their imports.
"""

from __future__ import annotations

import importlib
import json
import sys
import time

Seconds = tuple[float, float]
"""Of processor and wall."""

BEGAN = 0.0, float(sys.argv[1])
"""The processor's clock is of this process, the other (CLOCK_MONOTONIC) of the machine."""


def now() -> Seconds:
    """What the clocks say."""
    return time.process_time(), time.perf_counter()


def since(start: Seconds) -> Seconds:
    """Seconds since `now()` was `start`."""
    return time.process_time() - start[0], time.perf_counter() - start[1]


READY = since(BEGAN)


def suggest() -> None:
    """Make results and suggestions, twice."""
    import neps
    import neps._api  # which `neps.run` is in: files and workers aren't needed here, but any script has them
    from neps.samplers import BayesianOptimization
    from neps.space import SearchSpace
    from neps.testing.simulation import simulate

    space = SearchSpace({f"x{index}": neps.Float(0.0, 1.0) for index in range(6)})
    sampler = BayesianOptimization(initial_design_size=4)

    def run(seed: int) -> None:
        last = simulate(sampler, space, lambda config: float(config["x0"] or 0.0), 5, seed=seed).trials[-1]
        if last.decision is None or last.decision.metadata["by"] != "model":
            sys.exit(f"trial 5 is not suggested by a model: {last}")

    run(seed=0)
    made, start = since(BEGAN), now()
    run(seed=1)
    print(json.dumps({"made": made, "again": since(start), "modules": list(sys.modules)}))


def time_imports() -> None:
    """Until this program runs, and of each group."""
    times = {"Python itself": READY}
    for group, modules in json.load(sys.stdin).items():
        start = now()
        for module in modules:
            importlib.import_module(module)
        times[f"import {group}"] = since(start)
    print(json.dumps(times))


if __name__ == "__main__":
    time_imports() if "imports" in sys.argv else suggest()
