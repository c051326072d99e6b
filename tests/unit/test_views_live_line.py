"""The live line stays below all that is written, whoever writes it; and no stream is left other than it was."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import signal
import sys
import termios
import threading
import tty
from collections.abc import Iterator

import pytest

from neps.budget import Budget
from neps.ledger.layout import Layout
from neps.ledger.view import View
from neps.views.live_line import LiveLine
from neps.views.progress import progress_display
from neps.views.sharing import Row
from rigs.screens import Terminal
from rigs.waiting import wait_until

LINE = "the live line"


@pytest.fixture(params=[80, 120])
def terminal(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    monkeypatch.setenv("TERM", "xterm")
    with Terminal(request.param) as terminal:
        yield terminal


@contextlib.contextmanager
def live(terminal: Terminal) -> Iterator[LiveLine]:
    """Standard streams lead to the terminal, and a line is there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", terminal.another_stream())
        patch.setattr(sys, "stderr", terminal.stream)
        line = LiveLine.on(terminal.stream, lambda: None)
        assert line is not None
        assert line.draw(LINE, "aside", insist=False)
        yield line
        line.close()


def rows(terminal: Terminal) -> list[str]:
    terminal.settle()
    return [row.removesuffix("aside").rstrip() for row in terminal.lines]


def test_a_thousand_records_from_two_threads_are_whole_and_in_order(terminal: Terminal) -> None:
    """Of a logging handler that was made before, and of print, while the line is drawn as often as can be."""
    logger, each = logging.getLogger("a thousand"), 500
    logger.setLevel(logging.INFO)
    logger.propagate = False
    view = View(Layout("nowhere"), None, lease=1.0, poll=1.0)

    def keep_logging() -> None:
        for number in range(each):
            logger.info("log %d", number)
            display.update(view, f"evaluating trial {number}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("neps.views.progress._SECONDS_ON_TERMINAL", 0)
        patch.setattr("neps.views.progress._SHARE", 0)
        patch.setattr(sys, "stdout", terminal.another_stream())
        patch.setattr(sys, "stderr", terminal.stream)
        handler = logging.StreamHandler(sys.stderr)
        logger.addHandler(handler)
        with progress_display(True, Budget()) as display:
            thread = threading.Thread(target=keep_logging)
            thread.start()
            for number in range(each):
                print("print", number)
            thread.join()
            terminal.wait_for(f"trial {each - 1} ")
            terminal.settle()
            *records, last = terminal.lines
        logger.removeHandler(handler)
    assert last.startswith("0 trials ended" if terminal.columns > 80 else "0 ended")
    for kind in ("log", "print"):
        told = [record for record in records if record.startswith(kind)]
        assert told == [f"{kind} {number}" for number in range(each)]
    assert len(records) == 2 * each


def test_what_does_not_pass_through_python_begins_a_row_of_its_own(terminal: Terminal) -> None:
    with live(terminal) as line:
        os.write(terminal.slave, b"C code\r\n")
        assert line.draw(LINE, "aside", insist=False)
        assert rows(terminal) == [LINE, "C code", LINE]


def test_a_line_that_is_not_ended_is_left_alone_until_one_insists(terminal: Terminal) -> None:
    with live(terminal) as line:
        print("begun", end="", flush=True)
        assert not line.draw(LINE, "aside", insist=False)
        assert rows(terminal) == ["begun"]
        print(" and ended")
        assert line.draw(LINE, "aside", insist=False)
        assert rows(terminal) == ["begun and ended", LINE]
        for percent in (10, 100):
            sys.stderr.write(f"\r{percent} %")
        assert not line.draw(LINE, "aside", insist=False)
        assert line.draw(LINE, "aside", insist=True)
        assert rows(terminal) == ["begun and ended", "100 %", LINE]


def test_a_forked_child_draws_nothing_and_waits_for_nobody(terminal: Terminal) -> None:
    """Neither for a thread that was drawing as it was forked."""
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with line._lock:
            held.set()
            let_go.wait(60)

    with live(terminal) as line:
        thread = threading.Thread(target=hold)
        thread.start()
        assert held.wait(60)
        child = os.fork()
        if child == 0:
            signal.alarm(10)
            print("of the child", flush=True)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        let_go.set()
        thread.join()
        assert rows(terminal) == [LINE, "of the child"]


def test_streams_are_as_they_were(terminal: Terminal) -> None:
    with live(terminal) as line:
        kept = sys.stdout.write
        assert sys.stdout.write("whole\n") == len("whole\n")
        line.close()
        assert "write" not in vars(sys.stdout)
        kept("kept by somebody\n")
        assert rows(terminal) == ["whole", "kept by somebody"]
    with live(terminal) as line:
        later = sys.stdout.write = io.StringIO().write  # type: ignore[method-assign]
        line.close()
        assert sys.stdout.write is later


def test_there_is_one_in_a_process(terminal: Terminal) -> None:
    with live(terminal):
        assert LiveLine.on(terminal.stream, lambda: None) is None
    with live(terminal):
        assert rows(terminal)[-1] == LINE


def test_it_is_cut_where_it_is_too_long_and_always_ends_in_the_last_column(terminal: Terminal) -> None:
    with live(terminal) as line:
        for text in ("一" * 60, "x" * terminal.columns, "x" * (terminal.columns - 1), "\x1b[2J\n"):
            assert line.draw(text, "aside", insist=False)
            os.write(terminal.slave, b"next\r\n")
        terminal.settle()
        shown = [row for row in terminal.lines if row != "next"]
    assert "…" in shown[0] if terminal.columns == 80 else shown[0].startswith("一" * 60)
    assert shown[1:3] == ["x" * terminal.columns, "x" * (terminal.columns - 1)]
    assert shown[3].startswith("?[2J?")


def test_nothing_is_drawn_while_the_shell_has_the_terminal(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    with live(terminal) as line:
        monkeypatch.setattr(os, "tcgetpgrp", lambda _: 1 << 30)
        os.write(terminal.slave, b"$ ")  # its prompt
        print("of a job in the background")
        assert not line.draw(LINE, "aside", insist=True)
        assert rows(terminal) == [LINE, "$ of a job in the background"]
        monkeypatch.setattr(os, "getpgid", lambda _: 1 << 30)
        monkeypatch.setattr(os, "getsid", lambda _: 1 << 30)
        assert not line.draw(LINE, "aside", insist=True), "the parent is a shell, which has the terminal"
        monkeypatch.setattr(os, "getsid", lambda _: 1)
        assert line.draw(LINE, "aside", insist=True), "the parent is no shell: examples/digits.py --workers 2"


def test_nothing_is_drawn_while_somebody_edits_a_line_or_has_the_screen(terminal: Terminal) -> None:
    """A debugger in run_pipeline, with readline, or `less`."""
    with live(terminal) as line:
        before = termios.tcgetattr(terminal.slave)
        tty.setcbreak(terminal.slave)
        os.write(terminal.slave, b"(Pdb) ")
        assert not line.draw(LINE, "aside", insist=True)
        termios.tcsetattr(terminal.slave, termios.TCSANOW, before)
        os.write(terminal.slave, b"\r\n")
        assert line.draw(LINE, "aside", insist=True)
        assert rows(terminal) == [LINE, "(Pdb)", LINE]


class TestTwoProcessesInOneTerminal:
    """As two open files of the terminal: locks tell them apart as they do processes."""

    def test_each_knows_of_the_other(self, terminal: Terminal) -> None:
        one = Row(terminal.slave)
        assert not one.shared
        other = Row(terminal.slave)
        assert one.shared
        assert other.shared
        assert other.hold()
        assert not one.hold()
        assert other.hold()
        other.release()
        assert one.hold()
        one.release()
        other.close()
        assert not one.shared
        one.close()

    def test_one_writes_over_the_others_live_line_and_never_over_what_it_has_begun(self, terminal: Terminal) -> None:
        other = Row(terminal.slave)
        with live(terminal) as line:
            print("mine")
            os.write(terminal.slave, b"\r\x1b[2Kthe other's live line\x1b[%dG " % terminal.columns)
            print("mine again")
            assert rows(terminal) == ["mine", "mine again"]
            os.write(terminal.slave, b"begun by the other")
            assert other.hold()
            assert not line.draw(LINE, "aside", insist=True)
            print("mine at last")
            assert rows(terminal) == ["mine", "mine again", "begun by the other", "mine at last"]
        other.close()

    def test_where_there_are_no_such_locks_each_is_alone(self) -> None:
        reading, writing = os.pipe()
        row = Row(writing)
        assert not row.shared
        assert row.hold()
        row.release()
        row.close()
        os.close(reading)
        os.close(writing)


def test_it_comes_back_once_it_has_a_place_again(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neps.views.progress._SECONDS_WITHOUT_PLACE", 0.01)
    other, view = Row(terminal.slave), View(Layout("nowhere"), None, lease=1.0, poll=1.0)
    assert other.hold()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", terminal.stream)
        with progress_display(True, Budget()) as display:
            display.update(view, "evaluating trial 1")
            wait_until(lambda: not display._changed.is_set(), 10, "a look")  # type: ignore[attr-defined]
            assert rows(terminal) == []
            other.close()
            terminal.wait_for("trial 1")


def test_what_an_evaluation_leaves_unfinished_is_ended_and_what_the_next_begins_is_not(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neps.views.progress._SECONDS_WITHOUT_PLACE", 0.05)
    view = View(Layout("nowhere"), None, lease=1.0, poll=1.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", terminal.stream)
        with progress_display(True, Budget()) as display:
            sys.stderr.write("left by trial 1")
            display.update(view, "evaluating trial 2")
            terminal.wait_for("since")
            first, line = rows(terminal)
            assert first == "left by trial 1"
            assert "trial 2" in line
            display.update(view, "evaluating trial 3")
            sys.stderr.write("\r10 %")
            with pytest.raises(AssertionError, match="in vain"):
                wait_until(lambda: "trial 3" in rows(terminal)[-1], 0.5, "a line in the middle of a bar")
            sys.stderr.write("\r20 %\n")
            terminal.wait_for("trial 3")
            assert rows(terminal)[:-1] == ["left by trial 1", "20 %"]
