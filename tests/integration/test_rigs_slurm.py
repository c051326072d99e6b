"""The SLURM rig does what it promises: real jobs see nodes, crashes, freezes and requeues, and nothing outlives it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from rigs.processes import Fleet
from rigs.slurm import Job, Slurm, slurm
from rigs.waiting import wait_until

DEADLINE = 120.0
SLEEPS = "#!/bin/bash\nhostname\nexec sleep 600\n"


def run_on(jobs: list[Job]) -> bool:
    return all(job.state == "RUNNING" and job.node and job.output.exists() for job in jobs)


def processes_of(folder: Path) -> list[str]:
    """Who has the rig's folder in its command line or environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            text = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        found += [process.name] if str(folder).encode() in text else []
    return found


def test_tasks_of_an_array_run_on_all_nodes(cluster: Slurm) -> None:
    array = cluster.sbatch("#!/bin/bash\nhostname; srun hostname; exit $((SLURM_ARRAY_TASK_ID == 2))\n", "--array=0-3")
    jobs = {job.task: job for job in cluster.wait(array, DEADLINE)}
    assert {task: job.state for task, job in jobs.items()} == dict.fromkeys("013", "COMPLETED") | {"2": "FAILED"}
    assert jobs["2"].exit_code == "1:0"
    assert {job.node for job in jobs.values()} == set(cluster.nodes)
    for job in jobs.values():
        assert job.output.read_text().split() == [job.node, job.node]


def test_a_node_crashes_and_its_job_is_requeued(cluster: Slurm) -> None:
    job = cluster.sbatch(SLEEPS, "--requeue", "--open-mode=append")
    (before,) = cluster.wait(job, DEADLINE, run_on)
    cluster.crash(before.node)
    cluster.declare_down(before.node)
    (after,) = cluster.wait(job, DEADLINE, lambda jobs: jobs[0].restarts == 1 and run_on(jobs))
    assert after.id == before.id
    assert after.node != before.node
    cluster.boot(before.node)
    cluster.await_nodes(seconds=DEADLINE)


def test_a_node_pauses_and_goes_on(cluster: Slurm, tmp_path: Path) -> None:
    ticks = tmp_path / "ticks"
    job = cluster.sbatch(f"#!/bin/bash\nwhile true; do echo >>{ticks}; sleep 0.01; done\n")
    (one,) = cluster.wait(job, DEADLINE, lambda jobs: run_on(jobs) and ticks.exists())
    cluster.pause(one.node)
    size = ticks.stat().st_size
    assert Counter(job.state for job in cluster.jobs(job)) == {"RUNNING": 1}
    assert ticks.stat().st_size == size
    cluster.resume(one.node)
    wait_until(lambda: ticks.stat().st_size > size, DEADLINE, "the next tick")


def test_nothing_outlives_a_failure_inside() -> None:
    folder: list[Path] = []

    def fail() -> None:
        with slurm(nodes=1) as cluster:
            cluster.wait(cluster.sbatch(SLEEPS), DEADLINE, run_on)
            folder.append(cluster.folder)
            assert processes_of(cluster.folder)
            cluster.run("no-such-command")

    with pytest.raises(FileNotFoundError):
        fail()
    assert not folder[0].exists()
    assert processes_of(folder[0]) == []


def test_by_hand_and_killed(fleet: Fleet) -> None:
    worker = fleet.start(Path(sys.modules[Slurm.__module__].__file__ or ""))
    wait_until(lambda: "Ctrl-C" in worker.stdout, DEADLINE, "the cluster")
    configuration = worker.stdout.split("SLURM_CONF=")[1].split()[0]
    sinfo = ["env", f"SLURM_CONF={configuration}", "sinfo", "-h", "-o", "%P %D"]
    said = subprocess.run(sinfo, check=True, capture_output=True, text=True, timeout=DEADLINE)
    assert set(said.stdout.splitlines()) == {"low* 4", "high 4"}
    assert processes_of(Path(configuration).parent)
    worker.signal(signal.SIGKILL)
    wait_until(lambda: not processes_of(Path(configuration).parent), DEADLINE, "the end of all that it started")
