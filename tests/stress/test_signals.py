"""Signals with real processes: what they interrupt, how a process ends, and what a forked child may not touch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

Start = Callable[..., subprocess.Popen[str]]

WORKER = """
import os, signal, sys, threading, time
from neps._evaluation import Evaluated, Fence, Interrupted, Interruption, Signals, evaluate
from neps._outcome import Outcome

def say(*words):
    print(*words, flush=True)

def spin():
    say("ready")
    while True:
        time.sleep(0.01)  # a signal just before a long sleep would be handled after it, as always in Python

{before}
with Signals() as signals:
    {work}
    say(getattr(ended, "reason", None) or (ended and ended.outcome.loss), signals.received)
print("not flushed by hand")
signals.leave()
say("still there")
"""
_LEFT_OUT = {
    "PYTHONUNBUFFERED",
    "COVERAGE_PROCESS_CONFIG",  # traced, the storm of signals below comes to a standstill on Python 3.11
}
EVALUATE = "ended = evaluate(run_pipeline, dict(), signals)"


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a worker, and returns once it says that it is ready."""
    with ExitStack() as stack:

        def run(before: str, work: str = EVALUATE) -> subprocess.Popen[str]:
            code = WORKER.format(before=before, work=work.replace("\n", "\n    "))
            process = subprocess.Popen(
                [sys.executable, "-W", "error", "-c", code],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={name: value for name, value in os.environ.items() if name not in _LEFT_OUT},
            )
            stack.callback(process.communicate)
            stack.callback(process.kill)
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            return process

        yield run


def end(process: subprocess.Popen[str]) -> tuple[str, str, int]:
    """The rest of what it says, and its status; killed if it takes too long."""
    assert process.stdout is not None
    assert process.stderr is not None
    deadline = threading.Timer(60, process.kill)
    deadline.start()
    # Not communicate(): that doesn't look into the buffer that readline() may have filled.
    out, err, status = process.stdout.read(), process.stderr.read(), process.wait()
    deadline.cancel()
    return out, err, status


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP, signal.SIGXCPU])
def test_the_process_ends_as_the_signal_does(start: Start, signum: int) -> None:
    process = start("run_pipeline = spin")
    process.send_signal(signum)
    assert end(process) == (f"signal {signum}\nnot flushed by hand\n", "", -signum)


def test_sigint_is_a_keyboard_interrupt(start: Start) -> None:
    process = start("run_pipeline = spin")
    process.send_signal(signal.SIGINT)
    out, err, status = end(process)
    assert out == f"signal {signal.SIGINT}\nnot flushed by hand\n"
    assert err.splitlines()[-1] == "KeyboardInterrupt"
    assert status == -signal.SIGINT


def test_a_blocked_signal_ends_the_process_with_its_status(start: Start) -> None:
    process = start("run_pipeline = spin", EVALUATE + "\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])")
    process.send_signal(signal.SIGTERM)
    assert end(process)[2] == 128 + signal.SIGTERM


def test_a_value_is_kept_though_a_signal_came(start: Start) -> None:
    process = start("def run_pipeline():\n    try:\n        spin()\n    except BaseException:\n        return 1.0")
    process.send_signal(signal.SIGTERM)
    assert end(process) == (f"1.0 {signal.SIGTERM}\nnot flushed by hand\n", "", -signal.SIGTERM)


def test_the_users_handler_is_called_and_may_end_the_process_in_its_own_way(start: Start) -> None:
    process = start(
        """
def own(*_):
    os.write(1, b"handled\\n")
    sys.exit(7)

signal.signal(signal.SIGTERM, own)
run_pipeline = spin
"""
    )
    process.send_signal(signal.SIGTERM)
    assert end(process) == (f"handled\nsignal {signal.SIGTERM}\nnot flushed by hand\n", "", 7)


def test_ignored_signals_stay_ignored(start: Start) -> None:
    process = start("signal.signal(signal.SIGHUP, signal.SIG_IGN)\nrun_pipeline = spin")
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    assert end(process) == (f"signal {signal.SIGTERM}\nnot flushed by hand\n", "", -signal.SIGTERM)


def test_another_signal_while_cleaning_up_changes_nothing_of_how_the_process_ends(start: Start) -> None:
    process = start("def run_pipeline():\n    try:\n        spin()\n    finally:\n        spin()")
    process.send_signal(signal.SIGUSR1)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert end(process) == (f"signal {signal.SIGUSR1}\nnot flushed by hand\n", "", -signal.SIGUSR1)


@pytest.mark.parametrize(
    ("signum", "status"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGUSR1, -signal.SIGUSR1), (signal.SIGINT, 1)]
)
def test_a_signal_to_a_forked_child_is_the_childs(start: Start, signum: int, status: int) -> None:
    process = start(
        f"""
def run_pipeline():
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        say("ready")
        os.write(writing, b"ready")
        while True:
            time.sleep(0.01)
    os.read(reading, 5)
    os.kill(child, {signum:d})
    status = os.waitstatus_to_exitcode(os.wait()[1])
    assert status == {status}, status
    return 1.0
"""
    )
    out, _, status_of_parent = end(process)
    assert out == "1.0 None\nnot flushed by hand\nstill there\n"
    assert status_of_parent == 0


def test_a_storm_of_signals_strikes_in_run_pipeline_or_nowhere(start: Start) -> None:
    """Coordination is never cut short, and an evaluation has a whole value or none."""
    process = start(
        """
class Storm(Signals):
    def _is_new(self, signum):
        return True

def storm():
    while not over:
        evaluations = len(ends)
        os.kill(os.getpid(), signal.SIGTERM)
        while len(ends) == evaluations and not over:
            time.sleep(0)

Signals, over, ends, steps = Storm, [], [], 0
thread = threading.Thread(target=storm)
sys.setswitchinterval(1e-6)
""",
        """
thread.start()
say("ready")
kinds, began = set(), time.monotonic()
while steps < 3_000 and time.monotonic() < began + 10:  # under coverage and load, fewer
    steps += 1
    signals.received = None
    ends.append(evaluate(lambda: sum(range(50)), dict(), signals))
    kinds.add(type(ends[-1]))
    assert len(ends) == steps
    assert ends[-1] == Evaluated(Outcome(success=True, loss=1225.0)) or ends[-1].reason == "signal", ends[-1]
over.append(True)
thread.join()
signals.received, ended = None, None
""",
    )
    assert end(process) == ("None None\nnot flushed by hand\nstill there\n", "", 0)


def test_a_stop_interrupts_as_a_signal_does_and_the_process_goes_on(start: Start) -> None:
    """Asked from other threads, several times, in the middle of an import: so it is put off until that is over."""
    before = """
import pathlib, tempfile
folder = tempfile.mkdtemp()
lines = "import __main__, time", "__main__.ask()", "for _ in range(50): time.sleep(0.01)", "whole = True", ""
pathlib.Path(folder, "slow.py").write_text(chr(10).join(lines))
sys.path.insert(0, folder)

def ask():
    for _ in range(3):
        threading.Thread(target=signals.stop).start()

def run_pipeline():
    say("ready")
    import slow
    spin()
"""
    work = EVALUATE + "\nsay(sys.modules['slow'].whole, ended.exception, ended.signum, signals.leaving)"
    process = start(before, work)
    said, errors, _ = end(process)
    assert process.returncode == 0, errors
    assert said.splitlines()[-4:] == [
        "True interrupted by neps stop None True",
        "stop None",
        "not flushed by hand",
        "still there",
    ]


def test_a_stop_that_run_pipeline_swallows_leaves_its_loss(start: Start) -> None:
    before = """
def run_pipeline():
    say("ready")
    try:
        threading.Thread(target=signals.stop).start()
        while True:
            time.sleep(0.01)
    except BaseException as error:
        say(repr(error))
    return 0.5
"""
    said, _, _ = end(start(before))
    assert said.splitlines()[-4:] == [
        "Interruption('interrupted by neps stop')",
        "0.5 None",
        "not flushed by hand",
        "still there",
    ]


def test_a_stop_outside_the_main_thread_waits_for_the_end(start: Start) -> None:
    before = """
def run_pipeline():
    return 0.5

def work():
    say("ready")
    with Signals() as mine:
        mine.stop()
        say(mine.leaving, evaluate(run_pipeline, dict(), mine).outcome.loss)
"""
    work = "thread = threading.Thread(target=work)\nthread.start()\nthread.join()\nended = None"
    said, _, _ = end(start(before, work))
    assert said.splitlines()[0] == "True 0.5"
