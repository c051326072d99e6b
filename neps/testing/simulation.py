"""A run in memory: a sampler, an objective and simulated workers, without files, clocks or processes.

Tests of samplers and benchmarks call it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

import numpy as np

from neps.budget import Budget, Limit, Spending
from neps.fidelity import Brackets
from neps.history import History
from neps.samplers.protocol import Done, Sampler, Suggestion, Wait
from neps.space import SearchSpace
from neps.trial import Decision, Result, Status, Trial, Value

__all__ = ["Objective", "decided", "ended", "generator_for", "simulate"]

Objective = Callable[[Mapping[str, Value]], float | Mapping[str, float] | None]
"""The loss of a configuration, or a mapping with `loss` and `cost`; None for an evaluation that fails."""


def simulate(
    sampler: Sampler, space: SearchSpace, objective: Objective, budget: int | Budget, *, seed: int = 0, workers: int = 1
) -> History:
    """Run `sampler` as `neps.run` would, with workers whose evaluations all take equally long.

    Args:
        sampler: what decides each trial.
        space: the search space.
        objective: maps a configuration to its loss, to a mapping with `loss` and `cost`, or to None where the
            evaluation fails.
        budget: the number of trials, at least 1, or a Budget; fewer are made if the sampler is done.
        seed: the run's seed.
        workers: how many trials are pending while the next is decided, plus one; at least 1.

    Returns:
        The history after all evaluations.

    Raises:
        RuntimeError: if the sampler waits though nothing is pending.

    Example:
        >>> from neps.samplers import Sobol
        >>> from neps.space import Float
        >>> history = simulate(Sobol(), SearchSpace({"x": Float(-1, 1)}), lambda config: config["x"] ** 2, 16)
        >>> len(history.trials), history.best.loss < 0.01
        (16, True)
    """
    trials: dict[int, Trial] = {}
    pending: list[int] = []
    spending, brackets = Spending(), Brackets()
    limits = Budget(max_evaluations_total=budget) if isinstance(budget, int) else budget
    while True:
        number = len(trials) + 1
        history = History(space, MappingProxyType(dict(trials)), seed, brackets)
        limit = _limit(spending, limits, number, [trials[running].decision for running in pending])
        if limit is None:
            answer = sampler.decide(history, number, limits, generator_for(seed, number))
        else:
            answer = Done(limit.reason) if limit.done else Wait(limit.reason)
        if isinstance(answer, Done):
            break
        if isinstance(answer, Suggestion):
            trials[number] = decided(space, number, answer)
            _tell(trials[number], spending, brackets)
            pending.append(number)
        elif not pending:
            raise RuntimeError(f"the sampler waits, but nothing is pending at number {number}: {answer.reason}")
        if isinstance(answer, Wait) or len(pending) == workers:
            finished = pending.pop(0)
            trials[finished] = _evaluated(trials[finished], objective)
            _tell(trials[finished], spending, brackets)
    trials |= {number: _evaluated(trials[number], objective) for number in pending}
    return History(space, MappingProxyType(trials), seed)


def generator_for(seed: int, number: int) -> np.random.Generator:
    """The generator that a sampler gets for trial `number` of a run with this seed."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(number,))))


def decided(space: SearchSpace, number: int, suggestion: Suggestion) -> Trial:
    """The pending trial that `suggestion` becomes."""
    config = MappingProxyType(dict(suggestion.config))
    fidelity = config[space.fidelity] if space.fidelity is not None else None
    decision = Decision(
        number=number,
        config=config,
        fidelity=None if fidelity is None else float(fidelity),
        bracket=suggestion.bracket,
        rung=suggestion.rung,
        slot=suggestion.slot,
        previous=suggestion.previous,
        reasons=MappingProxyType(dict(suggestion.reasons)),
    )
    return Trial(number=number, decision=decision)


def ended(trial: Trial, loss: float | None, cost: float | None = None) -> Trial:
    """The same trial after its evaluation; a loss of None means that it failed."""
    success = loss is not None
    result = Result.of(success=success, loss=loss, cost=cost, error=None if success else "the objective failed")
    status = Status.SUCCESS if success else Status.FAILED
    return Trial(number=trial.number, decision=trial.decision, result=result, status=status, spent=cost or 0.0)


def _evaluated(trial: Trial, objective: Objective) -> Trial:
    outcome = objective(trial.config)
    return ended(trial, outcome["loss"], outcome["cost"]) if isinstance(outcome, Mapping) else ended(trial, outcome)


def _tell(trial: Trial, spending: Spending, brackets: Brackets) -> None:
    spending.seen(trial)
    brackets.seen(trial)


def _limit(spending: Spending, budget: Budget, number: int, pending: Iterable[Decision | None]) -> Limit | None:
    """Why no trial may start, as a worker finds it."""
    if budget.max_evaluations_total is not None and number > budget.max_evaluations_total:
        return Limit(done=True, reason=f"max_evaluations_total={budget.max_evaluations_total} is reached")
    return spending.limit(budget, [decision for decision in pending if decision], expected=False)
