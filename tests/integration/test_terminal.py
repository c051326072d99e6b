"""What a person sees of `neps.run` in a terminal of 80 columns: real processes, two in one terminal, and signals."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

import neps
from rigs.processes import Fleet
from rigs.screens import Terminal
from rigs.waiting import wait_until

LINE = re.compile(r"0/4 ended · 1 running · evaluating trial 1 +since \d\d:\d\d:\d\d")
END = 120.0

NOISY = """
import logging, os, sys, warnings
logging.basicConfig(level=logging.INFO, format="%(message)s")  # a handler that keeps sys.stderr as it is now
warnings.simplefilter("always")
warnings.formatwarning = lambda message, *_: f"{message}\\n"
import neps

def run_pipeline(x):
    for number in range(125):
        print(os.environ["NAME"], "print", number)
        logging.info("%s log %d", os.environ["NAME"], number)
        warnings.warn(f"{os.environ['NAME']} warning {number}")
    os.write(1, b"%s C code\\n" % os.environ["NAME"].encode())
    return x

neps.run(run_pipeline, sys.argv[1], {"x": neps.Float(0, 1)}, searcher="random_search", max_evaluations_total=4, seed=1,
         max_evaluations_per_run=int(sys.argv[2]))
"""
STUCK = """
import sys, time
import neps

def run_pipeline(x):
    print("training", flush=True)
    time.sleep(600)

neps.run(run_pipeline, sys.argv[1], {"x": neps.Float(0, 1)}, searcher="random_search", max_evaluations_total=4, seed=1)
"""
FOLLOWED = """
import pathlib, sys, time
import neps

def run_pipeline(x):
    print("training", flush=True)
    while not pathlib.Path(sys.argv[2]).exists():
        time.sleep(0.01)
    return x

neps.run(run_pipeline, sys.argv[1], {"x": neps.Float(0, 1)}, searcher="random_search", max_evaluations_total=1, seed=1)
"""
WRAPPED = """
import contextlib, sys
import neps
from rich.console import Console
from rich.progress import Progress

class Wrapper:
    def __init__(self, stream):
        vars(self)["stream"] = stream
    def __getattr__(self, name):
        return getattr(self.stream, name)
    def __setattr__(self, name, value):
        setattr(self.stream, name, value)
    def write(self, text):
        return self.stream.write(text)

def run_pipeline(x):
    for number in range(20):
        print("line", number)
    return x

@contextlib.contextmanager
def wrapped():
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(Wrapper, before)
    yield
    sys.stdout, sys.stderr = before

around = wrapped() if sys.argv[2] == "tqdm" else Progress(console=Console(), refresh_per_second=100)
with around as progress:
    if progress is not None:
        progress.add_task("outer", total=100)
    neps.run(run_pipeline, sys.argv[1], {"x": neps.Float(0, 1)}, searcher="random_search", max_evaluations_total=20)
print("afterwards", "write" in vars(sys.stdout), "write" in vars(sys.stderr))
"""


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    with Terminal(80) as terminal:
        yield terminal


def noise(name: str, lines: list[str]) -> list[str]:
    return [line for line in lines if re.fullmatch(rf"{name} (print|log|warning) \d+", line)]


def expected(name: str, trials: int) -> list[str]:
    return [f"{name} {kind} {number}" for number in range(125) for kind in ("print", "log", "warning")] * trials


def test_1500_interleaved_records_are_whole_and_in_order(terminal: Terminal, tmp_path: Path) -> None:
    worker = terminal.start(NOISY, str(tmp_path / "root"), "4", NAME="one")
    assert worker.wait(END) == 0
    terminal.settle()
    lines = terminal.lines
    assert noise("one", lines) == expected("one", 4)
    assert lines.count("one C code") == 4
    assert not [line for line in lines if "one" in line and line not in {*expected("one", 1), "one C code"}]
    assert lines[0] == f"neps: new run in {tmp_path}/root. The loss is minimised by random_search."[:80]


def test_two_workers_in_one_terminal_stay_readable(terminal: Terminal, tmp_path: Path) -> None:
    root = str(tmp_path / "root")
    workers = [terminal.start(NOISY, root, "2", NAME=name) for name in ("one", "two")]
    assert [worker.wait(END) for worker in workers] == [0, 0]
    terminal.settle()
    for name in ("one", "two"):
        assert noise(name, terminal.lines) == expected(name, 2)
        assert terminal.lines.count(f"{name} C code") == 2
    assert not terminal.cursor_hidden


def test_the_line_is_last_and_sigkill_leaves_a_sane_terminal(terminal: Terminal, tmp_path: Path) -> None:
    worker = terminal.start(STUCK, str(tmp_path))
    wait_until(lambda: "training" in terminal.lines[:-1] and LINE.fullmatch(terminal.lines[-1]), END, "both")
    assert terminal.lines[-2] == "training"
    os.write(terminal.slave, b"a child's words\r\n")
    terminal.settle()
    assert LINE.fullmatch(terminal.lines[-2])
    assert terminal.lines[-1] == "a child's words"
    worker.kill()
    worker.wait(END)
    os.write(terminal.slave, b"$ ")
    terminal.settle()
    assert terminal.lines[-1] == "$"
    assert not terminal.cursor_hidden
    assert not re.search(rb"\x1b\[(\?25l|\d*;?\d*r|\?1049h)", terminal.raw), "no hidden cursor, region, other screen"


@pytest.mark.parametrize("ends", ["by SIGTERM", "by itself"])
def test_a_terminal_that_nobody_reads_holds_no_worker_up(terminal: Terminal, tmp_path: Path, ends: str) -> None:
    worker = terminal.start(FOLLOWED, str(tmp_path / "root"), str(tmp_path / "go"))
    wait_until(lambda: "training" in terminal.lines[:-1] and "since" in terminal.lines[-1], END, "both")
    termios.tcflow(terminal.slave, termios.TCOOFF)  # Ctrl-S
    try:
        if ends == "by SIGTERM":
            worker.terminate()
        else:
            (tmp_path / "go").touch()
        assert worker.wait(END) == (-signal.SIGTERM if ends == "by SIGTERM" else 0)
    finally:
        termios.tcflow(terminal.slave, termios.TCOON)
    history = neps.load(tmp_path / "root")
    assert len(history.succeeded) == (ends == "by itself")


@pytest.mark.parametrize("by", ["tqdm", "rich"])
def test_streams_that_others_have_wrapped_are_left_alone(terminal: Terminal, tmp_path: Path, by: str) -> None:
    worker = terminal.start(WRAPPED, str(tmp_path), by)
    assert worker.wait(END) == 0
    terminal.settle()
    assert [line for line in terminal.lines if re.fullmatch(r"line \d+", line)] == [
        f"line {number}" for number in range(20)
    ] * 20
    assert "afterwards False False" in terminal.lines
    assert len(neps.load(tmp_path).succeeded) == 20


def test_an_interrupt_says_what_is_left(terminal: Terminal, tmp_path: Path) -> None:
    worker = terminal.start(STUCK, str(tmp_path))
    terminal.wait_for("training")
    worker.send_signal(signal.SIGINT)
    worker.wait(END)
    terminal.settle()
    said = "".join(terminal.lines)
    assert (
        "neps: interrupted by Ctrl-C. Trial 1 was handed back. To go on, start the same command again (0 of 4" in said
    )
    assert "evaluated trial" not in said


def test_the_log_of_a_preempted_worker_is_not_empty(fleet: Fleet, tmp_path: Path) -> None:
    """Without a terminal, and without logging: USR1 ends the process, as SLURM's warning does."""
    worker = fleet.start(STUCK, tmp_path / "root")
    wait_until(lambda: "training" in worker.stdout, END, "the evaluation")
    worker.signal(signal.SIGUSR1)
    assert worker.wait(END) == -signal.SIGUSR1
    new, left = worker.stderr.splitlines()
    assert new == f"neps: new run in {tmp_path}/root. The loss is minimised by random_search."
    assert left == (
        "neps: interrupted by SIGUSR1. Trial 1 was handed back. To go on, start the same command again (0 of 4 trials "
        f"ended in {tmp_path}/root)."
    )
    assert neps.load(tmp_path / "root").pending[0].status is neps.Status.WAITING


def test_a_file_gets_two_plain_lines(tmp_path: Path) -> None:
    program = NOISY.replace("range(125)", "()").replace("level=logging.INFO", "level=logging.ERROR")
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "root"), "4"],
        env={**os.environ, "NAME": "one"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "one C code\n" * 4
    new, leaves = done.stderr.splitlines()
    assert new == f"neps: new run in {tmp_path}/root. The loss is minimised by random_search."
    assert leaves.startswith(f"neps: leaves {tmp_path}/root (max_evaluations_")
    assert "4 of 4 trials ended; best 0." in leaves


PRINTING = """
import signal, sys, time
import neps
signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup and disown do
def run_pipeline(x):
    open(sys.argv[1] + ".begun", "w").close()
    while True:
        time.sleep(0.05)
        print("still training")
neps.run(run_pipeline, sys.argv[1], {"x": neps.Float(0, 1)}, searcher="random_search", max_evaluations_total=4, seed=1)
"""


def test_a_terminal_that_is_closed_fails_no_trial(tmp_path: Path) -> None:
    root, ended = tmp_path / "root", list[int]()

    def has_ended() -> bool:
        ended.extend(filter(None, os.waitpid(pid, os.WNOHANG)[:1]))
        return bool(ended)

    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", PRINTING, str(root)])  # noqa: S606 - no shell
    try:
        wait_until((tmp_path / "root.begun").exists, END, "the evaluation")
        os.close(terminal)
        wait_until(has_ended, END, "the end of the worker")
    finally:
        if not ended:
            os.kill(pid, signal.SIGKILL)
    assert [(trial.status, trial.attempts) for trial in neps.load(root)] == [("waiting", 1)]
