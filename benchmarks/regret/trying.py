"""Our searchers in memory, without drivers: what a change is worth, in seconds, beside peers that are recorded.

Called by `scripts/bench regret try`. Nothing is recorded. A suggestion is the same as in a recorded run, and so is the
noise: runs of one seed are compared in pairs.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from benchmarks.comparing.methods import Method
from benchmarks.comparing.trying import sampler_of
from benchmarks.driving.results import Key
from benchmarks.problems import problem as named
from benchmarks.regret.methods import EVALUATIONS
from benchmarks.regret.record import Record
from benchmarks.simulated.running import generator_of, space_of
from neps._budget import Budget
from neps.space import Value
from neps.testing.simulation import simulate

__all__ = ["attempt"]


def attempt(method: Method, problem_name: str, seed: int, evaluations: int = EVALUATIONS) -> Record:
    """A run of a method that `benchmarks.comparing.trying` made."""
    problem = named(problem_name)
    generator = generator_of(problem.name, seed)
    losses, values, cpu = list[float](), list[float](), list[float]()
    space = space_of(problem.space)
    sampler, resumed = sampler_of(method, space), time.process_time()

    def objective(config: Mapping[str, Value]) -> Mapping[str, float]:
        nonlocal resumed
        cpu.append(time.process_time() - resumed)
        losses.append(float(problem.loss(config, generator)))
        values.append(float(problem.value(config)) if problem.noisy else losses[-1])
        resumed = time.process_time()
        return {"loss": losses[-1], "cost": float(problem.cost(config))}

    simulate(sampler, space, objective, Budget(max_evaluations_total=evaluations), seed=seed)
    return Record(Key(problem.name, method.name, "tried", seed), losses, cpu, values if problem.noisy else None)
