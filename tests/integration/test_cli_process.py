"""The command line as a user runs it: beside workers that fail, live, and are killed, each a process of its own."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections import Counter
from pathlib import Path

import pyte
import pytest
import yaml

import neps
from neps._trial import Status
from neps.errors import EvaluationError
from rigs.processes import Fleet
from rigs.waiting import wait_until

REPOSITORY = Path(__file__).parents[2]
SPACE = {"x": neps.Float(0, 1)}
SECONDS = 60

WORKER = """
import sys, time, neps

def run_pipeline(x, pipeline_directory):
    (pipeline_directory / "begun").touch()
    time.sleep(600)

neps.run(run_pipeline, sys.argv[1], {"x": neps.Float(0, 1)}, searcher="random_search", max_evaluations_total=2, seed=1)
"""

WATCHED = """
import sys, neps

neps.run(lambda x: x, sys.argv[1], {"x": neps.Float(0, 1)}, searcher="random_search", max_evaluations_total=50, seed=1)
"""

RETRY = """
import sys
from neps._cli import main
from rigs.barrier import await_start

await_start()
sys.exit(main(["retry", sys.argv[1], "--trial", *sys.argv[2:]]))
"""


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    whole = [sys.executable, "-m", "neps", *map(str, arguments)]
    return subprocess.run(whole, cwd=REPOSITORY, capture_output=True, text=True, timeout=SECONDS, check=False)


def broken(x: float, pipeline_directory: Path) -> dict[str, float]:
    (pipeline_directory / "checkpoint").write_text("epoch 3")
    raise ValueError("no good")


def fixed(x: float, pipeline_directory: Path) -> dict[str, float]:
    return {"loss": x, "cost": float((pipeline_directory / "checkpoint").read_text().removeprefix("epoch "))}


def fresh(x: float) -> dict[str, float]:
    return {"loss": x, "cost": 3.0}


def test_the_module_is_the_command() -> None:
    done = command("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"neps {neps.__version__}\n", "")


def test_a_failed_trial_is_fixed_and_retried_in_its_folder_at_its_whole_cost(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError):
        neps.run(broken, tmp_path, SPACE, searcher="random_search", max_cost_total=10, cost_value_on_error=4, seed=1)

    done = command("retry", tmp_path, "--failed")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"trial 1: reopened in {tmp_path}/config_1\n")
    shown = command("status", tmp_path).stdout
    assert "trials    0 succeeded, 0 failed, 0 running, 1 waiting (1 to be resumed)\n" in shown

    history = neps.run(fixed, tmp_path, SPACE, max_cost_total=10, max_evaluations_per_run=1)
    trial, folder = history.trials[0], tmp_path / "config_1"
    assert (trial.status, trial.cost, trial.spent) == (Status.SUCCESS, 3.0, 7.0)
    void, result = (yaml.safe_load((folder / name).read_bytes()) for name in ("result_1.yaml", "result.yaml"))
    assert (void["attempt"], void["status"], void["cost"]) == (1, "failed", 4.0)
    # Attempt 2 is the retry's own, which it leaves for any worker.
    assert (result["attempt"], result["status"], result["cost"]) == (3, "success", 3.0)

    history = neps.run(fresh, tmp_path, SPACE, max_cost_total=10)
    assert (len(history.trials), history.total_cost) == (2, 10.0), "with the 4 of the failure, one more is 10"


def test_of_many_retries_at_once_one_reopens_the_trial(tmp_path: Path, fleet: Fleet) -> None:
    with pytest.raises(EvaluationError):
        neps.run(broken, tmp_path, SPACE, searcher="random_search", max_evaluations_total=1, seed=1)
    for _ in range(4):
        fleet.start(RETRY, tmp_path, "1")
    fleet.release()
    assert Counter(fleet.wait_all(SECONDS)) == {0: 1, 1: 3}
    history = neps.run(fixed, tmp_path, SPACE, max_evaluations_total=1)
    assert [(trial.status, trial.attempts) for trial in history.trials] == [(Status.SUCCESS, 3)]


def test_a_killed_worker_is_shown_as_dead_and_its_trial_cannot_be_retried(tmp_path: Path, fleet: Fleet) -> None:
    workers = [fleet.start(WORKER, tmp_path) for _ in range(2)]
    begun = [tmp_path / f"config_{number}" / "begun" for number in (1, 2)]
    wait_until(lambda: all(path.exists() for path in begun), SECONDS, "both trials")
    workers[0].kill()
    shown = command("status", tmp_path).stdout
    assert "0 succeeded, 0 failed, 2 running (1 dead), 0 waiting\n" in shown
    rows = [line.split(maxsplit=4) for line in shown.splitlines() if "-" in line and line.startswith(("  1 ", "  2 "))]
    pids = [int(worker.split("-")[-2]) for _, _, worker, _, _ in rows]
    assert pids == [workers[0].pid, workers[1].pid], "the dead come first"
    assert rows[0][4] == "dead, will be resumed"
    assert rows[1][4].startswith("started ")
    done = command("retry", tmp_path, "--trial", rows[0][0])
    assert done.returncode == 1
    assert "it has not failed: its status is running; nothing to retry" in done.stdout


def test_a_reader_that_has_enough_ends_it_quietly(tmp_path: Path) -> None:
    neps.run(fresh, tmp_path, SPACE, searcher="random_search", max_evaluations_total=1, seed=1)
    reader, writer = os.pipe()
    os.close(reader)
    whole = [sys.executable, "-m", "neps", "status", str(tmp_path)]
    done = subprocess.run(whole, cwd=REPOSITORY, stdout=writer, stderr=subprocess.PIPE, timeout=SECONDS, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_head_of_what_is_long_is_enough(tmp_path: Path) -> None:
    neps.run(fresh, tmp_path, SPACE, searcher="random_search", max_evaluations_total=1, seed=1)
    line = f"{sys.executable} -m neps export {tmp_path} --to json | head -n 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", line], cwd=REPOSITORY, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"{\n", b"")


def test_standard_output_may_be_closed(tmp_path: Path) -> None:
    neps.run(fresh, tmp_path, SPACE, searcher="random_search", max_evaluations_total=1, seed=1)
    line = f"{sys.executable} -m neps best {tmp_path} >&-"
    done = subprocess.run(["bash", "-c", line], cwd=REPOSITORY, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_best_configuration_reaches_a_script(tmp_path: Path) -> None:
    space = {"name": neps.Categorical(["a 'b' $HOME"])}
    neps.run(lambda name: float(len(name)), tmp_path, space, max_evaluations_total=1)
    (tmp_path / "train.py").write_text("import sys; print(sys.argv[1:])")
    best = f"$({sys.executable} -m neps best {tmp_path} --format args)"
    line = f'eval "{sys.executable} {tmp_path}/train.py {best}"'
    done = subprocess.run(["bash", "-c", line], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[\"--name=a 'b' $HOME\"]\n", "")


def test_a_watcher_sees_workers_come_to_the_end_and_is_ended_by_an_interrupt(tmp_path: Path, fleet: Fleet) -> None:
    neps.run(fresh, tmp_path, SPACE, searcher="random_search", max_evaluations_total=1, seed=1)
    whole = [sys.executable, "-m", "neps", "status", "--watch", "--json", str(tmp_path)]
    watcher = subprocess.Popen(whole, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert watcher.stdout is not None
        assert json.loads(watcher.stdout.readline())["trials"]["succeeded"] == 1
        workers = [fleet.start(WATCHED, tmp_path) for _ in range(2)]
        for line in watcher.stdout:
            if json.loads(line)["trials"]["succeeded"] == 50:
                break
        assert [worker.wait(SECONDS) for worker in workers] == [0, 0]
        watcher.send_signal(signal.SIGINT)
        out, err = watcher.communicate(timeout=SECONDS)
    finally:
        watcher.kill()
        watcher.wait(SECONDS)
    assert (watcher.returncode, out, err) == (0, "", "")


@pytest.mark.parametrize("columns", [80, 120])
def test_a_terminal_shows_the_latest_state_in_its_place(tmp_path: Path, columns: int, fleet: Fleet) -> None:
    root = tmp_path / "a folder with a name that is rather long" / "and one more, so that 80 columns can not hold both"
    neps.run(fresh, root, SPACE, searcher="random_search", max_evaluations_total=1, seed=1)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    os.set_blocking(ours, False)
    screen = pyte.Screen(columns, 30)
    stream = pyte.ByteStream(screen)

    def shows(text: str) -> bool:
        with contextlib.suppress(BlockingIOError):
            stream.feed(os.read(ours, 1 << 16))
        return text in " ".join("\n".join(screen.display).split())

    whole = [sys.executable, "-m", "neps", "status", "--watch", str(root)]
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": str(columns)}
    watcher = subprocess.Popen(whole, cwd=REPOSITORY, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    try:
        wait_until(lambda: shows("trials 1 succeeded"), SECONDS, "the first state")
        assert fleet.start(WATCHED, root).wait(SECONDS) == 0
        wait_until(lambda: shows("trials 50 succeeded"), SECONDS, "the last state")
        lines = [line.rstrip() for line in screen.display]
        assert [line.split()[0] for line in lines if line.startswith(("run", "searcher", "trials", "best"))] == [
            "run",
            "searcher",
            "trials",
            "best:",
        ], "it stands there once"
        assert "".join(f"{root}/config_".split()) in "".join("".join(lines).split()), "it is wrapped, not cut"
        watcher.send_signal(signal.SIGINT)
        assert watcher.wait(SECONDS) == 0
    finally:
        watcher.kill()
        watcher.wait(SECONDS)
        os.close(ours)
        os.close(theirs)


def test_the_shell_completes_commands_and_options() -> None:
    for words, expected in [("neps sta", "plain,status"), ("neps status --wa", "plain,--watch")]:
        completing = {"_NEPS_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        whole = [sys.executable, "-m", "neps"]
        done = subprocess.run(whole, env=os.environ | completing, cwd=REPOSITORY, capture_output=True, check=False)
        assert done.stdout.decode().split() == [expected]
