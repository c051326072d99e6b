"""`neps.plot` and its file: what is drawn and how, what is refused, and that the run stays as it was."""

from __future__ import annotations

import gc
import io
import math
import os
import re
import shutil
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import neps
from neps._trial import Status
from neps._views.figure import draw
from neps._views.plot import write_plot
from neps.errors import ArgumentError, DirectoryError, NepsError
from unit.reading_figures import drawn, legend, line, points
from unit.trial_stories import story, trial

FORMATS = Path(__file__).parents[1] / "format"
SPACE = {"x": neps.Float(0, 1), "epochs": neps.Integer(1, 9, is_fidelity=True)}


def train(x: float, epochs: int) -> float:
    for epoch in range(1, epochs + 1):
        neps.report(epoch, x + 1 / epoch)
    return x + 1 / epochs


def fail(x: float) -> float:
    raise ValueError("no good")


def identity(x: float) -> float:
    return x


def diverge(x: float) -> float:
    return math.nan if x < 0.5 else math.inf


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run over epochs, with learning curves. Only read."""
    root = tmp_path_factory.mktemp("plots") / "digits"
    neps.run(train, root, SPACE, searcher="hyperband", max_evaluations_total=25, seed=1)
    return root


@pytest.fixture
def root(run: Path, tmp_path: Path) -> Path:
    """A copy of it, to be written to."""
    return shutil.copytree(run, tmp_path / "digits")


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in (folder, *folder.rglob("*"))
    }


def test_the_title_names_the_run_and_counts_its_trials() -> None:
    shown = draw(story(trial(1, 1.0), trial(2, status=Status.FAILED), trial(3, status=Status.RUNNING)), "digits")
    assert shown.get_suptitle() == "digits: 1 succeeded, 1 failed"


def test_a_run_is_plotted_and_its_best_is_that_of_status(run: Path) -> None:
    shown, status, best = neps.plot(run), io.StringIO(), neps.load(run).best
    neps.status(run, file=status)
    assert best is not None
    assert f"best: trial {best.number}, loss {best.loss:g} at {best.fidelity:g} epochs\n" in status.getvalue()
    assert f"config_{best.number}, loss {best.loss:g}" in legend(shown)
    assert shown.get_suptitle() == "digits: 25 succeeded, 0 failed"
    assert points(line(shown.axes[0], "best so far"))[-1][1] == best.loss
    assert points(shown.axes[1].get_lines()[-1])[-1] == (best.fidelity, best.loss)


def test_the_run_stays_as_it_was(root: Path) -> None:
    before = contents(root)
    assert drawn(neps.plot(str(root)))
    assert contents(root) == before


@pytest.mark.parametrize("golden", ["v1", "v1_curves"])
def test_trials_in_every_state(golden: str) -> None:
    shown, history = neps.plot(FORMATS / golden), neps.load(FORMATS / golden)
    assert {str(each.status) for each in history.trials} == {"success", "failed", "running", "waiting"}
    assert history.best is not None
    assert f"config_{history.best.number}, loss {history.best.loss:g}" in legend(shown)


def test_a_damaged_result_counts_as_a_failure(root: Path) -> None:
    shutil.rmtree(root / ".neps")
    (root / "config_3" / "result.yaml").unlink()
    (root / "config_3" / "attempt_1.end.yaml").unlink()
    (root / "config_3" / "attempt_1.end.yaml").mkdir()
    assert neps.plot(root).get_suptitle() == "digits: 24 succeeded, 1 failed"


def test_figures_are_forgotten_with_their_last_reference(run: Path) -> None:
    figures = [weakref.ref(neps.plot(run)) for _ in range(3)]
    gc.collect()
    assert [figure() for figure in figures] == [None] * 3


def test_nothing_outside_the_figure_changes(run: Path) -> None:
    program = (
        "import sys, matplotlib, neps; settings = list(dict.items(matplotlib.rcParams)); neps.plot(sys.argv[1]); "
        "print('matplotlib.pyplot' in sys.modules, list(dict.items(matplotlib.rcParams)) == settings)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(run)], capture_output=True, text=True, check=True)
    assert done.stdout == "False True\n"


# Width, panels, several runs


def test_width_and_panel_are_those_asked_for(run: Path, tmp_path: Path) -> None:
    shown = neps.plot(run, width=3.3, panel="learning_curves")
    assert [axes.get_title() for axes in shown.axes] == ["learning curves"]
    assert shown.get_figwidth() == 3.3
    write_plot(run, tmp_path / "a.png", width=4, panel="best_so_far")
    assert int.from_bytes((tmp_path / "a.png").read_bytes()[16:20]) == 4 * 150


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": 0.5}, r"width is 0\.5; it must be a number of inches, from 2\.5 to 50\.$"),
        ({"width": math.nan}, "width is nan"),
        ({"width": True}, "width is True"),
        ({"width": "3.3"}, r"width is '3\.3'"),
        ({"panel": "curves"}, r"There is no panel 'curves'\. Choose best_so_far or learning_curves\.$"),
    ],
)
def test_a_wrong_appearance_is_refused_before_anything_is_read(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        neps.plot("no run", **arguments)


def test_a_panel_that_a_run_lacks_is_refused(tmp_path: Path) -> None:
    neps.run(identity, tmp_path, {"x": neps.Float(0, 1)}, searcher="sobol", max_evaluations_total=1, seed=1)
    with pytest.raises(
        ArgumentError, match=r"has no panel 'learning_curves': it has no fidelity.* It has: best_so_far"
    ):
        neps.plot(tmp_path, panel="learning_curves")


@pytest.mark.parametrize("root", [None, 1, b"run", [None]])
def test_what_is_no_path_is_refused(root: Any) -> None:
    with pytest.raises(ArgumentError, match="must be a path"):
        neps.plot(root)


def test_several_runs_are_compared_by_what_all_have(run: Path, tmp_path: Path) -> None:
    neps.run(identity, tmp_path / "other", {"x": neps.Float(0, 1)}, searcher="sobol", max_evaluations_total=4, seed=1)
    both = [run, tmp_path / "other"]
    shown = neps.plot(both)
    assert [(axes.get_title(), axes.get_xlabel()) for axes in shown.axes] == [
        ("best so far", "evaluations (log scale)")
    ]
    bests = [neps.load(root).best for root in both]
    for root, best in zip(both, bests, strict=True):
        assert best is not None
        assert f"{root.name}: config_{best.number}, loss {best.loss:g}" in legend(shown)
    write_plot(both, tmp_path / "both.svg")
    assert (tmp_path / "both.svg").exists()


def test_runs_of_the_same_name_are_called_by_their_paths(run: Path, root: Path) -> None:
    shown = neps.plot([run, root], width=50)
    assert [text.split(":")[0] for text in legend(shown)][1:] == [str(run), str(root)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"root_directory": ["a", "b"]}, r"A plot of 2 runs needs --output FILE, which says where to write it\.$"),
        (
            {"root_directory": ["a", "b"], "output": "a.png", "panel": "learning_curves"},
            "is of one run, but 2 are given",
        ),
        ({"root_directory": ["a"] * 8, "output": "a.png"}, "8 runs are given; a figure shows 1 to 7"),
        ({"root_directory": [], "output": "a.png"}, "0 runs are given"),
    ],
)
def test_what_several_runs_cannot_have_is_refused(
    tmp_path: Path, arguments: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArgumentError, match=message):
        write_plot(**arguments)
    assert list(tmp_path.iterdir()) == []


# What can't be plotted


@pytest.mark.parametrize("objective", [fail, diverge])
def test_where_nothing_has_a_finite_loss_it_says_so(tmp_path: Path, objective: Callable[..., float]) -> None:
    space = {"x": neps.Float(0, 1)}
    neps.run(objective, tmp_path, space, searcher="random_search", max_evaluations_total=2, seed=1, ignore_errors=True)
    with pytest.raises(DirectoryError, match=r"can't be plotted yet: none of its trials has ended with a finite loss"):
        neps.plot(tmp_path)


def test_where_there_is_no_run_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(DirectoryError, match=r"absent does not exist"):
        neps.plot(tmp_path / "absent")
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_it_says_what_to_install(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.delitem(sys.modules, "neps._views.figure")
    before = contents(root)
    for act in (neps.plot, write_plot):
        with pytest.raises(NepsError, match=r"pip install 'neps\[plots\]'$"):
            act(root)
    assert contents(root) == before


# The file


@pytest.mark.parametrize(
    ("name", "beginning"), [("a.png", b"\x89PNG"), ("a.PNG", b"\x89PNG"), ("a.pdf", b"%PDF"), ("a.b.svg", b"<?xml")]
)
def test_its_suffix_says_what_it_is(run: Path, tmp_path: Path, name: str, beginning: bytes) -> None:
    assert write_plot(run, tmp_path / name) == str(tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(beginning)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_it_is_found_from_where_one_is(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert write_plot(run, "a.svg") == str(tmp_path / "a.svg")
    assert write_plot(run, "~/b.svg") == str(tmp_path / "b.svg")


@pytest.mark.parametrize("made", [True, False])
def test_by_default_it_lies_in_the_summary(root: Path, *, made: bool) -> None:
    if not made:
        shutil.rmtree(root / "summary")
    before = contents(root)
    assert write_plot(root) == f"{root}/summary/plot.png"
    assert set(contents(root)) - set(before) <= {f"{root}/summary", f"{root}/summary/plot.png"}
    assert (root / "summary/plot.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("plot.jpg", r"plot\.jpg: its name must end with \.png, \.pdf or \.svg\.$"),
        ("plot", "its name must end with"),
        ("", "its name must end with"),
        ("folder.png", "that is a folder"),
        ("absent/plot.png", r"there is no folder .*/absent\. Make it"),
    ],
)
def test_a_wrong_output_is_refused_before_anything_is_read(
    run: Path, tmp_path: Path, output: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder.png").mkdir()
    monkeypatch.chdir(tmp_path)
    for root in (run, "no run"):
        with pytest.raises(ArgumentError, match=message):
            write_plot(root, output)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]


def test_a_run_that_cannot_be_plotted_gets_no_summary(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DirectoryError):
        write_plot(tmp_path / "empty")
    assert list((tmp_path / "empty").iterdir()) == []


def test_where_it_cannot_be_written_whole_the_old_one_stays(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "summary/plot.png").write_text("old")

    def full(source: str, target: str) -> None:
        assert Path(source).stat().st_size
        assert Path(source).parent == Path(target).parent
        raise OSError(28, "No space left on device")

    before = set(contents(root))
    monkeypatch.setattr(os, "replace", full)
    path = re.escape(f"{root}/summary/plot.png")
    message = f"^{path} can't be written: No space left on device. Write it elsewhere with --output FILE"
    with pytest.raises(DirectoryError, match=message):
        write_plot(root)
    assert (root / "summary/plot.png").read_text() == "old"
    assert set(contents(root)) == before
