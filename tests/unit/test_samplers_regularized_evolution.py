"""Regularized evolution: who becomes a parent, what a child is, and that it ends; the contract of all samplers too."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from neps._budget import Budget
from neps._history import History
from neps._trial import Result, Status, Trial, Value
from neps.errors import ArgumentError
from neps.samplers import Done, RandomSearch, Sampler, Sobol, Suggestion
from neps.samplers._single_fidelity.regularized_evolution import RegularizedEvolution
from neps.space import Categorical, Constant, Float, Integer, SearchSpace
from neps.testing.samplers import SamplerContract
from neps.testing.simulation import decided, ended, generator_for, simulate

Config = Mapping[str, Value]
PLANE = SearchSpace({"x": Float(0.0, 1.0), "y": Float(-1.0, 1.0)})
MIXED = SearchSpace(
    {
        "rate": Float(1e-4, 1.0, log=True),
        "layers": Integer(1, 5),
        "kind": Categorical(["a", "b", "c"]),
        "data": Constant("digits"),
        "epochs": Integer(1, 9, is_fidelity=True),
        "fixed": Integer(3, 3),
    }
)


class TestWithALargePopulation(SamplerContract):
    """All of its questions are answered by the initial design."""

    def make(self) -> Sampler:
        return RegularizedEvolution()


class TestWithASmallPopulation(SamplerContract):
    """Most of its questions are answered by a mutation."""

    def make(self) -> Sampler:
        return RegularizedEvolution(population_size=3, sample_size=2)


class TestFromTheDefault(SamplerContract):
    def make(self) -> Sampler:
        return RegularizedEvolution(population_size=1, sample_size=1, sample_default_first=True)


def _history(space: SearchSpace, losses: list[float | None], *, pending: int = 0) -> History:
    """Trials at different points of a Sobol sequence with these losses (None failed), then some that are pending."""
    trials: dict[int, Trial] = {}
    for number in range(1, len(losses) + pending + 1):
        answer = Sobol().decide(History(space, {}), number, Budget(), generator_for(0, number))
        trial = decided(space, number, answer)
        trials[number] = ended(trial, losses[number - 1]) if number <= len(losses) else trial
    return History(space, MappingProxyType(trials))


def _suggestion(sampler: Sampler, history: History, draw: int = 0) -> Suggestion:
    number = len(history.trials) + 1
    answer = sampler.decide(history, number, Budget(), generator_for(draw, number))
    assert isinstance(answer, Suggestion)
    return answer


def _parents(sampler: Sampler, history: History) -> set[int]:
    """The parents that 100 different generators lead to."""
    return {_suggestion(sampler, history, draw).metadata["parent"] for draw in range(100)}


def _by(trial: Trial) -> str:
    assert trial.decision is not None
    return str(trial.decision.metadata["by"])


# ------------------------------------------------------------------------------------------------------------- parents


def test_the_largest_tournament_is_won_by_the_best() -> None:
    sampler = RegularizedEvolution(population_size=6, sample_size=6)
    assert _parents(sampler, _history(PLANE, [5.0, 3.0, -2.0, 4.0, 0.0, 1.0])) == {3}


def test_a_tournament_is_drawn_without_replacement() -> None:
    sampler = RegularizedEvolution(population_size=6, sample_size=4)
    assert _parents(sampler, _history(PLANE, [6.0, 5.0, 4.0, 3.0, 2.0, 1.0])) == {4, 5, 6}


def test_a_tournament_of_one_is_won_by_anybody() -> None:
    sampler = RegularizedEvolution(population_size=4, sample_size=1)
    assert _parents(sampler, _history(PLANE, [1.0, 2.0, math.nan, None])) == {1, 2, 3, 4}


def test_an_old_trial_is_no_parent_however_good_it_is() -> None:
    sampler = RegularizedEvolution(population_size=3, sample_size=3)
    assert _parents(sampler, _history(PLANE, [-100.0, 3.0, 2.0])) == {1}
    assert _parents(sampler, _history(PLANE, [-100.0, 3.0, 2.0, 4.0])) == {3}


def test_pending_and_damaged_trials_age_nobody() -> None:
    sampler = RegularizedEvolution(population_size=3, sample_size=3)
    history = _history(PLANE, [-100.0, 3.0, 2.0], pending=5)
    result = Result.of(success=False, damaged=True, error="trial.yaml is damaged")
    damaged = Trial(number=9, decision=None, result=result, status=Status.FAILED)
    assert _parents(sampler, History(PLANE, {**history.by_number, 9: damaged})) == {1}


def test_a_late_result_enters_at_the_place_of_its_number() -> None:
    sampler = RegularizedEvolution(population_size=3, sample_size=3)
    early, late = _history(PLANE, [3.0, 2.0, 4.0, 5.0]), _history(PLANE, [-100.0, 2.0, 4.0, 5.0])
    assert _parents(sampler, late) == _parents(sampler, early) == {2}


@pytest.mark.parametrize("bad", [None, math.nan, math.inf, -math.inf])
def test_what_failed_is_worse_than_any_loss(bad: float | None) -> None:
    sampler = RegularizedEvolution(population_size=4, sample_size=4)
    assert _parents(sampler, _history(PLANE, [bad, bad, 1e300, bad])) == {3}


def test_equals_win_by_lot() -> None:
    sampler = RegularizedEvolution(population_size=4, sample_size=4)
    assert _parents(sampler, _history(PLANE, [1.0, 0.0, 0.0, 0.0])) == {2, 3, 4}


# ------------------------------------------------------------------------------------------------------------ children


def test_a_child_differs_from_its_parent_in_one_searched_parameter() -> None:
    history = _history(MIXED, [float(n) for n in range(20)])
    changed = dict.fromkeys(MIXED.parameters, 0)
    for draw in range(600):
        suggestion = _suggestion(RegularizedEvolution(), history, draw)
        parent = history.by_number[suggestion.metadata["parent"]].config
        (name,) = (name for name in MIXED.parameters if suggestion.config[name] != parent[name])
        changed[name] += 1
    assert list(changed.values()) == pytest.approx([200, 200, 200, 0, 0, 0], abs=35)


def _children(space: SearchSpace, config: dict[str, Value], name: str) -> list[Any]:
    """The values of one parameter in many children of a configuration."""
    history = History(space, {1: ended(decided(space, 1, Suggestion(config=config)), 0.0)})
    sampler = RegularizedEvolution(population_size=1, sample_size=1)
    return [_suggestion(sampler, history, draw).config[name] for draw in range(1000)]


def test_each_other_choice_is_as_likely() -> None:
    children = _children(SearchSpace({"kind": Categorical(["a", "b", None, 1])}), {"kind": "b"}, "kind")
    assert [children.count(choice) for choice in ("a", "b", None, 1)] == pytest.approx([333, 0, 333, 333], abs=50)


@pytest.mark.parametrize("value", [1, 3, 5])
def test_an_integer_always_changes(value: int) -> None:
    children = _children(SearchSpace({"n": Integer(1, 5), "x": Float(0.0, 1.0)}), {"n": value, "x": 0.5}, "n")
    changed = [child for child in children if child != value]
    assert len(changed) == pytest.approx(500, abs=60)
    assert set(changed) >= {max(1, value - 1), min(5, value + 1)} - {value}
    assert {type(child) for child in children} == {int}


@pytest.mark.parametrize("bound", [1, 4, 2**53])
def test_an_integer_goes_to_both_sides(bound: int) -> None:
    children = _children(SearchSpace({"n": Integer(-bound, bound)}), {"n": 0}, "n")
    assert np.mean([child > 0 for child in children]) == pytest.approx(0.5, abs=0.05)


def test_a_step_has_its_deviation_on_the_scale_of_the_parameter() -> None:
    space = SearchSpace({"rate": Float(1e-6, 1.0, log=True)})
    decades = np.log10(_children(space, {"rate": 1e-3}, "rate"))
    assert np.mean(decades) == pytest.approx(-3.0, abs=0.1)
    assert np.std(decades) == pytest.approx(6.0 * 0.15, rel=0.1)


def test_a_step_from_a_bound_stays_within() -> None:
    children = _children(SearchSpace({"x": Float(0.0, 2.0)}), {"x": 2.0}, "x")
    assert 1.0 < min(children) < max(children) <= 2.0


# ------------------------------------------------------------------------------------------------------ initial design


def test_the_initial_design_is_sobol_and_goes_on_until_the_population_is_full() -> None:
    sampler = RegularizedEvolution(population_size=5, sample_size=2)
    history = simulate(sampler, PLANE, lambda config: float(config["x"] or 0), 20, seed=3, workers=4)
    sobol = simulate(Sobol(), PLANE, lambda _: 0.0, 20, seed=3)
    assert [_by(trial) for trial in history.trials] == ["initial design"] * 8 + ["mutation"] * 12
    assert [trial.config for trial in history.trials[:8]] == [trial.config for trial in sobol.trials[:8]]


def test_the_default_comes_first_when_asked() -> None:
    space = SearchSpace({"x": Float(0.0, 1.0, default=0.25), "kind": Categorical(["a", "b"], default="b")})
    first = RegularizedEvolution(sample_default_first=True)
    assert _suggestion(first, History(space, {})).config == {"x": 0.25, "kind": "b"}
    assert _suggestion(first, _history(space, [0.0])).config["x"] != 0.25
    assert _suggestion(RegularizedEvolution(), History(space, {})).config["x"] != 0.25


def test_a_fidelity_is_fixed_at_its_upper_bound() -> None:
    history = simulate(RegularizedEvolution(5, 2), MIXED, lambda config: float(config["rate"] or 0), 30)
    assert {trial.config["epochs"] for trial in history.trials} == {9}


# ---------------------------------------------------------------------------------------------- duplicates, exhaustion


@pytest.mark.parametrize("workers", [1, 5])
@pytest.mark.parametrize("size", [1, 3, 20])
def test_a_finite_space_is_covered_once_and_then_done(workers: int, size: int) -> None:
    space = SearchSpace({"a": Integer(0, 4), "b": Categorical(["p", "q", True]), "c": Float(2.0, 2.0)})
    sampler = RegularizedEvolution(size, min(size, 2))
    history = simulate(sampler, space, lambda config: float(config["a"] or 0), 100, workers=workers)
    configs = {(trial.config["a"], trial.config["b"]) for trial in history.trials}
    assert configs == set(itertools.product(range(5), ["p", "q", True]))
    assert len(history.trials) == 15
    answer = sampler.decide(history, 16, Budget(), generator_for(0, 16))
    assert answer == Done("the search space is exhausted: all its 15 configurations have been started")


def _all_but(left: set[int]) -> History:
    """Almost all of a space is claimed. On its log scale 4000 is drawn once in 33,000 times."""
    space = SearchSpace({"n": Integer(1, 4000, log=True), "c": Constant("k")})
    values = [n for n in range(1, 4001) if n not in left]
    trials = [decided(space, k, Suggestion(config={"n": n, "c": "k"})) for k, n in enumerate(values, start=1)]
    return History(space, {trial.number: ended(trial, 0.0) for trial in trials})


@pytest.mark.parametrize("left", [1, 2345, 4000])
@pytest.mark.parametrize("size", [5, 5000])
def test_the_last_one_of_a_large_space_is_found(left: int, size: int) -> None:
    assert _suggestion(RegularizedEvolution(size, 2), _all_but({left})).config == {"n": left, "c": "k"}


def test_of_the_last_two_of_a_large_space_any_may_come_first() -> None:
    history = _all_but({2500, 4000})
    found = {_suggestion(RegularizedEvolution(5000), history, draw).config["n"] for draw in range(12)}
    assert found == {2500, 4000}


def test_a_space_of_more_configurations_than_a_word_counts() -> None:
    space = SearchSpace({f"n{index}": Integer(-(2**53), 2**53) for index in range(3)})
    history = simulate(RegularizedEvolution(5, 2), space, lambda config: float(config["n0"] or 0), 40, workers=8)
    assert len({tuple(trial.config.values()) for trial in history.trials}) == 40


def test_no_child_is_a_configuration_that_was_claimed() -> None:
    """With one real number and many choices, changing a choice back makes the grandparent again."""
    space = SearchSpace({"x": Float(0.0, 1.0)} | {f"c{index}": Categorical([0, 1]) for index in range(3)})
    for seed in range(5):
        history = simulate(RegularizedEvolution(4, 4), space, lambda config: float(config["x"] or 0), 100, seed=seed)
        assert len({tuple(trial.config.values()) for trial in history.trials}) == 100


def test_where_all_neighbours_are_claimed_it_goes_one_mutation_further() -> None:
    names = [f"c{index}" for index in range(12)]
    space = SearchSpace({name: Categorical([0, 1]) for name in names})
    parent: dict[str, Value] = dict.fromkeys(names, 0)
    configs = [parent, *(parent | {name: 1} for name in names)]
    trials = {n: decided(space, n, Suggestion(config=config)) for n, config in enumerate(configs, start=1)}
    history = History(space, {**trials, 1: ended(trials[1], 0.0)})
    children = [_suggestion(RegularizedEvolution(1, 1), history, draw).config for draw in range(50)]
    assert {sum(int(value or 0) for value in child.values()) for child in children} == {2}


def test_in_a_range_of_two_floats_it_goes_on() -> None:
    """A range of floats counts as infinite: where all are claimed, better twice than never."""
    history = simulate(
        RegularizedEvolution(1, 1), SearchSpace({"x": Float(1.0, math.nextafter(1.0, 2.0))}), lambda _: 1.0, 20
    )
    assert len(history.trials) == 20


# ------------------------------------------------------------------------------------------------------------- quality

_A = np.array(
    [
        [10.0, 3.0, 17.0, 3.5, 1.7, 8.0],
        [0.05, 10.0, 17.0, 0.1, 8.0, 14.0],
        [3.0, 3.5, 1.7, 10.0, 17.0, 8.0],
        [17.0, 8.0, 0.05, 10.0, 0.1, 14.0],
    ]
)
_P = 1e-4 * np.array(
    [
        [1312.0, 1696.0, 5569.0, 124.0, 8283.0, 5886.0],
        [2329.0, 4135.0, 8307.0, 3736.0, 1004.0, 9991.0],
        [2348.0, 1451.0, 3522.0, 2883.0, 3047.0, 6650.0],
        [4047.0, 8828.0, 8732.0, 5743.0, 1091.0, 381.0],
    ]
)
HARTMANN_SPACE = SearchSpace({f"x{index}": Float(0.0, 1.0) for index in range(6)})


def _hartmann(config: Config) -> float:
    """Hartmann's function of six dimensions, moved so that its lowest value is 0."""
    x = HARTMANN_SPACE.encode(config)
    return 3.32237 - float(np.array([1.0, 1.2, 3.0, 3.2]) @ np.exp(-np.sum(_A * (x - _P) ** 2, axis=1)))


def _median_best(sampler: Sampler, workers: int) -> float:
    runs = [simulate(sampler, HARTMANN_SPACE, _hartmann, 200, seed=seed, workers=workers).best for seed in range(5)]
    return float(np.median([trial.loss for trial in runs if trial is not None and trial.loss is not None]))


@pytest.mark.parametrize(("workers", "share"), [(1, 0.2), (8, 0.4)])
def test_it_finds_better_ones_than_random_search(workers: int, share: float) -> None:
    assert _median_best(RegularizedEvolution(), workers) < share * _median_best(RandomSearch(), workers)


def test_eight_workers_evaluate_200_different_configurations() -> None:
    history = simulate(RegularizedEvolution(), HARTMANN_SPACE, _hartmann, 200, workers=8)
    assert len({tuple(trial.config.values()) for trial in history.trials}) == 200
    assert [_by(trial) for trial in history.trials] == ["initial design"] * 27 + ["mutation"] * 173


# ------------------------------------------------------------------------------------------------------------ settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"population_size": 0}, "population_size must be a whole number of at least 1, not 0"),
        ({"population_size": True, "sample_size": 1}, "population_size must be a whole number of at least 1, not True"),
        ({"sample_size": 2.0}, "sample_size must be a whole number of at least 1, not 2.0"),
        ({"population_size": 5}, r"sample_size must be at most population_size, which is 5, not 10: lower sample_size"),
        ({"sample_default_first": "no"}, "sample_default_first must be True or False, not 'no'"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        RegularizedEvolution(**settings)


def test_the_default_first_needs_a_default() -> None:
    with pytest.raises(ArgumentError, match=r"sample_default_first=True needs a default.*leave sample_default_first"):
        RegularizedEvolution(sample_default_first=True).check(PLANE)
