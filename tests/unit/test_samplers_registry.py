"""From `searcher=` to a sampler and back."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from neps.errors import ArgumentError
from neps.samplers import (
    BayesianOptimization,
    CostCooling,
    GridSearch,
    Hyperband,
    PiBO,
    RandomSearch,
    RegularizedEvolution,
    Sampler,
    Sobol,
    Suggestion,
)
from neps.samplers._registry import SEARCHERS, constructor, default_name, resolve, searcher_definition
from neps.space import Float, Integer, SearchSpace

PLAIN = SearchSpace({"x": Float(0.0, 1.0)})
PRIOR = SearchSpace({"x": Float(0.0, 1.0, default=0.5)})
FIDELITY = SearchSpace({"x": Float(0.0, 1.0), "epochs": Integer(1, 9, is_fidelity=True)})
TWO = SearchSpace({"x": Float(0, 1), "e": Integer(1, 9, is_fidelity=True), "f": Integer(1, 9, is_fidelity=True)})
BOTH = SearchSpace({"x": Float(0.0, 1.0, default=0.5), "epochs": Integer(1, 9, is_fidelity=True)})


class Centre(Sampler):
    """A user's own, without settings."""

    def settings(self) -> dict[str, Any]:
        return {}

    def decide(self, *_: object) -> Suggestion:
        return Suggestion(config={"x": 0.5})


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("random_search", {"use_priors": False}, RandomSearch()),
        ("sobol", {}, Sobol()),
        ("grid_search", {"steps_per_parameter": 3}, GridSearch(3)),
        ("bayesian_optimization", {"initial_design_size": 6}, BayesianOptimization(initial_design_size=6)),
        ("cost_cooling", {"random_interleave_prob": 0.1}, CostCooling(random_interleave_prob=0.1)),
        ("regularized_evolution", {"population_size": 30}, RegularizedEvolution(population_size=30)),
        ("default", {"initial_design_size": 6}, BayesianOptimization(initial_design_size=6)),
    ],
)
def test_names_become_samplers(name: str, settings: dict[str, Any], expected: Sampler) -> None:
    assert resolve(name, PLAIN, settings) == expected


@pytest.mark.parametrize("name", ["pibo", "default"])
def test_a_prior_brings_pibo(name: str) -> None:
    assert resolve(name, PRIOR, {"prior_confidence": "high"}) == PiBO(prior_confidence="high")


def test_an_instance_stays_itself() -> None:
    sampler = Centre()
    assert resolve(sampler, PLAIN, {}) is sampler


@pytest.mark.parametrize(
    ("searcher", "settings", "message"),
    [
        ("random_serch", {}, r"searcher is 'random_serch', but.*'sobol'.*Did you mean 'random_search'\?"),
        ("freeze_thaw", {}, r"needs one fidelity, but the space has none"),
        (
            "priorband_bo",
            {"prior_wieght": 3},
            r"no setting 'prior_wieght'.*Did you mean 'prior_weight'\?",
        ),
        ("hyperband", {}, r"needs one fidelity, but the space has none\. Mark one .* or use bayesian_optimization"),
        ("pibo", {}, "pibo needs a prior.*or use bayesian_optimization"),
        ("cost_cooling", {"prior_weight": 3}, "'cost_cooling' has no setting 'prior_weight'; it takes"),
        (
            "bayesian_optimization",
            {"random_interleave_probability": 0.1},
            r"no setting 'random_interleave_probability'.*Did you mean 'random_interleave_prob'\?",
        ),
        (
            "grid_search",
            {"steps_per_param": 3},
            r"no setting 'steps_per_param'.*Did you mean 'steps_per_parameter'\?",
        ),
        ("sobol", {"seeed": 3}, "The searcher 'sobol' has no setting 'seeed'; it takes none"),
        ("random_search", {"use_priors": True}, "needs a prior"),
        ("random_search", {"use_priors": "yes"}, "must be True or False"),
        (RandomSearch(use_priors=True), {}, "needs a prior"),
        (
            RandomSearch(),
            {"use_priors": True},
            r"searcher is already a RandomSearch, but settings are given, too: use_priors\. Pass",
        ),
        (RandomSearch, {}, r"must be a searcher's name, or an instance of neps\.Sampler.*Write RandomSearch\(\)"),
        (Hyperband, {}, r"must be a searcher's name, or an instance of neps\.Sampler.*Write Hyperband\(\)"),
        (
            BayesianOptimization(),
            {"initial_design_size": 3},
            "already a BayesianOptimization, but settings",
        ),
        (None, {}, "searcher is None; it must be a searcher's name"),
    ],
)
def test_mistakes_are_explained(searcher: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        resolve(searcher, PLAIN, settings)


@pytest.mark.parametrize(
    ("space", "expected", "reason"),
    [
        (PLAIN, "bayesian_optimization", "^the space has neither a fidelity nor a prior$"),
        (PRIOR, "pibo", "^the space has a prior$"),
        (FIDELITY, "freeze_thaw", "^the space has a fidelity$"),
        (BOTH, "freeze_thaw_prior", "^the space has a fidelity and a prior$"),
        (TWO, "bayesian_optimization", "^the space has no prior; its 2 fidelities stay at the upper bound$"),
    ],
)
def test_the_default_is_chosen_by_the_space_and_says_why(space: SearchSpace, expected: str, reason: str) -> None:
    name, why = default_name(space)
    assert name == expected
    assert re.search(reason, why)


@pytest.mark.parametrize(
    "sampler",
    [
        RandomSearch(use_priors=True),
        Sobol(),
        GridSearch(3),
        BayesianOptimization(4),
        PiBO(prior_weight=3),
        CostCooling(4),
        RegularizedEvolution(30),
    ],
)
def test_a_description_makes_the_same_sampler(sampler: Sampler) -> None:
    description = searcher_definition(sampler)
    assert resolve(description["name"], PRIOR, description["settings"]) == sampler


@pytest.mark.parametrize("name", sorted(SEARCHERS))
def test_the_documentation_has_each_setting_and_its_default(name: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "searchers.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE))
    fields = inspect.signature(constructor(name)).parameters.values()
    inherited = sections["bayesian_optimization"] if "settings are those of `bayesian_opt" in sections[name] else ""
    described = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", sections[name] + inherited, re.MULTILINE))
    assert sorted(described) == sorted(field.name for field in fields)
    for field in fields:
        assert field.default is None or described[field.name] == f"`{field.default}`"


def test_a_sampler_of_ones_own_is_described_by_its_class() -> None:
    assert searcher_definition(Centre()) == {"name": f"{__name__}.Centre", "settings": {}}


def _of_fidelities(name: str) -> bool:
    return SEARCHERS[name][0].startswith("_multi_fidelity.")


@pytest.mark.parametrize("name", sorted(SEARCHERS))
def test_scipy_and_torch_are_not_imported_before_a_model_is_fitted(name: str) -> None:
    code = (
        "import sys\n"
        "from neps.samplers._registry import resolve\n"
        "from neps.space import Float, SearchSpace\n"
        "from neps.testing.simulation import simulate\n"
        f"fidelity = {{'z': Float(1, 9, is_fidelity=True)}} if {_of_fidelities(name)} else {{}}\n"
        "space = SearchSpace({'x': Float(0, 1, default=0.5), **fidelity})\n"
        f"simulate(resolve({name!r}, space, {{}}), space, lambda config: config['x'], 2)\n"
        "print(sorted({'scipy', 'torch', 'pandas'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
