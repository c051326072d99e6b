"""Budgets of fidelity and of cost, on pools of 1 to 8 workers with random durations."""

from __future__ import annotations

import heapq
import math
from random import Random
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neps._budget import Budget, Spending
from neps._fidelity import FidelityStep, fidelity_run
from neps._history import History
from neps._trial import Trial
from neps.samplers import Sampler
from neps.samplers._protocol import Suggestion
from neps.samplers._registry import resolve
from neps.space import Float, Integer, SearchSpace
from neps.testing.simulation import decided, ended, generator_for

SPACE = SearchSpace({"x": Float(0.0, 1.0), "epochs": Integer(1, 27, is_fidelity=True)})
SEARCHERS = ("hyperband", "successive_halving", "asha", "async_hyperband", "random_search")


def run(
    sampler: Sampler, budget: Budget, workers: int, seed: int, failing: float = 0.0, missing: float = 0.0
) -> list[Trial]:
    """Each evaluation costs as much as the fidelity that it runs; each worker waits where the budget says so.

    Some fail, and some return no cost.
    """
    random, trials, spending = np.random.default_rng(seed), dict[int, Trial](), Spending(budget.cost_if_missing)
    running: list[tuple[float, int]] = []
    now = 0.0
    while True:
        waiting = [decision for _, number in running if (decision := trials[number].decision) is not None]
        limit = spending.limit(budget, waiting, expected=False)
        if limit is None and len(running) < workers:
            number = len(trials) + 1
            assert number <= 400, "the budget is never spent"
            history = History(SPACE, MappingProxyType(dict(trials)), seed)
            answer = sampler.decide(history, number, budget, generator_for(seed, number))
            assert isinstance(answer, Suggestion)
            trials[number] = decided(SPACE, number, answer)
            spending.seen(trials[number])
            heapq.heappush(running, (now + random.exponential(), number))
        elif running:
            now, number = heapq.heappop(running)
            step = FidelityStep.of(trials[number].decision, trials)
            assert step is not None
            fails = random.random() < failing
            cost = None if missing and random.random() < missing else float(step.width)
            trials[number] = ended(trials[number], None if fails else random.random(), cost)
            spending.seen(trials[number])
        else:
            assert limit is not None
            assert limit.done, "nothing runs, so there is nothing to wait for"
            return list(trials.values())


@pytest.mark.parametrize("searcher", SEARCHERS)
@settings(max_examples=15)
@given(workers=st.integers(1, 8), seed=st.integers(0, 2**32 - 1), total=st.integers(1, 300))
def test_fidelity_exceeds_its_budget_by_less_than_the_last_trial_adds(
    searcher: str, workers: int, seed: int, total: int
) -> None:
    budget = Budget(max_fidelity_total=float(total))
    trials = run(resolve(searcher, SPACE, {}), budget, workers, seed, failing=0.2)
    assert fidelity_run(trials[:-1]) < total <= fidelity_run(trials)


@pytest.mark.parametrize("searcher", SEARCHERS)
@settings(max_examples=15)
@given(workers=st.integers(1, 8), seed=st.integers(0, 2**32 - 1), total=st.integers(1, 300))
def test_costs_that_grow_with_the_fidelity_hold_as_exactly(searcher: str, workers: int, seed: int, total: int) -> None:
    """A promotion to a rung that nobody has seen yet is expected to cost what it will."""
    trials = run(resolve(searcher, SPACE, {}), Budget(max_cost_total=float(total)), workers, seed)
    assert sum(trial.spent for trial in trials[:-1]) < total <= sum(trial.spent for trial in trials)


@settings(max_examples=30)
@given(
    workers=st.integers(1, 8), seed=st.integers(0, 2**32 - 1), total=st.integers(1, 300), missing=st.floats(0.0, 1.0)
)
def test_trials_without_a_cost_count_at_what_the_user_says(workers: int, seed: int, total: int, missing: float) -> None:
    """Here as much as the others cost, so that the budget is exact, whichever trials returned none."""
    budget = Budget(max_cost_total=float(total), cost_if_missing=27.0)
    trials = run(resolve("random_search", SPACE, {}), budget, workers, seed, missing=missing)
    assert len(trials) == math.ceil(total / 27)


@given(seed=st.integers(0, 2**32 - 1), order=st.randoms(use_true_random=False))
def test_what_is_counted_for_a_missing_cost_is_taken_back_when_a_trial_is_gone(seed: int, order: Random) -> None:
    trials = run(
        resolve("random_search", SPACE, {}), Budget(max_cost_total=200.0, cost_if_missing=3.0), 2, seed, 0, 0.5
    )
    spending = Spending(3.0)
    for trial in trials + order.sample(trials, len(trials)):
        spending.seen(trial)
    assert spending.total == sum(3.0 if trial.cost is None else trial.cost for trial in trials)
    for trial in order.sample(trials, len(trials)):
        spending.gone(trial.number)
    assert (spending.total, spending.mean) == (0.0, None)
