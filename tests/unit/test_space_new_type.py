"""A new type of parameter is its own class and a line in a table: every searcher, file and view then knows it."""

from __future__ import annotations

from pathlib import Path

import attrs
import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution

import neps
from neps._budget import Budget
from neps._views.optuna_trials import distributions
from neps.errors import SpaceError
from neps.samplers._registry import resolve
from neps.samplers._single_fidelity.grid_search import axes as grid
from neps.space import Confidence, Float, Integer, Parameter, SearchSpace, Value
from neps.space._definition import KINDS
from neps.space._scale import Row
from neps.testing.simulation import simulate

SETTINGS = {
    "random_search": {},
    "sobol": {},
    "grid_search": {},
    "bayesian_optimization": {"initial_design_size": 4},
    "pibo": {"initial_design_size": 4},
    "regularized_evolution": {"population_size": 4, "sample_size": 2},
    "hyperband_prior": {},
    "priorband": {},
    "mobster": {},
    "freeze_thaw": {},
}
MULTI_FIDELITY = ("hyperband_prior", "priorband", "mobster", "freeze_thaw")


@attrs.frozen(slots=False, repr=False)
class Level(Parameter):
    """One of the levels low, middle, high."""

    kind = "level"

    default: Value = None
    default_confidence: Confidence = "low"

    def parse(self, value: object) -> Value:
        if value not in ("low", "middle", "high"):
            raise SpaceError(f"the value is {value!r}, but it must be a level")
        return str(value)

    @property
    def axis(self) -> Row:
        return Row(("low", "middle", "high"))


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "level", Level)


@pytest.mark.parametrize("name", SETTINGS)
def test_searchers_search_it(name: str) -> None:
    parameters: dict[str, Parameter] = {"level": Level("middle"), "x": Float(0, 1)}
    if name in MULTI_FIDELITY:
        parameters["epochs"] = Integer(1, 9, is_fidelity=True)
    space = SearchSpace(parameters)
    sampler = resolve(name, space, dict(SETTINGS[name]))
    history = simulate(sampler, space, lambda config: float(config["level"] != "high"), Budget(max_evaluations_total=7))
    assert len(history.trials) == 7
    assert all(space.validate(trial.config) == trial.config for trial in history.trials)


def test_spaces_grids_and_views_know_it() -> None:
    space = SearchSpace({"level": Level("middle", "high")})
    assert space.definition() == {"level": {"type": "level", "default": "middle", "default_confidence": "high"}}
    assert SearchSpace.from_definition(space.definition()) == space
    assert repr(space) == "SearchSpace({'level': Level(default='middle', default_confidence='high')})"
    assert (space.size, space.default_config()) == (3, {"level": "middle"})
    assert space.sample_prior(np.random.default_rng(0)) in [{"level": level} for level in ("low", "middle", "high")]
    assert grid(space, 5) == (("low", "middle", "high"),)
    assert distributions(space) == {"level": CategoricalDistribution(("low", "middle", "high"))}


def test_a_run_stores_and_reads_it(tmp_path: Path) -> None:
    def run_pipeline(level: str) -> float:
        return float(level != "high")

    history = neps.run(run_pipeline, tmp_path, {"level": Level("high", "high")}, max_evaluations_total=2, seed=1)
    assert neps.load(tmp_path).to_dict() == history.to_dict()
    assert "type: level" in (tmp_path / "neps.yaml").read_text()
