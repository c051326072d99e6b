"""docs/clusters.md keeps its word: its recipes run as they stand there, on a real SLURM."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import neps
from neps.errors import DirectoryError
from rigs.requirements import require
from rigs.slurm import Slurm, slurm, slurm_available
from rigs.waiting import wait_until

PAGE = Path(__file__).resolve().parents[2] / "docs" / "clusters.md"
DEADLINE = 300.0
RECIPES = {"search.py", "array.sh", "tasks.sh", "gpus.sh", "dask_search.py"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With the page's files, which name themselves in their first comment."""
    for block in re.findall(r"^```(?:python|bash)\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE):
        if named := re.match(r"(?:#!/bin/bash\n)?# (\S+)\n", block):
            (tmp_path / named[1]).write_text(block)
    assert {path.name for path in tmp_path.iterdir()} == RECIPES
    return tmp_path


@pytest.fixture(scope="module")
def shared_cluster() -> Iterator[Slurm]:
    """One SLURM for all recipes: it takes seconds to start."""
    require(slurm_available())
    with slurm(nodes=2) as cluster:
        yield cluster


def python_first(**more: str) -> dict[str, str]:
    """The environment in which `python` is this one."""
    return {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1", **more}


def trials(folder: Path) -> list[neps.Trial]:
    try:
        return list(neps.load(folder / "results" / "search").trials)
    except DirectoryError:
        return []


def reported(folder: Path, number: int, attempt: int) -> bool:
    return (folder / "results" / "search" / f"config_{number}" / f"attempt_{attempt}.curve.jsonl").exists()


def saved(folder: Path, count: int) -> bool:
    return len(list((folder / "results" / "search").glob("config_*/checkpoint.pt"))) >= count


def ends(folder: Path, ending: str) -> int:
    """How many attempts have ended so."""
    documents = (folder / "results" / "search").glob("config_*/attempt_*.end.yaml")
    return sum(f"end: {ending}\n" in path.read_text() for path in documents)


def test_an_array_is_preempted_requeued_and_completes(shared_cluster: Slurm, folder: Path) -> None:
    array = shared_cluster.sbatch(folder / "array.sh", folder=folder, environment=python_first())
    wait_until(lambda: saved(folder, 4), DEADLINE, "checkpoints of four workers")
    urgent = shared_cluster.sbatch(
        "#!/bin/bash\nsleep 1\n", "--partition=high", "--nodes=2", "--exclusive", folder=folder
    )
    shared_cluster.wait(urgent, DEADLINE)
    assert ends(folder, "left") >= 4, "each preempted worker has handed its trial back"
    tasks = shared_cluster.wait(array, DEADLINE)
    assert {task.state for task in tasks} == {"COMPLETED"}
    assert sum(task.restarts for task in tasks) >= 4
    assert len(trials(folder)) == 12
    assert all(trial.succeeded for trial in trials(folder))
    assert ends(folder, "died") == 0
    resumed = [trial for trial in trials(folder) if trial.attempts > 1]
    assert len(resumed) >= 4
    for trial in resumed:
        second = folder / "results" / "search" / f"config_{trial.number}" / "attempt_2.curve.jsonl"
        assert not second.read_text().startswith("[1.0,"), "it went on from its checkpoint"
        assert [step for step, _ in trial.learning_curve] == list(range(1, 31))


@pytest.mark.parametrize(("recipe", "devices"), [("tasks.sh", ""), ("gpus.sh", "0,1,2")])
def test_several_workers_of_a_node_hand_back_what_they_evaluate(
    shared_cluster: Slurm, folder: Path, recipe: str, devices: str
) -> None:
    workers = len(devices.split(",")) if devices else 4
    environment = python_first(**({"CUDA_VISIBLE_DEVICES": devices} if devices else {}))
    job = shared_cluster.sbatch(folder / recipe, folder=folder, environment=environment)
    wait_until(lambda: saved(folder, workers), DEADLINE, "checkpoints of all workers")
    names = {trial.worker for trial in trials(folder)}
    assert len(names) == workers
    assert len({trial.worker.rpartition("-")[0].split("-")[0] for trial in trials(folder) if trial.worker}) == 1, (
        "all on one node"
    )
    if devices:
        seen = [Path(f"/proc/{pid}/environ") for pid in _pids_of(folder)]
        assert {_variable(path, b"CUDA_VISIBLE_DEVICES") for path in seen} == set(devices.split(","))
    shared_cluster.run("scancel", *(["--batch"] if devices else []), "--signal=USR1", job)
    shared_cluster.wait(job, DEADLINE)
    assert ends(folder, "left") == workers
    assert ends(folder, "died") == 0


def _pids_of(folder: Path) -> list[int]:
    """The workers that have this working directory, on whichever node: this host sees all processes."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if (path / "cwd").readlink() == folder and b"search.py" in (path / "cmdline").read_bytes():
                found.append(int(path.name))
        except OSError:
            continue
    return found


def _variable(environ: Path, name: bytes) -> str:
    pairs = dict(line.split(b"=", 1) for line in environ.read_bytes().split(b"\0") if b"=" in line)
    return pairs[name].decode()


_DASK = """
import subprocess, sys
from dask.distributed import LocalCluster

if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=":0") as cluster:
        sys.exit(subprocess.call([sys.executable, "dask_search.py", cluster.scheduler_address]))
"""


def test_a_dask_cluster_that_is_there_already(folder: Path) -> None:
    (folder / "cluster.py").write_text(_DASK)
    ended = subprocess.run(
        [sys.executable, "cluster.py"],
        cwd=folder,
        env={**os.environ, **python_first()},
        check=False,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert ended.returncode == 0, ended.stderr
    assert "exit codes: [0, 0, 0, 0]" in ended.stdout
    assert len({trial.worker for trial in trials(folder)}) == 4
    assert all(trial.succeeded for trial in trials(folder))


def test_scripts_are_valid_for_bash(folder: Path) -> None:
    bash = shutil.which("bash")
    assert bash
    for script in folder.glob("*.sh"):
        subprocess.run([bash, "-n", script], check=True)
