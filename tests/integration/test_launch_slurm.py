"""`neps launch` on a real SLURM: an array whose tasks reach their time limit, are preempted, requeued and stopped."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import neps
from rigs.slurm import Job, Slurm
from rigs.waiting import wait_until

END = 240.0
SEARCH = """
import logging, os, sys, time
from pathlib import Path
import neps

def run_pipeline(x, pipeline_directory):
    while not Path("go").exists():
        time.sleep(0.05)
    return x

logging.basicConfig(level=logging.INFO)
space = {"x": neps.Float(0, 1)}
neps.run(run_pipeline, sys.argv[1], space, searcher="random_search", max_evaluations_total=6, lease_seconds=9)
"""


def launch(cluster: Slurm, folder: Path, root: str, *options: str) -> str:
    """The number of the array."""
    command = [sys.executable, "-m", "neps", "launch", "search.py", "--root", root, *options, "--", root]
    said = cluster.run(*command, folder=folder, environment={"NEPS_RUN_TOKEN": ""})
    return said.partition("Submitted job array ")[2].partition(":")[0]


def follow(cluster: Slurm, folder: Path, root: str, *options: str) -> subprocess.Popen[str]:
    """The same, and its output."""
    command = [sys.executable, "-m", "neps", "launch", "search.py", "--root", root, *options, "--follow", "--", root]
    environment = {**os.environ, **cluster.environment, "NEPS_RUN_TOKEN": ""}
    with (folder / f"{root}.followed").open("w") as file:
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=file, stderr=file, text=True)


def ends(root: Path, text: str) -> int:
    return sum(text in path.read_text() for path in root.glob("config_*/attempt_*.end.yaml"))


def attempts(root: Path, number: int) -> int:
    """How many trials have begun so many attempts."""
    return len(list(root.glob("config_*/trial.yaml" if number == 1 else f"config_*/attempt_{number}.yaml")))


def exits(jobs: list[Job]) -> dict[str, tuple[str, str]]:
    return {job.task: (job.state, job.exit_code) for job in jobs}


def test_time_limit_preemption_and_stop(cluster: Slurm, tmp_path: Path) -> None:
    """Two searches at once, since SLURM looks at time limits each half a minute."""
    (tmp_path / "search.py").write_text(SEARCH)
    limited, preempted = tmp_path / "limited", tmp_path / "preempted"
    limits = ("--time", "1", "--slurm", "signal=B:USR1@60", "--slurm", "exclude=n4")
    following = follow(cluster, tmp_path, "limited", "--workers", "4", "--at-once", "2", *limits)
    try:
        # Preempted: a polite signal, the trials are handed back, and the tasks of the same numbers start again.
        array = launch(cluster, tmp_path, "preempted", "--workers", "2", "--slurm", "nodelist=n4")
        wait_until(lambda: attempts(preempted, 1) == 2, END, "two trials on n4")
        cluster.sbatch("#!/bin/bash\ntrue\n", "--partition=high", "--nodelist=n4", "--exclusive")
        wait_until(lambda: ends(preempted, "interrupted by SIGTERM") == 2, END, "two trials handed back")
        wait_until(lambda: attempts(preempted, 2) == 2, END, "both resumed")
        jobs = cluster.jobs(array)
        assert {job.restarts for job in jobs} == {1}

        # Asked to leave: they end well, so SLURM starts none of them again.
        assert len(neps.stop(preempted)) == 2
        assert exits(cluster.wait(array, END)) == {"0": ("COMPLETED", "0:0"), "1": ("COMPLETED", "0:0")}
        assert ends(preempted, "interrupted by neps stop") == 2
        for task in "01":  # one log, in which the second run follows the first
            log = (preempted / "logs" / f"{array}_{task}.log").read_text()
            assert log.count("neps.worker:Trial") >= 4
            assert log.index("interrupted by SIGTERM") < log.index("interrupted by neps stop")

        # Time limit: USR1, the trials are handed back, and the next two tasks go on.
        wait_until(lambda: ends(limited, "interrupted by SIGUSR1") >= 2, END, "two trials handed back")
        wait_until(lambda: attempts(limited, 2) >= 2, END, "both resumed")
        (tmp_path / "go").touch()
        assert following.wait(END) == 1
    finally:
        following.kill()
        following.wait()
    assert len(neps.load(limited).succeeded) == 6
    said = (tmp_path / "limited.followed").read_text()
    job = said.partition("Submitted job array ")[2].partition(":")[0]
    over = exits(cluster.jobs(job))
    assert [over[task] for task in "01"] == [("FAILED", "0:10")] * 2
    for task in "0123":
        assert f"[{task}] neps: " in said
        assert f"[{task}] {over[task][0]}" in said
    assert f"worker 0: FAILED. See {limited}/logs/{job}_0.log" in said
