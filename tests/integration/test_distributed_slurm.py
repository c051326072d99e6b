"""docs/distributed.md keeps its word on SLURM: one torchrun on each of two nodes, as its recipe starts them.

A rank is killed, or a whole node is lost: torchrun restarts the ranks of both nodes, or SLURM requeues the job, and the
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
    """Two nodes for each of two jobs, and one to spare. A job has 30 s after SIGTERM, as by SLURM's default."""
    require(slurm_available())
    with slurm(nodes=5, cpus=2, kill_wait=30) as cluster:
        yield cluster


class Search:
    """The page's recipe in a folder, at a port that is free here, where all nodes are one machine."""

    def __init__(self, folder: Path, ranks: int) -> None:
        (folder / "evidence").mkdir(parents=True)
        self.folder, self.ranks = folder, ranks
        self.evidence, self.root, self.leash = folder / "evidence", folder / "results", folder / "leash"
        blocks = re.findall(
            r"^```bash\n(#!/bin/bash\n# ranks\.sh\n.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE
        )
        (recipe,) = blocks
        with socket.create_server(("", 0)) as free:
            port = free.getsockname()[1]
        for written, here in (
            (":29500", f":{port}"),
            ("--nproc-per-node=2", f"--nproc-per-node={ranks // 2}"),
        ):
            assert recipe.count(written) == 1
            recipe = recipe.replace(written, here)
        (folder / "ranks.sh").write_text(recipe)
        (folder / "search.py").write_text(SEARCH)

    def submit(self, cluster: Slurm, *options: str) -> str:
        """The job's number."""
        clean = environment()
        variables = {**clean, "PYTHONPATH": str(TESTS), "PATH": f"{Path(sys.executable).parent}:{clean['PATH']}"}
        return cluster.sbatch(self.folder / "ranks.sh", *options, folder=self.folder, environment=variables)

    def began(self, trial: int, attempt: int) -> bool:
        """Whether all ranks have begun this attempt."""
        begins = [entry for entry in evidence_of(self.evidence) if entry["event"] == "begins"]
        ranks = {entry["rank"] for entry in begins if (entry["trial"], entry["attempt"]) == (trial, attempt)}
        return ranks == set(range(self.ranks))

    def struck(self) -> bool:
        """Whether the rank was killed that was told to."""
        return strikes_of(evidence_of(self.evidence)) == [(1, 1, "kill")]

    def epochs_done_again(self) -> set[int]:
        """By attempts at the first trial after the first."""
        entries = evidence_of(self.evidence)
        return {e["epoch"] for e in entries if e["event"] == "epoch" and e["trial"] == 1 and e["attempt"] > 1}


def test_ranks_and_a_node_are_lost_and_the_searches_carry_on(cluster: Slurm, tmp_path: Path) -> None:
    search, alone = Search(tmp_path / "search", 4), Search(tmp_path / "alone", 2)

    # One rank a node: nobody on its node sees it die, and torchrun counts no restart on the other node.
    order(alone.evidence, "kill", rank=1, trial=1, epoch=2)
    other = alone.submit(cluster, "--nodelist=n4,n5")

    order(search.evidence, "kill", rank=3, trial=1, epoch=2)
    job = search.submit(cluster, "--exclude=n4,n5")
    wait_until(search.struck, SECONDS, "rank 3 to be killed")
    search.leash.touch()  # from here on, they stay in the epoch in which they are
    wait_until(lambda: search.began(1, 2), SECONDS, "all four ranks to begin again")
    assert ends_of(search.root) == {(1, 1): "died"}

    lost = _node_of_rank_zero(search.root)
    cluster.crash(lost)
    cluster.declare_down(lost)
    cluster.wait(job, SECONDS, lambda jobs: jobs[0].restarts == 1)
    search.leash.unlink()
    (ended,) = cluster.wait(job, SECONDS)
    assert (ended.state, ended.restarts) == ("COMPLETED", 1)
    assert ends_of(search.root) == {(1, 1): "died", (1, 2): "died", (1, 3): "success", (2, 1): "success"}
    assert search.began(1, 3)
    assert search.epochs_done_again() == {2, 3, 4}

    (ended,) = cluster.wait(other, SECONDS)
    assert (ended.state, ended.restarts) == ("COMPLETED", 0)
    assert ends_of(alone.root) == {(1, 1): "died", (1, 2): "success", (2, 1): "success"}
    assert alone.epochs_done_again() == {2, 3, 4}


def _node_of_rank_zero(root: Path) -> str:
    """Where the second attempt at the first trial goes on."""
    return str(yaml.safe_load((root / "config_1" / "attempt_2.yaml").read_text())["host"])
