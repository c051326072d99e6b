"""`neps launch --local` with real workers: who gets what, and how all of them end."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import neps
from rigs.waiting import wait_until

END = 120.0
SEARCH = """
import os, signal, sys, time
from pathlib import Path
import neps

def run_pipeline(x, pipeline_directory):
    print("gpus", os.environ["CUDA_VISIBLE_DEVICES"], "cores", *sorted(os.sched_getaffinity(0)), os.getpid())
    if sys.argv[1] == "stubborn":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while sys.argv[1] != "quick":
        time.sleep(0.01)
    if x > float(sys.argv[2]):
        raise RuntimeError("too high")
    return x

space = {"x": neps.Float(0, 1)}
neps.run(run_pipeline, "root", space, searcher="random_search", max_evaluations_total=6, seed=1, lease_seconds=15)
"""
Launch = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    """Starts `neps launch --local`, as a user without GPUs whose nvidia-smi says otherwise."""
    (tmp_path / "search.py").write_text(SEARCH)
    fake = tmp_path / "nvidia-smi"
    fake.write_text("#!/bin/sh\nseq 0 3\n")
    fake.chmod(0o755)
    left_out = ("CUDA_", "OMP_NUM", "NEPS_RUN", "SLURM_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    environment["PATH"] = f"{tmp_path}:{environment['PATH']}"
    with ExitStack() as stack:

        def start(*arguments: str, before: str = "") -> subprocess.Popen[str]:
            program = f"import sys\nfrom neps._cli import main\n{before}\nsys.exit(main(sys.argv[1:]))"
            process = subprocess.Popen(
                [sys.executable, "-c", program, "launch", "search.py", "--local", "--workers", "2", *arguments],
                cwd=tmp_path,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
            stack.callback(process.communicate)
            stack.callback(process.kill)
            return process

        yield start


def logs(folder: Path) -> str:
    return "".join(path.read_text() for path in sorted(folder.rglob("local-*.log")))


def pids(folder: Path, number: int) -> list[int]:
    """Of the workers, once so many evaluate."""

    def found() -> list[int]:
        return [int(pid) for pid in re.findall(r"^gpus .* (\d+)$", logs(folder), re.MULTILINE)]

    wait_until(lambda: len(found()) >= number, END, f"{number} evaluations")
    return found()


def ends(root: Path, text: str) -> int:
    return sum(text in path.read_text() for path in root.glob("config_*/attempt_*.end.yaml"))


def test_workers_get_their_gpus_and_cores_and_their_output_is_followed(launch: Launch, tmp_path: Path) -> None:
    process = launch("--root", "root", "--follow", "--", "quick", "1")
    said, _ = process.communicate(timeout=END)
    assert process.returncode == 0
    got = set(re.findall(r"^\[([01])\] gpus (\S+) cores (.*) \d+$", said, re.MULTILINE))
    cores = sorted(os.sched_getaffinity(0))
    half = len(cores) // 2
    mine = [" ".join(map(str, part)) for part in ((cores[:half], cores[half : 2 * half]) if half else (cores, cores))]
    assert got <= {("0", "0,1", mine[0]), ("1", "2,3", mine[1])}
    assert len(neps.load(tmp_path / "root").succeeded) == 6
    assert {"[0] ended", "[1] ended"} <= set(said.splitlines())
    assert len(list((tmp_path / "root" / "logs").iterdir())) == 2


def test_one_that_fails_is_told_and_the_others_go_on(launch: Launch, tmp_path: Path) -> None:
    process = launch("--", "quick", "0.4")
    said, _ = process.communicate(timeout=END)
    assert process.returncode == 1
    assert re.search(r"^worker [01]: failed with status 1\. See .*/neps-logs/local-.*_[01]\.log$", said, re.MULTILINE)
    assert "RuntimeError: too high" in logs(tmp_path / "neps-logs")


def test_a_signal_is_handed_to_all_which_hand_their_trials_back(launch: Launch, tmp_path: Path) -> None:
    process = launch("--root", "root", "--", "slow", "1")
    pids(tmp_path / "root", 2)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=END)
    assert process.returncode == 128 + signal.SIGINT
    assert ends(tmp_path / "root", "interrupted by SIGINT") == 2


def test_neps_stop_ends_all(launch: Launch, tmp_path: Path) -> None:
    process = launch("--root", "root", "--", "slow", "1")
    mine = pids(tmp_path / "root", 2)
    assert len(neps.stop(tmp_path / "root")) == len(mine) == 2
    process.communicate(timeout=END)
    assert process.returncode == 0
    assert ends(tmp_path / "root", "interrupted by neps stop") == 2


def test_workers_end_with_a_launcher_that_is_killed(launch: Launch, tmp_path: Path) -> None:
    process = launch("--root", "root", "--", "slow", "1")
    mine = pids(tmp_path / "root", 2)
    process.kill()
    try:
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in mine), END, "the end of the workers")
    finally:
        for pid in mine:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    assert ends(tmp_path / "root", "interrupted by SIGTERM") == 2


def test_stubborn_ones_are_killed_after_a_second_signal(launch: Launch, tmp_path: Path) -> None:
    """Their run_pipeline ignores signals; the grace, which is longer than that of neps itself, is cut short here."""
    cut = "import signal; from neps._launching import local; local._PATIENCE[signal.SIGINT] = 0.1"
    process = launch("--root", "root", "--", "stubborn", "1", before=cut)
    mine = pids(tmp_path / "root", 2)

    def gone() -> bool:
        left = any(Path(f"/proc/{pid}").exists() for pid in mine)
        if left:
            process.send_signal(signal.SIGINT)
        return not left

    wait_until(gone, END, "the end of the workers", 0.3)
    process.communicate(timeout=END)
    assert process.returncode == 128 + signal.SIGINT
    assert ends(tmp_path / "root", "left") == 0


def test_ranks_are_one_worker_each_and_hand_their_trials_back(launch: Launch, tmp_path: Path) -> None:
    """USR1 would end torchrun, and leave its ranks alone."""
    process = launch("--ranks", "2", "--share", "--root", "root", "--", "slow", "1")
    mine = pids(tmp_path / "root", 4)
    assert "Started 2 x search.py slow 1, each with 2 ranks" in (process.stdout.readline() if process.stdout else "")
    process.send_signal(signal.SIGUSR1)
    process.communicate(timeout=END)
    assert not any(Path(f"/proc/{pid}").exists() for pid in mine)
    assert ends(tmp_path / "root", "interrupted by SIGTERM") == 2
    assert len(list((tmp_path / "root").glob("config_*"))) == 2


def test_a_root_that_is_not_the_scripts_is_said(launch: Launch, tmp_path: Path) -> None:
    process = launch("--root", "other", "--", "quick", "1")
    process.communicate(timeout=END)
    said = logs(tmp_path / "other")
    assert f"neps launch was given --root {tmp_path}/other, but this script's root_directory is {tmp_path}/root" in said
