"""`neps launch` on a real SLURM: an array whose tasks reach their time limit, are preempted, requeued and stopped."""

from __future__ import annotations

import os
import re
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


def running(root: Path) -> int:
    """How many attempts have begun, and have no end."""
    names = [path.name for path in root.glob("config_*/*.yaml")]
    begun = [name for name in names if name == "trial.yaml" or re.fullmatch(r"attempt_\d+\.yaml", name)]
    return len(begun) - sum(name.endswith(".end.yaml") for name in names)


def exits(jobs: list[Job]) -> dict[str, tuple[str, str]]:
    return {job.task: (job.state, job.exit_code) for job in jobs}


def test_time_limit_preemption_and_stop(cluster: Slurm, tmp_path: Path) -> None:
    """Three searches at once, since SLURM looks at time limits each half a minute."""
    (tmp_path / "search.py").write_text(SEARCH)
    limited, preempted, stopped = (tmp_path / name for name in ("limited", "preempted", "stopped"))
    limits = ("--time", "1", "--slurm", "signal=B:USR1@60", "--slurm", "exclude=n[3-4]")
    following = follow(cluster, tmp_path, "limited", "--workers", "8", "--at-once", "2", *limits)
    try:
        first = launch(cluster, tmp_path, "preempted", "--workers", "2", "--slurm", "nodelist=n4")
        second = launch(cluster, tmp_path, "stopped", "--workers", "2", "--slurm", "nodelist=n3")
        wait_until(lambda: running(preempted) == 2, END, "two trials on n4")
        high = cluster.sbatch("#!/bin/bash\ntrue\n", "--partition=high", "--nodelist=n4", "--exclusive")

        # Asked to leave: they hand their trials back, and end well, so SLURM starts none of them again.
        wait_until(lambda: running(stopped) == 2, END, "two trials on n3")
        assert len(neps.stop(stopped)) == 2
        assert exits(cluster.wait(second, END)) == {"0": ("COMPLETED", "0:0"), "1": ("COMPLETED", "0:0")}
        assert ends(stopped, "interrupted by neps stop") == 2

        # Preempted: a polite signal, the trials are handed back, and the same tasks start again and resume them.
        cluster.wait(high, END)
        wait_until(lambda: running(preempted) == 2, END, "both resumed")
        assert min(job.restarts for job in cluster.jobs(first)) >= 1
        assert ends(preempted, "interrupted by SIGTERM") >= 2
        assert ends(preempted, "end: died") == 0

        # Time limit: USR1, the trials are handed back, and the next two tasks go on.
        wait_until(lambda: ends(limited, "interrupted by SIGUSR1") >= 2, END, "two trials handed back")
        wait_until(lambda: running(limited) == 2, END, "both resumed")
        (tmp_path / "go").touch()
        assert following.wait(END) == 1
        assert {job.state for job in cluster.wait(first, END)} == {"COMPLETED"}
    finally:
        following.kill()
        following.wait()
    for root in (limited, preempted):
        assert len(neps.load(root).succeeded) == 6
    for task in "01":  # one log, in which the second run follows the first
        log = (preempted / "logs" / f"{first}_{task}.log").read_text()
        assert log.index("interrupted by SIGTERM") < log.rindex("neps: joins the run") < log.rindex("neps: leaves")
    said = (tmp_path / "limited.followed").read_text()
    job = said.partition("Submitted job array ")[2].partition(":")[0]
    over = exits(cluster.jobs(job))
    assert [over[task] for task in "01"] == [("FAILED", "0:10")] * 2
    for task, (state, _) in over.items():
        assert f"[{task}] neps: " in said
        assert f"[{task}] {state}" in said
    assert f"worker 0: FAILED. See {limited}/logs/{job}_0.log" in said
