"""What plots show, as numbers: which incumbents, over what, and which learning curves."""

from __future__ import annotations

import dataclasses
import math

import pytest

from neps._history import History
from neps._outcome import Result
from neps._trial import Status
from neps._views.trajectories import anytime, best_first, learning_curves, longest
from unit.trial_stories import at, story, trial

FAILED, RUNNING, WAITING = Status.FAILED, Status.RUNNING, Status.WAITING


def incumbents(history: History) -> list[tuple[float, int]]:
    curve = anytime(history)
    return [(spent, incumbent.number) for spent, incumbent in zip(curve.spent, curve.incumbents, strict=True)]


class TestIncumbents:
    def test_are_the_best_so_far(self) -> None:
        history = story(trial(1, 3.0), trial(2, 4.0), trial(3, -2.0), trial(4, 2.0))
        assert incumbents(history) == [(1, 1), (2, 1), (3, 3), (4, 3)]
        assert anytime(history).changes == [0, 2]

    def test_are_in_the_order_in_which_trials_ended(self) -> None:
        history = story(trial(1, 1.0, finished=at(30)), trial(2, 2.0, finished=at(10)), trial(3, 3.0, finished=at(20)))
        assert incumbents(history) == [(1, 2), (2, 2), (3, 1)]

    def test_begin_with_the_first_finite_loss_and_what_was_spent_before_counts(self) -> None:
        history = story(
            trial(1, status=FAILED), trial(2, math.nan), trial(3, -math.inf), trial(4, 5.0), trial(5, math.inf)
        )
        assert incumbents(history) == [(4, 4), (5, 4)]

    def test_a_loss_that_a_failure_was_given_is_none(self) -> None:
        assert incumbents(story(trial(1, 1.0), trial(2, 0.0, status=FAILED))) == [(1, 1), (2, 1)]

    def test_what_has_not_ended_does_not_count(self) -> None:
        assert incumbents(story(trial(1, status=RUNNING), trial(2, 1.0), trial(3, status=WAITING))) == [(1, 2)]

    def test_a_higher_fidelity_goes_before_a_lower_loss(self) -> None:
        history = story(trial(1, 1.0, fidelity=1), trial(2, 2.0, fidelity=3), trial(3, math.nan, fidelity=9), highest=9)
        assert [number for _, number in incumbents(history)] == [1, 2, 2]
        assert history.best is not None
        assert history.best.number == 2

    def test_a_damaged_trial_comes_last(self) -> None:
        damaged = trial(1, status=FAILED)
        result = Result.of_damage("torn")
        history = story(dataclasses.replace(damaged, decision=None, result=result), trial(2, 1.0))
        assert incumbents(history) == [(1, 2), (2, 2)]


class TestSpent:
    def test_is_cost_where_every_success_returned_one(self) -> None:
        history = story(
            trial(1, 1.0, cost=2.0),
            trial(2, status=FAILED),
            trial(3, 1.0, cost=0.5, spent=4.0),
            trial(4, 1.0, cost=1.0),
        )
        curve = anytime(history)
        assert curve.measure == "cost as returned"
        assert list(curve.spent) == [2.0, 2.0, 6.0, 7.0]
        assert curve.spent[-1] == history.total_cost

    def test_is_fidelity_where_one_returned_none(self) -> None:
        trials = (
            trial(1, 1.0, fidelity=3, cost=1.0),
            trial(2, 1.0, fidelity=9, previous=1),
            trial(3, status=FAILED, fidelity=1),
        )
        history = story(*trials, highest=9)
        curve = anytime(history)
        assert curve.measure == "epochs spent"
        assert list(curve.spent) == [3, 9, 10]
        assert history.fidelity_spent is not None
        assert curve.spent[-1] == history.fidelity_spent.continued

    def test_is_evaluations_elsewhere(self) -> None:
        curve = anytime(story(trial(1, 1.0, cost=3.0), trial(2, status=FAILED), trial(3, 1.0)))
        assert curve.measure == "evaluations"
        assert list(curve.spent) == [1, 2, 3]

    @pytest.mark.parametrize("cost", [0.0, 1e308])
    def test_is_nothing_that_adds_up_to_nothing_or_to_infinity(self, cost: float) -> None:
        assert anytime(story(trial(1, 1.0, cost=cost), trial(2, 1.0, cost=cost))).measure == "evaluations"


class TestLearningCurves:
    def test_go_on_where_a_trial_continues_another(self) -> None:
        history = story(
            trial(1, 3.0, fidelity=1),
            trial(2, 4.0, fidelity=1),
            trial(3, 2.0, fidelity=3, previous=1),
            trial(4, 1.0, fidelity=9, previous=3),
            highest=9,
        )
        curves = learning_curves(history)
        assert curves[3] == ((1, 3.0), (3, 2.0))
        assert longest(history, curves) == {2: ((1, 4.0),), 4: ((1, 3.0), (3, 2.0), (9, 1.0))}

    def test_are_what_was_reported_and_the_later_report_of_a_step_counts(self) -> None:
        history = story(
            trial(1, 9.0, fidelity=3, learning_curve=[5.0, 4.0], learning_curve_steps=[1, 3]),
            trial(2, 9.0, fidelity=9, previous=1, learning_curve=[3.5, 3.0], learning_curve_steps=[3, 6]),
            highest=9,
        )
        assert learning_curves(history)[2] == ((1, 5.0), (3, 3.5), (6, 3.0))

    def test_of_trials_that_failed_or_still_run(self) -> None:
        history = story(
            trial(1, status=FAILED, fidelity=3, learning_curve=[5.0], learning_curve_steps=[1]),
            trial(2, status=FAILED, fidelity=3),
            trial(3, 2.0, fidelity=3),
            trial(4, status=RUNNING, fidelity=9, previous=3),
            highest=9,
        )
        curves = learning_curves(history)
        assert curves == {1: ((1, 5.0),), 3: ((3, 2.0),), 4: ((3, 2.0),)}
        assert longest(history, curves) == {1: ((1, 5.0),), 4: ((3, 2.0),)}

    def test_have_finite_losses_only(self) -> None:
        history = story(
            trial(1, math.nan, learning_curve=[1.0, math.nan, 2.0, math.inf]),
            trial(2, 1.0, learning_curve=[math.nan]),
            trial(3, 1.0, learning_curve=[1.0, 2.0], learning_curve_steps=[math.nan, 2]),
        )
        assert learning_curves(history) == {1: ((1, 1.0), (3, 2.0)), 3: ((2, 2.0),)}

    def test_there_are_none_without_reports_and_fidelity(self) -> None:
        assert learning_curves(story(trial(1, 1.0))) == {}

    def test_two_that_continue_the_same_both_have_its_part(self) -> None:
        history = story(
            trial(1, 3.0, fidelity=1),
            trial(2, 2.0, fidelity=3, previous=1),
            trial(3, 1.0, fidelity=3, previous=1),
            highest=3,
        )
        assert longest(history, learning_curves(history)) == {2: ((1, 3.0), (3, 2.0)), 3: ((1, 3.0), (3, 1.0))}

    @pytest.mark.parametrize("previous", [1, 2, 7])
    def test_what_a_trial_cannot_continue_is_ignored(self, previous: int) -> None:
        history = story(trial(1, 3.0, fidelity=1, previous=previous), trial(2, 2.0, fidelity=1, previous=2), highest=3)
        assert longest(history, learning_curves(history)) == {1: ((1, 3.0),), 2: ((1, 2.0),)}

    def test_of_the_best_are_one_a_configuration(self) -> None:
        history = story(
            trial(1, 3.0, fidelity=1),
            trial(2, 0.5, fidelity=1),
            trial(3, 2.0, fidelity=3, previous=1),
            trial(4, math.nan, fidelity=3, previous=2),
            trial(5, status=FAILED, fidelity=3, learning_curve=[0.1]),
            trial(6, 1.5, fidelity=3, previous=6),
            highest=3,
        )
        curves = learning_curves(history)
        assert [each.number for each in best_first(history, curves, 5)] == [6, 3, 2]
        assert [each.number for each in best_first(history, curves, 2)] == [6, 3]
