"""The line of progress: what it says, when it is drawn, and that no stream on earth can make it fail a worker."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import math
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from neps._budget import Budget, Improvement
from neps._ledger import incumbent as incumbent_module
from neps._ledger.incumbent import Incumbent
from neps._ledger.layout import Layout
from neps._ledger.results_cache import ResultsCache
from neps._ledger.view import View
from neps._trial import Decision, Result, Status, Trial
from neps._views import progress
from neps._views.progress import _State, check_progress, progress_display
from neps.errors import ArgumentError
from rigs.screens import Terminal
from rigs.waiting import wait_until


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    monkeypatch.setenv("TERM", "xterm")
    with Terminal(120) as terminal:
        yield terminal


@pytest.fixture
def view(tmp_path: Path) -> View:
    view = View(Layout(tmp_path), None, lease=1.0, poll=1.0)
    for number, loss in {1: 0.5, 2: float("nan"), 3: 0.031}.items():
        view._known.end(trial(number, Result.of(success=True, loss=loss)))
    view._known.end(trial(4, Result.of(success=False, loss=0.0)))
    return view


def trial(number: int, result: Result, fidelity: float | None = None) -> Trial:
    decision = Decision(number=number, config={}, fidelity=fidelity)
    status = Status.SUCCESS if result.outcome.success else Status.FAILED
    return Trial(number=number, decision=decision, result=result, status=status, spent=1.5)


@contextlib.contextmanager
def standard_error(stream: object) -> Iterator[None]:
    """In the test itself, since pytest puts its own stream in place after the fixtures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", stream)
        yield


def draw_once(stream: object, view: View) -> None:
    with standard_error(stream), progress_display(True, Budget()) as display:
        display.update(view, "evaluating trial 5")


def drawn_once(
    view: View, budget: Budget | None = None, fidelity: str | None = None, incumbent: Incumbent | None = None
) -> str:
    """What a file gets."""
    stream = io.StringIO()
    with standard_error(stream), pytest.MonkeyPatch.context() as patch:
        patch.setattr(progress, "_SECONDS_ELSEWHERE", 0)
        with progress_display(True, budget or Budget(), fidelity) as display:
            if incumbent is not None:
                display.follow(incumbent)
            display.update(view, "evaluating trial 5")
            wait_until(stream.getvalue, 60, "a line")
    return stream.getvalue()


def last_line(terminal: Terminal, view: View, budget: Budget, what: str = "evaluating trial 5") -> str:
    """What is below everything else while a worker does something."""
    with standard_error(terminal.stream), progress_display(True, budget, "epochs") as display:
        display.update(view, what)
        terminal.wait_for("since")
        return terminal.lines[-1]


TIME = r" \(\d\d:\d\d:\d\d\)"


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        (Budget(), "neps: 4 trials ended (1 failed) · best 0.031 (trial 3) · evaluating trial 5"),
        (
            Budget(max_evaluations_total=9),
            "neps: 4 of 9 trials ended (1 failed) · best 0.031 (trial 3) · evaluating trial 5",
        ),
        (
            Budget(max_cost_total=20),
            "neps: 4 trials ended (1 failed) · cost 6 of 20 · best 0.031 (trial 3) · evaluating trial 5",
        ),
    ],
)
def test_what_the_line_says(view: View, budget: Budget, expected: str) -> None:
    assert re.fullmatch(f"{re.escape(expected)}{TIME}\n", drawn_once(view, budget))


def test_patience_and_the_target_are_part_of_the_line(view: View) -> None:
    known = Improvement(trials=[trial(n, Result.of(success=True, loss=3.0)) for n in range(1, 5)])
    for budget, full, brief in (
        (Budget(patience=20), "3 of 20 without improvement", "3/20 unimproved"),
        (Budget(patience_cost=50.0), "cost 4.5 of 50 without improvement", "cost 4.5/50 unimproved"),
        (Budget(target_loss=0.01), "best 0.031 (trial 3) · target 0.01", "best 0.031 · target 0.01"),
    ):
        for columns, part in ((120, full), (80, brief)):
            with (
                Terminal(columns) as terminal,
                standard_error(terminal.stream),
                progress_display(True, budget) as display,
            ):
                display.follow(improvement=known)
                display.update(view, "evaluating trial 5")
                terminal.wait_for("trial 5")
                assert f" · {part} · evaluating trial 5" in terminal.lines[-1]
    with standard_error(io.StringIO()), progress_display(True, Budget(patience=20)) as display:
        display.update(view, "evaluating trial 5")  # nothing is known of it yet


def test_fidelity_is_counted_as_the_budget_counts_it(view: View) -> None:
    view._known.end(trial(5, Result.of(success=True, loss=7.0), fidelity=9.0))
    later = trial(6, Result.of(success=False), fidelity=27.0)
    assert later.decision is not None
    decision = dataclasses.replace(later.decision, previous=5)
    view._known.end(dataclasses.replace(later, decision=decision))
    line = drawn_once(view, Budget(max_fidelity_total=81), "epochs")
    assert " · fidelity 27 of 81 · best 7 at 9 epochs (trial 5) · " in line


def test_no_best_without_successes(tmp_path: Path) -> None:
    view = View(Layout(tmp_path), None, lease=1.0, poll=1.0)
    view._known.end(trial(4, Result.of(success=False, loss=0.0)))
    assert "best" not in drawn_once(view)


def test_the_best_is_of_the_highest_fidelity(view: View) -> None:
    view._known.end(trial(5, Result.of(success=True, loss=7.0), fidelity=9.0))
    view._known.end(trial(6, Result.of(success=True, loss=8.0), fidelity=9.0))
    assert "best 7 at 9 epochs (trial 5)" in drawn_once(view, fidelity="epochs")


@pytest.mark.parametrize(
    ("losses", "words"),
    [([math.nan], "no best yet: 1 loss is not finite"), ([math.nan, math.inf], "no best yet: 2 losses are not finite")],
)
def test_a_loss_that_is_not_finite_is_no_best(tmp_path: Path, losses: list[float], words: str) -> None:
    view = View(Layout(tmp_path), None, lease=1.0, poll=1.0)
    for number, loss in enumerate(losses, start=1):
        view._known.end(trial(number, Result.of(success=True, loss=loss)))
    assert f" · {words} · " in drawn_once(view)


def test_best_and_numbers_are_the_runs_where_the_view_knows_only_its_own(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    view = View(layout, None, lease=1.0, poll=1.0, details=False)
    view._known.tell(trial(1, Result.of(success=True, loss=0.5)))
    ResultsCache(layout, "another").append(trial(2, Result.of(success=True, loss=0.25)))
    for number in (1, 2, 3, 4):
        view.note_reserved(number)  # of which the last two run
    ResultsCache(layout, "mine").append(trial(1, Result.of(success=True, loss=0.5)))
    line = drawn_once(view, incumbent=Incumbent(layout))
    assert line.startswith("neps: 2 trials ended · 2 running · best 0.25 (trial 2) · ")


def test_the_best_of_a_large_run_is_shown_once_it_is_known(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Layout(tmp_path)
    for number in range(1, 50):
        ResultsCache(layout, "another").append(trial(number, Result.of(success=True, loss=1 / number)))
    monkeypatch.setattr(incumbent_module, "_PIECE", 2000)
    monkeypatch.setattr(progress, "_SECONDS_ON_TERMINAL", 0.001)
    view = View(layout, None, lease=1.0, poll=1.0, details=False)
    with standard_error(terminal.stream), progress_display(True, Budget()) as display:
        display.follow(Incumbent(layout))
        display.update(view, "evaluating trial 50")
        terminal.wait_for("· best 0.0204082 (trial 49) · evaluating trial 50")
    drawn = terminal.raw.decode()
    assert set(re.findall("best [0-9.]+", drawn)) == {"best 0.0204082"}, "never one that is only among what was read"


def test_elsewhere_than_on_a_terminal_lines_are_rare(view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(progress, "_SECONDS_ELSEWHERE", 0.2)
    with standard_error(stream), progress_display(True, Budget()) as display:
        display.update(view, "first")
        wait_until(stream.getvalue, 60, "the first line")
        for number in range(1000):
            display.update(view, f"one of many, {number}")
        wait_until(lambda: "many, 999" in stream.getvalue(), 60, "the last line")
    assert len(stream.getvalue().splitlines()) <= 4


def test_a_short_run_says_nothing_on_the_way(view: View) -> None:
    stream = io.StringIO()
    draw_once(stream, view)
    assert stream.getvalue() == ""


BOTH = Budget(max_evaluations_total=60, max_fidelity_total=400)


def test_what_a_terminal_of_80_columns_shows() -> None:
    """Nothing is cut, and the time comes last, where there is room."""
    state = _State(
        budget=BOTH,
        ended=36,
        failed=0,
        running=2,
        spent=None,
        fidelity=54.0,
        best="best 0.333512 at 3 epochs (trial 7)",
        best_briefly="best 0.3335 at 3 epochs",
        what="evaluating trial 38",
        when=0.0,
    )
    brief = "36/60 ended · fidelity 54/400 · 2 running · best 0.3335 at 3 epochs · trial 38"
    assert state.fitting(80) == (brief, True)
    full = (
        "36 of 60 trials ended · fidelity 54 of 400 · 2 running · best 0.333512 at 3 epochs (trial 7) · "
        "evaluating trial 38"
    )
    assert state.fitting(120) == (full, True)
    assert dataclasses.replace(state, budget=Budget(max_fidelity_total=400.0), best="", best_briefly="").fitting(
        80
    ) == (
        "36 ended · fidelity 54/400 · 2 running · evaluating trial 38",
        True,
    )


@pytest.mark.parametrize(("columns", "line"), [(80, "4 ended (1 failed) · best 0.031 · evaluating trial 5"), (120, "")])
def test_a_terminal_has_one_line_that_is_drawn_over(columns: int, line: str, view: View) -> None:
    line = line or "4 trials ended (1 failed) · best 0.031 (trial 3) · evaluating trial 5"
    with (
        Terminal(columns) as terminal,
        standard_error(terminal.stream),
        progress_display("auto", Budget()) as display,
    ):
        display.update(view, "evaluating trial 5")
        terminal.wait_for("trial 5")
        assert re.fullmatch(re.escape(line) + r" +since \d\d:\d\d:\d\d", terminal.lines[-1])
        assert len(terminal.lines[-1]) == columns
        display.update(view, "evaluating trial 6")
        terminal.wait_for("trial 6")
        assert len(terminal.lines) == 1
        display.stop()
        terminal.settle()
        assert terminal.lines == []
        assert not terminal.cursor_hidden
        assert b"\x1b[?25l" not in terminal.raw, "a cursor that is hidden stays so where the worker is killed"


def test_what_it_waits_for_is_said_whole_where_the_line_has_no_room(terminal: Terminal, view: View) -> None:
    reason = "waiting for max_cost_total=20: the cost so far is 6, and 15 more are expected of running trials: raise it"
    with Terminal(80) as narrow:
        assert last_line(narrow, view, Budget(), "evaluating trial 5").startswith("4 ended")
        with standard_error(narrow.stream), progress_display(True, Budget()) as display:
            display.update(view, reason)
            narrow.wait_for("…")
            *said, line = narrow.lines
        assert "".join(said) == f"neps: {reason}"
        assert line == f"4 ended (1 failed) · best 0.031 · {reason}"[:79] + "…"


def test_nothing_is_drawn_in_the_middle_of_an_evaluation(
    terminal: Terminal, view: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_SECONDS_ON_TERMINAL", 0.01)
    monkeypatch.setattr(progress, "_SHARE", 1)
    with standard_error(terminal.stream), progress_display(True, Budget()) as display:
        display.update(view, "evaluating trial 5")
        terminal.wait_for("trial 5")
        terminal.settle()
        before = terminal.raw
        with pytest.raises(AssertionError, match="in vain"):
            wait_until(lambda: terminal.raw != before, 0.2, "another line")


def test_a_terminal_that_cannot_draw_over_gets_plain_lines(
    terminal: Terminal, view: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(progress, "_SECONDS_ELSEWHERE", 0)
    with standard_error(terminal.stream), progress_display(True, Budget()) as display:
        display.update(view, "evaluating trial 5")
        terminal.wait_for("trial 5")
    assert re.match(r"neps: 4 trials ended \(1 failed\) · best .*\)", terminal.lines[-1])
    assert b"\x1b[2K" not in terminal.raw


def test_the_streams_stay_as_they_are(terminal: Terminal, view: View) -> None:
    with standard_error(terminal.stream):
        before = sys.stdout
        with progress_display(True, Budget()) as display:
            display.update(view, "evaluating trial 5")
            terminal.wait_for("trial 5")
            assert (sys.stdout, sys.stderr) == (before, terminal.stream)
        assert "write" not in vars(terminal.stream)


@pytest.mark.parametrize("quiet", [False, "auto"])
def test_what_is_not_shown_costs_no_thread(view: View, quiet: object) -> None:
    before, stream = threading.active_count(), io.StringIO()
    with standard_error(stream), progress_display(quiet, Budget()) as display:
        display.update(view, "evaluating trial 5")
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
def test_a_broken_stream_fails_nobody(stream: object, view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_SECONDS_ELSEWHERE", 0)
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
    monkeypatch.setattr(progress, "_SECONDS_ELSEWHERE", 0)
    with standard_error(Blocking()), progress_display(True, Budget()) as display:
        display.update(view, "evaluating trial 5")
        assert entered.wait(60)
    let_go.set()


@pytest.mark.parametrize("value", ["Auto", "", 1, 0, None])
def test_anything_else_is_refused(value: object) -> None:
    with pytest.raises(ArgumentError, match=rf"progress is {value!r}; it must be True, False, or \"auto\""):
        check_progress(value)


def test_rich_is_loaded_only_for_a_terminal() -> None:
    program = (
        "import sys; from neps._views.progress import progress_display; from neps._budget import Budget\n"
        "with progress_display(True, Budget()): pass\n"
        "assert 'rich' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_where_no_thread_can_be_started_the_search_goes_on_without(terminal: Terminal, view: View) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        draw_once(terminal.stream, view)
    assert "write" not in vars(terminal.stream)
    terminal.settle()
    assert terminal.lines == []
