"""Our searchers in memory, without drivers: what they are worth while they are being developed.

Called by `scripts/bench multifidelity try`. Nothing is recorded. A suggestion is the same as in a recorded run.
"""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from benchmarks.comparing.methods import Method
from benchmarks.multifidelity.accounts import BUDGET, Journal, Record
from benchmarks.multifidelity.methods import parameters
from benchmarks.problems import Quality, fidelity_problem
from benchmarks.simulated.running import space_of
from neps._budget import Budget
from neps.samplers._registry import resolve
from neps.space import Value
from neps.testing.simulation import simulate

__all__ = ["attempt", "parsed", "try_all"]


def parsed(variant: str) -> Method:
    """The method that `SEARCHER`, `SEARCHER@good` or `SEARCHER:KEYWORD=VALUE:…` stands for."""
    text, at, prior = variant.partition("@")
    quality: Quality = "good" if prior == "good" else "bad"
    if at and prior not in {"good", "bad"}:
        raise SystemExit(f"error: the prior of {variant!r} is {prior!r}, but it must be good or bad.")
    method = Method(name=text, driver="", environment="own")
    return method.with_prior(quality) if at else method


def attempt(method: Method, problem_name: str, seed: int) -> Record:
    """A run of a method that `parsed` made."""
    problem = fidelity_problem(problem_name)
    searcher, *settings = method.argument.split(":")
    journal, resumed = Journal(problem, seed), time.process_time()

    def objective(config: Mapping[str, Value]) -> Mapping[str, float]:
        nonlocal resumed
        loss, cost = journal.evaluate(config, time.process_time() - resumed)
        resumed = time.process_time()
        return {"loss": loss, "cost": cost}

    space = space_of(parameters(problem, method.prior, seed))
    sampler = resolve(searcher.removeprefix("neps-").replace("-", "_"), space, dict(map(_setting, settings)))
    resumed = time.process_time()
    simulate(sampler, space, objective, Budget(max_cost_total=BUDGET), seed=problem.run_seed(seed))
    return journal.record(method.name, "tried")


def _setting(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def try_all(methods: Sequence[Method], problems: Sequence[str], seeds: Sequence[int], jobs: int) -> list[Record]:
    """A run of each method, problem and seed, so many at once."""
    wanted = [(method, problem, seed) for problem in problems for seed in seeds for method in methods]
    return list(_tried(wanted, jobs))


def _tried(wanted: Sequence[tuple[Method, str, int]], jobs: int) -> Iterator[Record]:
    if jobs == 1:
        yield from (attempt(*each) for each in wanted)
        return
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(attempt, *zip(*wanted, strict=True))
