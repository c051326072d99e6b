"""freeze_thaw_prior: the default in full, a design that ignores the prior, and a model that trusts it for a while."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from typing import Any

import pytest

from neps._history import History
from neps._trial import Trial
from neps.errors import ArgumentError
from neps.samplers import FreezeThawPrior, Sampler, Sobol
from neps.space import Float, Integer, SearchSpace
from neps.testing.simulation import simulate

EPOCHS = Integer(1, 27, is_fidelity=True)
TARGET = (0.3, 0.7)


def plane(x: float, y: float) -> SearchSpace:
    return SearchSpace(
        {
            "x": Float(0, 1, default=x, default_confidence="medium"),
            "y": Float(0, 1, default=y, default_confidence="medium"),
            "epochs": EPOCHS,
        }
    )


RIGHT, WRONG = plane(0.35, 0.65), plane(0.95, 0.05)


def distance(config: Mapping[str, Any], point: tuple[float, float] = TARGET) -> float:
    return math.dist((config["x"], config["y"]), point)


def bowl(config: Mapping[str, Any]) -> float:
    return distance(config) ** 2 + (0.2 + distance(config)) / float(config["epochs"])


def begun(history: History) -> list[Trial]:
    return [trial for trial in history.trials if trial.previous is None]


def by(trial: Trial) -> str:
    assert trial.decision is not None
    return str(trial.decision.metadata["by"])


class TestDesign:
    AFTER = simulate(FreezeThawPrior(), RIGHT, bowl, 12)

    def test_the_default_comes_first_in_full(self) -> None:
        first = self.AFTER.trials[0]
        assert (dict(first.config), by(first)) == ({"x": 0.35, "y": 0.65, "epochs": 27}, "default")

    def test_then_points_of_the_sobol_sequence_whatever_the_prior(self) -> None:
        points = simulate(Sobol(), RIGHT, bowl, 12)
        wrong = simulate(FreezeThawPrior(), WRONG, bowl, 12)
        for trial, same, point in zip(self.AFTER.trials[1:8], wrong.trials[1:8], points.trials[1:8], strict=True):
            assert (by(trial), trial.config) == ("initial design", same.config)
            assert {**trial.config, "epochs": 27} == point.config

    def test_of_which_none_begins_at_the_highest_fidelity(self) -> None:
        after = simulate(FreezeThawPrior(initial_design_size=100), RIGHT, bowl, 100)
        frequent = [sum(trial.fidelity == epochs for trial in after.trials[1:]) for epochs in (1, 3, 9, 27)]
        assert frequent[0] > frequent[1] > frequent[2] > 0 == frequent[3]

    def test_which_is_done_after_8_results(self) -> None:
        assert [by(trial) for trial in self.AFTER.trials] == ["default", *["initial design"] * 7, *["model"] * 4]

    def test_without_the_default_at_the_target_some_begin_there(self) -> None:
        sampler = FreezeThawPrior(sample_default_at_target=False, initial_design_size=16)
        after = simulate(sampler, RIGHT, bowl, 16).trials
        assert dict(after[0].config) == {"x": 0.35, "y": 0.65, "epochs": 1}
        assert {by(trial) for trial in after} == {"initial design"}
        assert [trial.fidelity for trial in after[:9:8]] == [1, 27], "soon the model sees the highest one, too"

    def test_a_fidelity_of_one_rung(self) -> None:
        space = SearchSpace({"x": Float(0, 1, default=0.5), "epochs": Integer(1, 2, is_fidelity=True)})
        after = simulate(FreezeThawPrior(), space, lambda _: 1.0, 6)
        assert {trial.fidelity for trial in after.trials} == {2}


def first_proposed(sampler: Sampler) -> float:
    """How far from the wrong prior's centre the model begins its first configuration, where all losses are the same."""
    first = begun(simulate(sampler, WRONG, lambda _: 1.0, 40))[8]
    assert by(first) == "model"
    return distance(first.config, (0.95, 0.05))


class TestPrior:
    def test_where_results_say_nothing_it_decides(self) -> None:
        near, far = (first_proposed(FreezeThawPrior(prior_weight=weight)) for weight in (1e3, 1e-6))
        assert near < 0.1 < far

    def test_the_confidence_counts(self) -> None:
        narrow, wide = (
            first_proposed(FreezeThawPrior(prior_weight=10, prior_confidence=confidence))
            for confidence in ("high", "low")
        )
        assert narrow < wide

    def test_it_is_forgotten_where_results_contradict_it(self) -> None:
        after = simulate(FreezeThawPrior(prior_weight=100), WRONG, bowl, 40)
        assert statistics.median(distance(trial.config) for trial in begun(after)[8:]) < 0.05

    @pytest.mark.parametrize("space", [RIGHT, WRONG])
    def test_the_optimum_is_found(self, space: SearchSpace) -> None:
        best = simulate(FreezeThawPrior(), space, bowl, 50).best
        assert best is not None
        assert distance(best.config) < 0.05


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"prior_weight": 0}, "prior_weight must be a finite number greater than 0, not 0"),
        ({"prior_confidence": "hihg"}, "prior_confidence must be 'low'.* Did you mean 'high'"),
        ({"sample_default_first": False}, "sample_default_at_target=True says where"),
        ({"initial_design_size": 0}, "initial_design_size must be"),
    ],
)
def test_bad_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        FreezeThawPrior(**settings)


def test_a_space_without_a_prior_is_refused() -> None:
    with pytest.raises(ArgumentError, match="needs a prior, but no parameter"):
        FreezeThawPrior().check(SearchSpace({"x": Float(0, 1), "epochs": EPOCHS}))
