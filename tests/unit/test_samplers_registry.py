"""From `searcher=` to a sampler and back."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest

from neps.errors import ArgumentError
from neps.samplers import BayesianOptimization, GridSearch, RandomSearch, Sampler, Sobol, Suggestion
from neps.samplers.registry import default_name, describe, resolve
from neps.space import Float, Integer, SearchSpace

PLAIN = SearchSpace({"x": Float(0.0, 1.0)})
PRIOR = SearchSpace({"x": Float(0.0, 1.0, default=0.5)})
FIDELITY = SearchSpace({"x": Float(0.0, 1.0), "epochs": Integer(1, 9, is_fidelity=True)})
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
        ("default", {"initial_design_size": 6}, BayesianOptimization(initial_design_size=6)),
    ],
)
def test_names_become_samplers(name: str, settings: dict[str, Any], expected: Sampler) -> None:
    assert resolve(name, PLAIN, settings) == expected


def test_an_instance_stays_itself() -> None:
    sampler = Centre()
    assert resolve(sampler, PLAIN, {}) is sampler


@pytest.mark.parametrize(
    ("searcher", "settings", "message"),
    [
        ("random_serch", {}, r"unknown searcher 'random_serch'.*'sobol'.*Did you mean 'random_search'\?"),
        ("hyperband", {}, "searcher 'hyperband' is not in this version yet: use bayesian_optimization instead"),
        ("pibo", {}, "use bayesian_optimization with sample_default_first=True instead"),
        (
            "grid_search",
            {"steps_per_param": 3},
            r"unknown argument 'steps_per_param'.*Did you mean 'steps_per_parameter'\?",
        ),
        ("sobol", {"seeed": 3}, "searcher 'sobol' takes no arguments of its own"),
        ("random_search", {"use_priors": True}, "needs a prior"),
        ("random_search", {"use_priors": "yes"}, "must be True or False"),
        (RandomSearch(use_priors=True), {}, "needs a prior"),
        (
            RandomSearch(),
            {"use_priors": True},
            r"unknown arguments \['use_priors'\]: searcher is already a RandomSearch",
        ),
        (RandomSearch, {}, r"must be a name or an instance of a Sampler.*Write RandomSearch\(\)"),
        (None, {}, "must be a name or an instance of a Sampler, not None"),
    ],
)
def test_mistakes_are_explained(searcher: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        resolve(searcher, PLAIN, settings)


@pytest.mark.parametrize(
    ("space", "reason"),
    [
        (PLAIN, "the space has neither a fidelity nor a prior"),
        (PRIOR, "a prior, but pibo is not in this version yet; bayesian_optimization ignores the prior"),
        (FIDELITY, "a fidelity, but hyperband is not in this version yet; .* at the full fidelity"),
        (BOTH, "a fidelity and a prior, but priorband is not in this version yet"),
    ],
)
def test_the_default_is_chosen_by_the_space_and_says_why(space: SearchSpace, reason: str) -> None:
    name, why = default_name(space)
    assert name == "bayesian_optimization"
    assert re.search(reason, why)


@pytest.mark.parametrize("sampler", [RandomSearch(use_priors=True), Sobol(), GridSearch(3), BayesianOptimization(4)])
def test_a_description_makes_the_same_sampler(sampler: Sampler) -> None:
    description = describe(sampler)
    assert resolve(description["name"], PRIOR, description["settings"]) == sampler


def test_a_sampler_of_ones_own_is_described_by_its_class() -> None:
    assert describe(Centre()) == {"name": f"{__name__}.Centre", "settings": {}}


@pytest.mark.parametrize("name", ["random_search", "sobol", "grid_search", "bayesian_optimization"])
def test_scipy_and_torch_are_not_imported_before_a_model_is_fitted(name: str) -> None:
    code = (
        "import sys\n"
        "from neps.samplers.registry import resolve\n"
        "from neps.space import Float, SearchSpace\n"
        "from neps.testing.simulation import simulate\n"
        "space = SearchSpace({'x': Float(0, 1)})\n"
        f"simulate(resolve({name!r}, space, {{}}), space, lambda config: config['x'], 2)\n"
        "print(sorted({'scipy', 'torch', 'pandas'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
