"""`neps import`: every kind of source, by the rules of `neps.import_trials`; and what users write in files."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest

import neps
from neps._api.plain_data import plain_data
from neps._cli import main
from neps.errors import SpaceError
from unit.known_scene import begun

Capture = pytest.CaptureFixture[str]
SPACE = {"lr": neps.Float(1e-6, 1, log=True), "n": neps.Integer(1, 9, default=3), "data": neps.Constant("digits")}
RESULTS: list[dict[str, Any]] = [
    {"config": {"lr": 1e-05, "n": 3}, "loss": 0.25, "cost": 2},
    {"config": {"lr": 0.5, "n": 4}, "loss": None},
]
EXPECTED = [(1e-05, 3, 0.25), (0.5, 4, None)]


def objective(lr: float, n: int, data: str) -> float:
    return lr + n


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A run with one trial."""
    return begun(tmp_path / "root", objective, SPACE)


def imported(root: Path) -> list[tuple[Any, ...]]:
    return [(trial.config["lr"], trial.config["n"], trial.loss) for trial in neps.load(root).imported]


def as_json(folder: Path) -> list[str]:
    (folder / "a.json").write_text(json.dumps(RESULTS))
    return [str(folder / "a.json")]


def as_yaml(folder: Path) -> list[str]:
    (folder / "a.yml").write_text("- {config: {lr: 1e-5, n: 3}, loss: 0.25}\n- {config: {lr: 0.5, n: 4}, loss: null}\n")
    return [str(folder / "a.yml")]


def as_csv(folder: Path) -> list[str]:
    (folder / "a.csv").write_text("lr,n,loss\n1e-05,3,0.25\n0.5,4,\n")
    return [str(folder / "a.csv")]


def as_storage(folder: Path) -> list[str]:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = f"sqlite:///{folder}/optuna.db"
    study = optuna.create_study(storage=storage, study_name="mine")
    distributions = {
        "lr": optuna.distributions.FloatDistribution(1e-6, 1),
        "n": optuna.distributions.IntDistribution(1, 9),
    }
    for result in RESULTS:
        failed = result["loss"] is None
        state = optuna.trial.TrialState.FAIL if failed else optuna.trial.TrialState.COMPLETE
        study.add_trial(
            optuna.trial.create_trial(
                state=state, params=result["config"], distributions=distributions, value=result["loss"]
            )
        )
    return [storage, "--study", "mine"]


@pytest.mark.parametrize("source", [as_json, as_yaml, as_csv, as_storage])
def test_a_file_or_a_storage_counts_once(
    root: Path, tmp_path: Path, capsys: Capture, source: Callable[[Path], list[str]]
) -> None:
    arguments = source(tmp_path)
    for said in ("2 results imported\n", "0 results imported\n"):
        assert main(["import", str(root), *arguments]) == 0
        assert capsys.readouterr().out == said
    assert imported(root) == EXPECTED
    assert len(neps.load(root)) == 1


def test_another_root_and_what_was_exported_of_it(root: Path, tmp_path: Path, capsys: Capture) -> None:
    other = begun(tmp_path / "other", objective, SPACE, 4)
    neps.import_trials(other, RESULTS)
    for form in ("json", "csv"):
        main(["export", str(other), "--to", form, "--output", str(tmp_path / f"b.{form}")])
    capsys.readouterr()
    for source, said in ((other, "5 results"), (tmp_path / "b.json", "0 results"), (tmp_path / "b.csv", "0 results")):
        assert main(["import", str(root), str(source)]) == 0, "trial 1 is in both, and is a result like any other"
        assert capsys.readouterr().out.startswith(said.replace("5", "6"))
    begun(tmp_path / "third", objective, SPACE)
    assert main(["import", str(tmp_path / "third"), str(tmp_path / "b.json")]) == 0
    assert imported(tmp_path / "third") == imported(root)


def test_of_exported_trials_those_without_a_result_and_damaged_ones_are_left_out(root: Path, tmp_path: Path) -> None:
    rows = [
        {"config": {"lr": 0.5, "n": 1}, "status": "running", "loss": None},
        {"config": {}, "status": "failed", "loss": None},
        {"config": {"lr": 0.5, "n": 2}, "status": "failed", "loss": 7.5},
        {"config": {"lr": 0.5, "n": 3}, "status": "success", "loss": "inf"},
    ]
    (tmp_path / "c.json").write_text(json.dumps({"trials": rows, "best": None}))
    assert neps.import_trials(root, tmp_path / "c.json") == 2
    assert imported(root) == [(0.5, 2, None), (0.5, 3, float("inf"))]


def test_what_does_not_belong_is_left_out_or_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([*RESULTS, {"config": {"lr": 5, "n": 3}, "loss": 1}]))
    command = [sys.executable, "-m", "neps", "import", str(root), str(tmp_path / "a.json")]
    strict = subprocess.run([*command, "--strict"], capture_output=True, text=True, check=False)
    assert (strict.returncode, strict.stdout) == (2, "")
    assert "1 of 3 results don't belong to the search space" in strict.stderr
    lax = subprocess.run(command, capture_output=True, text=True, check=True)
    assert lax.stdout == "2 results imported\n"
    assert "source[2]: " in lax.stderr


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.json", "[{", "a.json is neither YAML nor JSON"),
        ("a.yaml", "- {x: 1, x: 2}", "is there twice"),
        ("a.json", '{"x": 1}', "it must be a list of results"),
        ("a.json", '[{"x": 1}]', "it must be a mapping such as"),
        ("a.json", '{"trials": [{"x": 1}]}', "it must be a mapping such as"),
        ("a.csv", "lr,n\n1,2\n", "must have a column loss"),
    ],
)
def test_what_is_no_list(root: Path, tmp_path: Path, capsys: Capture, name: str, content: str, words: str) -> None:
    (tmp_path / name).write_text(content)
    assert main(["import", str(root), str(tmp_path / name)]) == 2
    assert words in capsys.readouterr().err
    assert not (root / "known").exists()


def test_no_source_and_no_run(root: Path, tmp_path: Path, capsys: Capture) -> None:
    assert main(["import", str(root), str(tmp_path / "absent")]) == 2
    assert "no CSV, Parquet, YAML or JSON file" in capsys.readouterr().err
    assert main(["import", str(tmp_path), str(root)]) == 1
    assert main(["import", str(root)]) == 2


def test_numbers_are_read_as_json_writes_them(root: Path, tmp_path: Path) -> None:
    """YAML 1.1 takes 1e-05 for a text, which no parameter would have."""
    assert plain_data(json.dumps({"lr": 1e-05}), "") == plain_data("lr: 1e-5", ".yaml") == {"lr": 1e-05}
    with pytest.raises(SpaceError, match="'lr' is there twice"):
        plain_data('{"lr": 1, "lr": 2}', ".json")
    for name in ("a.json", "a.yaml", "a"):
        (tmp_path / name).write_text(json.dumps([{"lr": 1e-05}]))
        assert main(["enqueue", str(root), str(tmp_path / name)]) == 0
