"""Results from elsewhere are seen wherever a run is shown, apart from its trials, and none becomes one."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest

import neps
from neps._cli import main
from neps._history import History
from neps._views.figure import draw
from neps._views.status_json import read_fields
from unit.reading_figures import illegible, legend, line, points
from unit.trial_stories import story, trial

mpl.use("Agg")

Capture = pytest.CaptureFixture[str]
LINE: dict[str, neps.Parameter] = {"x": neps.Float(0, 1)}


def square(x: float) -> float:
    return (x - 0.3) ** 2 + 1


def begun(root: Path, total: int, **arguments: Any) -> neps.History:
    return neps.run(
        square, root, LINE, searcher="sobol", seed=1, max_evaluations_total=total, progress=False, **arguments
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of four trials that started from three results, with two imported ones, of which one is better than all."""
    folder = tmp_path_factory.mktemp("known")
    begun(folder / "old", 3)
    begun(folder / "root", 3, start_from=folder / "old")
    neps.import_trials(folder / "root", [{"config": {"x": 0.5}, "loss": 0.25}, {"config": {"x": 0.75}, "loss": 9.5}])
    begun(folder / "root", 4)
    return folder / "root"


@pytest.fixture(scope="module")
def worse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose imported result is worse than its best."""
    root = tmp_path_factory.mktemp("known") / "worse"
    begun(root, 3)
    neps.import_trials(root, [{"config": {"x": 0.5}, "loss": 8.5}])
    return root


def shown(capsys: Capture, *arguments: str) -> tuple[str, str]:
    assert main(arguments) == 0
    found = capsys.readouterr()
    return found.out, found.err


def test_history_prints_them_apart(root: Path, worse: Path) -> None:
    history = neps.load(root)
    beside = ["and 2 imported results: the best has loss 0.25, better than any trial", "and 3 results of earlier runs"]
    assert str(history).splitlines()[1:3] == beside
    assert all(words in history._repr_html_() for words in beside)
    assert "and 1 imported result: none is better than the best trial" in str(neps.load(worse))
    assert "imported" not in str(History(history.space, history.by_number))


@pytest.mark.parametrize(
    ("imported", "words"),
    [
        ([trial(0, 1.0)], "none is better"),
        ([trial(0, 0.5)], "the best has loss 0.5, better than any trial"),
        ([trial(0, float("nan"))], "none has a finite loss"),
    ],
    ids=["as good", "better", "not finite"],
)
def test_as_good_is_not_better(imported: list[neps.Trial], words: str) -> None:
    run = story(trial(1, 1.0))
    assert words in str(History(run.space, run.by_number, imported=tuple(imported)))


def test_a_higher_fidelity_is_better_as_among_trials() -> None:
    run = story(trial(1, 1.0, fidelity=3), highest=9)
    imported = (trial(0, 2.0, fidelity=9),)
    assert "the best has loss 2 at fidelity 9, better" in str(History(run.space, run.by_number, imported=imported))


def test_status(root: Path, worse: Path, capsys: Capture) -> None:
    neps.status(root)
    said = capsys.readouterr().out
    assert "trials    4 succeeded" in said
    assert "imported  2 results, which count for no budget; the best has loss 0.25, better than any trial" in said
    fields = read_fields(root)
    expected = {"loss": 0.25, "cost": None, "fidelity": None, "config": {"x": 0.5}, "better": True}
    assert (fields["imported"], fields["earlier"], fields["imported_best"]) == (2, 3, expected)
    assert read_fields(worse)["imported_best"]["better"] is False


def test_top_best_and_export_say_that_there_are_more(root: Path, worse: Path, capsys: Capture) -> None:
    table, beside = shown(capsys, "top", str(root))
    assert len(table.splitlines()) == 1 + 4
    assert "and 2 imported results: the best has loss 0.25" in beside
    best, beside = shown(capsys, "best", "--format", "json", str(root))
    assert json.loads(best) == neps.load(root).best_config
    assert beside == f"{root}: an imported result is better: loss 0.25\n"
    assert shown(capsys, "best", str(worse))[1] == ""
    rows, beside = shown(capsys, "export", str(root), "--to", "csv")
    assert [row["number"] for row in csv.DictReader(io.StringIO(rows))] == ["1", "2", "3", "4"]
    assert beside == "5 results from elsewhere, imported or of earlier runs, not written\n"
    document, beside = shown(capsys, "export", str(root), "--to", "json")
    assert (len(json.loads(document)["trials"]), len(json.loads(document)["imported"]), beside) == (4, 2, "")


def test_the_summary_has_a_table_of_its_own(root: Path, tmp_path: Path, capsys: Capture) -> None:
    shown(capsys, "summary", str(root))
    with (root / "summary/trials.csv").open(newline="") as file:
        assert [row["number"] for row in csv.DictReader(file)] == ["1", "2", "3", "4"]
    with (root / "summary/imported.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["from"], row["status"]) for row in rows] == [("imported", "success")] * 2 + [
        ("earlier", "success")
    ] * 3
    assert rows[0] == {
        "from": "imported",
        "status": "success",
        "loss": "0.25",
        "cost": "",
        "fidelity": "",
        "config.x": "0.5",
    }
    begun(tmp_path, 1)
    assert not (tmp_path / "summary/imported.csv").exists()


def test_what_a_run_says_as_it_leaves(root: Path, worse: Path, capsys: Capture) -> None:
    for path, said in ((root, True), (worse, False)):
        neps.run(square, path, LINE, max_evaluations_total=1)
        assert ("an imported result is better: loss 0.25" in capsys.readouterr().err) is said


def test_a_figure_counts_them_and_draws_the_best_as_a_line(root: Path, worse: Path) -> None:
    figure = neps.plot(root)
    assert figure.get_suptitle() == "root: 4 succeeded, 0 failed, 2 imported, 3 of earlier runs"
    label = "best of 2 imported, loss 0.25"
    assert label in legend(figure)
    assert {loss for _, loss in points(line(figure.axes[0], label))} == {0.25}
    low, high = figure.axes[0].get_ylim()
    assert low < 0.25 < high
    assert not illegible(figure)
    assert any(label.endswith(", 2 imported") for label in legend(neps.plot([root, worse])))
    run = story(*(trial(number, 1.0 + number / 10) for number in range(1, 9)))
    far = draw(History(run.space, run.by_number, imported=(trial(0, 1e6),)), "digits")
    assert "best of 1 imported, loss 1e+06 (above the axis)" in legend(far)
    assert far.axes[0].get_ylim()[1] < 10


def test_optuna_sees_them_as_attributes_of_the_study(root: Path, tmp_path: Path) -> None:
    study = neps.to_optuna(root)
    assert len(study.trials) == 4
    told = {name: study.user_attrs.get(name) for name in ("imported", "best imported loss", "of earlier runs")}
    assert told == {"imported": 2, "best imported loss": 0.25, "of earlier runs": 3}
    begun(tmp_path, 1)
    study = neps.to_optuna(tmp_path)
    assert "imported" not in study.user_attrs
    neps.import_trials(tmp_path, [{"config": {"x": 0.5}, "loss": 2.5}])
    assert len(study.trials) == 1
    assert study.user_attrs["imported"] == 1
