"""docs/distributed.md keeps its word on SLURM: one torchrun on each of two nodes, as its recipe starts them.

A rank is killed, then a whole node is lost: torchrun restarts the ranks of both nodes, SLURM requeues the job, and the
search carries on.
"""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from ranks_storm.launching import environment, evidence_of, order
from ranks_storm.verdict import ends_of, strikes_of
from rigs.requirements import require
from rigs.slurm import Slurm, slurm, slurm_available
from rigs.waiting import wait_until

PAGE = Path(__file__).resolve().parents[2] / "docs" / "distributed.md"
TESTS = PAGE.parents[1] / "tests"
SECONDS = 300.0
SEARCH = """
import sys
from ranks_storm.training import main

sys.argv += ["results", "evidence", "--trials=2", "--epochs=4", "--lease=3", "--leash=leash"]
main()
"""


@pytest.fixture
def cluster() -> Iterator[Slurm]:
    """Two nodes for the job, and one to spare. A job has 30 s after SIGTERM, as by SLURM's default."""
    require(slurm_available())
    with slurm(nodes=3, cpus=2, kill_wait=30) as cluster:
        yield cluster


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """The page's, at a port that is free here, where all nodes are one machine."""
    (named,) = re.findall(r"^```bash\n(#!/bin/bash\n# ranks\.sh\n.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    with socket.create_server(("", 0)) as free:
        port = free.getsockname()[1]
    assert named.count(":29500") == 1
    (tmp_path / "ranks.sh").write_text(named.replace(":29500", f":{port}"))
    (tmp_path / "search.py").write_text(SEARCH)
    (tmp_path / "evidence").mkdir()
    return tmp_path / "ranks.sh"


def test_a_rank_and_a_node_are_lost_and_the_search_carries_on(cluster: Slurm, recipe: Path) -> None:
    folder, evidence, root = recipe.parent, recipe.parent / "evidence", recipe.parent / "results"
    leash = folder / "leash"

    def began(trial: int, attempt: int) -> bool:
        begins = [entry for entry in evidence_of(evidence) if entry["event"] == "begins"]
        return {e["rank"] for e in begins if (e["trial"], e["attempt"]) == (trial, attempt)} == {0, 1, 2, 3}

    order(evidence, "kill", rank=3, trial=1, epoch=2)
    clean = environment()
    ranks = {**clean, "PYTHONPATH": str(TESTS), "PATH": f"{Path(sys.executable).parent}:{clean['PATH']}"}
    job = cluster.sbatch(recipe, folder=folder, environment=ranks)
    wait_until(lambda: strikes_of(evidence_of(evidence)) == [(1, 1, "kill")], SECONDS, "rank 3 to be killed")
    leash.touch()  # from here on, they stay in the epoch in which they are
    wait_until(lambda: began(1, 2), SECONDS, "all four ranks to begin again")
    assert ends_of(root) == {(1, 1): "died"}
    lost = _node_of_rank_zero(root)
    cluster.crash(lost)
    cluster.declare_down(lost)
    cluster.wait(job, SECONDS, lambda jobs: jobs[0].restarts == 1)
    leash.unlink()
    (ended,) = cluster.wait(job, SECONDS)
    assert (ended.state, ended.restarts) == ("COMPLETED", 1)
    assert ends_of(root) == {(1, 1): "died", (1, 2): "died", (1, 3): "success", (2, 1): "success"}
    assert began(1, 3)
    assert began(2, 1)
    resumed = {e["epoch"] for e in evidence_of(evidence) if e["event"] == "epoch" and e["attempt"] > 1}
    assert resumed == {2, 3, 4}, "the first epoch was done once"


def _node_of_rank_zero(root: Path) -> str:
    """Where the second attempt at the first trial goes on."""
    return str(yaml.safe_load((root / "config_1" / "attempt_2.yaml").read_text())["host"])
