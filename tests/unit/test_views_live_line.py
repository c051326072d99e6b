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
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, cast

import pytest

from neps._budget import Budget
from neps._ledger.layout import Layout
from neps._ledger.view import View
from neps._views.live_line import LiveLine
from neps._views.progress import progress_display
from neps._views.saying import say
from neps._views.sharing import Row
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
        patch.setattr("neps._views.progress._SECONDS_ON_TERMINAL", 0)
        patch.setattr("neps._views.progress._SHARE", 0)
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


def test_it_comes_back_once_it_has_a_place_again(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neps._views.progress._SECONDS_WITHOUT_PLACE", 0.01)
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
    monkeypatch.setattr("neps._views.progress._SECONDS_WITHOUT_PLACE", 0.05)
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


class Wrapper:
    """Around a stream, as tqdm's and rich's are: also what is set goes there, and a lock is its own."""

    def __init__(self, stream: Any) -> None:
        vars(self).update(stream=stream, lock=threading.Lock(), entered=threading.Event())

    @property  # type: ignore[misc]
    def __class__(self) -> type:  # as wrapt's
        return type(vars(self)["stream"])

    def __getattr__(self, name: str) -> Any:
        return getattr(vars(self)["stream"], name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(vars(self)["stream"], name, value)

    def write(self, text: str) -> int:
        self.entered.set()
        with self.lock:
            return cast("int", self.stream.write(text))


def returns(call: Callable[[], object]) -> bool:
    """Within a deadline."""
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(20)
    return not thread.is_alive()


class TestStreamsThatWrapOthers:
    def test_what_is_set_on_a_wrapper_reaches_no_stream(self, terminal: Terminal) -> None:
        real = terminal.another_stream()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "__stdout__", real)
            patch.setattr(sys, "stdout", Wrapper(real))
            patch.setattr(sys, "stderr", terminal.stream)
            line = LiveLine.on(terminal.stream, lambda: None)
            assert line is not None
            assert line.draw(LINE, "aside", insist=False)
            print("through a wrapper")
            assert line.draw(LINE, "aside", insist=False)
            assert rows(terminal) == ["through a wrapper", LINE]
            line.close()
            assert "write" not in vars(real)
            print("later")
            assert rows(terminal) == ["through a wrapper", "later"]
            assert LiveLine.on(cast("Any", Wrapper(terminal.stream)), lambda: None) is None

    def test_no_lock_is_held_while_a_wrapper_waits_for_its_own(self, terminal: Terminal) -> None:
        wrapper = Wrapper(terminal.another_stream())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "__stdout__", wrapper.stream)
            patch.setattr(sys, "stdout", wrapper)
            line = LiveLine.on(terminal.stream, lambda: None)
            assert line is not None
            thread = threading.Thread(target=lambda: wrapper.write("of a thread\n"), daemon=True)
            with wrapper.lock:
                thread.start()
                assert wrapper.entered.wait(20)
                assert returns(lambda: wrapper.stream.write("whole\n"))
            thread.join(20)
            assert not thread.is_alive()
            line.close()
            assert rows(terminal) == ["whole", "of a thread"]


def test_whoever_holds_the_lock_keeps_nobody_from_writing_or_closing(terminal: Terminal) -> None:
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with line._lock:
            held.set()
            let_go.wait(60)

    with live(terminal) as line:
        thread = threading.Thread(target=hold)
        thread.start()
        assert held.wait(20)
        assert returns(lambda: print("written"))
        assert returns(lambda: line.draw(LINE, "aside", insist=True))
        assert returns(line.close)
        assert "write" not in vars(sys.stdout)
        let_go.set()
        thread.join()
        assert "written" in rows(terminal)


def test_what_fails_in_the_live_line_is_not_the_writers_fault(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> bool:
        raise RuntimeError

    with live(terminal) as line:
        with monkeypatch.context() as patch:
            for name in ("hold", "release", "put"):
                patch.setattr(Row, name, fail)
            patch.setattr(line, "_on_write", fail)
            print("written")
        assert "written" in rows(terminal)


def test_a_terminal_that_takes_nothing_holds_nobody_up(terminal: Terminal) -> None:
    with live(terminal) as line:
        termios.tcflow(terminal.slave, termios.TCOOFF)  # Ctrl-S
        try:
            assert returns(lambda: line.draw("drawn", "aside", insist=True))
            sys.stdout.write("begun")
            assert returns(lambda: line.draw("drawn", "aside", insist=True))
            assert returns(lambda: say(terminal.stream, "said"))
            assert returns(line.close)
        finally:
            termios.tcflow(terminal.slave, termios.TCOON)
        say(terminal.stream, "said again")
        sys.stdout.flush()
        assert rows(terminal) == [LINE, "said again", "begun"]


def test_who_prints_may_interrupt_himself_at_any_point(terminal: Terminal) -> None:
    """A signal handler that prints runs between any two steps of a print; here, at each of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", terminal.stream)
        with progress_display(True, Budget()) as display:
            changed = cast("Any", display)._changed

            def handler(_: FrameType, __: str, ___: object) -> None:
                changed.set()

            def prints() -> None:
                sys.setprofile(handler)
                changed.set()
                changed.clear()
                changed.set()

            assert returns(prints)
