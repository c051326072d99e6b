"""An evaluation that was taken over and never asks: its process starts anew, or, where that's no script, lets it end.

The takeover is forced: its end is linked as a contender would.
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

import neps
from neps._ledger.definition import find_definition
from neps._ledger.identity import process_state
from neps._ledger.layout import Layout
from neps._ledger.records import End
from neps._ledger.trial_folder import TrialFolder
from rigs.processes import Fleet
from rigs.waiting import wait_until
from stress.evidence import leftovers
from stress.team import END
from unit.ledger_scene import somewhere

SCRIPT = """
import fcntl, logging, os, resource, signal, subprocess, sys, time
from pathlib import Path
if "SERVED" not in os.environ:  # as a job script that ends by exec
    os.environ["SERVED"] = str(subprocess.Popen(["sleep", "600"], stdout=subprocess.DEVNULL).pid)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
    os.execv(sys.executable, [sys.executable, *sys.argv])
timers = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
descriptors = [f"{{number}}={{os.readlink(f'/proc/self/fd/{{number}}')}}" for number in range(1000)
               if os.path.exists(f"/proc/self/fd/{{number}}") and os.get_inheritable(number)]
environment = {{name: value for name, value in os.environ.items() if name != "NEPS_STARTED_ANEW"}}
ignored = [signum for signum in signal.valid_signals() if signal.getsignal(signum) is signal.SIG_IGN]
print("found", [os.getcwd(), [signal.getitimer(timer) for timer in timers], sorted(ignored), descriptors,
                signal.pthread_sigmask(signal.SIG_BLOCK, ()),
                Path("/proc/self/status").read_text().split("Umask:")[1][:6],
                Path("/proc/self/limits").read_text(), os.sched_getaffinity(0), environment], flush=True)
print("pending", *signal.sigpending(), flush=True)
import neps

def leave_traces(folder):
    os.chdir(folder)
    os.environ.update(WORLD_SIZE="2", RANK="0", HOME="/nowhere")
    for timer in timers:
        signal.setitimer(timer, 300)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
    os.kill(os.getpid(), signal.SIGUSR2)
    lock = os.open("locked", os.O_CREAT | os.O_RDWR)
    os.set_inheritable(lock, True)
    fcntl.flock(lock, fcntl.LOCK_EX)
    shell = subprocess.Popen("sleep 600 & echo $! $$ > child.part && mv child.part child; wait", shell=True)
    while not Path("child").exists():
        time.sleep(0.01)
    return lock

def run_pipeline(x, pipeline_directory):
    print("begin", pipeline_directory.name, os.getpid(), flush=True)
    if pipeline_directory.name == "config_2" and not (pipeline_directory / "child").exists():
        lock = leave_traces(pipeline_directory)
        try:
            import slow
        except BaseException as error:
            print("struck", repr(error), flush=True)
            raise
        os.close(lock)
    if pipeline_directory.name == "config_2":
        with open(pipeline_directory / "locked") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return x

logging.basicConfig(level=logging.WARNING)
neps.run(run_pipeline, sys.argv[1], dict(x=neps.Float(0, 1)), searcher="random_search", max_evaluations_total=3,
         lease_seconds=0.6, post_run_summary=False, {more})
os.kill(int(os.environ["SERVED"]), 9)  # fails where it has ended
print("returned", flush=True)
"""
SLOW = """
import pathlib, sys, time
while not pathlib.Path({let_go!r}).exists():
    time.sleep(0.01)
"""


def is_running(pid: str) -> bool:
    """Whether a process has neither ended, nor has only to be reaped."""
    return process_state(int(pid))[0] not in ("", "Z")


def run_of(root: Path) -> str:
    """The run's identifier."""
    definition = find_definition(str(root))
    assert definition is not None
    return definition.run


@pytest.mark.parametrize("anew", [True, False], ids=["a script", "one that may not"])
def test_an_evaluation_in_a_long_import_is_taken_over(fleet: Fleet, tmp_path: Path, *, anew: bool) -> None:
    root, let_go = tmp_path / "root", tmp_path / "let_go"
    (tmp_path / "slow.py").write_text(SLOW.format(let_go=str(let_go)))
    script = tmp_path / "search.py"
    script.write_text(SCRIPT.format(more="" if anew else "max_evaluations_per_run=9"))
    worker = fleet.start(script, str(root))
    child = root / "config_2" / "child"
    wait_until(lambda: child.exists() and child.read_text() != "", END, "the second evaluation")
    folder = TrialFolder(Layout(root, run_of(root)), 2)
    assert folder.end_attempt(1, End.DIED, somewhere())
    words = "This process restarts" if anew else "It is left to end by itself"
    wait_until(lambda: words in worker.stderr, END, words)
    if not anew:
        assert "max_evaluations_per_run and max_seconds_per_run would count from zero" in worker.stderr
        let_go.touch()
    assert worker.wait(END) == 0, worker.stderr
    assert "struck" not in worker.stdout
    begun = [line.split() for line in worker.stdout.splitlines() if line.startswith("begin")]
    assert [name for _, name, _ in begun] == ["config_1", "config_2", "config_2", "config_3"]
    assert len({pid for _, _, pid in begun}) == 1
    assert worker.stdout.count("returned") == 1
    assert [is_running(pid) for pid in child.read_text().split()] == [not anew] * 2
    found = [line for line in worker.stdout.splitlines() if line.startswith("found")]
    assert len(found) == 1 + anew
    assert len(set(found)) == 1
    pending = [line for line in worker.stdout.splitlines() if line.startswith("pending")]
    assert pending == ["pending", f"pending {signal.SIGUSR2}"][: 1 + anew]
    assert [(trial.status, trial.attempts) for trial in neps.load(root).trials] == [
        ("success", 1),
        ("success", 2),
        ("success", 1),
    ]
    assert leftovers(root) == []
