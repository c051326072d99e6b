"""Every searcher on random conditional spaces: valid and allowed, none twice where there are few, the same for all."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.fingerprints.searchers import SEARCHERS
from neps._budget import Budget
from neps._history import History
from neps.errors import ArgumentError
from neps.samplers import Done, GridSearch, Suggestion
from neps.samplers._drawing.claimed import Claimed
from neps.samplers._drawing.combinations import Combinations
from neps.samplers._drawing.mutation import mutated_in_one, mutated_in_some
from neps.samplers._model_based.axes import axes_of
from neps.samplers._registry import resolve
from neps.samplers._single_fidelity.grid_search import axes, grid
from neps.space import Categorical, Float, Integer, Parameter, SearchSpace, Value, at_least, less_than
from neps.testing.simulation import decided, simulate
from rigs.conditional_spaces import conditional_spaces, random_space

ENDING = ("bayesian_optimization", "pibo", "regularized_evolution", "grid_search")
"""Those that suggest each configuration of a finite space once, and are done."""
INDEPENDENT = ("random_search", "sobol", "grid_search")


def loss_of(config: Mapping[str, Value]) -> float:
    """Some loss, which fails now and then."""
    value = sum(math.sin(zlib.crc32(repr(item).encode()) % 97) for item in sorted(config.items()))
    return math.nan if value > 2.5 else value


def run(searcher: str, space: SearchSpace, trials: int, workers: int = 1) -> History | None:
    """A run; None where the searcher doesn't take the space."""
    try:
        sampler = resolve(searcher, space, {})
        sampler.check(space)
    except ArgumentError:
        return None

    def objective(config: Mapping[str, Any]) -> Mapping[str, float]:
        return {"loss": loss_of(config), "cost": 1.0}

    budget = Budget(max_evaluations_total=trials, max_cost_total=float(trials))
    return simulate(sampler, space, objective, budget, seed=3, workers=workers)


@pytest.mark.parametrize("searcher", SEARCHERS)
def test_suggestions_are_valid_on_random_spaces(searcher: str) -> None:
    taken = 0
    for seed in range(8):
        space = random_space(seed, parameters=4 + seed, finite=seed % 3 == 2, fidelity=True)
        history = run(searcher, space, 14, workers=3)
        for trial in history.trials if history is not None else ():
            assert dict(space.validate(trial.config)) == dict(trial.config)
            taken += 1
    assert taken > 50


@given(conditional_spaces(most=30, fidelity=True), st.sampled_from(sorted(SEARCHERS)))
@settings(max_examples=25)
def test_any_searcher_on_any_space(space: SearchSpace, searcher: str) -> None:
    for trial in getattr(run(searcher, space, 6), "trials", ()):
        assert dict(space.validate(trial.config)) == dict(trial.config)


FINITE = SearchSpace(
    {
        "layers": Integer(1, 3),
        "second": Categorical(["p", "q"], default="q", active_if={"layers": at_least(2)}),
        "third": Integer(1, 2, active_if={"layers": 3, "second": "q"}),
        "flag": Categorical([True, False, None]),
    },
    forbid=[{"layers": 1, "flag": True}, {"third": 2, "flag": None}],
)


@pytest.mark.parametrize("searcher", ENDING)
@pytest.mark.parametrize("workers", [1, 4])
def test_a_finite_space_is_exhausted_with_each_configuration_once(searcher: str, workers: int) -> None:
    assert FINITE.size == 16
    history = run(searcher, FINITE, 40, workers)
    assert history is not None
    found = [repr(dict(trial.config)) for trial in history.trials]
    assert sorted(found) == sorted(repr(config) for config in FINITE.every_config(100) or ())


@pytest.mark.parametrize("searcher", ["freeze_thaw", "freeze_thaw_prior"])
def test_a_finite_space_is_exhausted_over_fidelities(searcher: str) -> None:
    space = SearchSpace({**FINITE, "epochs": Integer(1, 9, is_fidelity=True)}, FINITE.forbid)
    history = run(searcher, space, 80)
    assert history is not None
    begun = [repr(space.at_fidelity(t.config, 1)) for t in history.trials if t.previous is None]
    assert len(begun) == len(set(begun)) == 16


@pytest.mark.parametrize("searcher", INDEPENDENT)
def test_any_number_of_workers_gives_the_same_set(searcher: str) -> None:
    for seed in range(5):
        space = random_space(seed, parameters=8, forbidden=3)
        sets = [run(searcher, space, 20, workers) for workers in (1, 5)]
        one, many = ([repr(trial.config) for trial in history.trials] for history in sets if history is not None)
        assert one == many


def test_a_bracket_is_the_same_for_any_number_of_workers() -> None:
    space = random_space(4, parameters=8, fidelity=True)
    begun: list[dict[int | None, str]] = []
    for workers in (1, 4):
        history = run("hyperband", space, 13, workers)
        assert history is not None
        places = [(trial.place, trial.config) for trial in history.trials if trial.place is not None]
        begun.append({place.slot: repr(config) for place, config in places if place.rung == place.bracket == 0})
    assert len(begun[0]) > 3
    assert begun[0] == begun[1]


# --------------------------------------------------------------------------------------------------------- combinations


@given(conditional_spaces(most=7, finite=True, forbidden=3))
@settings(max_examples=60)
def test_combinations_are_all_that_is_allowed_each_once(space: SearchSpace) -> None:
    everything = {name: space.parameters[name].every_value(100) or () for name in space.searched}
    combinations = Combinations(space, everything)
    assert combinations.count == space.size
    if combinations.count <= 2000:
        found = [repr(combinations[number]) for number in range(combinations.count)]
        assert sorted(found) == sorted(repr(config) for config in space.every_config(2000) or ())
    with pytest.raises(IndexError):
        combinations[combinations.count]


@given(conditional_spaces(most=7, forbidden=2), st.integers(1, 4))
@settings(max_examples=30)
def test_a_grid_has_its_active_combinations_each_once(space: SearchSpace, steps: int) -> None:
    sampler, history = GridSearch(steps), History(space, {})
    generator, count = np.random.default_rng(0), grid(space, steps).count
    if count > 500:
        return
    values = dict(zip(space.searched, axes(space, steps), strict=True))
    configs = [sampler.decide(history, number, Budget(), generator) for number in range(1, count + 2)]
    assert isinstance(configs.pop(), Done)
    plain = [dict(each.config) for each in configs if not isinstance(each, Done)]
    assert len({repr(config) for config in plain}) == len(plain) == count
    for config in plain:
        assert space.validate(config) == config
        assert all(config[name] in values[name] for name in values if name in config)


def test_the_values_of_a_parent_take_turns_until_they_are_used_up() -> None:
    space = SearchSpace(
        {
            "kind": Categorical(["a", "b", "c"]),
            "x": Integer(1, 4, active_if={"kind": "a"}),
            "y": Integer(1, 2, active_if={"kind": "b"}),
        }
    )
    combinations = grid(space, 5)
    kinds = [str(combinations[number]["kind"]) for number in range(combinations.count)]
    assert sorted(kinds[:3]) == ["a", "b", "c"]
    assert sorted(kinds[3:5]) == ["a", "b"]
    assert kinds[5:] == ["a", "a"]


def test_a_grid_skips_what_a_function_forbids() -> None:
    space = SearchSpace({"x": Integer(1, 4), "y": Integer(1, 4)}, forbid=[lambda config: config["x"] < config["y"]])
    history, generator = History(space, {}), np.random.default_rng(0)
    found = [GridSearch().decide(history, number, Budget(), generator) for number in (11, 3, 7, *range(1, 11))]
    assert isinstance(found[0], Done)
    assert "all its 10" in found[0].reason
    assert len({repr(each.config) for each in found[3:] if not isinstance(each, Done)}) == 10


def test_a_large_conditional_space_is_counted_and_numbered_at_once() -> None:
    space = SearchSpace(
        {
            "n": Integer(1, 2**50),
            "w": Integer(1, 2**40, active_if={"n": at_least(1000)}),
            "v": Integer(1, 7, active_if={"n": [5, 7]}),
        }
    )
    values = {name: space.parameters[name].every_value(2**55) or () for name in space.searched}
    combinations = Combinations(space, values)
    assert combinations.count == space.size
    assert space.validate(combinations[combinations.count - 1])


def test_hundreds_of_parents_and_a_long_chain_are_counted() -> None:
    flags: dict[str, Parameter] = {f"f{index}": Categorical([True, False]) for index in range(300)}
    own: dict[str, Parameter] = {f"n{index}": Integer(1, 3, active_if={f"f{index}": True}) for index in range(300)}
    space = SearchSpace(flags | own)
    combinations = grid(space, 3)
    assert combinations.count == 4**300
    assert space.validate(combinations[4**299])
    chain: dict[str, Parameter] = {"p0": Categorical([True, False])}
    for index in range(1, 300):
        chain[f"p{index}"] = Categorical([True, False], active_if={f"p{index - 1}": True})
    combinations = grid(SearchSpace(chain), 3)
    assert combinations.count == 301
    assert len({repr(combinations[number]) for number in range(301)}) == 301


# ------------------------------------------------------------------------------------------------- claims and mutations


def test_what_tells_configurations_apart_is_what_is_active() -> None:
    space = SearchSpace({"kind": Categorical([None, "a"]), "x": Categorical([None, 1], active_if={"kind": "a"})})
    configs: list[dict[str, Value]] = [{"kind": None}, {"kind": "a", "x": None}]
    claimed = Claimed(space, frozenset({(None, None)}))
    assert configs[0] not in claimed
    trials = {n: decided(space, n, Suggestion(config=config)) for n, config in enumerate(configs, start=1)}
    found = Claimed.of(History(space, trials))
    assert len(found.rows) == 2
    assert found.exhausted is None
    assert found.another(np.random.default_rng(0)) == {"kind": "a", "x": 1}


@given(conditional_spaces(most=12), st.integers(0, 2**32))
@settings(max_examples=40)
def test_mutations_hold_what_is_active(space: SearchSpace, seed: int) -> None:
    generator = np.random.default_rng(seed)
    config = space.sample(generator)
    for _ in range(5):
        other = mutated_in_one(space, config, 0.2, generator)
        assert space.parsed(other) == other
        config = mutated_in_some(space, config, 0.5, 0.2, generator)
        assert space.validate(config) == config


@given(conditional_spaces(most=15), st.integers(0, 2**32))
@settings(max_examples=40)
def test_axes_round_points_to_configurations(space: SearchSpace, seed: int) -> None:
    axes_ = axes_of(space)
    Z = axes_.rounded(np.random.default_rng(seed).random((20, space.dimensions)))
    for z in Z:
        np.testing.assert_allclose(space.encode(space.decode(z)), z, atol=1e-12)
    filled = axes_.filled(Z, np.random.default_rng(seed))
    assert not np.isnan(filled).any()
    np.testing.assert_array_equal(axes_.rounded(filled), Z)


def test_a_sobol_sequence_is_even_in_each_branch() -> None:
    space = SearchSpace({"kind": Categorical(["a", "b"]), "x": Float(0, 1, active_if={"kind": "a"})})
    history = run("sobol", space, 64)
    assert history is not None
    x = sorted(float(str(trial.config["x"])) for trial in history.trials if "x" in trial.config)
    assert len(x) == 32
    assert np.abs(np.array(x) - (np.arange(32) + 0.5) / 32).max() < 0.08


@pytest.mark.parametrize("searcher", ["pibo", "priorband", "priorband_bo", "freeze_thaw_prior"])
def test_a_confidence_that_leaves_nothing_of_the_prior_is_refused(searcher: str) -> None:
    parameters = {"x": Float(0, 1, default=0.0), "epochs": Integer(1, 9, is_fidelity=True)}
    space = SearchSpace(parameters, forbid=[{"x": less_than(0.7)}])
    assert resolve(searcher, space, {})
    with pytest.raises(ArgumentError, match=r"of its prior"):
        resolve(searcher, space, {"prior_confidence": "high"})
