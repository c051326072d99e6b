"""What a forked child, C code and user code that closes everything find, while a worker handles signals."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS = 60


def run(program: str, *arguments: object) -> str:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=SECONDS).stdout


def test_a_forked_child_has_the_users_own_actions_and_the_parent_the_handler() -> None:
    program = """
import os, signal
from neps._evaluation import Signals
signal.signal(signal.SIGINT, signal.SIG_IGN)
with Signals() as signals:
    mine = signal.getsignal(signal.SIGTERM)
    if os.fork() == 0:
        print(signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT), flush=True)
        os._exit(0)
    os.wait()
    assert signal.getsignal(signal.SIGTERM) == mine
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
"""
    assert run(program).split() == ["0", "1"]


def test_pools_that_are_ended_at_once_end() -> None:
    program = """
import multiprocessing
from neps._evaluation import Signals
with Signals():
    for _ in range(40):
        with multiprocessing.get_context("fork").Pool(2):
            pass
print("ended")
"""
    assert run(program) == "ended\n"


def test_a_handler_that_c_code_has_installed_is_left_alone() -> None:
    program = """
import faulthandler, os, signal, sys
from neps._evaluation import Signals
faulthandler.register(signal.SIGUSR1, file=sys.stdout)
with Signals() as signals:
    os.kill(os.getpid(), signal.SIGUSR1)
    assert signals.received is None
os.kill(os.getpid(), signal.SIGUSR1)
print("alive")
"""
    output = run(program)
    assert output.count("Current thread") == 2
    assert "alive" in output


def test_run_pipeline_may_close_every_descriptor(tmp_path: Path) -> None:
    program = """
import os, sys
import neps
def run_pipeline(x, pipeline_directory):
    os.closerange(3, 256)
    files.append(os.open(pipeline_directory / "mine", os.O_CREAT | os.O_RDWR))
    return x
files = []
neps.run(run_pipeline, sys.argv[1], {"x": neps.Float(0, 1)}, searcher="random_search", max_evaluations_total=3)
print(len(neps.load(sys.argv[1]).succeeded))
"""
    assert run(program, tmp_path / "root") == "3\n"
    assert [path.stat().st_size for path in (tmp_path / "root").glob("config_*/mine")] == [0, 0, 0]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGUSR1])
def test_a_child_ends_by_default_as_it_would_without_us(signum: int) -> None:
    program = f"""
import os, time
from neps._evaluation import Signals
with Signals():
    child = os.fork()
    if child == 0:
        time.sleep({SECONDS})
    os.kill(child, {int(signum)})
    print(os.waitstatus_to_exitcode(os.wait()[1]))
"""
    assert int(run(program)) == -signum
