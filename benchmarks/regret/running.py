"""One run: a driver suggests, this process evaluates the problem, and a record comes out.

The protocol's other end is `benchmarks/peers/pipe.py`. `benchmarks.driving.campaign` decides what is run.
"""

from __future__ import annotations

import zlib

import numpy as np

from benchmarks.comparing.methods import Method
from benchmarks.driving.campaign import Request
from benchmarks.driving.driver import Driver, check_suggestion
from benchmarks.driving.results import Key
from benchmarks.problems import Problem
from benchmarks.regret.record import Record

__all__ = ["perform"]


def perform(request: Request[Problem, Method], driver: Driver) -> Record:
    """Let a started driver minimise the problem."""
    problem, seed = request.problem, request.seed
    generator = np.random.default_rng([seed, zlib.crc32(problem.name.encode())])  # the same noise for each method
    losses, values, cpu = list[float](), list[float](), list[float]()
    driver.send({"space": problem.space, "seed": seed, "evaluations": request.evaluations})
    for _ in range(request.evaluations):
        message = driver.receive()
        config = message["evaluate"]
        check_suggestion(problem.space, config)
        losses.append(float(problem.loss(config, generator)))
        values.append(float(problem.value(config)) if problem.noisy else losses[-1])
        cpu.append(float(message["cpu"]))
        driver.send({"loss": losses[-1], "cost": float(problem.cost(config))})
    driver.finish()
    key = Key(problem.name, request.method.name, driver.version, seed)
    return Record(key, losses, cpu, values if problem.noisy else None)
