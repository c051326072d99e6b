"""A rank of a distributed training is no worker: refused on each rank, before anything is written, and nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest

import neps
from neps._api.ranks import check_no_rank
from neps.errors import LaunchError

ELASTIC = {
    "WORLD_SIZE": "2",
    "RANK": "0",
    "LOCAL_RANK": "0",
    "MASTER_ADDR": "localhost",
    "MASTER_PORT": "29500",
    "TORCHELASTIC_RUN_ID": "none",
}
LIGHTNING = {"WORLD_SIZE": "8", "LOCAL_RANK": "7", "NODE_RANK": "0", "MASTER_ADDR": "127.0.0.1"}


@pytest.mark.parametrize("environment", [ELASTIC, ELASTIC | {"RANK": "1", "LOCAL_RANK": "1"}, LIGHTNING])
def test_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(
        LaunchError, match=r"one of (2|8) ranks .*WORLD_SIZE=\d.* run_pipeline start .* unset WORLD_SIZE"
    ):
        neps.run(lambda x: x, tmp_path / "root", {"x": neps.Float(0, 1)}, max_evaluations_total=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "environment",
    [
        {},
        ELASTIC | {"WORLD_SIZE": "1"},
        {"WORLD_SIZE": "8"},
        {"WORLD_SIZE": "8", "MASTER_ADDR": "node1", "MASTER_PORT": "29500"},  # what a job's script exports for later
        {"WORLD_SIZE": "8", "RANK": "3"},
        {"WORLD_SIZE": "many", "RANK": "3", "MASTER_ADDR": "node1"},
        {"WORLD_SIZE": "8", "RANK": "", "MASTER_ADDR": "node1"},
        {"SLURM_NTASKS": "8", "SLURM_PROCID": "3", "SLURM_LOCALID": "3", "PMI_RANK": "3", "OMPI_COMM_WORLD_SIZE": "8"},
    ],
)
def test_not_refused(environment: dict[str, str]) -> None:
    check_no_rank(environment)
