"""The model-based step: what it makes of trials of all kinds, what it remembers, and that it is a pure function."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from neps._history import History
from neps._models.acquisition import Acquisition, LogExpectedImprovement
from neps._models.gaussian_process import GaussianProcess, Hyperparameters
from neps._models.losses import WARPS
from neps._models.surrogate import Surrogate, surrogate
from neps._trial import Trial, Value
from neps.samplers import BayesianOptimization, Suggestion
from neps.samplers._model_based import axes, proposal
from neps.samplers._model_based.axes import Axes
from neps.samplers._model_based.proposal import propose, with_term
from neps.space import Categorical, Float, Integer, SearchSpace, at_least
from neps.testing.simulation import decided, ended, generator_for, simulate

Config = Mapping[str, Value]
PLANE = SearchSpace({"x": Float(0.0, 1.0), "y": Float(-1.0, 1.0)})
MIXED = SearchSpace(
    {"rate": Float(1e-4, 1.0, log=True), "kind": Categorical(["a", "b", "c"]), "n": Integer(1, 9), "w": Integer(1, 999)}
)
SMALL = SearchSpace({"a": Integer(0, 4), "b": Categorical(["p", "q", True]), "c": Float(2.0, 2.0)})
LARGE = SearchSpace({"a": Integer(1, 20), "b": Integer(1, 20), "c": Categorical(list("abcdefghijk"))})
MEMORY: dict[str, Any] = {
    "lengthscales": [0.5, 2.0],
    "signal": 1.5,
    "noise": 0.001,
    "effects": [0.5, 0.2, 0.1, 0.05],
    "bend": WARPS[1],
}


def _history(space: SearchSpace, configs: Sequence[Config], losses: Mapping[int, float | None]) -> History:
    """Trials from number 1 on, pending where `losses` has nothing; None is a failure."""
    trials: dict[int, Trial] = {}
    for number, config in enumerate(configs, start=1):
        trial = decided(space, number, Suggestion(config=config))
        trials[number] = ended(trial, losses[number]) if number in losses else trial
    return History(space, MappingProxyType(trials))


def _configs(space: SearchSpace, count: int, seed: int = 0) -> list[dict[str, Value]]:
    generator = np.random.default_rng(seed)
    return [space.sample(generator) for _ in range(count)]


def _all(space: SearchSpace) -> list[dict[str, Value]]:
    """Every configuration of a finite space, in an order that means nothing."""
    known = axes.axes_of(space)
    grid = itertools.product(*(positions for positions in known.positions if positions is not None))
    configs = [space.decode(point) for point in grid]
    return [configs[index] for index in np.random.default_rng(0).permutation(len(configs))]


def _bowl(config: Config) -> float:
    return sum((float(value) - 0.3) ** 2 for value in config.values() if isinstance(value, int | float))


def _results(space: SearchSpace, count: int) -> History:
    configs = _configs(space, count)
    return _history(space, configs, {number: _bowl(config) for number, config in enumerate(configs, start=1)})


def _remembering(history: History, memory: object, number: int) -> History:
    """The same, with `memory` in the reasons of one decision."""
    trial = history.by_number[number]
    suggestion = Suggestion(config=trial.config, metadata={"by": "model", "model": memory})
    other = ended(decided(history.space, number, suggestion), trial.loss)
    return History(history.space, MappingProxyType({**history.by_number, number: other}))


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The arguments of `surrogate`: points, losses, choices and what is remembered, in the order of the calls."""
    seen: list[tuple[Any, ...]] = []

    def watched(*arguments: Any) -> Surrogate:
        seen.append(arguments[:4])
        return surrogate(*arguments)

    monkeypatch.setattr(proposal, "surrogate", watched)
    return seen


# ------------------------------------------------------------------------------------------------- results of all kinds


def test_it_finds_the_minimum_of_a_bowl() -> None:
    proposed = [propose(_results(PLANE, count), generator_for(0, count)).config for count in (20, 30)]
    for config in proposed:
        assert config["x"] == pytest.approx(0.3, abs=0.1)
        assert config["y"] == pytest.approx(0.3, abs=0.1)


@pytest.mark.parametrize(
    "outcomes",
    [
        [1.0],
        [None],
        [None, None, None],
        [1.0, 1.0, 1.0, 1.0],
        [math.nan, 2.0, math.inf, 1.0, -math.inf, None],
        [1e300, -1e300, 1e-300, 0.0],
        [5e-324, 0.0, 1.0],
    ],
    ids=str,
)
@pytest.mark.parametrize("space", [PLANE, MIXED, SMALL, LARGE], ids=["plane", "mixed", "small", "large"])
def test_any_outcomes_lead_to_a_proposal(outcomes: list[float | None], space: SearchSpace) -> None:
    configs = _configs(space, 8) if not space.is_finite else _all(space)[:8]
    history = _history(space, configs, dict(enumerate(outcomes, start=1)))
    suggestion = propose(history, generator_for(0, 9))
    assert space.validate(suggestion.config) == suggestion.config
    assert suggestion.config not in configs
    assert math.isfinite(suggestion.metadata["log_expected_improvement"])


def test_the_model_learns_from_what_has_ended(fitted: list[tuple[Any, ...]]) -> None:
    configs = _configs(MIXED, 6)
    propose(_history(MIXED, configs, {1: 3.0, 3: None, 4: math.inf, 6: -2.0}), generator_for(0, 7))
    ((X, losses, choices, _),) = fitted
    np.testing.assert_array_equal(X, [MIXED.encode(configs[index]) for index in (0, 2, 3, 5)])
    np.testing.assert_array_equal(losses, [3.0, math.nan, math.inf, -2.0])
    assert choices.tolist() == [0, 3, 0, 0]


def test_a_trial_whose_decision_is_damaged_is_left_out() -> None:
    history = _results(PLANE, 10)
    damaged = History(PLANE, MappingProxyType({**history.by_number, 11: Trial(number=11, decision=None)}))
    assert propose(damaged, generator_for(0, 12)) == propose(history, generator_for(0, 12))


def test_it_keeps_away_from_all_that_is_pending() -> None:
    history = _results(PLANE, 20)
    waiting = [propose(history, generator_for(0, 21)).config, *_configs(PLANE, 30, seed=5)]
    numbered = {number: decided(PLANE, number, Suggestion(config=c)) for number, c in enumerate(waiting, start=21)}
    crowded = History(PLANE, MappingProxyType({**history.by_number, **numbered}))
    suggestion = propose(crowded, generator_for(0, 99))
    points = np.array([PLANE.encode(config) for config in waiting])
    assert np.linalg.norm(points - PLANE.encode(suggestion.config), axis=1).min() > 1e-4


def test_a_thousand_results() -> None:
    space = SearchSpace({f"x{index}": Float(0.0, 1.0) for index in range(6)})
    memory = MEMORY | {"lengthscales": [1.0] * 6}
    history = _remembering(_results(space, 1001), memory, 1000)
    assert _bowl(propose(history, generator_for(0, 1002)).config) < min(trial.loss or 0.0 for trial in history.trials)


# ------------------------------------------------------------------------------------------------ never what is claimed


@pytest.mark.parametrize("workers", [1, 5])
def test_a_space_too_large_to_be_listed_is_covered_once(workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(axes, "EXHAUSTIVE", 0)
    history = simulate(BayesianOptimization(), SMALL, _bowl, 100, workers=workers)
    configs = {tuple(trial.config.values()) for trial in history.trials}
    assert configs == set(itertools.product(range(5), ["p", "q", True], [2.0]))
    assert len(history.trials) == 15


@pytest.mark.parametrize("pending", [0, 5])
def test_the_last_configurations_of_a_large_space_are_found(pending: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # No model of thousands of results: what is left doesn't depend on it.
    monkeypatch.setattr(proposal, "surrogate", lambda X, losses, *rest: surrogate(X[:20], losses[:20], *rest[:-1]))
    configs = _all(LARGE)
    claimed = configs[:-2]
    losses = {number: _bowl(config) for number, config in enumerate(claimed[: len(claimed) - pending], start=1)}
    suggestion = propose(_history(LARGE, claimed, losses), generator_for(0, 5000))
    assert suggestion.config in configs[-2:]


def test_past_what_is_believed_a_decision_costs_no_more(
    fitted: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neps._models.surrogate._BELIEVED", 30)
    monkeypatch.setattr(proposal, "PENDING", 4)
    believing: list[int] = []
    monkeypatch.setattr(
        GaussianProcess,
        "believing",
        lambda process, X: believing.append(len(X)) or process,  # type: ignore[func-returns-value]
    )
    configs = _configs(MIXED, 120)
    history = _history(MIXED, configs, {number: _bowl(configs[number - 1]) for number in range(1, 101)})
    propose(history, generator_for(0, 121))
    ((points, losses, *_),) = fitted
    assert (points.shape, losses.shape, believing) == ((30, 4), (100,), [4])


@pytest.mark.parametrize("seed", [0, 2, 5])
def test_a_plateau_with_noise_is_not_evaluated_over_and_over(seed: int) -> None:
    generator, cells = np.random.default_rng(seed), set[tuple[int, ...]]()

    def staircase(config: Mapping[str, Value]) -> float:
        cell = tuple(int(9.999 * value) for value in config.values() if isinstance(value, float))
        cells.add(cell)
        return sum((step - 6) ** 2 for step in cell) / 100 + 0.3 * float(generator.standard_normal())

    simulate(BayesianOptimization(), SearchSpace({name: Float(0.0, 1.0) for name in "abc"}), staircase, 70, seed=seed)
    assert len(cells) > 35  # 19 to 30 where a repetition counts as much as anything else


def test_what_is_claimed_and_not_believed_is_not_proposed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neps._models.surrogate._BELIEVED", 4)
    history = simulate(BayesianOptimization(), SMALL, _bowl, 100)
    assert len({tuple(trial.config.values()) for trial in history.trials}) == len(history.trials) == 15


def test_reals_that_are_all_claimed_come_twice_rather_than_never() -> None:
    space = SearchSpace({"x": Float(1.0, math.nextafter(1.0, 2.0))})
    assert not space.is_finite
    history = _history(space, [{"x": 1.0}, {"x": math.nextafter(1.0, 2.0)}], {1: 0.5, 2: 0.7})
    assert propose(history, generator_for(0, 3)).config["x"] in (1.0, math.nextafter(1.0, 2.0))


# --------------------------------------------------------------------------------------------------------------- memory


def test_what_is_remembered_is_plain_data_with_few_digits() -> None:
    model = propose(_results(MIXED, 12), generator_for(0, 13)).metadata["model"]
    assert json.loads(json.dumps(model)) == model
    assert model.keys() == MEMORY.keys()
    assert [len(model[name]) for name in ("lengthscales", "effects")] == [4, 4]
    numbers = [*model["lengthscales"], *model["effects"], model["signal"], model["noise"]]
    assert all(number == float(f"{number:.4g}") > 0.0 for number in numbers)
    assert model["bend"] in WARPS


def test_the_latest_memory_is_begun_with(fitted: list[tuple[Any, ...]]) -> None:
    history = _remembering(_remembering(_results(PLANE, 10), MEMORY, 7), MEMORY | {"signal": 9.0}, 3)
    propose(history, generator_for(0, 11))
    ((*_, (hyperparameters, warp)),) = fitted
    assert (hyperparameters.signal, hyperparameters.noise, warp) == (1.5, 0.001, WARPS[1])
    np.testing.assert_array_equal(hyperparameters.lengthscales, [0.5, 2.0])
    np.testing.assert_array_equal(hyperparameters.effects, [0.5, 0.2, 0.1, 0.05])


def test_a_pending_decision_is_remembered_too(fitted: list[tuple[Any, ...]]) -> None:
    history = _results(PLANE, 10)
    first = propose(history, generator_for(0, 11))
    pending = History(PLANE, MappingProxyType({**history.by_number, 11: decided(PLANE, 11, first)}))
    propose(pending, generator_for(0, 12))
    (*_, before), (*_, after) = fitted
    assert before is None
    assert isinstance(after[0], Hyperparameters)
    assert after[0].signal == first.metadata["model"]["signal"]


GARBAGE: list[object] = [
    None,
    "garbage",
    3,
    [],
    {},
    {"signal": 1.0},
    MEMORY | {"lengthscales": [0.5]},
    MEMORY | {"lengthscales": [0.5, 2.0, 3.0]},
    MEMORY | {"lengthscales": 0.5},
    MEMORY | {"lengthscales": [[0.5, 2.0]]},
    MEMORY | {"lengthscales": [0.5, [2.0]]},
    MEMORY | {"lengthscales": [0.5, None]},
    MEMORY | {"lengthscales": [0.5, "long"]},
    MEMORY | {"lengthscales": [0.5, {}]},
    MEMORY | {"lengthscales": [0.5, -2.0]},
    MEMORY | {"lengthscales": [0.5, 10**400]},
    MEMORY | {"lengthscales": None},
    MEMORY | {"effects": [0.5, 0.2, 0.1]},
    MEMORY | {"effects": [0.5, 0.2, 0.1, math.nan]},
    MEMORY | {"signal": 0.0},
    MEMORY | {"signal": "1.5 or so"},
    MEMORY | {"signal": [1.5]},
    MEMORY | {"signal": 10**400},
    MEMORY | {"noise": math.nan},
    MEMORY | {"noise": None},
    MEMORY | {"bend": 17.0},
    MEMORY | {"bend": "much"},
    MEMORY | {"bend": math.nan},
    {name: value for name, value in MEMORY.items() if name != "bend"},
]


@pytest.mark.parametrize("memory", GARBAGE)
def test_a_damaged_memory_counts_as_none(memory: object, fitted: list[tuple[Any, ...]]) -> None:
    history = _results(PLANE, 6)
    suggestion = propose(_remembering(history, memory, 6), generator_for(0, 7))
    assert [remembered for *_, remembered in fitted] == [None]
    assert suggestion == propose(history, generator_for(0, 7))


@pytest.mark.parametrize("value", [1e-300, 1e300, math.inf, 10**300])
def test_a_memory_beyond_all_bounds_does_no_harm(value: float) -> None:
    memory = {"lengthscales": [value] * 2, "signal": value, "noise": value, "effects": [value] * 4, "bend": 0}
    suggestion = propose(_remembering(_results(PLANE, 6), memory, 6), generator_for(0, 7))
    assert math.isfinite(suggestion.metadata["log_expected_improvement"])


# ------------------------------------------------------------------------------------------------------ a pure function


def _trace(history: History) -> list[tuple[dict[str, Value], object]]:
    return [(dict(trial.config), dict(trial.decision.metadata)) for trial in history.trials if trial.decision]


@pytest.mark.parametrize("workers", [1, 4])
def test_a_run_can_be_repeated_bit_for_bit(workers: int) -> None:
    def objective(config: Config) -> float | None:
        loss = math.log10(float(config["rate"] or 0)) ** 2 + {"a": 0.0, "b": 1.0, "c": 2.0}[str(config["kind"])]
        return None if config["n"] == 9 else loss + float(config["w"] or 0) / 999.0

    traces = []
    for _ in range(2):
        axes.axes_of.cache_clear()  # what is remembered of a space changes nothing
        traces.append(_trace(simulate(BayesianOptimization(), MIXED, objective, 30, seed=3, workers=workers)))
    assert traces[0] == traces[1]
    assert [reasons["by"] for _, reasons in traces[0] if isinstance(reasons, dict)].count("model") > 20


@pytest.fixture
def global_state() -> Iterator[Callable[[], object]]:
    """Asks for NumPy's global random state, and its reactions to floating point errors, all set to raise."""
    with np.errstate(all="raise"):
        yield lambda: (np.geterr(), [np.asarray(part).tolist() for part in np.random.get_state()])  # noqa: NPY002


@pytest.mark.parametrize("space", [PLANE, MIXED, SMALL], ids=["plane", "mixed", "small"])
def test_global_state_is_neither_used_nor_changed(space: SearchSpace, global_state: Callable[[], object]) -> None:
    history = _results(space, 12)
    before = global_state()
    suggestion = propose(history, generator_for(0, 13))
    assert global_state() == before
    np.random.seed(5)  # noqa: NPY002
    assert propose(history, generator_for(0, 13)) == suggestion


class _Prefers:
    """A term that is all for high values of the first coordinate."""

    def __call__(self, Z: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(1e12 * Z[:, 0])

    def with_gradient(self, Z: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self(Z), np.concatenate([np.full((len(Z), 1), 1e12), np.zeros((len(Z), Z.shape[1] - 1))], axis=1)


def test_a_term_is_added_and_does_not_count_as_improvement() -> None:
    asked: list[int] = []

    def term(known: Axes, trials: Sequence[Trial], _: Acquisition) -> Acquisition:
        asked.extend([known.dimensions, len(trials)])
        return _Prefers()

    suggestion = propose(_results(PLANE, 12), generator_for(0, 13), term)
    assert asked == [2, 12]
    assert suggestion.config["x"] == pytest.approx(1.0)
    assert suggestion.metadata["log_expected_improvement"] < 10.0


def test_each_of_many_categories_is_tried() -> None:
    worth = np.random.default_rng(7).permutation(20) / 20.0
    space = SearchSpace({"kind": Categorical(list(range(20))), "x": Float(0.0, 1.0)})

    def objective(config: Config) -> float:
        return float(worth[int(str(config["kind"]))]) + (float(config["x"] or 0.0) - 0.4) ** 2

    for seed in range(3):
        best = simulate(BayesianOptimization(), space, objective, 60, seed=seed).best
        assert best is not None
        assert best.loss == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize(("active_if", "expected"), [(None, 0.3), ({"layers": at_least(2)}, 0.6)])
def test_where_branches_depend_on_a_number_more_of_the_uncertainty_counts(
    active_if: Mapping[str, Any] | None, expected: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = list[float]()

    def watched(improvement: LogExpectedImprovement, exploration: float, *rest: Any) -> Acquisition:
        counted.append(exploration)
        return with_term(improvement, exploration, *rest)

    monkeypatch.setattr(proposal, "with_term", watched)
    space = SearchSpace({"layers": Integer(1, 3), "width": Float(0.0, 1.0, active_if=active_if)})
    propose(_results(space, 5), generator_for(0, 6))
    assert counted == [expected]
