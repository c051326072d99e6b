"""One run: a driver suggests, this process evaluates the problem at what fidelity it says, and a record comes out.

The protocol's other end is `benchmarks/peers/pipe.py`. `benchmarks.driving.campaign` decides what is run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from benchmarks.comparing.methods import Method
from benchmarks.driving.campaign import Request
from benchmarks.driving.driver import Driver, check_suggestion
from benchmarks.multifidelity.accounts import BUDGET, Journal, Record, TogetherJournal
from benchmarks.multifidelity.methods import parameters
from benchmarks.problems import FidelityProblem

__all__ = ["perform"]


def perform(request: Request[FidelityProblem, Method], driver: Driver) -> Record:
    """Let a started driver minimise the problem until its budget is spent; it is killed in its next suggestion.

    It is told the budget, and how many evaluations at the lowest fidelity that is.
    """
    problem, method = request.problem, request.method
    space = parameters(problem, method.prior, request.seed)
    most = math.ceil(BUDGET / problem.cost(problem.fidelity["lower"]))
    task = {"space": space, "seed": problem.run_seed(request.seed), "evaluations": most, "budget": BUDGET}
    if method.workers > 1:
        return _perform_together(request, driver, task)
    driver.send(task)
    journal = Journal(problem, request.seed, watched=method.watched)
    while not journal.full:
        message = driver.receive()
        check_suggestion(space, message["evaluate"])
        loss, cost = journal.evaluate(message["evaluate"], float(message["cpu"]))
        driver.send({"loss": loss, "cost": cost})
    return journal.record(method.name, driver.version)


def _perform_together(request: Request[FidelityProblem, Method], driver: Driver, task: Mapping[str, Any]) -> Record:
    """The same with several workers, whose results the driver waits for."""
    method = request.method
    driver.send({**task, "workers": method.workers})
    journal = TogetherJournal(request.problem, request.seed, method.workers, watched=method.watched)
    while True:
        message = driver.receive()
        if "evaluate" in message:
            check_suggestion(task["space"], message["evaluate"])
            journal.begin(message["worker"], message["evaluate"], float(message["cpu"]))
        elif journal.full:
            return journal.record(method.name, driver.version)
        else:
            worker, loss, cost = journal.wait()
            driver.send({"worker": worker, "loss": loss, "cost": cost})
