"""`start_from`: what is mapped from an earlier run, what of it is believed, and that all workers start from it."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import neps
from neps._api.import_found import Found
from neps._api.importing import trial_of
from neps._api.starting import mapped_config
from neps._history import History
from neps._trial import Trial
from neps._views.status_json import read_fields
from neps.errors import ArgumentError, DefinitionMismatchError, DirectoryError, SpaceError
from neps.samplers import BayesianOptimization, FreezeThaw, RandomSearch
from neps.samplers._model_based import earlier as judging
from neps.samplers._model_based.earlier import learning_from_earlier
from neps.space import SearchSpace
from neps.testing import simulate

OLD = {"lr": neps.Float(1e-5, 1e-2, log=True), "width": neps.Integer(8, 64), "data": neps.Constant("small")}
WIDER = OLD | {"lr": neps.Float(1e-5, 1e-1, log=True)}


def objective(**config: Any) -> float:
    return float(abs(config["lr"] - 0.02) + config["width"] / 1000)


def begun(root: Path, space: Mapping[str, neps.Parameter], total: int = 6, **arguments: Any) -> neps.History:
    defaults: dict[str, Any] = {
        "run_pipeline": objective,
        "root_directory": root,
        "searcher": "sobol",
        "seed": 1,
        "progress": False,
        "post_run_summary": False,
    }
    return neps.run(pipeline_space=space, max_evaluations_total=total, **(defaults | arguments))


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
    assert mapped_config(SearchSpace(space), config, SearchSpace(OLD)) == expected


def test_a_new_parameter_needs_a_default() -> None:
    with pytest.raises(SpaceError, match="has no 'mom': set its default to the value that the earlier run used"):
        mapped_config(SearchSpace(OLD | {"mom": neps.Float(0, 1)}), {"lr": 0.01, "width": 8}, SearchSpace(OLD))


# Spaces of which the old, the new or both are conditional or nested: by real runs

KINDS = {"kind": neps.Categorical(["adam", "sgd"])}
BETA, MOMENTUM = neps.Float(0, 1, default=0.9), neps.Float(0, 1, default=0.5)
BRANCHES = KINDS | {
    "beta": BETA.with_prior(active_if={"kind": "adam"}),
    "momentum": MOMENTUM.with_prior(active_if={"kind": "sgd"}),
}
FLAT = KINDS | {"beta": BETA, "momentum": MOMENTUM}
NESTED = {
    "kind": neps.Choice({"adam": {"beta": BETA}, "sgd": {"momentum": MOMENTUM}}),
    "layer": neps.Repeat(neps.Integer(4, 64, default=8), 1, 3, default=1),
}


def started(tmp_path: Path, old: Any, new: Any, searcher: str = "bayesian_optimization") -> tuple[Any, Any]:
    """The configurations of an old run with all branches, and a new run that starts from it, to its end."""
    before = begun(tmp_path / "old", old, 8, run_pipeline=any_loss)
    history = begun(tmp_path / "new", new, 3, run_pipeline=any_loss, searcher=searcher, start_from=tmp_path / "old")
    assert [trial.status for trial in history] == ["success"] * 3
    mapped = [dict(trial.config) for trial in history.earlier]
    assert history.trials[0].config in mapped
    return [dict(trial.config) for trial in before], mapped


def any_loss(**config: Any) -> float:
    return len(str(config)) / 100


@pytest.mark.parametrize("searcher", ["bayesian_optimization", "pibo", "regularized_evolution"])
def test_both_conditional(tmp_path: Path, searcher: str) -> None:
    before, mapped = started(tmp_path, BRANCHES, BRANCHES | {"beta": BETA.with_prior(active_if=None)}, searcher)
    assert mapped == [{"kind": c["kind"], "beta": 0.9} | c for c in before]
    assert {c["kind"] for c in before} == {"adam", "sgd"}


def test_a_parameter_that_became_conditional_is_left_out_where_it_is_inactive(tmp_path: Path) -> None:
    before, mapped = started(tmp_path, FLAT, BRANCHES)
    gone = {"adam": "momentum", "sgd": "beta"}
    assert mapped == [{name: value for name, value in c.items() if name != gone[c["kind"]]} for c in before]


def test_one_that_is_always_active_now_has_its_default_where_it_was_not(tmp_path: Path) -> None:
    before, mapped = started(tmp_path, BRANCHES, FLAT)
    assert mapped == [{"kind": c["kind"], "beta": 0.9, "momentum": 0.5} | c for c in before]


def test_one_that_was_inactive_there_needs_a_default(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        before, mapped = started(tmp_path, BRANCHES, FLAT | {"momentum": neps.Float(0, 1)})
    assert [c["kind"] for c in mapped] == [c["kind"] for c in before if c["kind"] == "sgd"]
    needs = "In the earlier run, 'momentum' was inactive there: give it a default, which it is taken to have had."
    assert needs in caplog.text


def test_what_is_new_and_inactive_needs_no_default(tmp_path: Path) -> None:
    old = {"momentum": MOMENTUM}
    new = old | {
        "kind": neps.Categorical(["adam", "sgd"], default="sgd"),
        "beta": neps.Float(0, 1, active_if={"kind": "adam"}),
        "nesterov": neps.Categorical([True, False], default=False, active_if={"kind": "sgd"}),
    }
    before, mapped = started(tmp_path, old, new)
    assert mapped == [c | {"kind": "sgd", "nesterov": False} for c in before]


def test_flat_to_nested_and_nested_to_wider(tmp_path: Path) -> None:
    before, mapped = started(
        tmp_path / "a", KINDS | {"layer": neps.Integer(1, 3), "layer.1": neps.Integer(4, 64)}, NESTED
    )
    for old, new in zip(before, mapped, strict=True):
        assert (new["kind"], new["layer"], new["layer.1"]) == (old["kind"], old["layer"], old["layer.1"])
        assert [new.get(f"layer.{n}") for n in (2, 3)] == [8 if n <= old["layer"] else None for n in (2, 3)]
    wider = NESTED | {"layer": neps.Repeat(neps.Integer(4, 128), 1, 5)}
    before, mapped = started(tmp_path / "b", NESTED, wider)
    assert mapped == before
    assert {c["layer"] for c in before} == {1, 2, 3}


def test_what_is_forbidden_now_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rules: Any = [{"kind": "sgd", "momentum": neps.at_least(0.5)}, beta_is_low]
    with caplog.at_level(logging.WARNING):
        before, mapped = started(tmp_path, BRANCHES, SearchSpace(BRANCHES, forbid=rules))
    assert mapped == [c for c in before if c.get("momentum", 0) < 0.5 and not beta_is_low(c)]
    assert 0 < len(mapped) < len(before)
    assert "is forbidden" in caplog.text


def beta_is_low(config: Mapping[str, Any]) -> bool:
    return bool(config.get("beta", 1) < 0.3)


def test_what_was_searched_and_is_constant_now_has_that_value() -> None:
    new, old = SearchSpace({"width": OLD["width"], "lr": neps.Constant(0.01)}), SearchSpace(OLD)
    assert mapped_config(new, {"lr": 0.01, "width": 8}, old) == {"width": 8}
    with pytest.raises(SpaceError, match=r"The earlier run had lr=0.001 there; here it is 0.01"):
        mapped_config(new, {"lr": 0.001, "width": 8}, old)


@pytest.mark.parametrize("now", [{}, {"epochs": neps.Constant(9)}], ids=["gone", "constant"])
def test_without_a_fidelity_only_full_evaluations_are_known(now: Any) -> None:
    old = SearchSpace(OLD | {"epochs": neps.Integer(1, 9, is_fidelity=True)})
    new, config = SearchSpace(OLD | now), {"lr": 0.01, "width": 8, "data": "small"}
    assert mapped_config(new, config | {"epochs": 9}, old) == {"lr": 0.01, "width": 8}
    with pytest.raises(SpaceError, match=r"had epochs=3 there; here it is 9"):
        mapped_config(new, config | {"epochs": 3}, old)


# Ask and tell


@pytest.mark.parametrize("in_root", [False, True], ids=["in memory", "in a root"])
def test_ask_and_tell_starts_from_it_by_the_same_rules(tmp_path: Path, *, in_root: bool) -> None:
    old = begun(tmp_path / "old", OLD)
    assert old.best is not None
    keywords: dict[str, Any] = {"searcher": "bayesian_optimization", "seed": 1, "first_configs": [{"lr": 0.05}]}
    keywords |= {"root_directory": tmp_path / "asked"} if in_root else {}
    search = neps.AskAndTell(WIDER, start_from=tmp_path / "old", **keywords)
    run = begun(
        tmp_path / "run", WIDER, 4, start_from=tmp_path / "old", **keywords | {"root_directory": tmp_path / "run"}
    )
    shutil.rmtree(tmp_path / "old")
    for trial in run:
        asked = search.ask()
        assert asked is not None
        assert (asked.number, asked.config) == (trial.number, trial.config)
        search.tell(asked, objective(**asked.config))
    assert search.history.earlier == run.earlier
    assert [trial.config["lr"] for trial in run][:2] == [0.05, old.best.config["lr"]]


@pytest.mark.parametrize("in_root", [False, True], ids=["in memory", "in a root"])
def test_ask_and_tell_refuses_what_is_of_no_use(tmp_path: Path, *, in_root: bool) -> None:
    begun(tmp_path / "old", OLD)
    where: dict[str, Any] = {"root_directory": tmp_path / "new"} if in_root else {}
    with pytest.raises(ArgumentError, match=r"nothing that .* has found can be used"):
        neps.AskAndTell({"lr": neps.Float(0.5, 1)}, start_from=tmp_path / "old", **where)
    with pytest.raises(DirectoryError, match="does not exist"):
        neps.AskAndTell(OLD, start_from=tmp_path / "absent", **where)
    with pytest.raises(ArgumentError, match="start_from is 7"):
        neps.AskAndTell(OLD, start_from=7, **where)  # type: ignore[arg-type]
    assert not (tmp_path / "new").exists()


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


@pytest.mark.parametrize(
    ("own", "at_best", "known"),
    [(7, -1.0, (25, 0)), (8, -1.0, (0, 0)), (8, 1.0, (25, 0))],
    ids=["too few to tell", "predicted better without", "and with"],
)
def test_it_is_no_longer_learned_from_where_own_results_predict_the_best_better(
    monkeypatch: pytest.MonkeyPatch, own: int, at_best: float, known: tuple[int, int]
) -> None:
    """Nor does it count as misleading then, after which an initial design would be made up for."""
    history = believed(results(LINE, 0.8), own)
    earlier = tuple(results(LINE, 0.8))
    monkeypatch.setattr(judging, "_gain", lambda *_: judging._Gain(in_turn=5.0, at_best=at_best))
    again = learning_from_earlier(History(history.space, history.by_number, earlier=earlier))
    assert (len(again.imported), len(again.earlier)) == known


def test_what_is_asked_of_the_best_half_is_about_these_alone() -> None:
    """Earlier results that fit all own ones but the best speak against themselves; those that fit the best, for it."""
    Z = np.linspace(0.0, 1.0, 12)[:, None]
    ours = np.cos(3.0 * Z[:, 0])
    theirs = np.linspace(0.02, 0.98, 13)[:, None]
    right = np.cos(3.0 * theirs[:, 0])
    worse_there = right + 0.5 * (theirs[:, 0] > 0.6)
    helps, harms = (judging._gain(theirs, losses, Z, ours, np.array([0])).at_best for losses in (right, worse_there))
    assert helps > 0.0 > harms


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


def test_losses_whose_sum_is_no_float_are_learned_from(tmp_path: Path) -> None:
    """What they differ by from earlier ones isn't a number then, and nothing is said of it."""

    def huge(x: float) -> float:
        return 1e308 if x > 0.5 else -1e308

    space = {"x": neps.Float(0, 1)}
    begun(tmp_path / "old", space, 10, run_pipeline=huge, searcher="random_search")
    new = begun(
        tmp_path / "new", space, 8, run_pipeline=huge, start_from=tmp_path / "old", searcher="bayesian_optimization"
    )
    assert new.best is not None
    assert new.best.loss == -1e308
