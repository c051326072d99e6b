"""Cost cooling: how much costs count, what is learnt of them, and that it is worth it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

import neps
from neps._budget import Budget
from neps._history import History
from neps._models import fitting
from neps._models.gaussian_process import GaussianProcess, Hyperparameters
from neps._models.terms import PredictedMean
from neps._trial import Result, Status, Trial
from neps.errors import ArgumentError
from neps.samplers import BayesianOptimization, CostCooling, Sampler, Sobol, Suggestion
from neps.samplers._model_based import proposal
from neps.samplers._model_based.axes import axes_of
from neps.space import Float, SearchSpace, Value
from neps.testing.simulation import decided, ended, generator_for, simulate

PLANE = SearchSpace({"x": Float(0.0, 1.0), "y": Float(0.0, 1.0)})
Outcome = tuple[float | None, float | None]


def _history(outcomes: Sequence[Outcome], *, pending: int = 0) -> History:
    """Trials at the points of a Sobol sequence, with losses and costs; the first 3 are the initial design."""
    trials: dict[int, Trial] = {}
    for number in range(1, len(outcomes) + pending + 1):
        answer = Sobol().decide(History(PLANE, {}), number, Budget(), generator_for(0, number))
        by = "initial design" if number <= 3 else "model"
        trial = decided(PLANE, number, dataclasses.replace(answer, metadata={"by": by}))
        trials[number] = ended(trial, *outcomes[number - 1]) if number <= len(outcomes) else trial
    return History(PLANE, MappingProxyType(trials))


def _changed(history: History, number: int, **fields: Any) -> History:
    """The same history with another result of one trial."""
    trial = history.by_number[number]
    assert trial.outcome is not None
    outcome = dataclasses.replace(trial.outcome, **fields)
    status = Status.SUCCESS if outcome.success else Status.FAILED
    changed = dataclasses.replace(trial, result=Result(outcome), status=status)
    return History(PLANE, MappingProxyType({**history.by_number, number: changed}))


def _suggestion(history: History, total: float | None = None, sampler: Sampler | None = None) -> Suggestion:
    number = len(history.trials) + 1
    budget = Budget(max_cost_total=total)
    answer = (sampler or CostCooling()).decide(history, number, budget, generator_for(0, number))
    assert isinstance(answer, Suggestion)
    return answer


def _exponent(history: History, total: float | None) -> float:
    return float(_suggestion(history, total).metadata["cost_exponent"])


LEARNT = [(3.0, 2.0), (1.0, 4.0), (2.0, 1.0), (4.0, 8.0), (0.5, 3.0)]  # costs: 7 by the initial design, 18 in all

# ------------------------------------------------------------------------------------------- how much costs count: α


def test_it_falls_from_1_after_the_initial_design_to_0_at_the_end() -> None:
    assert _exponent(_history(LEARNT[:3]), 29.0) == 1.0
    assert _exponent(_history(LEARNT), 29.0) == pytest.approx(11 / 22)
    assert _exponent(_history(LEARNT), 18.5) == pytest.approx(0.5 / 11.5)
    assert _exponent(_history(LEARNT), 18.0) == _exponent(_history(LEARNT), 10.0) == 0.0


def test_a_raised_budget_raises_it_again() -> None:
    exponents = [_exponent(_history(LEARNT), total) for total in (18.0, 29.0, 51.0, 1e9)]
    assert exponents == pytest.approx([0.0, 11 / 22, 33 / 44, 1.0], abs=1e-6)


def test_an_initial_design_that_has_spent_all_leaves_0_until_the_budget_is_raised() -> None:
    assert _exponent(_history(LEARNT[:3]), 6.0) == _exponent(_history(LEARNT[:3]), 7.0) == 0.0
    assert _exponent(_history(LEARNT[:3]), 8.0) == 1.0


def test_running_trials_are_expected_to_cost_what_others_did() -> None:
    assert _exponent(_history(LEARNT, pending=2), 29.0) == pytest.approx((11 - 2 * 18 / 5) / 22)


def test_the_cost_of_failures_is_spent() -> None:
    assert _exponent(_history([*LEARNT, (None, 5.0)]), 29.0) == pytest.approx(6 / 22)


def test_a_budget_without_limit_is_never_used_up() -> None:
    assert _exponent(_history(LEARNT), None) == 1.0


# -------------------------------------------------------------------------------------------- what is learnt of costs


def _of_costs(cost: Callable[[Mapping[str, Value]], float | None]) -> History:
    """8 trials with losses that are good at x = 0.3, y = 0.6."""
    outcomes: list[Outcome] = []
    for trial in _history([(0.0, 1.0)] * 8).trials:
        x, y = (float(trial.config[name] or 0.0) for name in ("x", "y"))
        outcomes.append(((x - 0.3) ** 2 + (y - 0.6) ** 2, cost(trial.config)))
    return _history(outcomes)


def _exponentially(config: Mapping[str, Value]) -> float:
    return math.pow(10.0, 2.0 * float(config["x"] or 0.0))


def test_what_is_added_is_the_logarithm_of_the_cost_times_minus_the_exponent(monkeypatch: pytest.MonkeyPatch) -> None:
    terms: list[PredictedMean] = []

    def propose(history: History, _: object, term: Any, exploration: float) -> Suggestion:
        assert exploration == 1.0
        terms.append(term(axes_of(history.space), history.trials, None))
        return Suggestion(config=history.trials[0].config)

    monkeypatch.setattr(proposal, "propose", propose)
    history = _of_costs(_exponentially)
    initial = sum(trial.cost or 0.0 for trial in history.trials[:3])
    budget = initial + 2.0 * (history.total_cost - initial)
    for total, exponent in ((None, 1.0), (budget, 0.5)):
        _suggestion(history, total)
        left, right = terms.pop()(np.array([[0.2, 0.5], [0.8, 0.5]]))
        assert right - left == pytest.approx(-exponent * math.log(10.0) * 2.0 * 0.6, rel=0.05)


@pytest.mark.parametrize("cost", [0.0, None, math.nan, math.inf])
def test_costs_that_tell_nothing_leave_bayesian_optimization(cost: float | None) -> None:
    history = _of_costs(lambda _: cost)
    assert _suggestion(history).config == _suggestion(history, sampler=BayesianOptimization()).config


def test_costs_that_are_all_the_same_change_nothing() -> None:
    assert _suggestion(_of_costs(lambda _: 7.0)).config == _suggestion(_of_costs(lambda _: 1.0)).config


def test_a_cheap_region_is_preferred_as_long_as_there_is_a_budget() -> None:
    history = _of_costs(_exponentially)
    early, late = _suggestion(history, 1e9), _suggestion(history, 1.0)
    assert _exponentially(early.config) < 0.9 * _exponentially(late.config)
    assert late.config == _suggestion(history, sampler=BayesianOptimization()).config


def test_the_unit_of_costs_does_not_matter() -> None:
    first, *others = (
        _suggestion(_of_costs(lambda config, unit=unit: unit * _exponentially(config))).config  # type: ignore[misc]
        for unit in (1.0, 2.0**40, 2.0**-40)
    )
    for other in others:
        np.testing.assert_allclose(PLANE.encode(other), PLANE.encode(first), atol=1e-3)


@pytest.mark.parametrize(
    "fields",
    [
        {"success": False, "loss": None, "cost": 1e6},
        {"success": False, "loss": None, "cost": None},
    ],
)
def test_what_a_failure_cost_says_nothing_of_its_configuration(fields: dict[str, Any]) -> None:
    history = _of_costs(_exponentially)
    failed = _changed(history, 4, success=False, loss=None, cost=1.0)
    assert _suggestion(_changed(history, 4, **fields)).config == _suggestion(failed).config


@pytest.mark.parametrize("cost", [1e6, math.nan, math.inf, None])
def test_costs_that_do_not_count_are_not_learnt(cost: float | None) -> None:
    history = _of_costs(_exponentially)
    unknown = _changed(history, 4, cost=None)
    counted = cost != 1e6
    assert _suggestion(_changed(history, 4, cost=cost, account_for_cost=counted)).config == _suggestion(unknown).config


def test_a_cost_of_nothing_counts_as_the_lowest_that_was_seen() -> None:
    lowest = min(trial.cost or 0.0 for trial in _of_costs(_exponentially).trials)
    history = _of_costs(_exponentially)
    assert _suggestion(_changed(history, 4, cost=0.0)).config == _suggestion(_changed(history, 4, cost=lowest)).config


def test_the_cost_model_learns_from_100_results_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, fit = [], fitting.fit

    def watched(X: np.ndarray, *arguments: Any) -> GaussianProcess:
        seen.append(X)
        return fit(X, *arguments)

    monkeypatch.setattr(fitting, "fit", watched)
    history = _history([(0.01 * number, 1.0 + number) for number in range(130)])
    _suggestion(history)
    assert [len(X) for X in seen] == [100]
    np.testing.assert_array_equal(seen[0][[0, -1]], [PLANE.encode(history.trials[at].config) for at in (0, -1)])


def test_the_gradient_of_the_cost_is_its_slope() -> None:
    generator = np.random.default_rng(0)
    choices, X = np.array([0, 0, 3]), generator.random((7, 3))
    X[:, 2] = (np.floor(3.0 * X[:, 2]) + 0.5) / 3.0
    hyperparameters = Hyperparameters(np.array([0.4, 0.7, 1.0]), effects=np.full(4, 0.3))
    term = PredictedMean(GaussianProcess(X, generator.standard_normal(7), choices, hyperparameters), -0.7)
    Z = np.array([[0.3, 0.4, 0.5], [0.9, 0.1, 1 / 6]])
    values, gradients = term.with_gradient(Z)
    np.testing.assert_allclose(values, term(Z), rtol=1e-12)
    for j, step in enumerate(1e-6 * np.eye(3)[:2]):
        np.testing.assert_allclose(gradients[:, j], (term(Z + step) - term(Z - step)) / 2e-6, rtol=1e-6)
    assert (gradients[:, 2] == 0.0).all()


# ----------------------------------------------------------------------------------------------- whether it's worth it


def _two_wells(config: Mapping[str, Value]) -> dict[str, float]:
    """The well on the right is a little deeper, and 16 times as expensive."""
    x, y = (float(config[name] or 0.0) for name in ("x", "y"))
    left, right = (x - 0.2) ** 2 + (y - 0.3) ** 2, (x - 0.8) ** 2 + (y - 0.6) ** 2
    loss = 1.0 - 0.95 * math.exp(-12.0 * left) - math.exp(-12.0 * right)
    return {"loss": loss, "cost": 0.1 * _exponentially(config)}


def _spent_until(history: History, loss: float) -> float:
    spent = 0.0
    for trial in history.trials:
        spent += trial.cost or 0.0
        if trial.loss is not None and trial.loss <= loss:
            return spent
    return math.inf


def test_a_good_loss_is_reached_at_less_cost_and_the_best_in_the_end() -> None:
    budget, seeds = Budget(max_cost_total=60.0), range(5)
    cooled = [simulate(CostCooling(), PLANE, _two_wells, budget, seed=seed) for seed in seeds]
    plain = [simulate(BayesianOptimization(), PLANE, _two_wells, budget, seed=seed) for seed in seeds]
    spent = [np.mean([_spent_until(history, 0.06) for history in histories]) for histories in (cooled, plain)]
    assert spent[0] < 0.7 * spent[1]
    for history in cooled:
        costs = [trial.cost or 0.0 for trial in history.trials]
        third = len(costs) // 3
        assert np.median(costs[3:third]) < 0.6 * np.median(costs[-third:])
        assert history.best is not None
        assert history.best.loss == pytest.approx(-0.0044, abs=5e-3)


# ------------------------------------------------------------------------------------------------------- its budget


def _run(root: Path, **arguments: Any) -> History:
    return neps.run(_two_wells_called, root, dict(PLANE.parameters), progress=False, **arguments)


def _two_wells_called(x: float, y: float) -> dict[str, float]:
    return _two_wells({"x": x, "y": y})


@pytest.mark.parametrize("searcher", ["cost_cooling", CostCooling()])
def test_it_needs_a_cost_budget_before_anything_is_written(tmp_path: Path, searcher: str | Sampler) -> None:
    with pytest.raises(ArgumentError, match=r"searcher 'cost_cooling' needs max_cost_total.*Pass max_cost_total=…"):
        _run(tmp_path / "root", searcher=searcher, max_evaluations_total=5)
    assert not (tmp_path / "root").exists()


def test_a_restart_needs_one_too_and_may_raise_it(tmp_path: Path) -> None:
    spent = _run(tmp_path, searcher="cost_cooling", max_cost_total=3.0, seed=1).total_cost
    for searcher in ("cost_cooling", "default"):
        with pytest.raises(ArgumentError, match="needs max_cost_total"):
            _run(tmp_path, searcher=searcher, max_evaluations_total=100)
    history = _run(tmp_path, max_cost_total=12.0)
    assert spent < history.total_cost >= 12.0
    exponents = [trial.decision.metadata.get("cost_exponent", 1.0) for trial in history.trials if trial.decision]
    assert 0.0 < exponents[-1] < 1.0


def test_so_does_one_that_a_hook_brings(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="needs max_cost_total"):
        _run(tmp_path, searcher="sobol", max_evaluations_total=2, pre_load_hooks=[lambda _: CostCooling()])


# ----------------------------------------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"initial_design_size": 0}, "initial_design_size must be a whole number of at least 1, or None, not 0"),
        ({"sample_default_first": 1}, "sample_default_first must be True or False, not 1"),
        ({"random_interleave_prob": 1.5}, "random_interleave_prob must be a number from 0 to 1, not 1.5"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        CostCooling(**settings)


def test_the_default_first_needs_a_default() -> None:
    with pytest.raises(ArgumentError, match="sample_default_first=True needs a default"):
        CostCooling(sample_default_first=True).check(PLANE)
