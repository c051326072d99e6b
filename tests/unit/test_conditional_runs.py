"""Runs on a conditional space: the call of run_pipeline, files, tables and views, and who may join."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

import neps
from neps._cli import main
from neps._ledger import definition as ledger_definition
from neps.errors import ArgumentError, DefinitionMismatchError, FormatVersionError, SpaceError

QUIET: dict[str, Any] = {"progress": False, "searcher": "random_search", "seed": 3}


class Momentum:
    """An object that a choice stands for."""


def too_many(config: dict[str, Any]) -> bool:
    return bool(config["layers"] == 4)


def space(**changes: Any) -> neps.SearchSpace:
    return neps.SearchSpace(
        {
            "nesterov": neps.Categorical([False, True], active_if={"momentum": neps.more_than(0.5)}),
            "momentum": neps.Float(0, 1, active_if={"optimizer": "sgd"}),
            "optimizer": neps.Categorical({"adam": dict, "sgd": Momentum}),
            "layers": neps.Integer(1, 4),
            "width": neps.Integer(8, 64, active_if={"layers": neps.at_least(2)}),
            "warm": neps.Constant(5, active_if={"optimizer": "adam"}),
            "epochs": neps.Integer(1, 9, is_fidelity=True),
        }
        | changes,
        forbid=[{"optimizer": "sgd", "layers": neps.at_least(3)}, too_many],
    )


CALLS: list[dict[str, Any]] = []


def train(**config: Any) -> dict[str, Any]:
    CALLS.append(config)
    if config["layers"] == 1 and config["optimizer"] is Momentum:
        raise ValueError("no")
    return {"loss": config.get("momentum", 0.25) + config["layers"], "cost": 1.0}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    CALLS.clear()
    root = tmp_path_factory.mktemp("conditional") / "run"
    neps.run(train, root, space(), max_evaluations_total=24, ignore_errors=True, **QUIET)
    return root


def printed(*arguments: object) -> str:
    content = io.BytesIO()
    with io.TextIOWrapper(content, write_through=True) as output, contextlib.redirect_stdout(output):
        assert main([str(argument) for argument in arguments]) == 0
        return content.getvalue().decode()


def test_run_pipeline_gets_exactly_what_is_active(root: Path) -> None:
    history = neps.load(root)
    assert len(CALLS) == len(history.trials) == 24
    for trial, call in zip(history.trials, CALLS, strict=True):
        config = trial.config
        assert space().validate(config) == config
        assert call == space().handed(config)
        assert call["optimizer"] is (Momentum if "momentum" in call else dict)
        assert ("warm" in call) == (call["optimizer"] is dict)
        written = yaml.safe_load((root / f"config_{trial.number}" / "config.yaml").read_text())
        assert written == dict(config)
    assert {len(call) for call in CALLS} >= {4, 5, 6}
    assert {str(trial.status) for trial in history.trials} == {"success", "failed"}


def test_callbacks_and_the_current_trial_have_what_is_active(tmp_path: Path) -> None:
    seen: list[Any] = []

    class Noting(neps.Callback):
        def on_trial_start(self, trial: Any) -> None:
            seen.append(dict(trial.config))

    def run_pipeline(**config: Any) -> float:
        seen.append(dict(neps.current_trial().config))
        return 0.5

    history = neps.run(run_pipeline, tmp_path, space(), max_evaluations_total=6, callbacks=[Noting()], **QUIET)
    assert seen == [dict(trial.config) for trial in history.trials for _ in range(2)]


def test_the_definition_says_all(root: Path) -> None:
    written = yaml.safe_load((root / "neps.yaml").read_text())
    assert written["requires"] == ["active_if", "forbid"]
    assert written["forbid"] == [{"layers": {"at_least": 3}, "optimizer": ["sgd"]}, "too_many"]
    assert written["space"]["width"]["active_if"] == {"layers": {"at_least": 2}}
    read = neps.load(root).space
    assert read.differences(space()) == [], "but for the function, of which there is the name"
    assert read.parameters == space().parameters


def test_tables_have_a_column_for_each_parameter_that_is_empty_where_it_is_inactive(root: Path) -> None:
    history = neps.load(root)
    head = [f"config.{name}" for name in space()]
    for text in ((root / "summary" / "trials.csv").read_text(), printed("export", root, "--to", "csv")):
        rows = list(csv.DictReader(text.splitlines()))
        assert [name for name in rows[0] if name.startswith("config.")] == head
        for row, trial in zip(rows, history.trials, strict=True):
            for name in space():
                assert row[f"config.{name}"] == str(trial.config.get(name, ""))
    exported = json.loads(printed("export", root, "--to", "json"))
    assert [trial["config"] for trial in exported["trials"]] == [dict(trial.config) for trial in history.trials]
    frame = history.to_pandas()
    assert [name for name in frame.columns if name.startswith("config.")] == head
    for trial in history.trials:
        cells: Any = frame.loc[trial.number]
        assert {name for name in space() if not _is_missing(cells[f"config.{name}"])} == set(trial.config)


def _is_missing(value: Any) -> bool:
    return value is None or str(value) in {"nan", "<NA>"}


def test_parquet_has_the_types_of_what_is_active(root: Path, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    printed("export", root, "--to", "parquet", "--output", tmp_path / "trials.parquet")
    frame = pandas.read_parquet(tmp_path / "trials.parquet")
    assert set(frame["config.nesterov"].dropna()) <= {False, True}
    assert frame["config.nesterov"].isna().any()
    assert frame["config.width"].dtype == "Int64", "no float because it isn't everywhere"
    widths = [trial.config["width"] for trial in neps.load(root) if "width" in trial.config]
    assert [*frame["config.width"].dropna()] == widths


def test_a_table_of_them_can_be_imported(root: Path, tmp_path: Path) -> None:
    history = neps.load(root)
    neps.AskAndTell(space(), root_directory=tmp_path, searcher="random_search")
    frame = history.to_pandas()
    theirs = {(*trial.config.items(), trial.loss if trial.succeeded else None) for trial in history}
    assert neps.import_trials(tmp_path, frame, strict=True) == len(theirs)
    assert {(*trial.config.items(), trial.loss) for trial in neps.load(tmp_path).imported} == theirs
    assert neps.import_trials(tmp_path, frame.astype({"config.width": float}), strict=True) == 0, "they are the same"


def test_views_leave_out_what_is_inactive(root: Path) -> None:
    history = neps.load(root)
    best = history.best
    assert best is not None
    assert history.best_config == dict(best.config)
    assert {name for name in space() if f"--{name}=" in printed("best", root, "--format", "args")} == set(best.config)
    assert json.loads(printed("best", root, "--format", "json")) == dict(best.config)
    assert yaml.safe_load(printed("best", root)) == dict(best.config)
    shown = printed("show", root, best.number).split("config:")[1].split("\n\n")[0]
    assert [line.split()[0] for line in shown.strip().splitlines()] == list(best.config)
    status = printed("status", root).split("best: ")[1]
    assert [name for name in space() if f"\n  {name} " in status] == list(best.config)
    assert json.loads(printed("status", root, "--json"))["best"]["config"] == dict(best.config)
    top = printed("top", root).splitlines()
    assert top[0].split()[:3] == ["trial", "loss", "epochs"]
    assert [name for name in top[0].split() if name in space() and name != "epochs"] == [*space()][:-1]
    assert "Nothing is wrong" in printed("doctor", root)
    assert repr(history).startswith("<History: 24 trials")
    assert "nesterov" in history._repr_html_()


def test_a_plot_is_drawn(root: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    printed("plot", root, "--output", tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 0


def test_optuna_sees_a_distribution_for_what_is_active(root: Path) -> None:
    pytest.importorskip("optuna")
    study = neps.to_optuna(root)
    for trial, theirs in zip(neps.load(root).trials, study.trials, strict=True):
        assert theirs.params == {name: trial.config[name] for name in space().searched if name in trial.config}
        assert set(theirs.distributions) == set(theirs.params)


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        (
            {"momentum": neps.Float(0, 1)},
            r"momentum: active_if is \{'optimizer': \['sgd'\]\} in the run and not given in this call",
        ),
        (
            {"width": neps.Integer(8, 64, active_if={"layers": neps.at_least(3)})},
            r"width: active_if is \{'layers': \{'at_least': 2\}\} in the run and \{'layers': \{'at_least': 3\}\} in t",
        ),
    ],
)
def test_other_conditions_are_refused(root: Path, changes: dict[str, Any], difference: str) -> None:
    with pytest.raises(DefinitionMismatchError, match=difference):
        neps.run(train, root, space(**changes), max_evaluations_total=30, **QUIET)


def test_other_forbidden_combinations_are_refused(root: Path) -> None:
    with pytest.raises(DefinitionMismatchError, match=r"another root_directory, with start_from='/.*' to learn from"):
        neps.run(train, root, neps.SearchSpace(dict(space())), **QUIET)
    with pytest.raises(DefinitionMismatchError, match="forbid: too_many only in the run"):
        neps.run(train, root, neps.SearchSpace(dict(space()), space().forbid[:1]), **QUIET)
    with pytest.raises(DefinitionMismatchError, match=r"forbid: \{'layers': \[1\]\} only in this call"):
        neps.run(train, root, neps.SearchSpace(space(), [{"layers": 1}]), **QUIET)


def test_the_same_space_joins_and_overwriting_takes_another(root: Path, tmp_path: Path) -> None:
    run = shutil.copytree(root, tmp_path / "run")
    assert len(neps.run(train, run, space(), max_evaluations_total=26, ignore_errors=True, **QUIET)) == 26
    flat = {"layers": neps.Integer(1, 4), "optimizer": neps.Categorical(["adam"])}
    again = neps.run(train, run, flat, max_evaluations_total=2, overwrite_working_directory=True, **QUIET)
    assert [set(trial.config) for trial in again.trials] == [{"layers", "optimizer"}] * 2


def test_what_was_decided_stays_if_a_function_forbids_it_later(root: Path, tmp_path: Path) -> None:
    run = shutil.copytree(root, tmp_path / "run")

    def too_many(config: dict[str, Any]) -> bool:
        return bool(config["layers"] != 1)

    later = neps.SearchSpace(dict(space()), [space().forbid[0], too_many])
    after = neps.run(train, run, later, max_evaluations_total=28, ignore_errors=True, **QUIET)
    assert [trial.loss for trial in after.trials[:24]] == [trial.loss for trial in neps.load(root).trials]
    assert [trial.config["layers"] for trial in after.trials[24:]] == [1] * 4


def test_what_was_begun_is_promoted_though_a_function_forbids_it_by_now(tmp_path: Path) -> None:
    forbidden: list[set[int]] = [set()]

    def some(config: dict[str, Any]) -> bool:
        return config["layers"] in forbidden[0]

    begun = neps.SearchSpace(dict(space()), [some])
    arguments: dict[str, Any] = QUIET | {"searcher": "successive_halving", "ignore_errors": True}
    neps.run(train, tmp_path / "run", begun, max_evaluations_total=6, **arguments)
    forbidden[0] = {1, 3, 4}
    after = neps.run(train, tmp_path / "run", begun, max_evaluations_total=20, **arguments)
    later = after.trials[6:]
    assert {trial.config["layers"] for trial in later if trial.previous is None} == {2}
    assert {trial.config["layers"] for trial in later if trial.previous is not None} - {2}


def test_readers_that_know_no_conditions_refuse_the_run(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_definition, "REQUIREMENTS", frozenset({"step", "ordered"}))
    with pytest.raises(
        FormatVersionError, match="the run requires 'active_if, forbid', which this version of neps doe"
    ):
        neps.load(root)


def test_a_signature_that_cannot_take_every_call_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    def run_pipeline(optimizer: object, momentum: float, layers: int, **rest: Any) -> float:
        return 0.0

    with pytest.raises(ArgumentError) as refused:
        neps.run(run_pipeline, tmp_path / "run", space(), **QUIET)
    assert str(refused.value) == (
        "run_pipeline(optimizer, momentum, layers, **rest) requires 'momentum', which a configuration has only if "
        "optimizer is 'sgd'. Give it a default: def run_pipeline(optimizer, layers, momentum=None, **rest): …"
    )
    assert not (tmp_path / "run").exists()


def test_a_space_that_makes_no_sense_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    parameters: dict[str, neps.Parameter] = {
        "a": neps.Float(0, 1, active_if={"b": neps.at_least(2)}),
        "b": neps.Integer(1, 4),
    }
    for changes, message in (
        ({"b": neps.Integer(4, 9)}, "must lie between 4 and 9"),
        ({"b": neps.Float(0, 1)}, "0.0 an"),
    ):
        with pytest.raises(SpaceError, match=message):
            neps.run(train, tmp_path / "run", {**parameters, **changes}, **QUIET)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("in_root", [False, True], ids=["in memory", "in a root"])
def test_ask_and_tell(tmp_path: Path, in_root: Any) -> None:
    arguments: dict[str, Any] = {"root_directory": tmp_path / "run"} if in_root else {}
    search = neps.AskAndTell(space(), searcher="random_search", seed=3, max_evaluations_total=12, **arguments)
    asked = []
    while (trial := search.ask()) is not None:
        asked.append(trial.config)
        search.tell(trial, 0.5)
    assert [space().handed(trial.config) for trial in search.history.trials] == asked
    assert {len(config) for config in asked} >= {4, 5}


def test_tell_and_retry(root: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    history = neps.run(lambda **_: neps.PENDING, run, space(), max_evaluations_total=3, **QUIET)
    configs = [trial.config for trial in history.trials]
    assert configs == [trial.config for trial in neps.load(root).trials[:3]]
    for number in (1, 2, 3):
        neps.tell(run, number, 0.5)
    assert [trial.loss for trial in neps.load(run).trials] == [0.5] * 3
    failed = shutil.copytree(root, tmp_path / "failed")
    wanted = [space().handed(trial.config) for trial in neps.load(failed).failed]
    assert len(neps.retry(failed, failed=True)) == len(wanted)
    CALLS.clear()
    neps.run(train, failed, space(), max_evaluations_total=24, ignore_errors=True, **QUIET)
    assert sorted(map(str, CALLS)) == sorted(map(str, wanted))
