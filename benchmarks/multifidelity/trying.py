"""Our searchers in memory, without drivers: what they are worth while they are being developed.

Called by `scripts/bench multifidelity try`. Nothing is recorded. A suggestion is the same as in a recorded run.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from benchmarks.comparing.methods import Method
from benchmarks.comparing.trying import sampler_of
from benchmarks.multifidelity.accounts import BUDGET, Journal, Record
from benchmarks.multifidelity.methods import parameters
from benchmarks.problems import fidelity_problem
from benchmarks.simulated.running import space_of
from neps._budget import Budget
from neps.space import Value
from neps.testing.simulation import simulate

__all__ = ["attempt"]


def attempt(method: Method, problem_name: str, seed: int) -> Record:
    """A run of a method that `benchmarks.comparing.trying` made."""
    problem = fidelity_problem(problem_name)
    journal, resumed = Journal(problem, seed), time.process_time()

    def objective(config: Mapping[str, Value]) -> Mapping[str, float]:
        nonlocal resumed
        loss, cost = journal.evaluate(config, time.process_time() - resumed)
        resumed = time.process_time()
        return {"loss": loss, "cost": cost}

    space = space_of(parameters(problem, method.prior, seed))
    sampler = sampler_of(method, space)
    resumed = time.process_time()
    simulate(sampler, space, objective, Budget(max_cost_total=BUDGET), seed=problem.run_seed(seed))
    return journal.record(method.name, "tried")
