"""When an evaluation should stop, what is then made of what it returns, and how long a signal waits for it."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from neps._evaluation import (
    PENDING,
    Allowance,
    Evaluated,
    Fence,
    Interrupted,
    Signals,
    Stopping,
    check,
    evaluate,
)
from neps._evaluation.walltime import Walltime
from neps.errors import TimeLimitError

NO_JOB = Walltime({})


@pytest.fixture
def pass_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets seconds pass by the monotonic clock, and only so."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def advance(seconds: float) -> None:
        now[0] += seconds

    return advance


def job(seconds: float) -> Walltime:
    return Walltime({"NEPS_JOB_END_TIME": str(time.time() + seconds)})


def limited(seconds: float, signalled: Callable[[], bool] = lambda: False, **more: Any) -> Stopping:
    return Stopping(signalled, allowance=allowance(seconds, **more), walltime=NO_JOB)


def allowance(seconds: float, **more: Any) -> Allowance:
    now = time.monotonic()
    return Allowance(**{"seconds": seconds, "ends": now + seconds, "latest": now + 2 * seconds} | more)


class TestSecondsLeft:
    def test_are_those_of_the_first_limit(self, pass_time: Callable[[float], None]) -> None:
        assert Stopping(walltime=NO_JOB).seconds_left() is None
        assert limited(100).seconds_left() == 100
        assert Stopping(walltime=job(50)).seconds_left() == pytest.approx(50, abs=1)
        both = Stopping(allowance=allowance(20), walltime=job(50))
        pass_time(5)
        assert both.seconds_left() == 15


class TestShouldStop:
    def test_by_nothing_at_all(self) -> None:
        assert not Stopping(walltime=NO_JOB).should_stop(1e9)

    @pytest.mark.parametrize("name", ["signalled", "lost"])
    def test_by_a_signal_or_a_takeover_for_good(self, name: str) -> None:
        come = [False]
        asked: dict[str, Any] = {name: lambda: come[0]}
        stopping = Stopping(**asked, walltime=NO_JOB)
        assert not stopping.should_stop(0)
        come[0] = True
        assert stopping.should_stop(0)
        come[0] = False
        assert stopping.should_stop(0)
        assert stopping.leaving

    def test_by_its_own_time_it_has_a_result(self, pass_time: Callable[[float], None]) -> None:
        stopping = limited(100)
        pass_time(99)
        assert not stopping.should_stop(60)
        pass_time(1)
        assert stopping.should_stop(60)
        assert not stopping.leaving

    def test_by_both_it_has_none(self, pass_time: Callable[[float], None]) -> None:
        come: list[bool] = []
        stopping = limited(100, signalled=lambda: bool(come))
        pass_time(100)
        assert stopping.should_stop(60)
        come.append(True)
        assert stopping.should_stop(60)
        assert stopping.leaving

    def test_so_early_that_it_can_save_before_its_job_ends(self, pass_time: Callable[[float], None]) -> None:
        short: list[float | None] = []
        stopping = Stopping(walltime=job(1000), on_short=short.append)
        told: list[bool] = []
        while not told or not told[-1]:
            pass_time(100)
            told.append(stopping.should_stop(50))
        assert len(told) == 9, "a tenth epoch would end 50 s too late"
        assert short == [50]
        assert stopping.leaving

    def test_the_longest_time_between_two_questions_counts(self, pass_time: Callable[[float], None]) -> None:
        stopping = Stopping(walltime=job(1000))
        pass_time(600)
        assert stopping.should_stop(0), "the second half is shorter than the first"
        stopping = Stopping(walltime=job(1000))
        stopping.should_stop(0)
        pass_time(400)
        assert not stopping.should_stop(0)
        pass_time(1)
        assert not stopping.should_stop(0)
        pass_time(200)
        assert stopping.should_stop(0)


class TestPatience:
    def test_nobody_has_it_with_who_never_asks(self) -> None:
        assert Stopping(walltime=job(120)).patience(signal.SIGTERM) == 0

    @pytest.mark.parametrize(
        ("signum", "left", "seconds"),
        [
            (signal.SIGTERM, 120, 20),
            (signal.SIGINT, 120, 20),
            (signal.SIGUSR1, None, 20),
            (signal.SIGUSR1, 120, 90),  # SLURM's USR1@120: 30 s stay for handing it back
            (signal.SIGUSR1, 40, 20),
            (signal.SIGUSR1, 10_000, 100),  # sent by hand: it asks each 40 s, and needs 60 s
        ],
    )
    def test_as_much_as_there_is(
        self, pass_time: Callable[[float], None], signum: int, left: float | None, seconds: float
    ) -> None:
        stopping = Stopping(walltime=NO_JOB if left is None else job(left + 40))
        pass_time(40)
        stopping.should_stop(60)
        assert stopping.patience(signum) == pytest.approx(seconds, abs=1)

    def test_none_in_a_forked_child(self, monkeypatch: pytest.MonkeyPatch) -> None:
        stopping = Stopping(walltime=NO_JOB)
        stopping.should_stop(60)
        monkeypatch.setattr(os, "getpid", lambda: 1)
        assert stopping.patience(signal.SIGTERM) == 0


def run(
    stopping: Stopping, run_pipeline: Callable[[], Any], signals: Signals | None = None
) -> Evaluated | Interrupted | object:
    fence = Fence(is_overdue=lambda: stopping.is_overdue, on_sign=stopping.gets_on)
    keywords: Mapping[str, Any] = {}
    return evaluate(run_pipeline, keywords, signals or Signals(), fence, stopping=stopping)


class TestWhatComesOfIt:
    def test_a_result_where_it_was_told_for_its_time_alone(self, pass_time: Callable[[float], None]) -> None:
        stopping = limited(10)

        def run_pipeline() -> float:
            assert not stopping.should_stop(60)
            pass_time(30)
            assert stopping.should_stop(60)
            check()  # it reports and saves: it has the time to
            return 0.5

        ended = run(stopping, run_pipeline)
        assert isinstance(ended, Evaluated)
        assert (ended.outcome.loss, ended.out_of_time) == (0.5, False)

    def test_a_result_even_where_it_never_asked(self, pass_time: Callable[[float], None]) -> None:
        stopping = limited(10)

        def run_pipeline() -> float:
            pass_time(30)
            return 0.5

        ended = run(stopping, run_pipeline)
        assert isinstance(ended, Evaluated)
        assert ended.outcome.loss == 0.5

    def test_a_failure_where_it_reports_too_late(self, pass_time: Callable[[float], None]) -> None:
        stopping = limited(10)

        def run_pipeline() -> float:
            check()
            pass_time(10)
            check()
            return 0.5

        ended = run(stopping, run_pipeline)
        assert isinstance(ended, Evaluated)
        assert ended.out_of_time
        error = str(ended.outcome.error)
        assert error.startswith("TimeLimitError: the evaluation took longer than max_seconds_per_trial=10\n")
        assert "in run_pipeline" in error

    def test_a_failure_where_it_asked_and_went_on_for_too_long(self, pass_time: Callable[[float], None]) -> None:
        stopping = limited(10)

        def run_pipeline() -> float:
            stopping.should_stop(60)
            pass_time(69)
            check()
            pass_time(1)
            check()
            return 0.5

        ended = run(stopping, run_pipeline)
        assert isinstance(ended, Evaluated)
        assert ended.out_of_time

    @pytest.mark.parametrize("raised", [RuntimeError("status 1"), SystemExit(1), TimeLimitError("in a child")])
    def test_whatever_it_raises_then_is_of_its_time(
        self, pass_time: Callable[[float], None], raised: BaseException
    ) -> None:
        stopping = limited(10)

        def run_pipeline() -> float:
            pass_time(10)
            raise raised

        ended = run(stopping, run_pipeline)
        assert isinstance(ended, Evaluated)
        assert ended.out_of_time
        assert repr(raised).partition("(")[0] in str(ended.outcome.error)

    @pytest.mark.parametrize("how", ["returns", "raises", "exits", "goes on elsewhere"])
    def test_it_is_left_where_the_walltime_is_short(self, pass_time: Callable[[float], None], how: str) -> None:
        stopping = Stopping(walltime=job(1000))

        def run_pipeline() -> object:
            pass_time(990)
            assert stopping.should_stop(60)
            if how == "raises":
                raise RuntimeError("stopped early")
            if how == "exits":
                raise SystemExit(0)
            return PENDING if how == "goes on elsewhere" else 0.5

        ended = run(stopping, run_pipeline)
        if how == "goes on elsewhere":  # the job is submitted
            assert ended is PENDING
        else:
            assert isinstance(ended, Interrupted)
            assert (ended.reason, ended.counts_as_death) == ("walltime", False)

    def test_it_is_lost_where_it_was_taken_over(self) -> None:
        fence = Fence()
        stopping = Stopping(lost=lambda: fence.broken, walltime=NO_JOB)

        def run_pipeline() -> float:
            fence.interrupt()
            assert stopping.should_stop(60)
            return 0.5

        ended = evaluate(run_pipeline, {}, Signals(), fence, stopping=stopping)
        assert isinstance(ended, Interrupted)
        assert ended.reason == "fenced"

    def test_the_time_of_an_outer_evaluation_ends_both(self, pass_time: Callable[[float], None]) -> None:
        outer, inner = limited(10), limited(math.inf)

        def run_pipeline() -> float:
            def inside() -> float:
                pass_time(10)
                check()
                return 0.5

            ended = run(inner, inside)
            assert isinstance(ended, Interrupted)
            seen.append(ended.reason)
            raise ended.exception

        seen: list[str] = []
        ended = run(outer, run_pipeline)
        assert isinstance(ended, Evaluated)
        assert ended.out_of_time
        assert seen == ["around"]

    @pytest.mark.parametrize(("by", "reason"), [("walltime", "walltime"), ("stop", "stop"), ("signal", "walltime")])
    @pytest.mark.parametrize("how", ["returns", "raises"])
    def test_it_is_left_where_a_run_inside_of_it_was_cut_short(self, by: Any, reason: str, how: str) -> None:
        short: list[float | None] = []
        stopping = Stopping(walltime=NO_JOB, on_short=short.append)

        def run_pipeline() -> float:
            assert not stopping.should_stop(0)
            stopping.cut_short(by)
            assert stopping.should_stop(0)
            if how == "raises":
                raise RuntimeError("of too few results")
            return 0.5

        ended = run(stopping, run_pipeline)
        assert isinstance(ended, Interrupted)
        assert ended.reason == reason
        assert short == [None] * (by == "walltime")


class TestIsOverdue:
    """When reports and checkpoints raise; `pass_time` stands for epochs."""

    def test_at_its_end_where_nobody_asks(self, pass_time: Callable[[float], None]) -> None:
        stopping = limited(100)
        pass_time(50)
        stopping.gets_on()
        pass_time(49)
        assert not stopping.is_overdue
        pass_time(1)
        assert stopping.is_overdue

    def test_once_who_asks_could_have_asked_and_saved(self, pass_time: Callable[[float], None]) -> None:
        stopping = limited(100)
        for _ in range(4):
            pass_time(30)
            stopping.should_stop(20)
        pass_time(29)
        assert not stopping.is_overdue
        pass_time(1)
        assert stopping.is_overdue, "30 s after the end it should have asked, and saved 20 s later"

    def test_not_in_the_first_epoch_of_who_asks_before_it(self, pass_time: Callable[[float], None]) -> None:
        stopping = limited(1000)
        stopping.should_stop(20)
        pass_time(1500)
        stopping.gets_on()
        assert not stopping.is_overdue, "it asks again next"
        pass_time(20)
        assert stopping.is_overdue

    def test_not_in_the_first_epoch_of_a_resumed_attempt(self, pass_time: Callable[[float], None]) -> None:
        now = time.monotonic()
        stopping = limited(1000, ends=now, latest=now + 1000, resumed=True)
        assert not stopping.is_overdue, "it loads its checkpoint"
        pass_time(900)
        stopping.gets_on()
        assert not stopping.is_overdue, "it may ask next"
        pass_time(59)
        stopping.gets_on()
        assert not stopping.is_overdue
        pass_time(1)
        assert stopping.is_overdue, "it never asks"

    def test_a_resumed_attempt_that_gives_no_sign_ends_as_well(self, pass_time: Callable[[float], None]) -> None:
        now = time.monotonic()
        stopping = limited(1000, ends=now, latest=now + 800, resumed=True)
        pass_time(799)
        assert not stopping.is_overdue
        pass_time(1)
        assert stopping.is_overdue

    def test_what_earlier_attempts_have_shown_counts(self, pass_time: Callable[[float], None]) -> None:
        stopping = limited(1000, ends=time.monotonic() + 10, resumed=True, asks_within=600.0)
        stopping.gets_on()
        pass_time(609)
        assert not stopping.is_overdue
        pass_time(1)
        assert stopping.is_overdue

    def test_what_is_shown(self, pass_time: Callable[[float], None]) -> None:
        stopping = limited(1000)
        assert stopping.asks_within is None
        pass_time(500)
        stopping.should_stop(20)
        assert stopping.asks_within is None, "this was setting up, perhaps"
        pass_time(100)
        stopping.should_stop(20)
        assert stopping.asks_within == 120
