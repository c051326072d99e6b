"""Results from elsewhere: where they come from, that each counts once and for no budget, and who learns from them."""

from __future__ import annotations

import csv
import json
import logging
import math
import pickle
from pathlib import Path
from typing import Any, Literal

import optuna
import pandas as pd
import pytest
import yaml

import neps
from neps._api import import_found
from neps._api.import_found import Found
from neps._api.importing import trial_of
from neps._trial import Trial
from neps._views.export import export_as
from neps._views.status_json import read_fields
from neps.errors import ArgumentError
from neps.samplers import (
    MOBSTER,
    BayesianOptimization,
    FreezeThaw,
    PiBO,
    PriorBand,
    PriorBandBO,
    RegularizedEvolution,
    Sobol,
)
from neps.space import SearchSpace
from neps.testing import simulate
from unit.known_scene import begun

SPACE = {
    "x": neps.Float(0, 1),
    "n": neps.Integer(1, 9),
    "kind": neps.Categorical(["a", "b"]),
    "data": neps.Constant("digits"),
}
RESULTS: list[dict[str, Any]] = [
    {"config": {"x": 0.5, "n": 3, "kind": "a"}, "loss": 0.25, "cost": 2},
    {"config": {"x": 0.25, "n": 4, "kind": "b"}, "loss": None},
]
EXPECTED = [
    ({"x": 0.5, "n": 3, "kind": "a", "data": "digits"}, 0.25, 2.0),
    ({"x": 0.25, "n": 4, "kind": "b", "data": "digits"}, None, None),
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A run with one trial."""
    return begun(tmp_path / "root", objective, SPACE)


def objective(x: float, n: int, kind: str, data: str) -> float:
    return x + n + (kind == "a")


def imported(root: Path) -> list[tuple[dict[str, Any], float | None, float | None]]:
    return [(dict(trial.config), trial.loss, trial.cost) for trial in neps.load(root).imported]


# Sources


def test_a_list(root: Path) -> None:
    assert neps.import_trials(root, RESULTS) == 2
    assert imported(root) == EXPECTED
    assert [trial.succeeded for trial in neps.load(root).imported] == [True, False]


def test_another_root_and_a_history(root: Path, tmp_path: Path) -> None:
    other = begun(tmp_path / "other", objective, SPACE, 5)
    assert neps.import_trials(root, other) == 5
    assert neps.import_trials(root, neps.load(other)) == 0
    begun(other, objective, SPACE, 7)
    assert neps.import_trials(root, str(other)) == 2
    assert [config for config, _, _ in imported(root)] == [dict(trial.config) for trial in neps.load(other)]
    assert neps.import_trials(begun(tmp_path / "third", objective, SPACE), root) == 7, (
        "what it has imported: its own is the same"
    )


def test_a_csv_file_and_a_data_frame(root: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,n,kind,loss,cost\n0.5,3,a,0.25,2\n0.25,4,b,,\n")
    assert neps.import_trials(root, tmp_path / "a.csv") == 2
    assert imported(root) == EXPECTED
    rows = [dict(result["config"]) | {"loss": result["loss"]} for result in RESULTS]
    assert neps.import_trials(root, pd.DataFrame([*rows, {"x": 1, "n": 9.0, "kind": "a", "loss": 3}])) == 1
    assert imported(root)[-1] == ({"x": 1.0, "n": 9, "kind": "a", "data": "digits"}, 3.0, None)


def test_what_neps_export_has_written(root: Path, tmp_path: Path) -> None:
    other = begun(tmp_path / "other", objective, SPACE, 4)
    frame = neps.load(other).to_pandas()
    frame.to_csv(tmp_path / "exported.csv")
    assert neps.import_trials(root, tmp_path / "exported.csv") == 4
    assert neps.import_trials(root, other) == 0
    assert neps.import_trials(root, frame) == 0


EXPORTS = ("root", "json", "csv", "parquet", "data frame")


def as_source(other: Path, kind: str, folder: Path) -> Any:
    """The run in `other` as a source of that kind."""
    if kind == "root":
        return other
    if kind == "data frame":
        return neps.load(other).to_pandas()
    path = folder / f"exported.{kind}"
    path.write_bytes(export_as(neps.load(other), kind))
    return path


def seen(root: Path) -> list[tuple[dict[str, Any], str, str]]:
    """What was imported, so that NaN equals NaN."""
    return [(dict(trial.config), str(trial.status), repr(trial.loss)) for trial in neps.load(root).imported]


def outcomes(folder: Path) -> tuple[Path, dict[str, Any]]:
    """A run with a result, a failure that counts as 0, a loss of NaN, an infinite one, and a trial that runs."""
    space = {"x": neps.Float(0, 1)}
    told: list[Any] = [0.5, MemoryError("diverged"), math.nan, math.inf]
    search = neps.AskAndTell(space, root_directory=folder, searcher="sobol", seed=1, loss_value_on_error=0.0)
    for number, outcome in enumerate(told, start=1):
        search.ask()
        search.tell(number, outcome)
    search.ask()
    return folder, space


@pytest.mark.parametrize("kind", EXPORTS)
def test_a_run_is_the_same_in_each_form(tmp_path: Path, kind: str) -> None:
    """A failure is none of the successes, and what runs is no failure."""
    other, space = outcomes(tmp_path / "other")
    root = begun(tmp_path / "root", lambda x: x, space)
    assert neps.import_trials(root, as_source(other, kind, tmp_path)) == 4
    assert [(status, loss) for _, status, loss in seen(root)] == [
        ("success", "0.5"),
        ("failed", "None"),
        ("success", "nan"),
        ("success", "inf"),
    ]
    for again in EXPORTS:
        assert neps.import_trials(root, as_source(other, again, tmp_path)) == 0, again


@pytest.mark.parametrize("kind", EXPORTS)
def test_an_empty_cell_may_be_a_choice(tmp_path: Path, kind: str) -> None:
    """None and "" are written as what isn't active is."""
    space = {
        "rate": neps.Categorical([0.5, 0.9], active_if={"schedule": [None]}),
        "schedule": neps.Categorical([None, "cosine"]),
        "text": neps.Categorical(["", "a"], active_if={"schedule": "cosine"}),
    }
    other = begun(tmp_path / "other", lambda **_: 1.0, space, 4, "grid_search")
    root = begun(tmp_path / "root", lambda **_: 2.0, space)
    assert neps.import_trials(root, as_source(other, kind, tmp_path), strict=True) == 4
    assert [dict(trial.config) for trial in neps.load(root).imported] == [
        dict(trial.config) for trial in neps.load(other)
    ]


@pytest.mark.parametrize("kind", ["json", "csv", "parquet", "data frame"])
def test_a_parameter_that_is_gone_is_no_less_there_in_a_table(tmp_path: Path, kind: str) -> None:
    """A loss at a low fidelity would become one at the highest."""
    space = {"x": neps.Float(0, 1), "epochs": neps.Integer(1, 9, is_fidelity=True)}
    other = begun(tmp_path / "other", lambda x, epochs: x / epochs, space, 3, "successive_halving")
    root = begun(tmp_path / "root", lambda x: x, {"x": space["x"]})
    with pytest.raises(ArgumentError, match="has 'epochs'"):
        neps.import_trials(root, as_source(other, kind, tmp_path), strict=True)
    assert neps.import_trials(root, as_source(other, kind, tmp_path)) == 0


def test_a_study_that_neps_has_made_keeps_its_fidelities_and_constants(tmp_path: Path) -> None:
    space = {
        "x": neps.Float(0, 1),
        "epochs": neps.Integer(1, 9, is_fidelity=True),
        "data": neps.Constant("digits"),
    }
    other = begun(tmp_path / "other", lambda x, epochs, **_: x / epochs, space, 3, "successive_halving")
    root = begun(tmp_path / "root", lambda **_: 1.0, space)
    study = neps.to_optuna(other)
    assert neps.import_trials(root, study, strict=True) == 3
    assert [trial.fidelity for trial in neps.load(root).imported] == [1, 1, 1]
    assert neps.import_trials(root, other) == 0


@pytest.mark.parametrize("kind", EXPORTS)
@pytest.mark.parametrize("text", ["2024-01-01", "1e3", "010", "true", "null", "[1]", "None"])
def test_a_text_that_looks_like_something_else(tmp_path: Path, kind: str, text: str) -> None:
    space = {"x": neps.Float(0, 1), "k": neps.Constant(text), "c": neps.Categorical([None, text, "a"])}
    other = begun(tmp_path / "other", lambda **_: 1.0, space, 6)
    root = begun(tmp_path / "root", lambda **_: 2.0, space)
    assert neps.import_trials(root, as_source(other, kind, tmp_path), strict=True) == 6
    assert neps.import_trials(root, other) == 0


def test_a_column_of_an_export_is_no_parameter(tmp_path: Path) -> None:
    """`number` is a parameter here, and is that of the trial in the table."""
    other = begun(tmp_path / "other", lambda x: x, {"x": neps.Float(0, 1)})
    root = begun(tmp_path / "root", lambda **_: 1.0, {"x": neps.Float(0, 1), "number": neps.Integer(1, 9)})
    for kind in EXPORTS:
        with pytest.raises(ArgumentError, match="lacks the parameter 'number'"):
            neps.import_trials(root, as_source(other, kind, tmp_path), strict=True)


def test_a_cell_that_may_be_two_choices(tmp_path: Path) -> None:
    root = begun(tmp_path / "root", lambda **_: 1.0, {"c": neps.Categorical([1, "1"])})
    (tmp_path / "a.csv").write_text("c,loss\n1,0.5\n")
    with pytest.raises(ArgumentError, match=r"A cell of c is 1, as which several choices are written \(\[1, '1'\]\)"):
        neps.import_trials(root, tmp_path / "a.csv")
    assert neps.import_trials(root, pd.DataFrame({"c": [1], "loss": [0.5]})) == 1


def test_an_empty_cell_that_may_be_two_choices(tmp_path: Path) -> None:
    space = {"c": neps.Categorical([None, "", "a"])}
    other = begun(tmp_path / "other", lambda **_: 1.0, space, 6, "grid_search")
    root = begun(tmp_path / "root", lambda **_: 2.0, space)
    for kind in ("csv", "data frame"):
        with pytest.raises(ArgumentError, match=r"A cell of c is empty, as which several choices are written"):
            neps.import_trials(root, as_source(other, kind, tmp_path))


def test_a_column_that_is_there_twice(root: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,n,x,loss\n0.5,3,0.25,1\n")
    for source in (tmp_path / "a.csv", pd.DataFrame([[0.5, 0.25, 1]], columns=["x", "x", "loss"])):
        with pytest.raises(ArgumentError, match="has several columns 'x': leave out all but one"):
            neps.import_trials(root, source)
    (tmp_path / "a.csv").write_text("x,n,kind,loss,cost,,,note,note\n0.5,3,a,0.25,2,,,b,c\n0.25,4,b,,,,,,\n")
    assert neps.import_trials(root, tmp_path / "a.csv") == 2, "spreadsheets leave empty columns"
    assert imported(root) == EXPECTED
    frame = pd.DataFrame([[0.75, 3, "a", 1, 2, 3]], columns=["x", "n", "kind", "loss", "note", "note"])
    assert neps.import_trials(root, frame) == 1


@pytest.mark.parametrize("url", ["foo://x", "postgresql://u@localhost:1/db", "sqlite:///{file}", "http://x"])
def test_a_storage_that_can_not_be_read(root: Path, tmp_path: Path, url: str) -> None:
    (tmp_path / "a.db").write_text("no database, but a text that is long enough to be read as the header of one" * 20)
    with pytest.raises(ArgumentError, match="can't be read: "):
        neps.import_trials(root, url.format(file=tmp_path / "a.db"), study_name="old")


def test_a_byte_order_mark_and_a_long_cell(root: Path, tmp_path: Path) -> None:
    """Spreadsheets begin with the one, and a learning curve is the other."""
    usual, curve = csv.field_size_limit(), "0.5 " * 50_000
    text = f"x,n,kind,loss,cost,curve\n0.5,3,a,0.25,2,{curve}\n0.25,4,b,,,\n"
    (tmp_path / "a.csv").write_text(text, encoding="utf-8-sig")
    assert neps.import_trials(root, tmp_path / "a.csv") == 2
    assert imported(root) == EXPECTED
    assert csv.field_size_limit() == usual


@pytest.mark.parametrize("name", ["a.csv", "a.json"])
def test_a_file_that_is_too_large_is_not_cut(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(import_found, "LARGEST", 1 << 20)
    row = "0.5,3,a,0.25\n" if name.endswith("csv") else json.dumps(RESULTS[0]) + ",\n"
    head, tail = ("x,n,kind,loss\n", "") if name.endswith("csv") else ("[", json.dumps(RESULTS[1]) + "]")
    (tmp_path / name).write_text(head + row * ((1 << 20) // len(row)) + tail)
    with pytest.raises(ArgumentError, match="has more than 1 Mi characters: leave out the columns"):
        neps.import_trials(root, tmp_path / name)


@pytest.mark.parametrize("kind", ["a", "b", "c"])
def test_constants_of_the_branch_of_a_result_are_filled_in_and_no_others(kind: str) -> None:
    space = SearchSpace(
        {
            "kind": neps.Categorical(["a", "b", "c"]),
            "of_a": neps.Constant(1, active_if={"kind": "a"}),
            "of_b": neps.Constant(2, active_if={"kind": "b"}),
            "of_all": neps.Constant(3),
            "epochs": neps.Integer(1, 9, is_fidelity=True),
        }
    )
    of = {"a": {"of_a": 1}, "b": {"of_b": 2}, "c": {}}[kind]
    found = trial_of(space, Found({"kind": kind}, 0.5, None))
    assert (found.config, found.fidelity) == ({"kind": kind, **of, "of_all": 3, "epochs": 9}, 9)


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_an_optuna_study_and_its_storage(
    root: Path, tmp_path: Path, direction: Literal["minimize", "maximize"]
) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    url = f"sqlite:///{tmp_path}/optuna.db"
    study = optuna.create_study(storage=url, study_name="old", direction=direction)
    sign = -1 if direction == "maximize" else 1

    def objective(trial: optuna.Trial) -> float:
        x, n = trial.suggest_float("x", 0, 1), trial.suggest_int("n", 1, 9)
        if trial.suggest_categorical("kind", ["a", "b"]) == "b":
            raise MemoryError
        return sign * (x + n)

    study.enqueue_trial({"x": 0.5, "n": 3, "kind": "a"})
    study.enqueue_trial({"x": 0.25, "n": 4, "kind": "b"})
    study.optimize(objective, n_trials=2, catch=MemoryError)
    assert neps.import_trials(root, study) == 2
    assert [(config["x"], loss) for config, loss, _ in imported(root)] == [(0.5, 3.5), (0.25, None)]
    assert neps.import_trials(root, url, study_name="old") == 0
    with pytest.raises(ArgumentError, match=r"study_name is 'new'; it must be one of those in .*: 'old'\."):
        neps.import_trials(root, url, study_name="new")
    with pytest.raises(ArgumentError, match=r"empty\.db, but there is no file .*empty\.db: correct the URL"):
        neps.import_trials(root, url.replace("optuna.db", "empty.db"))


def of_neps_012(folder: Path) -> None:
    """As NePS 0.12.2 writes it (neps/runtime.py, `Trial.Disk`): a result, a failure, and one that was running."""
    for number, config, result in (
        ("1", {"x": 0.5, "n": 3, "kind": "a"}, {"loss": 0.25, "cost": 2.0, "info_dict": {}}),
        ("2", {"x": 0.25, "n": 4, "kind": "b"}, {"loss": None, "cost": None}),
        ("3", {"x": 1.0, "n": 1, "kind": "b"}, None),
    ):
        path = folder / "results" / f"config_{number}"
        path.mkdir(parents=True)
        (path / "config.yaml").write_text(yaml.safe_dump(config))
        (path / "metadata.yaml").write_text(yaml.safe_dump({"time_sampled": 1.0}))
        if result is not None:
            (path / "result.yaml").write_text(yaml.safe_dump(result))
    (folder / "results/config_2/error.yaml").write_text(yaml.safe_dump({"err": "MemoryError", "tb": None}))


def of_neps_017(folder: Path) -> None:
    """As NePS 0.17 writes it (neps/state/filebased.py and neps/space/neps_spaces), with a `PipelineSpace`."""
    prefix = "SAMPLING__Resolvable."
    report: dict[str, Any] = {"learning_curve": None, "extra": {}, "err": None, "tb": None, "evaluation_duration": 0.1}
    for number, (x, n, kind), told in (
        ("1", (0.5, 3, 0), {"objective_to_minimize": 0.25, "cost": 2.0, "reported_as": "success"}),
        ("2", (0.25, 4, 1), {"objective_to_minimize": None, "cost": None, "reported_as": "crashed"}),
    ):
        path = folder / "configs" / f"config_{number}"
        path.mkdir(parents=True)
        config = {
            f"{prefix}x::float__0_1_False": x,
            f"{prefix}n::integer__1_9_False": n,
            f"{prefix}kind::categorical__2": kind,
        }
        (path / "config.yaml").write_text(yaml.safe_dump(config))
        (path / "report.yaml").write_text(yaml.safe_dump(report | told))
        (path / "metadata.json").write_text(json.dumps({"id": number, "state": "success"}))


@pytest.mark.parametrize("write", [of_neps_012, of_neps_017])
def test_a_root_of_neps_012_and_017(root: Path, tmp_path: Path, write: Any) -> None:
    write(tmp_path / "old")
    assert neps.import_trials(root, tmp_path / "old") == 2
    assert imported(root) == EXPECTED


# Once, apart, and for no budget


def test_the_same_twice_counts_once_even_if_two_import_at_the_same_moment(root: Path) -> None:
    assert neps.import_trials(root, RESULTS) == 2
    assert neps.import_trials(root, RESULTS) == 0
    (document,) = root.glob("known/*/known_1.yaml")
    fields = yaml.safe_load(document.read_text())
    second = document.read_text().replace("number: 1", "number: 2")
    (document.parent / "known_2.yaml").write_text(second)
    assert fields["results"][0] == {
        "config": {"x": 0.5, "n": 3, "kind": "a", "data": "digits"},
        "loss": 0.25,
        "cost": 2.0,
    }
    assert imported(root) == EXPECTED


def test_they_have_no_number_and_count_for_no_budget(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    neps.import_trials(root, [{"config": {"x": 0, "n": 1, "kind": "b"}, "loss": -100}])
    history = neps.load(begun(root, objective, SPACE, 3))
    assert [trial.number for trial in history] == [1, 2, 3]
    assert history.best is not None
    assert (history.best.number > 0, history.total_cost) == (True, 0.0)
    assert [trial.decision.seen_known for trial in history if trial.decision] == [0, 1, 1]
    assert history.to_dict()["imported"][0]["loss"] == -100
    assert pickle.loads(pickle.dumps(history)).imported == history.imported  # noqa: S301 - our own
    assert read_fields(root)["imported"] == 1
    neps.status(root)
    assert "imported  1 result, which count for no budget" in capsys.readouterr().out


def test_small_numbers_of_a_csv_file_are_numbers(root: Path, tmp_path: Path) -> None:
    """As pandas and csv write them, without a point."""
    (tmp_path / "earlier.csv").write_text("x,n,kind,loss\n1e-05,3,a,0.5\n")
    assert neps.import_trials(root, tmp_path / "earlier.csv", strict=True) == 1
    assert imported(root)[0][0]["x"] == 1e-5


def test_what_does_not_belong_to_the_space_is_left_out_and_named(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    wrong = [{"config": {"x": value, "n": 3, "kind": "a"}, "loss": 1} for value in (2, 3, 4, 5, 6)]
    with pytest.raises(ArgumentError, match=r"5 of 7 results .*\n.*source\[2\].*\n(.*\n)+.*strict"):
        neps.import_trials(root, [*RESULTS, *wrong], strict=True)
    assert imported(root) == []
    with caplog.at_level(logging.WARNING):
        assert neps.import_trials(root, [*RESULTS, *wrong]) == 2
    assert "5 of 7 results don't belong to the search space" in caplog.text
    assert "and 2 more" in caplog.text


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (7, "source is 7; it must be a root directory"),
        ([{"x": 1}], r"source\[0\] is .*; it must be a mapping such as"),
        ([{"config": {"x": 1}, "loss": "low"}], r"source\[0\]: loss is 'low'; it must be a number"),
        ([{"config": {"x": 1}, "loss": 1, "cost": -1}], "at least 0"),
        ("/absent", "no root directory of neps"),
        (pd.DataFrame([{"x": 1}]), "must have a column loss, and commas between columns: rename the one that holds it"),
    ],
)
def test_what_is_no_source(root: Path, source: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        neps.import_trials(root, source)
    assert not (root / "known").exists()


def test_a_run_does_not_import_itself(root: Path) -> None:
    with pytest.raises(ArgumentError, match="the run itself, which knows its own results"):
        neps.import_trials(root, root)


# Who learns from them

LINE = SearchSpace({"x": neps.Float(0, 1), "y": neps.Float(0, 1, default=0.5)})
EPOCHS = SearchSpace({"x": neps.Float(0, 1, default=0.5), "epochs": neps.Integer(1, 9, is_fidelity=True)})


def known(space: SearchSpace, size: int = 20) -> list[Trial]:
    """The bottom of a bowl at 0.8, by points all over."""
    configs = (trial.config for trial in simulate(Sobol(), space, lambda _: 0.0, size, seed=9))
    return [trial_of(space, Found(config, bowl(config))) for config in configs]


def bowl(config: Any) -> float:
    return float(sum((value - 0.8) ** 2 for name, value in config.items() if name != "epochs"))


@pytest.mark.parametrize(
    "sampler", [BayesianOptimization(), PiBO(), RegularizedEvolution()], ids=["bayesian", "pibo", "evolution"]
)
def test_searchers_begin_where_imported_results_are_best(sampler: Any) -> None:
    history = simulate(sampler, LINE, bowl, 3, seed=2, imported=known(LINE))
    assert min(bowl(trial.config) for trial in history) < 0.05
    assert history.imported


@pytest.mark.parametrize(
    "sampler", [FreezeThaw(), MOBSTER(), PriorBandBO()], ids=["freeze_thaw", "mobster", "priorband_bo"]
)
def test_searchers_over_fidelities_learn_from_them_too(sampler: Any) -> None:
    history = simulate(sampler, EPOCHS, bowl, 8, seed=2, imported=known(EPOCHS))
    assert bowl(history.trials[-1].config) < 0.01


def test_priorband_mutates_an_imported_incumbent() -> None:
    history = simulate(PriorBand(), EPOCHS, bowl, 40, seed=2, imported=[*known(EPOCHS)])
    by = [trial.decision.metadata for trial in history if trial.decision]
    assert any(metadata.get("incumbent") == 0 for metadata in by)


def test_results_at_other_fidelities_tell_a_search_without_them_nothing() -> None:
    low = [trial_of(EPOCHS, Found({"x": 0.1, "epochs": 1}, -5.0))]
    history = simulate(BayesianOptimization(initial_design_size=1), EPOCHS, bowl, 3, seed=2, imported=low)
    assert len(history) == 3


def test_a_model_without_own_results_is_fitted_to_imported_ones(root: Path) -> None:
    """In a root, with real documents: the first decision after the import is the model's."""
    other = root.parent / "modelled"
    arguments: dict[str, Any] = {"progress": False, "post_run_summary": False, "seed": 1}
    neps.AskAndTell(dict(LINE), root_directory=other, searcher="bayesian_optimization", seed=1)
    results = [{"config": dict(trial.config), "loss": trial.loss} for trial in known(LINE)]
    neps.import_trials(other, results)
    history = neps.run(lambda x, y: bowl({"x": x, "y": y}), other, LINE, max_evaluations_total=1, **arguments)
    assert history.trials[0].decision is not None
    assert history.trials[0].decision.metadata["by"] == "model"
    assert bowl(history.trials[0].config) < 0.05
