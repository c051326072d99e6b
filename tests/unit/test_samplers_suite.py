"""The contract suite catches samplers that break it, and the simulation runs as `neps.run` would."""

# ruff: noqa: ARG002 - samplers that are broken on purpose ignore what they are given

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest

from neps._budget import Budget
from neps._history import History
from neps._trial import Place
from neps.errors import ArgumentError
from neps.samplers import Done, RandomSearch, Sampler, Suggestion, Wait
from neps.space import Float, SearchSpace
from neps.testing.samplers import SamplerContract
from neps.testing.simulation import generator_for, simulate

SPACE = SearchSpace({"x": Float(0.0, 1.0)})


class _Good(Sampler):
    """Random search, to be broken in one way by each subclass."""

    def settings(self) -> dict[str, Any]:
        return {}

    def decide(
        self, history: History, number: int, budget: Budget, generator: np.random.Generator
    ) -> Suggestion | Wait | Done:
        return Suggestion(config=history.space.sample(generator))


class _Counting(_Good):
    def __init__(self) -> None:
        self.calls = 0

    def decide(self, history: History, number: int, budget: Budget, generator: np.random.Generator) -> Suggestion:
        self.calls += 1
        return Suggestion(config=history.space.sample(generator), metadata={"calls": self.calls})


class _Global(_Good):
    def decide(self, history: History, number: int, budget: Budget, generator: np.random.Generator) -> Suggestion:
        random.random()
        return Suggestion(config=history.space.sample(generator))


class _Legacy(_Good):
    def decide(self, history: History, number: int, budget: Budget, generator: np.random.Generator) -> Suggestion:
        return Suggestion(config=history.space.decode(np.random.rand(history.space.dimensions)))  # noqa: NPY002


class _Incomplete(_Good):
    def decide(self, history: History, number: int, budget: Budget, generator: np.random.Generator) -> Suggestion:
        config = history.space.sample(generator)
        return Suggestion(config={name: config[name] for name in history.space.searched})


class _OfNumpy(_Good):
    def decide(self, history: History, number: int, budget: Budget, generator: np.random.Generator) -> Suggestion:
        config = history.space.sample(generator)
        return Suggestion(config={k: np.float64(v) if isinstance(v, float) else v for k, v in config.items()})


class _Future(_Good):
    def decide(self, history: History, number: int, budget: Budget, generator: np.random.Generator) -> Suggestion:
        return Suggestion(config=history.space.sample(generator), previous=number)


class _Displaced(_Good):
    def decide(self, history: History, number: int, budget: Budget, generator: np.random.Generator) -> Suggestion:
        return Suggestion(config=history.space.sample(generator), place=Place(rung=0, slot=np.int64(number)))  # type: ignore[arg-type]


class _Talkative(_Good):
    def decide(self, history: History, number: int, budget: Budget, generator: np.random.Generator) -> Suggestion:
        return Suggestion(config=history.space.sample(generator), metadata={"at": (1, 2)})


class _Forgetful(_Good):
    def __init__(self, step: float = 0.1) -> None:
        self.step = 2 * step

    def settings(self) -> dict[str, Any]:
        return {"step": self.step}


class _Vandal(_Good):
    def decide(self, history: History, number: int, budget: Budget, generator: np.random.Generator) -> Suggestion:
        history.__dict__["trials"] = ()
        return Suggestion(config=history.space.sample(generator))


class _Trusting(_Good):
    def decide(self, history: History, number: int, budget: Budget, generator: np.random.Generator) -> Suggestion:
        if history.trials and all(trial.decision is None for trial in history.trials):
            raise ZeroDivisionError
        return Suggestion(config=history.space.sample(generator))


class _Stubborn(_Good):
    def decide(self, history: History, number: int, budget: Budget, generator: np.random.Generator) -> Suggestion:
        return Suggestion(config=history.space.decode(np.full(history.space.dimensions, 0.5)))


class _Fickle(_Good):
    def decide(
        self, history: History, number: int, budget: Budget, generator: np.random.Generator
    ) -> Suggestion | Done:
        return Done("for now") if number == 5 else Suggestion(config=history.space.sample(generator))


class _NotIndependent(_Good):
    independent: ClassVar[bool] = True

    def decide(self, history: History, number: int, budget: Budget, generator: np.random.Generator) -> Suggestion:
        return Suggestion(config=history.space.sample(generator), metadata={"seen": len(history.trials)})


class _Vague(_Good):
    tolerates_stale_history: ClassVar[Any] = "sometimes"


class _Picky(_Good):
    def check(self, space: SearchSpace) -> None:
        raise ArgumentError("no space is good enough")


def _suite(make: Callable[[], Sampler]) -> SamplerContract:
    suite = SamplerContract()
    suite.make = make  # type: ignore[method-assign]
    return suite


@pytest.mark.parametrize(
    ("broken", "test"),
    [
        (_Counting, "test_the_same_arguments_give_the_same_answer"),
        (_Global, "test_global_state_is_left_alone"),
        (_Legacy, "test_global_state_is_left_alone"),
        (_Incomplete, "test_configurations_are_valid_and_plain"),
        (_OfNumpy, "test_configurations_are_valid_and_plain"),
        (_Future, "test_what_is_continued_is_earlier"),
        (_Displaced, "test_places_are_plain"),
        (_Talkative, "test_reasons_survive_yaml_and_json"),
        (_Forgetful, "test_settings_are_plain_and_make_an_equal_sampler"),
        (_Vandal, "test_the_history_is_not_changed"),
        (_Trusting, "test_it_goes_on_whatever_became_of_earlier_trials"),
        (_Stubborn, "test_numbers_get_different_configurations"),
        (_Fickle, "test_done_stays_done"),
        (_NotIndependent, "test_an_independent_sampler_looks_at_no_trial"),
        (_Vague, "test_what_it_says_of_itself_is_true_or_false"),
        (_Picky, "test_it_takes_at_least_one_space"),
    ],
)
def test_the_suite_catches(broken: type[Sampler], test: str) -> None:
    getattr(_suite(_Good), test)()
    with pytest.raises((AssertionError, ZeroDivisionError)):
        getattr(_suite(broken), test)()


def test_the_suite_needs_make() -> None:
    with pytest.raises(NotImplementedError):
        SamplerContract().make()


class _Paced(_Good):
    """Waits while more than one trial is pending, and remembers how many were."""

    def decide(
        self, history: History, number: int, budget: Budget, generator: np.random.Generator
    ) -> Suggestion | Wait | Done:
        if len(history.pending) > 1:
            return Wait("two are running")
        return Suggestion(config=history.space.sample(generator), metadata={"pending": len(history.pending)})


@pytest.mark.parametrize(("workers", "most"), [(1, 0), (3, 2), (8, 7)])
def test_simulated_workers_decide_while_others_are_pending(workers: int, most: int) -> None:
    counts = []

    class Counting(_Good):
        def decide(self, history: History, number: int, budget: Budget, generator: np.random.Generator) -> Suggestion:
            counts.append(len(history.pending))
            assert budget == Budget(max_evaluations_total=20)
            return Suggestion(config=history.space.sample(generator))

    history = simulate(Counting(), SPACE, lambda config: float(config["x"] or 0), 20, workers=workers)
    assert max(counts) == most
    assert len(history.succeeded) == 20


def test_a_simulated_sampler_that_waits_gets_its_results() -> None:
    history = simulate(_Paced(), SPACE, lambda _: 0.0, 9, workers=4)
    assert [trial.decision.metadata["pending"] for trial in history.trials if trial.decision] == [0] + [1] * 8


def test_a_sampler_that_waits_for_nothing_is_an_error() -> None:
    class Waiting(_Good):
        def decide(self, *_: object) -> Wait:
            return Wait("a miracle")

    with pytest.raises(RuntimeError, match="the sampler waits, but nothing is pending at number 1: a miracle"):
        simulate(Waiting(), SPACE, lambda _: 0.0, 3)


def test_simulated_failures_are_failed_trials() -> None:
    history = simulate(RandomSearch(), SPACE, lambda _: None, 2)
    assert [(trial.ended, trial.succeeded, trial.error) for trial in history.trials] == [
        (True, False, "the objective failed")
    ] * 2


def test_a_simulated_cost_budget_is_kept_as_by_a_worker() -> None:
    """Cost 2 and budget 10 is 5 evaluations with 1 worker and with 3; 1 worker stops at the first that goes beyond."""
    for workers in (1, 3):
        history = simulate(
            RandomSearch(), SPACE, lambda _: {"loss": 0.0, "cost": 2.0}, Budget(max_cost_total=10.0), workers=workers
        )
        assert [(trial.cost, trial.spent) for trial in history.trials] == [(2.0, 2.0)] * 5
    history = simulate(RandomSearch(), SPACE, lambda _: {"loss": 0.0, "cost": 3.0}, Budget(max_cost_total=10.0))
    assert history.total_cost == 12.0


def test_a_sampler_that_needs_a_cost_budget_is_given_one_by_the_suite() -> None:
    class Thrifty(_Good):
        needs_max_cost_total: ClassVar[bool] = True

        def decide(self, history: History, number: int, budget: Budget, generator: np.random.Generator) -> Suggestion:
            assert budget.max_cost_total is not None
            return Suggestion(config=history.space.sample(generator))

    _suite(Thrifty).test_configurations_are_valid_and_plain()


def test_a_simulation_depends_on_its_seed_alone() -> None:
    runs = [simulate(RandomSearch(), SPACE, lambda _: 0.0, 5, seed=seed, workers=2).trials for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]
    assert generator_for(1, 2).random() != generator_for(1, 3).random()
