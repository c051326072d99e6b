"""`start_from`: what is mapped from an earlier run, what of it is believed, and that all workers start from it."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import neps
from neps._api.import_sources import Found
from neps._api.importing import trial_of
from neps._api.starting import mapped_config
from neps._history import History
from neps._trial import Trial
from neps._views.status_json import read_fields
from neps.errors import ArgumentError, DefinitionMismatchError, DirectoryError, SpaceError
from neps.samplers import BayesianOptimization, FreezeThaw, RandomSearch
from neps.samplers._model_based.earlier import learning_from_earlier
from neps.space import SearchSpace
from neps.testing import simulate

OLD = {"lr": neps.Float(1e-5, 1e-2, log=True), "width": neps.Integer(8, 64), "data": neps.Constant("small")}
WIDER = OLD | {"lr": neps.Float(1e-5, 1e-1, log=True)}


def objective(**config: Any) -> float:
    return float(abs(config["lr"] - 0.02) + config["width"] / 1000)


def begun(root: Path, space: Mapping[str, neps.Parameter], total: int = 6, **arguments: Any) -> neps.History:
    defaults: dict[str, Any] = {"searcher": "sobol", "seed": 1, "progress": False, "post_run_summary": False}
    return neps.run(objective, root, space, max_evaluations_total=total, **(defaults | arguments))


# What is mapped


@pytest.mark.parametrize(
    ("space", "config", "expected"),
    [
        (WIDER, {"lr": 0.01, "width": 8, "data": "small"}, {"lr": 0.01, "width": 8}),
        (OLD | {"data": neps.Constant("large")}, {"lr": 0.01, "width": 8, "data": "small"}, {"lr": 0.01, "width": 8}),
        (OLD | {"mom": neps.Float(0, 1, default=0.9)}, {"lr": 0.01, "width": 8}, {"lr": 0.01, "width": 8, "mom": 0.9}),
        ({"lr": OLD["lr"]}, {"lr": 0.01, "width": 8}, {"lr": 0.01}),
    ],
    ids=["wider", "another constant", "a new parameter", "one that is gone"],
)
def test_what_can_be_mapped(space: Any, config: Any, expected: Any) -> None:
    assert mapped_config(SearchSpace(space), config) == expected


def test_a_new_parameter_needs_a_default() -> None:
    with pytest.raises(SpaceError, match="has no 'mom': give it a default"):
        mapped_config(SearchSpace(OLD | {"mom": neps.Float(0, 1)}), {"lr": 0.01, "width": 8})


def test_what_lies_outside_of_a_narrower_space_is_left_out_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old = begun(tmp_path / "old", OLD)
    narrower = OLD | {"width": neps.Integer(30, 64)}
    inside = [trial for trial in old if int(str(trial.config["width"])) >= 30]
    with caplog.at_level(logging.INFO):
        history = begun(tmp_path / "new", narrower, 2, start_from=tmp_path / "old")
    assert len(history.earlier) == len(inside)
    assert 0 < len(inside) < 6
    assert f"{6 - len(inside)} of 6 results don't belong to the search space" in caplog.text
    assert f"{len(inside)} results of {tmp_path / 'old'} used" in caplog.text


def test_an_earlier_run_of_no_use_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    begun(tmp_path / "old", OLD)
    with pytest.raises(ArgumentError, match=r"nothing that .* has found can be used"):
        begun(tmp_path / "new", {"lr": neps.Float(0.5, 1)}, start_from=tmp_path / "old")
    with pytest.raises(DirectoryError, match="does not exist"):
        begun(tmp_path / "new", OLD, start_from=tmp_path / "absent")
    with pytest.raises(ArgumentError, match="start_from is 7"):
        begun(tmp_path / "new", OLD, start_from=7)
    assert not (tmp_path / "new").exists()


# A run


def test_its_best_comes_first_and_the_old_root_is_needed_no_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = begun(tmp_path / "old", OLD)
    assert old.best is not None
    new, more = tmp_path / "new", {"first_configs": [{"lr": 0.05, "width": 9}]}
    history = begun(new, WIDER, 3, searcher="bayesian_optimization", start_from=str(tmp_path / "old"), **more)
    assert [trial.config["lr"] for trial in history.trials[:2]] == [0.05, old.best.config["lr"]]
    assert [trial.enqueued for trial in history] == [True, True, False]
    assert sorted(float(trial.loss or 0) for trial in history.earlier) == sorted(float(t.loss or 0) for t in old)
    assert history.best in history.trials
    assert yaml.safe_load((new / "neps.yaml").read_text())["start_from"] == [old_run(tmp_path / "old")]
    assert [trial.decision.seen_known for trial in history if trial.decision] == [1, 1, 1]
    neps.status(new)
    assert "start     from 6 results of 1 earlier run" in capsys.readouterr().out
    assert read_fields(new)["earlier"] == 6
    begun(new, WIDER, 4, searcher="bayesian_optimization", start_from=tmp_path / "old", **more)
    shutil.rmtree(tmp_path / "old")
    assert len(begun(new, WIDER, 5, searcher="bayesian_optimization", start_from=tmp_path / "old", **more)) == 5


def old_run(root: Path) -> str:
    return str(yaml.safe_load((root / "neps.yaml").read_text())["run"])


def test_a_run_that_has_begun_starts_from_nothing_else(tmp_path: Path) -> None:
    for name in ("old", "other"):
        begun(tmp_path / name, OLD)
    begun(tmp_path / "new", WIDER, 1, start_from=[tmp_path / "old"])
    with pytest.raises(DefinitionMismatchError, match=r"start_from is .* in the run and .* in this call"):
        begun(tmp_path / "new", WIDER, 2, start_from=[tmp_path / "old", tmp_path / "other"])
    begun(tmp_path / "plain", WIDER, 1)
    with pytest.raises(DefinitionMismatchError, match="start_from is nothing in the run"):
        begun(tmp_path / "plain", WIDER, 2, start_from=tmp_path / "old")


def test_several_earlier_runs_and_what_these_started_from(tmp_path: Path) -> None:
    begun(tmp_path / "a", OLD)
    begun(tmp_path / "b", WIDER, 4, seed=2, start_from=tmp_path / "a")
    begun(tmp_path / "c", OLD, 3, seed=3)
    history = begun(tmp_path / "new", WIDER, 1, start_from=[tmp_path / "b", tmp_path / "c"])
    assert len(history.earlier) == 4 + 6 - 1 + 3, "the best of a, which b has evaluated, is the same in both"


# What is believed

LINE = SearchSpace({"x": neps.Float(0, 1), "y": neps.Float(0, 1)})
EPOCHS = SearchSpace({"x": neps.Float(0, 1), "epochs": neps.Integer(1, 9, is_fidelity=True)})


def bowl(config: Mapping[str, Any], centre: float = 0.8) -> float:
    return float(sum((value - centre) ** 2 for name, value in config.items() if name != "epochs"))


def results(space: SearchSpace, centre: float, size: int = 25) -> list[Trial]:
    history = simulate(BayesianOptimization(), space, lambda config: bowl(config, centre), size, seed=9)
    return [trial_of(space, Found(trial.config, trial.loss)) for trial in history]


def believed(earlier: list[Trial], own: int, seed: int = 3) -> History:
    first = [min(earlier, key=lambda trial: trial.loss or 0.0).config]
    sampler = BayesianOptimization()
    found = simulate(sampler, LINE, bowl, own, seed=seed, earlier=earlier, first_configs=first)
    return learning_from_earlier(found)


def test_an_earlier_run_of_the_same_objective_is_believed() -> None:
    history = believed(results(LINE, 0.8), 8)
    assert (len(history.imported), len(history.earlier)) == (25, 0)
    assert min(trial.loss or 0.0 for trial in history) < 1e-4


def test_one_whose_optimum_was_elsewhere_is_not() -> None:
    history = believed(results(LINE, 0.1), 12)
    assert (len(history.imported), len(history.earlier)) == (0, 25)
    assert min(trial.loss or 0.0 for trial in history) < 0.01, "it goes on as if there were none"


def test_one_whose_losses_are_higher_by_a_constant_is_moved() -> None:
    moved = [trial_of(LINE, Found(trial.config, (trial.loss or 0.0) + 7)) for trial in results(LINE, 0.8)]
    history = believed(moved, 6)
    assert len(history.imported) == 25
    assert min(trial.loss or 0.0 for trial in history.imported) < 1.0


def test_over_fidelities_the_model_learns_from_it() -> None:
    history = simulate(FreezeThaw(), EPOCHS, bowl, 6, seed=3, earlier=results(EPOCHS, 0.8), first_configs=[{"x": 0.5}])
    assert any(bowl(trial.config) < 1e-3 for trial in history.trials[1:])


def test_a_searcher_that_looks_at_nothing_goes_on_as_ever() -> None:
    history = simulate(RandomSearch(), LINE, bowl, 6, seed=3, earlier=results(LINE, 0.8), first_configs=[{"x": 0.5}])
    plain = simulate(RandomSearch(), LINE, bowl, 5, seed=3)
    assert [trial.config for trial in history.trials[1:]] == [trial.config for trial in plain]


def test_the_same_history_is_believed_in_the_same_way() -> None:
    earlier = results(LINE, 0.8)
    once, again = believed(earlier, 6), believed(earlier, 6)
    assert [trial.config for trial in once] == [trial.config for trial in again]
