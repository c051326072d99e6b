"""What a run has spent and is expected to spend, of cost and of fidelity: exact, in whatever order it becomes known."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import pytest

import neps
from neps._budget import Budget, Limit, Spending
from neps._fidelity import FidelityStep, fidelity_run, fidelity_spent
from neps._trial import Decision, Result, Status, Trial
from neps.errors import ArgumentError

SPACE = {"x": neps.Float(0, 1), "epochs": neps.Integer(1, 27, is_fidelity=True)}


def pending(number: int, fidelity: float | None = None, previous: int | None = None, **of: Any) -> Trial:
    return Trial(number=number, decision=Decision(number=number, config={}, fidelity=fidelity, previous=previous, **of))


def ended(trial: Trial, cost: float | None = None, **of: Any) -> Trial:
    result = Result.of(**{"success": True, "loss": 0.0, "cost": cost, **of})
    return Trial(number=trial.number, decision=trial.decision, result=result, status=Status.SUCCESS, spent=cost or 0.0)


def damaged(number: int, decision: Decision | None = None) -> Trial:
    return Trial(number=number, decision=decision, result=Result.of(success=False, damaged=True), status=Status.FAILED)


def spending(*trials: Trial) -> Spending:
    known = Spending()
    for trial in trials:
        known.seen(trial)
    return known


def decision(fidelity: float | None = None, previous: int | None = None) -> Decision:
    return Decision(number=99, config={}, fidelity=fidelity, previous=previous)


# Fidelity


def test_a_trial_that_continues_counts_the_difference_in_any_order() -> None:
    trials = [pending(1, 1), pending(2, 3, 1), pending(3, 9, 2), ended(pending(4, 1)), damaged(5)]
    for order in itertools.permutations(trials):
        assert spending(*order).fidelity == 10
        assert fidelity_run(order) == 10


def test_a_trial_counts_once_however_often_it_is_seen() -> None:
    trial = pending(2, 3, 1)
    assert spending(pending(1, 1), trial, ended(trial), ended(trial, success=False), trial).fidelity == 3


def test_ten_times_a_tenth_is_1() -> None:
    assert spending(*(pending(number, 0.1) for number in range(1, 11))).fidelity == 1
    assert spending(*(ended(pending(number), 0.1) for number in range(1, 11))).total == 1


@pytest.mark.parametrize(("each", "times", "all_of_them"), [(0.7, 10, 7.0), (0.3, 10, 3.0), (0.03, 11, 0.33)])
def test_decimals_use_a_budget_up_that_floats_just_miss(each: float, times: int, all_of_them: float) -> None:
    fidelity, cost = Budget(max_fidelity_total=all_of_them), Budget(max_cost_total=all_of_them)
    most = spending(*(ended(pending(number, each), each) for number in range(1, times)))
    assert most.limit(fidelity, [], expected=False) is None
    assert most.limit(cost, [], expected=False) is None
    limit = most.limit(cost, [decision(each)], expected=False)
    assert limit is not None
    assert not limit.done
    most.seen(ended(pending(times, each), each))
    for budget in (fidelity, cost):
        limit = most.limit(budget, [], expected=False)
        assert limit is not None
        assert limit.done


def test_a_number_that_is_decided_anew_counts_as_it_is_then() -> None:
    known = spending(pending(1, 1), ended(pending(2, 9, 1), 4.0), pending(3, 27, 2))
    known.gone(2)
    assert (known.fidelity, known.total, known.mean) == (28, 0, None)  # nobody knows where trial 3 begins
    known.seen(pending(2, 3))
    assert known.fidelity == 1 + 3 + 24
    known.gone(17)


def test_trials_whose_beginning_nobody_knows_begin_from_scratch() -> None:
    assert spending(damaged(1), pending(2, 3, 1), pending(3, 9, 17)).fidelity == 12
    assert FidelityStep.of(pending(1).decision, {}) is None
    assert FidelityStep(9, 3).width == 0


@pytest.mark.parametrize("trial", [ended(pending(1, 3)), pending(1, 3), damaged(1, decision(3))])
def test_fidelity_is_spent_once_it_is_decided(trial: Trial) -> None:
    known = spending(trial)
    assert known.limit(Budget(max_fidelity_total=3.5), [], expected=False) is None
    limit = known.limit(Budget(max_fidelity_total=3), [], expected=False)
    assert limit == Limit(done=True, reason="max_fidelity_total=3 is spent (3)")


def test_full_evaluations_in_both_accounts() -> None:
    spent = fidelity_spent([pending(1, 3), pending(2, 9, 1), ended(pending(3, 9), success=False), pending(4)], 9)
    assert (spent.continued, spent.from_scratch, spent.trials, spent.at_highest) == (18, 21, 3, 2)
    assert (
        str(spent) == "18, as much as 2.0 full evaluations (3 trials, 2 at the highest); "
        "2.3 if each had started from scratch"
    )
    assert str(fidelity_spent([pending(1, 3)], 9)) == "3, as much as 0.3 full evaluations (1 trial, 0 at the highest)"
    assert fidelity_run([pending(1, 1e308), pending(2, 1e308)]) == math.inf


# Expected cost


def test_the_same_step_has_cost_so_much_on_average() -> None:
    trials = [ended(pending(1, 1), 1.0), ended(pending(2, 1), 2.0), ended(pending(3, 3, 1), 7.0)]
    for order in itertools.permutations(trials):
        known = spending(*order)
        assert known.expected_cost(decision(1)) == 1.5
        assert known.expected_cost(decision(3, 2)) == 7.0
        assert known.expected_cost(decision(9, 3)) == 10.0 / 4 * 6
        assert known.expected_cost(decision(3)) == 10.0 / 4 * 3
        assert known.mean == 10.0 / 3


def test_without_a_fidelity_it_is_the_mean() -> None:
    known = spending(ended(pending(1), 1.0), ended(pending(2), 2.0), pending(3))
    assert known.expected_cost(decision()) == 1.5
    assert known.expected_cost(None) == 1.5
    assert known.expected_cost(decision(3)) == 1.5  # there is nothing to scale
    assert spending(pending(1)).expected_cost(decision()) is None


def test_a_step_of_no_width_is_expected_to_cost_the_mean() -> None:
    assert spending(ended(pending(1, 9), 4.0)).expected_cost(decision(9, 1)) == 4.0


def test_only_accounted_costs_of_successes_count() -> None:
    failed, free = ended(pending(2, 1), 5.0, success=False), ended(pending(3, 1), 5.0, account_for_cost=False)
    assert spending(ended(pending(1, 1), 1.0), failed, free, ended(pending(4, 1))).expected_cost(decision(1)) == 1.0


def test_what_nobody_had_expected_is_reserved_by_its_step() -> None:
    known = spending(ended(pending(1, 1), 1.0), ended(pending(2, 3, 1), 4.0), damaged(3, decision(1)), damaged(4))
    running = [decision(3, 1), Decision(number=98, config={}, fidelity=1, reserved_cost=10.0)]
    assert known.total == 1 + 4 + 1 + 2.5  # of the last one nothing is known but the mean
    assert known.total_with(running) == known.total + 4 + 10
    limit = known.limit(Budget(max_cost_total=20), running, expected=False)
    assert limit is not None
    assert not limit.done
    assert known.limit(Budget(max_cost_total=23), running, expected=False) is None


def test_a_trial_reserves_by_its_step(tmp_path: Path) -> None:
    def run_pipeline(x: float, epochs: int) -> dict[str, float]:
        return {"loss": x, "cost": {1: 1.0, 3: 4.0, 9: 12.0}[epochs]}

    history = neps.run(
        run_pipeline,
        tmp_path / "root",
        SPACE | {"epochs": neps.Integer(1, 9, is_fidelity=True)},
        searcher="asha",
        max_evaluations_total=12,
        seed=1,
    )
    reserved = [(t.fidelity, t.decision.reserved_cost) for t in history.trials if t.decision]
    assert reserved[:4] == [(1, None), (1, 1.0), (1, 1.0), (3, 2.0)]
    assert {cost for fidelity, cost in reserved[4:] if fidelity == 1} == {1.0}
    later = [cost for fidelity, cost in reserved[4:] if fidelity == 3]
    assert later
    assert set(later) == {4.0}


# The budget of a run


def evaluate(x: float, epochs: int) -> float:
    return x / (x > 0.2) / epochs  # which fails now and then


@pytest.mark.parametrize("searcher", ["hyperband", "asha", "random_search", "bayesian_optimization"])
def test_a_raised_budget_goes_on_where_the_run_stopped(tmp_path: Path, searcher: str) -> None:
    def search(root: Path, budget: float, **more: Any) -> neps.History:
        arguments = {"seed": 1, "post_run_summary": False, "ignore_errors": True} | more
        return neps.run(evaluate, root, SPACE, searcher=searcher, max_fidelity_total=budget, **arguments)

    at_once = search(tmp_path / "at once", 100)
    for budget in (40, 40, 100):
        in_parts = search(tmp_path / "in parts", budget)
        assert budget <= fidelity_run(in_parts.trials)
        assert fidelity_run(in_parts.trials[:-1]) < budget
    assert [trial.config for trial in in_parts.trials] == [trial.config for trial in at_once.trials]
    assert in_parts.fidelity_spent == at_once.fidelity_spent
    assert len(search(tmp_path / "at once", 1_000, max_evaluations_total=3).trials) == len(at_once.trials)


@pytest.mark.parametrize(
    ("space", "has"),
    [
        ({"x": neps.Float(0, 1)}, "but has none"),
        (
            {"a": neps.Float(1, 2, is_fidelity=True), "b": neps.Float(1, 2, is_fidelity=True)},
            r"but has the fidelities \['a', 'b'\]",
        ),
        ({"x": neps.Float(0, 1), "z": neps.Float(-1, 0, is_fidelity=True)}, "but has one with the upper bound 0"),
    ],
)
def test_a_space_whose_fidelity_counts_nothing_is_refused(tmp_path: Path, space: dict[str, Any], has: str) -> None:
    with pytest.raises(ArgumentError, match=rf"max_fidelity_total is 100\. .*{has}.*is_fidelity=True"):
        neps.run(lambda **_: 0.0, tmp_path / "root", space, searcher="random_search", max_fidelity_total=100)
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize("budget", [0, -1, math.inf, math.nan, "100", True])
def test_a_bad_budget_is_refused(tmp_path: Path, budget: Any) -> None:
    with pytest.raises(ArgumentError, match=r"max_fidelity_total is .*; it must be a finite number greater than 0"):
        neps.run(evaluate, tmp_path / "root", SPACE, max_fidelity_total=budget)
    assert not (tmp_path / "root").exists()
