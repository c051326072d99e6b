"""The commands that show a run: what they print, for people and for programs."""

from __future__ import annotations

import csv
import io
import json
import math
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

import neps
from neps._cli import main
from neps.errors import EvaluationError

Capture = pytest.CaptureFixture[str]
SPACE = {
    "rate": neps.Float(0, 1),
    "kind": neps.Categorical(["a 'b'", True, 2]),
    "epochs": neps.Integer(1, 9, is_fidelity=True),
}


def train(rate: float, kind: object, epochs: int, pipeline_directory: Path) -> dict[str, Any]:
    if pipeline_directory.name == "config_2":
        raise ValueError("no good\x1b[2J\nsecond line")
    for epoch in range(1, epochs + 1):
        neps.report(epoch, rate + 1 / epoch)
    loss = math.nan if pipeline_directory.name == "config_3" else rate + 1 / epochs
    return {"loss": loss, "cost": epochs, "info_dict": {"accuracy": 1 - rate, "sizes": [1, math.inf]}}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run over epochs, whose trial 2 failed and whose trial 3 diverged."""
    root = tmp_path_factory.mktemp("views") / "root"
    neps.run(
        train, root, SPACE, searcher="hyperband", max_evaluations_total=14, seed=1, ignore_errors=True, progress=False
    )
    return root


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of which no loss is finite."""
    root = tmp_path_factory.mktemp("views") / "other"
    space = {"rate": neps.Float(0, 1)}
    neps.run(
        lambda rate: rate * math.nan, root, space, searcher="random_search", max_evaluations_total=1, progress=False
    )
    return root


def printed(capsys: Capture, *arguments: object, code: int = 0) -> str:
    assert main([str(argument) for argument in arguments]) == code
    return capsys.readouterr().out


def test_the_best_configuration_for_a_program(root: Path, capsys: Capture) -> None:
    best = neps.load(root).best
    assert best is not None
    text = printed(capsys, "best", root)
    assert yaml.safe_load(text) == best.config
    assert text.startswith(f"# trial {best.number} of '{root}', loss {best.loss}\n")
    assert json.loads(printed(capsys, "best", root, "--format", "json")) == best.config
    arguments = shlex.split(printed(capsys, "best", root, "--format", "args"))
    assert arguments == [f"--{name}={value}" for name, value in best.config.items()]


def test_the_best_of_several_runs(root: Path, other: Path, capsys: Capture) -> None:
    assert len(list(yaml.safe_load_all(printed(capsys, "best", root, root)))) == 2
    assert main(["best", str(other), "--format", "json", str(root)]) == 1
    told = capsys.readouterr()
    assert told.err == f"neps: {other} has no best configuration yet: no trial has ended with a finite loss.\n"
    assert json.loads(told.out) == neps.load(root).best_config, "one that has none keeps no other from being shown"


def test_the_top(root: Path, other: Path, capsys: Capture) -> None:
    lines = printed(capsys, "top", root, "-n", "3").splitlines()
    assert lines[0].split() == ["trial", "loss", "epochs", "cost", "rate", "kind"]
    best = sorted(neps.load(root).succeeded, key=lambda trial: trial.incumbent_key)
    assert [line.split()[0] for line in lines[1:]] == [str(trial.number) for trial in best[:3]]
    titled = printed(capsys, "top", root, other).splitlines()
    assert [titled[0], titled[-3]] == [str(root), str(other)]
    assert titled[-1].split()[:2] == ["1", "nan"]


def test_one_trial(root: Path, capsys: Capture) -> None:
    text = printed(capsys, "show", root, 2)
    assert text.startswith("trial 2: failed\n")
    assert "\n\nerror:\n  ValueError: no good\\x1b[2J\n  second line\n\n  Traceback" in text
    assert f"  in                 {root}/config_2\n" in text
    assert "  trial.yaml " in text
    assert neps.load(root).by_number[2].worker in text
    promoted = next(trial for trial in neps.load(root).succeeded if trial.previous is not None)
    text = printed(capsys, "show", root, promoted.number)
    assert f"  continues          trial {promoted.previous}\n" in text
    assert "  accuracy  0." in text
    steps = [line.split()[0] for line in text.partition("step  loss\n")[2].partition("\n\n")[0].splitlines()]
    assert steps == [str(step) for step in range(1, int(promoted.fidelity or 0) + 1)]


def test_attempts_are_shown(tmp_path: Path, capsys: Capture) -> None:
    space = {"x": neps.Float(0, 1)}

    def run(objective: Any) -> None:
        neps.run(objective, tmp_path, space, searcher="random_search", max_evaluations_total=1, seed=1, progress=False)

    with pytest.raises(EvaluationError):
        run(lambda x: x / 0)
    assert neps.retry(tmp_path, 1) == (1,)
    run(lambda x: x)
    shown = printed(capsys, "show", tmp_path, 1)
    attempts = shown.partition("how it ended\n")[2].partition("\n\n")[0].splitlines()
    assert [(line.split()[0], line.split()[-1]) for line in attempts] == [
        ("1", "failed"),
        ("2", "left"),
        ("3", "success"),
    ]


def test_no_such_trial(root: Path, capsys: Capture) -> None:
    assert main(["show", str(root), "99"]) == 2
    assert capsys.readouterr().err == f"neps: There is no trial 99 in {root}: its trials are 1 to 14.\n"


def test_csv(root: Path, tmp_path: Path, capsys: Capture) -> None:
    rows = list(csv.DictReader(io.StringIO(printed(capsys, "export", root, "--to", "csv"))))
    history = neps.load(root)
    assert [int(row["number"]) for row in rows] == [trial.number for trial in history]
    assert rows[1]["error"] == history.by_number[2].error
    assert (rows[2]["loss"], rows[2]["info.sizes"]) == ("nan", '[1, "inf"]')
    assert float(rows[0]["config.rate"]) == history.by_number[1].config["rate"]
    assert float(rows[0]["info.accuracy"]) == history.by_number[1].info_dict["accuracy"]
    path = tmp_path / "trials.csv"
    assert printed(capsys, "export", root, "--to", "csv", "--output", path) == f"{path}\n"
    assert list(csv.DictReader(io.StringIO(path.read_bytes().decode()))) == rows


def test_json(root: Path, capsys: Capture) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    exported = json.loads(printed(capsys, "export", root, "--to", "json"), parse_constant=refuse)
    expected = neps.load(root).to_dict()
    assert (exported["best"], exported["trials"][0]["config"]) == (expected["best"], expected["trials"][0]["config"])
    assert exported["trials"][2]["loss"] == "nan"


def test_parquet(root: Path, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "trials.parquet"
    printed(capsys, "export", root, "--to", "parquet", "--output", path)
    frame = pd.read_parquet(path)
    history = neps.load(root)
    assert list(frame.index) == [trial.number for trial in history]
    assert frame["config.rate"].tolist() == [trial.config["rate"] for trial in history]
    assert frame["config.kind"].tolist() == [str(trial.config["kind"]) for trial in history], "of several types"


def test_without_pandas_parquet_says_what_to_install(
    root: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert main(["export", str(root), "--to", "parquet", "--output", "x"]) == 1
    assert "pip install 'neps[pandas]'" in capsys.readouterr().err


def test_an_export_that_cannot_be_written(root: Path, tmp_path: Path, capsys: Capture) -> None:
    assert main(["export", str(root), "--to", "csv", "--output", str(tmp_path / "absent" / "a.csv")]) == 1
    assert capsys.readouterr().err == (
        f"neps: {tmp_path}/absent/a.csv can't be written: No such file or directory. Choose another FILE.\n"
    )


def test_summaries_are_written_again(root: Path, other: Path, capsys: Capture) -> None:
    table = root / "summary" / "trials.csv"
    before = table.read_bytes()
    table.unlink()
    assert printed(capsys, "summary", root, other) == f"{root}/summary\n{other}/summary\n"
    assert table.read_bytes() == before


def test_a_summary_that_cannot_be_written_is_an_error(other: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "neps.yaml").write_bytes((other / "neps.yaml").read_bytes())
    (tmp_path / "root" / "summary").touch()
    assert main(["summary", str(tmp_path / "root")]) == 1
    assert capsys.readouterr().err.startswith("neps: ")


def test_status_as_json(root: Path, other: Path, capsys: Capture) -> None:
    first, second = map(json.loads, printed(capsys, "status", "--json", root, other).splitlines())
    history = neps.load(root)
    assert history.best is not None
    assert first["trials"] == {
        "total": 14,
        "succeeded": 13,
        "failed": 1,
        "damaged": 0,
        "running": 0,
        "dead": 0,
        "untold": 0,
        "waiting": 0,
        "resumable": 0,
        "reserved": 0,
        "unreadable": 0,
    }
    assert first["best"] == {
        "number": history.best.number,
        "loss": history.best.loss,
        "cost": history.best.cost,
        "fidelity": history.best.fidelity,
        "config": history.best_config,
        "folder": f"{root}/config_{history.best.number}",
    }
    assert first["failed"] == [
        {"number": 2, "error": "ValueError: no good\\x1b[2J", "folder": f"{root}/config_2"},
    ]
    assert (second["best"], second["cost"], second["fidelity"]) == (None, None, None)


def test_the_shape_of_the_json_is_documented(root: Path, capsys: Capture) -> None:
    page = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text()
    section = page.partition("## `status --json`")[2].partition("\n## ")[0]
    documented = {line.split("`")[1] for line in section.splitlines() if line.startswith("| `")}
    assert documented == set(json.loads(printed(capsys, "status", "--json", root)))


def test_several_runs_are_shown_apart(root: Path, other: Path, capsys: Capture) -> None:
    text = printed(capsys, "status", root, other)
    assert f"\n\nrun       {other}\n" in text
    assert text.endswith("best: none yet: 1 loss is not finite\n")


def test_several_runs_make_one_plot(root: Path, tmp_path: Path, capsys: Capture) -> None:
    output = tmp_path / "a.png"
    assert main(["plot", str(root), str(root)]) == 2
    assert "--output" in capsys.readouterr().err
    assert main(["plot", str(root), str(root), "--width", "3.3", "--output", str(output)]) == 0
    assert capsys.readouterr().out == f"{output}\n"


def test_neps_alone_prints_help(capsys: Capture) -> None:
    text = printed(capsys)
    assert text.startswith("Usage: neps ")
    assert printed(capsys, "--help") == text == printed(capsys, "-h")
    for command in ("status", "best", "top", "show", "plot", "export", "summary", "retry", "clean", "check"):
        assert f"\n  {command} " in text
        assert printed(capsys, command, "--help").startswith(f"Usage: neps {command} ")


def test_a_command_pays_for_no_other() -> None:
    program = (
        "import sys; from neps._cli import main; main(['status', '/absent']); "
        "print([name for name in ('torch', 'scipy', 'rich', 'pandas', 'matplotlib', 'neps.worker', 'neps.samplers') "
        "if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_numbers_beyond_64_bits_are_texts_in_parquet(tmp_path: Path) -> None:
    space = {"x": neps.Float(0, 1)}
    neps.run(
        lambda x: {"loss": x, "info_dict": {"big": 2**70}},
        tmp_path / "run",
        space,
        searcher="random_search",
        max_evaluations_total=1,
        progress=False,
    )
    output = tmp_path / "trials.parquet"
    assert main(["export", str(tmp_path / "run"), "--to", "parquet", "--output", str(output)]) == 0
    assert output.exists()
