"""`neps.plot` and its file: what is drawn and how, what is refused, and that the run stays as it was."""

from __future__ import annotations

import io
import math
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import neps
from neps.errors import ArgumentError, DirectoryError, NepsError
from neps.history import History
from neps.trial import Status
from neps.views.figure import draw
from neps.views.plot import write_plot
from unit.trial_stories import story, trial

FORMATS = Path(__file__).parents[1] / "format"
SPACE = {"x": neps.Float(0, 1), "epochs": neps.Integer(1, 9, is_fidelity=True)}


def train(x: float, epochs: int) -> float:
    for epoch in range(1, epochs + 1):
        neps.report(epoch, x + 1 / epoch)
    return x + 1 / epochs


def fail(x: float) -> float:
    raise ValueError("no good")


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


def figure(*trials: neps.Trial, highest: float | None = None) -> Figure:
    return draw(story(*trials, highest=highest), "digits")


def drawn(figure: Figure) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def line(axes: Axes, label: str) -> Line2D:
    (found,) = (line for line in axes.get_lines() if line.get_label() == label)
    return found


def points(line: Line2D) -> list[tuple[float, float]]:
    return list(zip(*np.asarray(line.get_data()).tolist(), strict=True))


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def of_losses(*losses: float) -> Figure:
    return figure(*(trial(number, loss) for number, loss in enumerate(losses, 1)))


class TestAnytime:
    def test_steps_down_where_a_trial_was_better_and_goes_on_to_the_last(self) -> None:
        (axes,) = of_losses(3.0, 2.0, 4.0).axes
        curve = line(axes, "incumbent")
        assert points(curve) == [(1, 3.0), (2, 2.0), (3, 2.0)]
        assert curve.get_drawstyle() == "steps-post"
        assert curve.get_linestyle() == "-"

    def test_names_the_best_and_marks_where_it_was_found(self) -> None:
        drawn = of_losses(3.0, 0.25, 4.0)
        assert points(line(drawn.axes[0], "config_2, loss 0.25")) == [(2, 0.25)]
        assert legend(drawn) == ["incumbent", "config_2, loss 0.25"]

    def test_is_dotted_until_the_highest_fidelity_is_reached(self) -> None:
        drawn = figure(
            trial(1, 2.0, fidelity=1),
            trial(2, 1.0, fidelity=3, previous=1),
            trial(3, math.nan, fidelity=9),
            trial(4, 3.0, fidelity=9),
            trial(5, 4.0, fidelity=9),
            highest=9,
        )
        below = line(drawn.axes[0], "incumbent below the highest fidelity")
        reached = line(drawn.axes[0], "incumbent at the highest fidelity")
        assert below.get_linestyle() == ":"
        assert points(below) == [(1, 2.0), (3, 1.0), (12, 1.0), (21, 3.0)]
        assert reached.get_linestyle() == "-"
        assert points(reached) == [(21, 3.0), (30, 3.0)]

    @pytest.mark.parametrize(("fidelity", "reached"), [(3, "below"), (9, "at")])
    def test_is_all_dotted_or_all_solid(self, fidelity: float, reached: str) -> None:
        drawn = figure(trial(1, 2.0, fidelity=fidelity), highest=9)
        assert legend(drawn) == [f"incumbent {reached} the highest fidelity", "config_1, loss 2"]

    def test_says_what_is_on_its_axes(self) -> None:
        left, right = figure(trial(1, 2.0, fidelity=3), highest=9).axes
        assert (left.get_xlabel(), left.get_ylabel()) == ("fidelity spent (epochs)", "loss of the incumbent")
        assert (right.get_xlabel(), right.get_ylabel()) == ("epochs", "loss")


class TestLearningCurves:
    def test_of_each_configuration_once_the_best_over_them(self) -> None:
        _, axes = figure(
            trial(1, 5.0, fidelity=1),
            trial(2, 3.0, fidelity=1),
            trial(3, 2.0, fidelity=9, previous=2),
            trial(4, 2.5, fidelity=9),
            highest=9,
        ).axes
        lines, ends = axes.collections
        assert isinstance(lines, LineCollection)
        assert [segment.tolist() for segment in lines.get_segments()] == [[[1, 5]], [[9, 2.5]], [[1, 3], [9, 2]]]
        assert ends.get_offsets().tolist() == [[1, 5], [9, 2.5], [9, 2]]  # type: ignore[union-attr]
        assert lines.get_array().tolist() == [3, 2, 1]  # type: ignore[union-attr]
        best, end = axes.get_lines()
        assert points(best) == [(1, 3.0), (9, 2.0)]
        assert points(end) == [(9, 2.0)]
        assert best.get_zorder() > lines.get_zorder()

    def test_show_the_best_as_far_as_it_was_best(self) -> None:
        trials = (trial(1, 2.0, fidelity=3), trial(2, math.nan, fidelity=9, previous=1, learning_curve=[7.0, 8.0]))
        _, axes = figure(*trials, highest=9).axes
        assert points(axes.get_lines()[0]) == [(3, 2.0)]

    def test_are_shown_without_a_fidelity_where_some_trial_reported(self) -> None:
        _, axes = figure(trial(1, 2.0, learning_curve=[3.0, 2.0]), trial(2, 1.0)).axes
        assert axes.get_xlabel() == "step"
        assert axes.get_lines() == []

    def test_have_no_panel_where_there_are_none(self) -> None:
        assert len(of_losses(1.0).axes) == 1


class TestScales:
    @pytest.mark.parametrize(
        ("losses", "scale"),
        [
            ((1.0, 0.1), "log"),
            ((1.0, 0.11), "linear"),
            ((1.0, 0.0), "linear"),
            ((1.0, -1.0), "linear"),
            ((math.inf, 1.0), "linear"),
            ((-1.0, -100.0), "linear"),
        ],
    )
    def test_losses(self, losses: tuple[float, ...], scale: str) -> None:
        assert of_losses(*losses).axes[0].get_yscale() == scale

    @pytest.mark.parametrize(("evaluations", "scale"), [(9, "linear"), (10, "log")])
    def test_what_is_spent(self, evaluations: int, scale: str) -> None:
        assert of_losses(*([1.0] * evaluations)).axes[0].get_xscale() == scale

    @pytest.mark.parametrize(("steps", "scales"), [([1, 9], ("linear", "log")), ([1, 10], ("log", "log"))])
    def test_learning_curves(self, steps: list[float], scales: tuple[str, str]) -> None:
        axes = figure(trial(1, 1.0, learning_curve=[10.0, 1.0], learning_curve_steps=steps)).axes[1]
        assert (axes.get_xscale(), axes.get_yscale()) == scales

    def test_a_single_evaluation_is_one_and_no_fraction(self) -> None:
        (axes,) = of_losses(0.5).axes
        assert [tick for tick in axes.get_xticks() if 0.9 < tick < 1.1] == [1]

    @pytest.mark.parametrize(
        ("losses", "shown"), [((5.0, 0.5), ["0.5", "1", "2", "5"]), ((5.0, 5e-4), ["0.001", "0.01", "0.1", "1"])]
    )
    def test_logarithmic_axes_have_plain_numbers(self, losses: tuple[float, ...], shown: list[str]) -> None:
        (axes,) = of_losses(*losses).axes
        low, high = axes.get_ylim()
        labels = [label for label in axes.get_yticklabels() if low <= label.get_position()[1] <= high]
        assert [label.get_text() for label in labels] == shown
        assert {label.get_text() for label in axes.get_yticklabels(minor=True)} <= {""}


EXTREMES = [
    (1.7976931348623157e308, -1.7976931348623157e308),
    (1.7e308, 5e-324),
    (1e-200, 5e-324),
    (0.0, 0.0),
    (1 + 2**-52, 1.0),
    (math.inf, math.nan, -math.inf, 3.0),
]


class TestExtremes:
    """Each is drawn without an error, and without a warning, which is an error here."""

    @pytest.mark.parametrize("losses", EXTREMES)
    def test_losses(self, losses: tuple[float, ...]) -> None:
        assert drawn(of_losses(*losses))

    @pytest.mark.parametrize("losses", EXTREMES)
    def test_learning_curves(self, losses: tuple[float, ...]) -> None:
        assert drawn(figure(trial(1, 1.0, learning_curve=losses)))

    @pytest.mark.parametrize("highest", [2.0**53, 1.7e308])
    def test_fidelities(self, highest: float) -> None:
        drawn_figure = figure(trial(1, 1.0, fidelity=1), trial(2, 2.0, fidelity=highest, previous=1), highest=highest)
        assert drawn(drawn_figure)

    def test_a_thousand_trials(self) -> None:
        losses = random.Random(1)
        trials = [
            trial(
                number, losses.random(), fidelity=9, previous=number // 2 or None, learning_curve=[losses.random()] * 9
            )
            for number in range(1, 1001)
        ]
        shown = figure(*trials, highest=9)
        assert drawn(shown)
        assert len(shown.axes[1].collections[0].get_paths()) == 500

    @pytest.mark.parametrize("name", ["$\\frac{$", "\udcff", "line\nbreak", "\0", "été"])
    def test_names(self, name: str) -> None:
        history = History(neps.SearchSpace({name: neps.Float(1, 9, is_fidelity=True)}), {1: trial(1, 1.0, fidelity=1)})
        shown = draw(history, name)
        assert drawn(shown)
        assert ascii(shown.get_suptitle()).replace("\\\\", "\\").startswith(ascii(name)[:-1])


def test_the_title_names_the_run_and_counts_its_trials() -> None:
    shown = figure(trial(1, 1.0), trial(2, status=Status.FAILED), trial(3, status=Status.RUNNING))
    assert shown.get_suptitle() == "digits: 1 succeeded, 1 failed"


def test_a_run_is_plotted_and_its_best_is_that_of_status(run: Path) -> None:
    shown, status, best = neps.plot(run), io.StringIO(), neps.load(run).best
    neps.status(run, file=status)
    assert best is not None
    assert f"best: trial {best.number}, loss {best.loss:g}\n" in status.getvalue()
    assert legend(shown)[-1] == f"config_{best.number}, loss {best.loss:g}"
    assert shown.get_suptitle() == "digits: 25 succeeded, 0 failed"
    assert points(line(shown.axes[0], "incumbent at the highest fidelity"))[-1][1] == best.loss
    assert points(shown.axes[1].get_lines()[0])[-1] == (best.fidelity, best.loss)


def test_the_run_stays_as_it_was(root: Path) -> None:
    before = contents(root)
    assert drawn(neps.plot(str(root)))
    assert contents(root) == before


@pytest.mark.parametrize("golden", ["v1", "v1_curves"])
def test_trials_in_every_state(golden: str) -> None:
    shown, history = neps.plot(FORMATS / golden), neps.load(FORMATS / golden)
    assert {str(each.status) for each in history.trials} == {"success", "failed", "running", "waiting"}
    assert history.best is not None
    assert legend(shown)[-1] == f"config_{history.best.number}, loss {history.best.loss:g}"


def test_a_damaged_result_counts_as_a_failure(root: Path) -> None:
    shutil.rmtree(root / ".neps")
    (root / "config_3" / "result.yaml").unlink()
    (root / "config_3" / "attempt_1.end.yaml").unlink()
    (root / "config_3" / "attempt_1.end.yaml").mkdir()
    assert neps.plot(root).get_suptitle() == "digits: 24 succeeded, 1 failed"


def test_nothing_outside_the_figure_changes(run: Path) -> None:
    program = (
        "import sys, matplotlib, neps; settings = list(dict.items(matplotlib.rcParams)); neps.plot(sys.argv[1]); "
        "print('matplotlib.pyplot' in sys.modules, list(dict.items(matplotlib.rcParams)) == settings)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(run)], capture_output=True, text=True, check=True)
    assert done.stdout == "False True\n"


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
    monkeypatch.delitem(sys.modules, "neps.views.figure")
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
