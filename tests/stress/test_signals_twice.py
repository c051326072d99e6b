"""A second signal ends a process whose run_pipeline swallows interruptions, or sits in C code; and imports stay whole.

Real processes and signals. The graces are shortened in the processes, since they are seconds.
"""

from __future__ import annotations

import signal
import textwrap
from pathlib import Path

import pytest

from rigs.processes import Fleet, Worker
from rigs.waiting import wait_until
from stress.evidence import leftovers
from stress.team import END

WORKER = """
import ctypes, os, signal, sys, time, threading
import neps
from neps._evaluation import watching

watching.REPEAT_SECONDS = 0.2
watching._GRACE = watching._GRACE_OF_SIGINT = 0.3

def say(word):
    print(word, flush=True)

def spin():
    while True:
        time.sleep(0.01)

def swallow():
    say("ready")
    while True:
        try:
            spin()
        except:
            say("swallowed")

def sit_in_c():
    mutex, library = ctypes.create_string_buffer(64), ctypes.CDLL(None)
    say("ready")
    library.pthread_mutex_lock(mutex)
    library.pthread_mutex_lock(mutex)

{before}

def run_pipeline(x):
    {body}
    return x

neps.run(run_pipeline, sys.argv[1], dict(x=neps.Float(0, 1)), searcher="random_search", max_evaluations_total=1)
"""


def start(fleet: Fleet, root: Path, body: str, before: str = "") -> Worker:
    """A worker that has said that it is ready."""
    worker = fleet.start(WORKER.format(before=textwrap.dedent(before), body=body), str(root))
    await_words(worker, "ready")
    return worker


def await_words(worker: Worker, words: str, times: int = 1) -> None:
    wait_until(lambda: (worker.stdout + worker.stderr).count(words) >= times, END, f"{worker} to say {words!r}")


def left(root: Path) -> bool:
    """Whether its trial waits to be resumed, and no death is counted."""
    return "end: left" in (root / "config_1" / "attempt_1.end.yaml").read_text()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_a_bare_except(fleet: Fleet, tmp_path: Path, signum: signal.Signals) -> None:
    root = tmp_path / "root"
    worker = start(fleet, root, "swallow()")
    worker.signal(signum)
    worker.signal(signum)  # as timeout and srun do
    await_words(worker, "swallowed")
    await_words(worker, f"{signum.name} received: interrupting run_pipeline")
    assert worker.exit_code is None
    worker.signal(signum)
    assert worker.wait(END) == -signum
    assert f"{signum.name} received, the second signal: this process will be ended within 0.3 s" in worker.stderr
    assert left(root)
    assert leftovers(root) == []


def test_a_call_in_c_code(fleet: Fleet, tmp_path: Path) -> None:
    """Python's handler has not even run, and how the process ends is told by the first signal."""
    root = tmp_path / "root"
    worker = start(fleet, root, "sit_in_c()")
    worker.signal(signal.SIGTERM)
    await_words(worker, "SIGTERM received: interrupting")
    worker.signal(signal.SIGINT)
    assert worker.wait(END) == -signal.SIGTERM
    assert left(root)


def test_asyncio_inside_and_around(fleet: Fleet, tmp_path: Path) -> None:
    """It has a wakeup descriptor of its own: one that was there goes on to be told, and one that comes is no loss."""
    before = """
    import asyncio
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)

    async def swallow_async():
        asyncio.get_running_loop().add_signal_handler(signal.SIGALRM, say, "alarm")
        swallow()
    """
    root = tmp_path / "root"
    body = f"os.kill(os.getpid(), {signal.SIGALRM:d}); asyncio.run(swallow_async())"
    worker = start(
        fleet, root, body, before + f"\n    signal.signal({signal.SIGALRM:d}, lambda *_: say(os.read(reading, 9)))"
    )
    await_words(worker, repr(bytes([signal.SIGALRM])))
    worker.signal(signal.SIGTERM)
    await_words(worker, "SIGTERM received: interrupting")
    worker.signal(signal.SIGTERM)
    assert worker.wait(END) == -signal.SIGTERM
    assert left(root)


def test_a_handler_that_run_pipeline_has_installed_has_its_signals_for_itself(fleet: Fleet, tmp_path: Path) -> None:
    worker = start(fleet, tmp_path / "root", "signal.signal(signal.SIGUSR1, lambda *_: say('dumped')); swallow()")
    for times in (1, 2):
        worker.signal(signal.SIGUSR1)
        await_words(worker, "dumped", times)
    worker.signal(signal.SIGTERM)
    await_words(worker, "SIGTERM received: interrupting")
    worker.signal(signal.SIGUSR1)
    await_words(worker, "dumped", 3)
    worker.signal(signal.SIGTERM)
    assert worker.wait(END) == -signal.SIGTERM
    assert "SIGTERM received, the second signal" in worker.stderr
    assert "SIGUSR1" not in worker.stderr


def test_one_that_has_closed_every_descriptor_is_interrupted_all_the_same(fleet: Fleet, tmp_path: Path) -> None:
    worker = start(fleet, tmp_path / "root", "os.closerange(3, 2000); say('ready'); spin()")
    worker.signal(signal.SIGTERM)
    assert worker.wait(END) == -signal.SIGTERM
    assert left(tmp_path / "root")


SLOW = """
import time
whole = False
print("ready", flush=True)
for _ in range(100):
    time.sleep(0.01)
whole = True
"""


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_in_an_import_comes_after_it(fleet: Fleet, tmp_path: Path, signum: signal.Signals) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    before = f"""
    sys.path.insert(0, {str(tmp_path)!r})

    def import_and_spin():
        try:
            import slow
            threading.Event().wait()  # which a signal has to interrupt
        except BaseException as interruption:
            say(f"whole={{sys.modules['slow'].whole}} {{type(interruption).__name__}}")
            raise
    """
    worker = start(fleet, tmp_path / "root", "import_and_spin()", before)
    worker.signal(signum)
    assert worker.wait(END) == -signum
    name = "KeyboardInterrupt" if signum == signal.SIGINT else "Interruption"
    assert worker.stdout.splitlines()[-1] == f"whole=True {name}"
    assert left(tmp_path / "root")


def test_an_interruption_in_a_finalizer_comes_after_it(fleet: Fleet, tmp_path: Path) -> None:
    before = """
    class Slow:
        def __del__(self):
            say("ready")
            for _ in range(50):
                time.sleep(0.01)
            say("finalized")
    """
    worker = start(fleet, tmp_path / "root", "Slow(); spin()", before)
    worker.signal(signal.SIGTERM)
    assert worker.wait(END) == -signal.SIGTERM
    assert worker.stdout.split() == ["ready", "finalized"]
    assert left(tmp_path / "root")


def test_an_import_that_lasts_is_interrupted_in_the_end(fleet: Fleet, tmp_path: Path) -> None:
    """By what ends the process anyway."""
    (tmp_path / "slow.py").write_text(SLOW.replace("range(100)", "range(10_000)"))
    before = f"""
    from neps._evaluation import signals
    signals._LONGEST_PUT_OFF = 0.2
    sys.path.insert(0, {str(tmp_path)!r})
    """
    worker = start(fleet, tmp_path / "root", "import slow", before)
    worker.signal(signal.SIGTERM)
    assert worker.wait(END) == -signal.SIGTERM
    assert left(tmp_path / "root")


def test_where_no_thread_can_start(fleet: Fleet, tmp_path: Path) -> None:
    """Then it ends without its last words: the attempt is dead, and resumed as such."""
    before = """
    def refuse(thread):
        raise RuntimeError("can't start new thread")
    """
    worker = start(fleet, tmp_path, "threading.Thread.start = refuse; swallow()", before)
    worker.signal(signal.SIGTERM)
    await_words(worker, "swallowed")

    def ends() -> bool:
        worker.signal(signal.SIGTERM)
        return worker.exit_code is not None

    wait_until(ends, END, "its end")
    assert worker.exit_code == -signal.SIGTERM
