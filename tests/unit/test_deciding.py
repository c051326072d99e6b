"""The decision core: the order of budgets, what is asked of a sampler, and what a run in memory keeps up."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import attrs
import numpy as np
import pytest

from neps._budget import Budget, Limit, Spending
from neps._deciding import InMemory, Request, decide, generator_for, is_independent
from neps._history import History
from neps._outcome import Outcome
from neps._trial import Decision, Trial
from neps.errors import ArgumentError, NepsError, ReturnValueError, SamplerError, SpaceError
from neps.samplers import ASHA, BayesianOptimization, RandomSearch, Sampler, Sobol, Suggestion
from neps.samplers._protocol import Wait
from neps.space import Categorical, Float, Integer, SearchSpace
from neps.testing.simulation import ended, simulate

SPACE = SearchSpace({"x": Float(0, 1)})
EPOCHS = SearchSpace({"x": Float(0, 1), "epochs": Integer(1, 9, is_fidelity=True)})


class Asked(Sampler):
    """Answers what a test says, and counts how often it was asked."""

    independent: ClassVar[bool] = False

    def __init__(self, answer: Any = None) -> None:
        self.answer, self.times = answer, 0

    def settings(self) -> dict[str, Any]:
        return {}

    def decide(self, history: History, number: int, budget: Budget, generator: np.random.Generator) -> Any:
        del number, budget
        self.times += 1
        return self.answer or Suggestion(config=history.space.sample(generator))


def trial(number: int, cost: float | None = None, *, over: bool = True, fidelity: float | None = None) -> Trial:
    decision = Decision(number=number, config={"x": number / 10}, fidelity=fidelity)
    known = Trial(number=number, decision=decision)
    return ended(known, 0.5, cost) if over else known


def request(*trials: Trial, number: int | None = None, space: SearchSpace = SPACE, **more: Any) -> Request:
    spending = Spending()
    for known in trials:
        spending.seen(known)
    return Request(
        history=History(space, {known.number: known for known in trials}, seed=3),
        number=number or len(trials) + 1,
        spending=spending,
        pending=[known.decision for known in trials if known.decision and not known.ended],
        **{"budget": Budget()} | more,
    )


def refused(asked: Request) -> Limit:
    sampler = Asked()
    answer = decide(sampler, asked)
    assert isinstance(answer, Limit)
    assert sampler.times == 0
    return answer


def test_the_number_comes_before_the_fidelity_and_that_before_the_cost() -> None:
    spent = [trial(1, 5.0, fidelity=9.0), trial(2, 5.0, fidelity=9.0)]
    budget = Budget(max_evaluations_total=2, max_fidelity_total=18, max_cost_total=10)
    said = []
    for name in ("max_evaluations_total", "max_fidelity_total", "max_cost_total"):
        answer = refused(request(*spent, space=EPOCHS, budget=budget))
        assert answer.done
        said.append(answer.reason.split("=")[0])
        budget = dataclasses.replace(budget, **{name: None})
    assert said == ["max_evaluations_total", "max_fidelity_total", "max_cost_total"]


def test_the_first_cost_is_waited_for_unless_one_is_expected() -> None:
    budget = Budget(max_cost_total=10)
    answer = refused(request(trial(1, over=False), budget=budget))
    assert (answer.done, answer.first_cost_of) == (False, 1)
    assert isinstance(decide(Asked(), request(trial(1, over=False), budget=budget, expected_cost=2.0)), Decision)
    assert isinstance(decide(Asked(), request(trial(1, 2.0), trial(2, over=False), budget=budget)), Decision)


def test_who_waited_for_a_first_cost_that_never_came_is_done() -> None:
    budget = Budget(max_cost_total=10)
    assert isinstance(decide(Asked(), request(trial(1), budget=budget)), Decision)
    answer = refused(request(trial(1), budget=budget, awaited=1))
    assert answer.done
    assert answer.reason.startswith("trial 1 returned no cost, which max_cost_total=10 needs.")
    assert isinstance(decide(Asked(), request(trial(1), trial(2, 1.0), budget=budget, awaited=1)), Decision)
    assert refused(request(trial(1, over=False), budget=budget, awaited=1)).done is False


def test_what_pending_trials_are_expected_to_cost_is_reserved() -> None:
    budget = Budget(max_cost_total=4)
    known = [trial(1, 2.0), trial(2, over=False)]
    assert refused(request(*known, budget=budget)).done is False
    assert isinstance(decide(Asked(), request(*known, budget=dataclasses.replace(budget, max_cost_total=5))), Decision)


def test_a_decision_is_a_function_of_its_request() -> None:
    asked = request(trial(1, 2.0), trial(2, over=False), seen_results=1)
    first, second = decide(RandomSearch(), asked), decide(RandomSearch(), asked)
    assert isinstance(first, Decision)
    assert first == second
    assert first.config == SPACE.sample(generator_for(3, 3))
    assert (first.number, first.seen_results, first.reserved_cost) == (3, 1, 2.0)
    assert (first.worker, first.claimed) == ("", None)
    other = decide(RandomSearch(), attrs.evolve(asked, number=4))
    assert isinstance(other, Decision)
    assert other.config != first.config
    assert other.seed != first.seed


def test_a_spare_decision_is_used_unless_somebody_has_decided_the_same() -> None:
    spare = Decision(number=2, config={"x": 0.3}, metadata={"by": "the model"}, seed=1, reserved_cost=9.0)
    sampler = Asked()
    answer = decide(sampler, request(trial(1, 2.0), trial(2, 2.0), spare=spare))
    assert isinstance(answer, Decision)
    assert (answer.number, answer.config, answer.metadata, sampler.times) == (3, {"x": 0.3}, {"by": "the model"}, 0)
    assert (answer.seed != 1, answer.reserved_cost) == (True, 2.0)
    decide(sampler, request(trial(1), trial(2), trial(3), spare=spare))
    assert sampler.times == 1


def test_a_sampler_waits_or_is_done_for_its_own_reasons() -> None:
    answer = decide(Asked(Wait("more results")), request())
    assert answer == Limit(done=False, reason="more results")


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ("a text", SamplerError, r"Asked\.decide returned 'a text'; it must be a Suggestion, Wait or Done\."),
        (Suggestion(config=0.5), SamplerError, r"the config 0\.5; it must be a mapping"),  # type: ignore[arg-type]
        (Suggestion(config={"x": 2.0}), SpaceError, "'x'"),
        (Suggestion(config={"y": 0.5}), SpaceError, "'y'"),
        (Suggestion(config={"x": 0.5}, previous=1), SamplerError, "trial 1 continue trial 1, which doesn't exist"),
        (Suggestion(config={"x": 0.5}, metadata=[1]), SamplerError, "metadata"),  # type: ignore[arg-type]
    ],
)
def test_an_answer_that_none_may_give_is_refused(answer: object, error: type[NepsError], words: str) -> None:
    with pytest.raises(error, match=words):
        decide(Asked(answer), request())


def test_where_numbers_come_in_any_order_nothing_is_known_of_earlier_ones() -> None:
    answer = decide(Asked(Suggestion(config={"x": 0.5}, previous=1)), request(number=3, independent=True))
    assert isinstance(answer, Decision)
    assert answer.previous == 1


@pytest.mark.parametrize(
    ("budget", "independent"),
    [(Budget(max_evaluations_total=3), True), (Budget(max_cost_total=3), False), (Budget(max_fidelity_total=3), False)],
)
def test_numbers_come_in_any_order_unless_a_budget_needs_them_in_turn(budget: Budget, independent: bool) -> None:  # noqa: FBT001
    assert is_independent(RandomSearch(), budget) == independent
    assert not is_independent(BayesianOptimization(), budget)


# In memory


def test_a_simulation_reserves_as_workers_do() -> None:
    """What was reserved stays: 4 for the first three, though the costs turn out to be 1."""
    history = simulate(
        RandomSearch(),
        SPACE,
        lambda _: {"loss": 0.0, "cost": 1.0},
        Budget(max_cost_total=10),
        workers=5,
        expected_cost=4.0,
    )
    assert [trial.decision.reserved_cost for trial in history if trial.decision] == [4.0] * len(history)
    seen = [trial.decision.seen_results for trial in history if trial.decision]
    assert seen[:3] == [0, 0, 0]
    assert seen[3] > 0  # a fourth waits, since 12 are reserved


def test_without_an_expected_cost_the_first_trial_is_alone() -> None:
    history = simulate(RandomSearch(), SPACE, lambda _: {"loss": 0.0, "cost": 1.0}, Budget(max_cost_total=9), workers=4)
    assert [trial.decision.seen_results for trial in history if trial.decision][:6] == [0, 1, 1, 1, 1, 2]


def test_a_simulated_success_without_a_cost_is_refused_or_counts_at_what_was_said() -> None:
    with pytest.raises(ReturnValueError, match=r"trial 1 returned the loss 0\.5, but no cost, which max_cost_total=2"):
        simulate(RandomSearch(), SPACE, lambda _: 0.5, Budget(max_cost_total=2))
    history = simulate(RandomSearch(), SPACE, lambda _: 0.5, Budget(max_cost_total=2, cost_if_missing=0.5))
    assert [trial.cost for trial in history] == [0.5] * 4


def test_a_simulated_failure_costs_what_was_said() -> None:
    history = simulate(RandomSearch(), SPACE, lambda _: None, Budget(max_cost_total=2, cost_if_missing=0.5))
    assert [(trial.succeeded, trial.cost) for trial in history] == [(False, 0.5)] * 4


def test_a_run_in_memory_lends_what_it_keeps_up_and_hands_out_copies() -> None:
    run = InMemory(ASHA(), EPOCHS, 1, Budget())
    first = run.claim()
    assert isinstance(first, Trial)
    before = run.history
    run.publish(1, Outcome(success=True, loss=0.5))
    assert [trial.ended for trial in before] == [False]
    assert [trial.ended for trial in run.history] == [True]
    assert run.pending == {}


def test_a_sampler_cannot_change_what_is_known() -> None:
    class Meddler(Asked):
        def decide(self, *arguments: Any) -> Any:
            known: Any = arguments[0].by_number
            known[7] = None

    with pytest.raises(TypeError):
        InMemory(Meddler(), SPACE, 1, Budget()).claim()


@pytest.mark.parametrize("answer", [None, "x", -1])
def test_an_expected_cost_that_is_none_is_refused_in_memory_too(answer: Any) -> None:
    with pytest.raises(ArgumentError, match="expected_cost returned"):
        InMemory(RandomSearch(), SPACE, 1, Budget(), expected_cost=lambda _: answer).claim()


def test_a_configuration_that_is_not_of_the_space_names_sampler_and_trial() -> None:
    class OffGrid(Sobol):
        def decide(self, *_: Any) -> Suggestion:
            return Suggestion(config={"x": 0.65})

    with pytest.raises(SpaceError, match=r"OffGrid\.decide gives trial 1 .*: Parameter .x.: the value is 0.65"):
        simulate(OffGrid(), SearchSpace({"x": Float(0, 1, step=0.1)}), lambda config: config["x"], 1)


def test_a_simulation_refuses_what_a_run_refuses() -> None:
    with pytest.raises(ArgumentError, match="a multi-fidelity searcher needs one fidelity"):
        simulate(ASHA(), SearchSpace({"x": Float(0, 1)}), lambda config: config["x"], 1)


def test_a_simulated_objective_gets_named_objects() -> None:
    space = SearchSpace({"net": Categorical({"small": list, "large": dict})})
    got: list[Any] = []

    def objective(config: Any) -> float:
        got.append(config["net"])
        return 0.5

    simulate(Sobol(), space, objective, 4)
    assert set(got) == {list, dict}
