"""The line of progress: what it says, when it is drawn, and that no stream on earth can make it fail a worker."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import re
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from neps.budget import Budget
from neps.errors import ArgumentError
from neps.ledger.layout import Layout
from neps.ledger.view import View
from neps.trial import Decision, Result, Status, Trial
from neps.views import progress
from neps.views.progress import check_progress, progress_display
from rigs.waiting import wait_until


class Terminal:
    """A pseudoterminal: what was written to it, and a stream that writes to it."""

    def __init__(self) -> None:
        self.master, slave = os.openpty()
        self.stream = open(slave, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - a descriptor, closed by the fixture

    def read(self, until: str) -> str:
        text = ""
        while until not in text:
            text += os.read(self.master, 1 << 16).decode()
        return text


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    yield terminal
    terminal.stream.close()
    os.close(terminal.master)


@pytest.fixture
def view(tmp_path: Path) -> View:
    view = View(Layout(tmp_path), None, lease=1.0, poll=1.0)
    for number, loss in {1: 0.5, 2: float("nan"), 3: 0.031}.items():
        view._end(trial(number, Result(success=True, loss=loss)))
    view._end(trial(4, Result(success=False, loss=0.0)))
    return view


def trial(number: int, result: Result, fidelity: float | None = None) -> Trial:
    decision = Decision(number=number, config={}, fidelity=fidelity)
    status = Status.SUCCESS if result.success else Status.FAILED
    return Trial(number=number, decision=decision, result=result, status=status, spent=1.5)


@contextlib.contextmanager
def standard_error(stream: object) -> Iterator[None]:
    """In the test itself, since pytest puts its own stream in place after the fixtures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", stream)
        yield


def draw_once(stream: object, view: View, budget: Budget | None = None) -> None:
    with standard_error(stream), progress_display(True, budget or Budget()) as update:
        update(view, "evaluating trial 5")


def drawn_once(view: View, budget: Budget | None = None) -> str:
    stream = io.StringIO()
    draw_once(stream, view, budget)
    return stream.getvalue()


TIME = r" \(\d\d:\d\d:\d\d\)"


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        (Budget(), "neps: 4 trials ended, 1 failed · best 0.031 (trial 3) · evaluating trial 5"),
        (
            Budget(max_evaluations_total=9),
            "neps: 4 of 9 trials ended, 1 failed · best 0.031 (trial 3) · evaluating trial 5",
        ),
        (
            Budget(max_cost_total=20),
            "neps: 4 trials ended, 1 failed · cost 6 of 20 · best 0.031 (trial 3) · evaluating trial 5",
        ),
    ],
)
def test_what_the_line_says(view: View, budget: Budget, expected: str) -> None:
    assert re.fullmatch(f"({re.escape(expected)}{TIME}\n)+", drawn_once(view, budget))


def test_fidelity_is_counted_as_the_budget_counts_it(view: View) -> None:
    view._end(trial(5, Result(success=True, loss=7.0), fidelity=9.0))
    later = trial(6, Result(success=False), fidelity=27.0)
    assert later.decision is not None
    decision = dataclasses.replace(later.decision, previous=5)
    view._end(dataclasses.replace(later, decision=decision))
    assert " · fidelity 27 of 81 · best" in drawn_once(view, Budget(max_fidelity_total=81))


def test_no_best_without_successes(tmp_path: Path) -> None:
    view = View(Layout(tmp_path), None, lease=1.0, poll=1.0)
    view._end(trial(4, Result(success=False, loss=0.0)))
    assert "best" not in drawn_once(view)


def test_the_best_is_of_the_highest_fidelity(view: View) -> None:
    view._end(trial(5, Result(success=True, loss=7.0), fidelity=9.0))
    view._end(trial(6, Result(success=True, loss=8.0), fidelity=9.0))
    assert "best 7 (trial 5)" in drawn_once(view)


def test_elsewhere_than_on_a_terminal_lines_are_rare_and_the_last_is_drawn(view: View) -> None:
    stream = io.StringIO()
    with standard_error(stream), progress_display(True, Budget()) as update:
        update(view, "first")
        wait_until(lambda: "first" in stream.getvalue(), 10, "the first line")
        end = time.monotonic() + 0.2
        while time.monotonic() < end:
            update(view, "one of many")
        update(view, "last")
    lines = stream.getvalue().splitlines()
    assert [line.split(" · ")[-1].split(" (")[0] for line in lines] == ["first", "last"]


def test_a_terminal_has_one_line_that_is_drawn_over(terminal: Terminal, view: View) -> None:
    with standard_error(terminal.stream), progress_display("auto", Budget()) as update:
        update(view, "evaluating trial 5")
        first = terminal.read("evaluating trial 5")
        update(view, "evaluating trial 6")
        second = terminal.read("evaluating trial 6")
    assert first.startswith("\r\x1b[2Kneps: 4 trials ended, 1 failed")
    assert "\n" not in first
    assert second.rpartition(")")[0].count("\r\x1b[2Kneps: ") == 1
    assert terminal.read("\n").endswith(") \r\n")
    assert "\x1b[?25l" not in first + second, "a cursor that is hidden stays so where the worker is killed"


def test_nothing_is_drawn_in_the_middle_of_an_evaluation(
    terminal: Terminal, view: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_SECONDS_ON_TERMINAL", 0.01)
    monkeypatch.setattr(progress, "_SHARE", 1)
    with standard_error(terminal.stream), progress_display(True, Budget()) as update:
        update(view, "evaluating trial 5")
        terminal.read(") ")
        assert select.select([terminal.master], [], [], 0.2)[0] == []


def test_a_line_that_is_too_long_for_the_terminal_is_cut(
    terminal: Terminal, view: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    draw_once(terminal.stream, view)
    assert "neps: 4 trials ended, 1 fai… \r\n" in terminal.read("\n")


def test_a_terminal_that_cannot_draw_over_gets_plain_lines(
    terminal: Terminal, view: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    draw_once(terminal.stream, view)
    assert re.match(r"neps: 4 trials ended, 1 failed · best .*\)\r\n", terminal.read("\n"))


def test_the_streams_stay_as_they_are(terminal: Terminal, view: View) -> None:
    with standard_error(terminal.stream), progress_display(True, Budget()) as update:
        before = sys.stdout
        update(view, "evaluating trial 5")
        terminal.read("trial 5")
        assert (sys.stdout, sys.stderr) == (before, terminal.stream)


@pytest.mark.parametrize("quiet", [False, "auto"])
def test_what_is_not_shown_costs_no_thread(view: View, quiet: object) -> None:
    before, stream = threading.active_count(), io.StringIO()
    with standard_error(stream), progress_display(quiet, Budget()) as update:
        update(view, "evaluating trial 5")
        assert threading.active_count() == before
    assert stream.getvalue() == ""


class Broken(io.StringIO):
    def write(self, _text: str) -> int:
        raise OSError(5, "Input/output error")


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("stream", [None, Broken(), closed(), object()])
def test_a_broken_stream_fails_nobody(stream: object, view: View) -> None:
    with standard_error(stream):
        assert not check_progress("auto")
    draw_once(stream, view)


def test_a_stream_that_blocks_holds_nobody_up(view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    entered, let_go = threading.Event(), threading.Event()

    class Blocking(io.StringIO):
        def write(self, text: str) -> int:
            entered.set()
            let_go.wait(30)
            return len(text)

    monkeypatch.setattr(progress, "_PATIENCE", 0.05)
    draw_once(Blocking(), view)
    assert entered.wait(10)
    let_go.set()


@pytest.mark.parametrize("value", ["Auto", "", 1, 0, None])
def test_anything_else_is_refused(value: object) -> None:
    with pytest.raises(ArgumentError, match=rf"progress is {value!r}; it must be True, False, or \"auto\""):
        check_progress(value)


def test_rich_is_loaded_only_for_a_terminal() -> None:
    program = (
        "import sys; from neps.views.progress import progress_display; from neps.budget import Budget\n"
        "with progress_display(True, Budget()) as update: pass\n"
        "assert 'rich' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
