"""`neps.report` and what takes its points: which evaluation they go to, when they are written, what is refused."""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch

import neps
from neps._evaluation import Reports
from neps.errors import ArgumentError

Point = tuple[float, float]


class Paper:
    """Takes what is written, and fails when a test says so."""

    def __init__(self) -> None:
        self.points: list[Point] = []
        self.writes = 0
        self.full = False

    def __call__(self, points: Sequence[Point]) -> None:
        self.writes += 1
        if self.full:
            raise OSError("no space left")
        self.points += points


@pytest.fixture
def paper() -> Paper:
    return Paper()


@pytest.fixture
def pass_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets seconds pass for `Reports`, and only so."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def advance(seconds: float) -> None:
        now[0] += seconds

    return advance


def in_thread(function: Callable[[], object]) -> None:
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


@pytest.mark.parametrize("number", [3, 3.0, np.int64(3), np.array([3]), torch.tensor(3.0)])
def test_numbers_of_all_kinds(paper: Paper, number: float) -> None:
    with Reports(paper) as reports:
        neps.report(number, number)
    assert repr(reports.points) == "{3.0: 3.0}"


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_losses_need_not_be_finite(paper: Paper, loss: float) -> None:
    with Reports(paper) as reports:
        neps.report(0, loss)
    assert repr(reports.points) == repr({0.0: loss})


@pytest.mark.parametrize("step", [True, "1", None, math.nan, math.inf, -1, 1j, 10**400, [1, 2], np.zeros(2)])
def test_what_is_no_step(paper: Paper, step: float) -> None:
    with (
        Reports(paper) as reports,
        pytest.raises(ArgumentError, match=r"the step .* finite number of at least 0"),
    ):
        neps.report(step, 0.5)
    assert reports.points == {}


@pytest.mark.parametrize("loss", [True, np.bool_(1), "0.5", None, 1j, 10**400, {"loss": 1}, torch.zeros(2)])
def test_what_is_no_loss(paper: Paper, loss: float) -> None:
    with Reports(paper) as reports, pytest.raises(ArgumentError, match=r"the loss .*must be a number .*Give the loss"):
        neps.report(1, loss)
    assert reports.points == {}


def test_swapped_arguments_are_noticed_once(caplog: pytest.LogCaptureFixture) -> None:
    with Reports(lambda _points: None):
        for epoch in range(5):
            neps.report(1 / (epoch + 2), epoch)
    assert caplog.text.count("Are they swapped?") == 1
    caplog.clear()
    with Reports(lambda _points: None):
        for epoch in (1, 2, 3, 2, 3):
            neps.report(epoch, 3.0 - epoch)
            neps.report(epoch + 0.5, epoch / 7)
    assert "swapped" not in caplog.text


def test_outside_an_evaluation_it_does_nothing_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "neps.evaluation")
    neps.report(1, 0.5)
    assert caplog.messages == ["neps.report(1.0, 0.5) does nothing: it was called outside of an evaluation"]
    with pytest.raises(ArgumentError):
        neps.report("epoch", 0.5)  # type: ignore[arg-type]


def test_a_later_report_of_a_step_counts(paper: Paper) -> None:
    with Reports(paper) as reports:
        for step, loss in ((1, 0.9), (2, 0.8), (1, 0.7)):
            neps.report(step, loss)
    assert reports.points == {1.0: 0.7, 2.0: 0.8}


def test_after_the_evaluation_nothing_is_taken(paper: Paper) -> None:
    with Reports(paper) as reports:
        pass
    neps.report(1, 0.5)
    assert reports.points == {}


def test_points_are_written_at_once_and_then_together(paper: Paper, pass_time: Callable[[float], None]) -> None:
    with Reports(paper) as reports:
        for step in range(100):
            neps.report(step, step)
        assert paper.points == [(0.0, 0.0)]
        neps.report(100, 100)
        assert paper.writes == 2, "by the hundred"
        neps.report(101, 101)
        pass_time(1.01)
        neps.report(102, 102)
        assert paper.writes == 3, "after a second"
        neps.report(103, 103)
        reports.flush()
        reports.flush()
    assert paper.writes == 4
    assert paper.points == [(step, step) for step in range(104)]


def test_what_cannot_be_written_is_written_later(paper: Paper, pass_time: Callable[[float], None]) -> None:
    with Reports(paper) as reports:
        paper.full = True
        neps.report(1, 0.1)
        pass_time(1.01)
        neps.report(2, 0.2)
        paper.full = False
        reports.flush()
    assert paper.writes == 3
    assert paper.points == [(1.0, 0.1), (2.0, 0.2)]


def test_an_interruption_while_writing_loses_no_point(paper: Paper) -> None:
    def interrupt(points: Sequence[Point]) -> None:
        if not paper.writes:
            paper.writes += 1
            raise KeyboardInterrupt
        paper(points)

    with Reports(interrupt) as reports:
        with pytest.raises(KeyboardInterrupt):
            neps.report(1, 0.1)
        reports.flush()
    assert paper.points == [(1.0, 0.1)]


def test_never_two_writes_at_once(paper: Paper) -> None:
    def write(points: Sequence[Point]) -> None:
        paper(points)
        reports.add(2, 0.2)
        reports.flush()
        in_thread(reports.flush)
        assert paper.writes == 1

    with Reports(write) as reports:
        neps.report(1, 0.1)


def test_threads_of_run_pipeline_report_too(paper: Paper) -> None:
    with Reports(paper) as reports:
        in_thread(lambda: neps.report(1, 0.5))
    assert reports.points == {1.0: 0.5}


def test_each_of_several_evaluations_gets_its_own_threads_reports(paper: Paper) -> None:
    inner: list[Reports] = []

    def evaluate() -> None:
        with Reports(paper) as reports:
            inner.append(reports)
            neps.report(1, 0.1)
            in_thread(lambda: neps.report(2, 0.2))  # nobody can tell whose

    with Reports(paper) as outer:
        in_thread(evaluate)
        neps.report(3, 0.3)
    assert (inner[0].points, outer.points) == ({1.0: 0.1}, {3.0: 0.3})


def test_an_evaluation_inside_another_gets_its_own(paper: Paper) -> None:
    with Reports(paper) as outer:
        with Reports(paper) as inner:
            neps.report(1, 0.1)
        neps.report(2, 0.2)
    assert (inner.points, outer.points) == ({1.0: 0.1}, {2.0: 0.2})


def test_a_forked_child_reports_nothing(paper: Paper) -> None:
    with Reports(paper) as reports:
        child = os.fork()
        if child == 0:
            neps.report(1, 0.5)
            os._exit(len(reports.points) + paper.writes)
        assert os.waitpid(child, 0)[1] == 0
