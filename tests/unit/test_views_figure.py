"""What figures show: incumbents, all trials, learning curves, scales; and that all of it can be read in any width."""

from __future__ import annotations

import math
import random

import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

import neps
from neps._history import History
from neps._trial import Status
from neps._views.figure import draw, draw_several
from unit.reading_figures import dots, drawn, illegible, legend, line, points
from unit.trial_stories import story, trial

BEST_SO_FAR, LOWER = "best so far", "best so far, lower fidelity"


def figure(*trials: neps.Trial, highest: float | None = None, width: float | None = None) -> Figure:
    return draw(story(*trials, highest=highest), "digits", width)


def of_losses(*losses: float) -> Figure:
    return figure(*(trial(number, loss) for number, loss in enumerate(losses, 1)))


class TestAnytime:
    def test_steps_down_where_a_trial_was_better_and_goes_on_to_the_last(self) -> None:
        (axes,) = of_losses(3.0, 2.0, 4.0).axes
        curve = line(axes, BEST_SO_FAR)
        assert points(curve) == [(1, 3.0), (2, 2.0), (3, 2.0)]
        assert curve.get_drawstyle() == "steps-post"
        assert curve.get_linestyle() == "-"

    def test_names_the_best_and_marks_where_it_was_found(self) -> None:
        drawn = of_losses(3.0, 0.25, 4.0)
        assert points(line(drawn.axes[0], "config_2, loss 0.25")) == [(2, 0.25)]
        assert legend(drawn) == ["trial", BEST_SO_FAR, "config_2, loss 0.25"]

    def test_is_dotted_until_the_highest_fidelity_is_reached(self) -> None:
        drawn = figure(
            trial(1, 2.0, fidelity=1),
            trial(2, 1.0, fidelity=3, previous=1),
            trial(3, math.nan, fidelity=9),
            trial(4, 3.0, fidelity=9),
            trial(5, 4.0, fidelity=9),
            highest=9,
        )
        below = line(drawn.axes[0], LOWER)
        reached = line(drawn.axes[0], BEST_SO_FAR)
        assert below.get_linestyle() == ":"
        assert points(below) == [(1, 2.0), (3, 1.0), (12, 1.0), (21, 3.0)]
        assert reached.get_linestyle() == "-"
        assert points(reached) == [(21, 3.0), (30, 3.0)]

    @pytest.mark.parametrize(("fidelity", "label"), [(3, LOWER), (9, BEST_SO_FAR)])
    def test_is_all_dotted_or_all_solid(self, fidelity: float, label: str) -> None:
        lines = figure(trial(1, 2.0, fidelity=fidelity), highest=9).axes[0].get_lines()
        assert [str(line.get_label()) for line in lines if str(line.get_label()).startswith("best")] == [label]

    def test_says_what_is_on_its_axes(self) -> None:
        left, right = figure(trial(1, 2.0, fidelity=3), highest=9).axes
        assert (left.get_xlabel(), left.get_ylabel()) == ("epochs spent", "loss")
        assert (right.get_xlabel(), right.get_ylabel()) == ("epochs", "loss")

    def test_says_which_axes_are_logarithmic(self) -> None:
        (axes,) = figure(trial(1, 2.0, cost=1.0), trial(2, 0.1, cost=10.0)).axes
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("cost as returned (log scale)", "loss (log scale)")


class TestTrials:
    def test_are_dots_where_they_ended(self) -> None:
        (axes,) = figure(trial(1, 3.0), trial(2, status=Status.RUNNING), trial(3, 2.0), trial(4, 4.0)).axes
        assert dots(axes, "trial") == [(1, 3.0), (2, 2.0), (3, 4.0)]

    def test_are_hollow_below_the_highest_fidelity(self) -> None:
        axes = figure(trial(1, 2.0, fidelity=3), trial(2, 3.0, fidelity=9), highest=9).axes[0]
        assert dots(axes, "trial, lower fidelity") == [(3, 2.0)]
        assert dots(axes, "trial") == [(12, 3.0)]

    def test_without_a_place_on_the_axis_are_at_its_upper_edge_and_counted(self) -> None:
        trials = [
            trial(1, -1.0),
            trial(2, math.nan),
            trial(3, status=Status.FAILED),
            trial(4, -math.inf),
            trial(5, -2.0),
        ]
        (axes,) = figure(*trials, trial(6, 1e9)).axes
        marks = {label: line(axes, label) for label in ("2 NaN or infinite", "1 failed", "1 loss above the axis")}
        assert [points(mark) for mark in marks.values()] == [[(2, 1), (4, 1)], [(3, 1)], [(6, 1)]]
        assert all(mark.get_transform() == axes.get_xaxis_transform() for mark in marks.values())
        assert set(marks) < set(legend(axes.figure))  # type: ignore[arg-type] # it is no part of another one
        assert dots(axes, "trial") == [(1, -1.0), (5, -2.0)]


class TestOutliers:
    """They never hide the region of the best."""

    @pytest.mark.parametrize("shift", [-100.0, 0.5])
    def test_are_beyond_the_axis(self, shift: float) -> None:
        losses = [shift + place / 20 for place in range(20)]
        low, high = of_losses(1e12, *losses, 1e6).axes[0].get_ylim()
        assert shift - 0.1 < low < shift
        assert losses[-1] < high < losses[-1] + 0.1

    def test_are_none_where_losses_span_many_decades(self) -> None:
        (axes,) = of_losses(*(10.0**power for power in range(-8, 3))).axes
        assert axes.get_yscale() == "log"
        assert len(dots(axes, "trial")) == 11

    def test_are_none_where_most_losses_are_the_best(self) -> None:
        assert len(dots(of_losses(0.0, 0.0, 0.0, 1.0).axes[0], "trial")) == 4

    def test_hide_no_incumbent(self) -> None:
        """The only trial at the highest fidelity is far worse than those below."""
        trials = [trial(number, -1 + number / 10, fidelity=1) for number in range(1, 6)]
        axes = figure(*trials, trial(6, 1e3, fidelity=9), highest=9).axes[0]
        assert dots(axes, "trial") == [(14, 1e3)]
        assert axes.get_ylim()[1] > 1e3

    def test_among_learning_curves_are_counted(self) -> None:
        curves = [trial(number, 0.0, learning_curve=[number / 9, number / 10]) for number in range(1, 9)]
        spikes = (trial(9, 1.0, learning_curve=[0.5, 1e9, 0.1]), trial(10, -1.0, learning_curve=[1e9, 0.1]))
        figure_ = figure(*curves, *spikes)
        assert points(line(figure_.axes[1], "2 curves above the axis")) == [(2, 1), (1, 1)]
        assert figure_.axes[1].get_ylim()[1] < 2


class TestLearningCurves:
    def test_of_each_configuration_once_the_best_few_over_the_others(self) -> None:
        losses = [5.0, 3.0, 2.6, 2.5, 2.4, 2.3, 2.2]
        shown = figure(
            *(trial(number, loss, fidelity=1) for number, loss in enumerate(losses, 1)),
            trial(8, 2.0, fidelity=9, previous=2),
            highest=9,
        )
        lines, ends = shown.axes[1].collections
        assert isinstance(lines, LineCollection)
        assert [segment.tolist() for segment in lines.get_segments()] == [[[1, 5]], [[1, 2.6]]]
        assert ends.get_offsets().tolist() == [[1, 5], [1, 2.6]]  # type: ignore[union-attr]
        assert {"2 other curves", "next best"} < set(legend(shown))
        ends_of = [points(each)[-1] for each in shown.axes[1].get_lines() if str(each.get_label()) == "next best"]
        assert ends_of == [(1, 2.5), (1, 2.4), (1, 2.3), (1, 2.2)]
        best = shown.axes[1].get_lines()[-2]
        assert points(best) == [(1, 3.0), (9, 2.0)]
        assert best.get_zorder() > lines.get_zorder()

    def test_show_the_best_as_far_as_it_was_best(self) -> None:
        trials = (trial(1, 2.0, fidelity=3), trial(2, math.nan, fidelity=9, previous=1, learning_curve=[7.0, 8.0]))
        _, axes = figure(*trials, highest=9).axes
        assert points(axes.get_lines()[-1]) == [(3, 2.0)]

    def test_are_shown_without_a_fidelity_where_some_trial_reported(self) -> None:
        _, axes = figure(trial(1, 2.0, learning_curve=[3.0, 2.0]), trial(2, 1.0)).axes
        assert axes.get_xlabel() == "step"
        assert [points(line)[-1] for line in axes.get_lines() if line.get_label() == "next best"] == [(2, 2.0)]

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
        assert illegible(shown) == []
        assert len(shown.axes[1].collections[0].get_paths()) == 499
        assert "499 other curves" in legend(shown)

    @pytest.mark.parametrize("name", ["$\\frac{$", "\udcff", "line\nbreak", "\0", "été"])
    def test_names(self, name: str) -> None:
        history = History(neps.SearchSpace({name: neps.Float(1, 9, is_fidelity=True)}), {1: trial(1, 1.0, fidelity=1)})
        shown = draw(history, name)
        assert drawn(shown)
        assert ascii(shown.get_suptitle()).replace("\\\\", "\\").startswith(ascii(name)[:-1])


class TestWidths:
    """All texts are within the figure, of 6 points or more, and not over each other."""

    @pytest.mark.parametrize("width", [2.5, 3.3, 6.5, 12.0])
    def test_everything_is_legible(self, width: float) -> None:
        trials = [
            trial(number, 10 ** random.Random(number).uniform(-4, 3), fidelity=3**place, previous=number - 3)
            for number in range(4, 40)
            for place in [number % 4]
        ]
        odd = [trial(40, status=Status.FAILED, fidelity=1), trial(41, math.nan, fidelity=1)]
        shown = draw(story(*trials, *odd, trial(42, 1e200, fidelity=1), highest=27), "a/long name" * 30, width)
        assert illegible(shown) == []
        assert shown.get_figwidth() == width
        left, right = (axes.get_position() for axes in shown.axes)
        assert (left.x1 < right.x0) == (width >= 6)
        assert (left.y0 > right.y1) == (width < 6)

    @pytest.mark.parametrize("width", [3.3, 12.0])
    def test_so_are_long_names_of_a_fidelity(self, width: float) -> None:
        space = neps.SearchSpace({"epochs_" * 40: neps.Float(1, 9, is_fidelity=True)})
        shown = draw(History(space, {1: trial(1, 1.0, fidelity=1)}), "digits", width)
        assert illegible(shown) == []
        assert "…" in shown.axes[1].get_xlabel()

    @pytest.mark.parametrize("width", [2.5, 3.3, 12.0])
    @pytest.mark.parametrize("losses", [(1e7 + 1e-3, 1e7), (-3e9, 1e9), (1.0, 1.0 + 1e-9), (1e-300, 1e-299, 1e200)])
    def test_so_are_numbers_that_are_large_or_near_each_other(self, losses: tuple[float, ...], width: float) -> None:
        trials = (
            trial(number, loss, cost=1e8 + number, learning_curve=losses) for number, loss in enumerate(losses, 1)
        )
        assert illegible(figure(*trials, width=width)) == []

    def test_several_runs(self) -> None:
        histories = [story(trial(1, 1.0), trial(2, 1 / place), trial(3, math.nan)) for place in range(2, 9)]
        shown = draw_several([(f"_run_{place}" * 20, each) for place, each in enumerate(histories)], "evaluations", 3.3)
        assert illegible(shown) == []
        assert len(legend(shown)) == 14

    def test_none_given_depends_on_the_panels(self) -> None:
        assert of_losses(1.0).get_figwidth() == 6.5
        assert figure(trial(1, 1.0, fidelity=1), highest=9).get_figwidth() == 11

    def test_one_panel_alone(self) -> None:
        history = story(trial(1, 2.0, fidelity=3), highest=9)
        for panel in ("best_so_far", "learning_curves"):
            (axes,) = draw(history, "digits", 3.3, panel).axes
            assert axes.get_title().replace(" ", "_") == panel
            assert "config_1, loss 2" in legend(axes.figure)  # type: ignore[arg-type] # it is no part of another one
