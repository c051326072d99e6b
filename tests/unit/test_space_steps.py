"""Steps, ordered choices and named objects where they are used: models, grids, Optuna, neps.run, other processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

import neps
from neps._views.optuna_trials import distributions
from neps.errors import ArgumentError, FormatVersionError, SpaceError
from neps.samplers._drawing.mutation import mutated_in_one
from neps.samplers._model_based.axes import axes_of
from neps.samplers._model_based.priors import log_prior
from neps.samplers._single_fidelity.grid_search import axes as grid
from neps.space import Categorical, Float, Integer, SearchSpace

SPACE = SearchSpace(
    {
        "width": Integer(16, 256, step=16, default=64),
        "drop": Float(0, 1, step=0.1),
        "size": Categorical(["s", "m", "l", "xl"], ordered=True, default="m"),
        "kind": Categorical(["a", "b"], default="b"),
        "fine": Float(0, 1, step=0.0001),
    }
)


class Net:
    """What no file can hold."""

    def __init__(self, layers: int) -> None:
        self.layers = layers


NETS = {"small": Net(2), "large": Net(8)}
NAMED: dict[str, neps.space.Parameter] = {"x": Float(0, 1), "net": Categorical(NETS, default="large")}


class TestSteps:
    def test_three_tenths_are_three_tenths(self) -> None:
        parameter = Float(0, 1, step=0.1)
        assert [parameter.from_unit(unit) for unit in (0.32, 0.6, 0.7)] == [0.3, 0.6, 0.7]
        assert parameter.parse(3 * 0.1) == 0.3 != 3 * 0.1
        assert Float(0, 1, step=0.1, default=3 * 0.1).default == 0.3

    def test_large_numbers_are_told_apart(self) -> None:
        parameter = Float(1e9, 1e9 + 1, step=1e-6)
        assert parameter.parse(1e9 + 1e-6) == 1e9 + 1e-6
        assert parameter.count == 10**6 + 1

    def test_a_step_of_one_is_none(self) -> None:
        assert Integer(1, 9, step=1) == Integer(1, 9)
        assert "step" not in Integer(1, 9, step=1).definition()

    def test_a_single_value(self) -> None:
        assert Integer(4, 4, step=3).every_value(1) == range(4, 5, 3)
        assert Float(0.5, 0.5, step=0.1).count == 1


class TestOrder:
    def test_is_equality(self) -> None:
        assert Categorical([1, 2]) != Categorical([1, 2], ordered=True)
        here, there = (SearchSpace({"c": Categorical([1, 2], ordered=ordered)}) for ordered in (True, False))
        assert here.differences(there) == ["c: ordered is not given in the run and True in this call"]

    def test_prior_falls_off_on_both_sides(self) -> None:
        parameter = Categorical([1, 2, 4, 8, 16], ordered=True, default=4, default_confidence="high")
        near, far = parameter.log_density(8), parameter.log_density(16)
        assert parameter.log_density(4) > near == pytest.approx(parameter.log_density(2))
        assert near > far
        like = Integer(0, 4, default=2, default_confidence="high")
        assert [parameter.log_density(2**k) for k in range(5)] == [like.log_density(k) for k in range(5)]

    def test_mutation_steps_to_neighbours(self) -> None:
        space = SearchSpace({"c": Categorical([1, 2, 4, 8, 16, 32, 64], ordered=True)})
        generator = np.random.default_rng(0)
        reached = {mutated_in_one(space, {"c": 8}, 0.05, generator)["c"] for _ in range(200)}
        assert reached == {4, 16}

    def test_an_expected_choice_is_in_the_middle(self) -> None:
        assert Categorical([1, 2, 4], ordered=True).expected == 2
        assert Categorical([1, 2, 4]).expected == 1


def test_models_see_numbers_of_few_values() -> None:
    axes = axes_of(SPACE)
    assert axes.choices.tolist() == [0, 0, 0, 2, 0]
    assert [None if positions is None else len(positions) for positions in axes.positions] == [16, 11, 4, 2, None]
    rounded = axes.rounded(np.full((1, 5), 0.3))
    assert SPACE.decode(rounded[0]) == {"width": 80, "drop": 0.3, "size": "m", "kind": "a", "fine": 0.3}


def test_models_see_a_smooth_prior_of_what_has_an_order() -> None:
    term = log_prior(SPACE, 1.0)
    assert sorted(term.tables) == [3]
    assert (term.precisions > 0).tolist() == [True, False, True, False, False]
    assert term.centres[2] == SPACE["size"].to_unit("m")


def test_grids_have_all_choices_and_spread_steps() -> None:
    values = grid(SPACE, 5)
    assert [list(axis) for axis in values[:4]] == [
        [16, 80, 144, 192, 256],
        [0.0, 0.2, 0.5, 0.8, 1.0],
        ["s", "m", "l", "xl"],
        ["a", "b"],
    ]
    assert list(grid(SearchSpace({"n": Integer(0, 8, step=2)}), 5)[0]) == [0, 2, 4, 6, 8]


def test_optuna_sees_steps() -> None:
    found = distributions(SPACE)
    assert found["width"] == IntDistribution(16, 256, step=16)
    assert found["drop"] == FloatDistribution(0, 1, step=0.1)
    assert found["size"] == CategoricalDistribution(("s", "m", "l", "xl"))
    assert distributions(SearchSpace({"x": Float(1, 2, log=True)}))["x"] == FloatDistribution(1, 2, log=True)


class TestNamedObjects:
    def test_run_pipeline_and_expected_cost_get_them_and_nobody_else(self, tmp_path: Path) -> None:
        evaluated: list[Net] = []
        expected: list[Net] = []

        def run_pipeline(x: float, net: Net) -> dict[str, float]:
            evaluated.append(net)
            return {"loss": x + net.layers, "cost": 1.0}

        def expected_cost(config: Mapping[str, Any]) -> float:
            expected.append(config["net"])
            return 1.0

        history = neps.run(
            run_pipeline,
            tmp_path,
            NAMED,
            searcher="random_search",
            max_cost_total=6,
            seed=1,
            expected_cost=expected_cost,
        )
        assert set(evaluated) == set(expected) == set(NETS.values())
        assert {trial.config["net"] for trial in history.trials} == set(NETS)
        assert (history.best_config or {})["net"] == "small"
        assert neps.load(tmp_path).to_dict()["trials"] == history.to_dict()["trials"]
        written = (tmp_path / "config_1" / "config.yaml").read_text().splitlines()
        assert f"net: {history.trials[0].config['net']}" in written

    def test_joiners_compare_names(self, tmp_path: Path) -> None:
        def run_pipeline(x: float, net: object) -> float:
            return x + (net == "large")

        neps.run(lambda x, **_: x, tmp_path, NAMED, searcher="random_search", max_evaluations_total=1)
        others = {"x": Float(0, 1), "net": Categorical({"small": dict, "large": list}, default="large")}
        names = {"x": Float(0, 1), "net": Categorical(["small", "large"], default="large")}
        neps.run(run_pipeline, tmp_path, others, max_evaluations_total=2)
        assert len(neps.run(run_pipeline, tmp_path, names, max_evaluations_total=3).trials) == 3
        renamed = names | {"net": Categorical(["small", "huge"])}
        with pytest.raises(ArgumentError, match="net: choices is"):
            neps.run(run_pipeline, tmp_path, renamed, max_evaluations_total=4)

    def test_they_stay_with_another_default(self) -> None:
        parameter = Categorical(NETS, ordered=True).with_prior(default="small", default_confidence="high")
        assert parameter == Categorical(["small", "large"], "small", "high", ordered=True)
        assert parameter.handed("small") is NETS["small"]

    def test_a_default_is_a_name(self) -> None:
        with pytest.raises(SpaceError, match=r"default: the value is <.*Net"):
            Categorical(NETS, default=NETS["small"])  # type: ignore[arg-type]


def test_what_a_newer_version_requires_is_refused(tmp_path: Path) -> None:
    space = {"n": Integer(0, 8, step=2)}
    neps.run(lambda n: n, tmp_path, space, searcher="random_search", max_evaluations_total=1)
    path = tmp_path / "neps.yaml"
    written = path.read_text()
    assert "requires:\n- step\n" in written
    path.write_text(written.replace("- step\n", "- step\n- steppe\n"))
    uses: list[Callable[[], object]] = [lambda: neps.load(tmp_path), lambda: neps.run(lambda n: n, tmp_path, space)]
    for use in uses:
        with pytest.raises(FormatVersionError, match=r"requires 'steppe', which this version .* Install that"):
            use()


def test_nothing_is_required_where_nothing_is_new(tmp_path: Path) -> None:
    neps.run(lambda n, **_: n, tmp_path, {"n": Integer(0, 8), "c": Categorical({"a": 1})}, max_evaluations_total=1)
    assert "requires" not in (tmp_path / "neps.yaml").read_text()
