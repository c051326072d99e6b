"""What makes a process a rank: torchrun's variables alone. What looks like one without them is refused, or warned."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

import neps
from neps._distributed.launched import Group, group_of
from neps.errors import LaunchError

TORCHRUN = {
    "WORLD_SIZE": "2",
    "RANK": "1",
    "LOCAL_RANK": "1",
    "MASTER_ADDR": "localhost",
    "MASTER_PORT": "29500",
    "TORCHELASTIC_RUN_ID": "none",
    "TORCHELASTIC_USE_AGENT_STORE": "True",
}
DEEPSPEED = {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0", "MASTER_ADDR": "node1", "MASTER_PORT": "29500"}
LIGHTNING = {"WORLD_SIZE": "8", "LOCAL_RANK": "7", "NODE_RANK": "0", "MASTER_ADDR": "127.0.0.1"}
TASK = {"SLURM_STEP_NUM_TASKS": "8", "SLURM_NTASKS": "8", "SLURM_PROCID": "3", "SLURM_LOCALID": "3"}


def test_torchruns_variables_make_a_rank() -> None:
    expected = Group(rank=1, size=2, run="none", address="localhost", port=29500, agent_hosts=True)
    assert group_of(TORCHRUN) == expected
    assert group_of(TORCHRUN | TASK) == expected  # one torchrun in each task of an srun


@pytest.mark.parametrize("environment", [DEEPSPEED, DEEPSPEED | {"RANK": "1", "LOCAL_RANK": "1"}, LIGHTNING])
def test_ranks_that_torchrun_has_not_started_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(LaunchError, match=r"one of (2|8) ranks .*WORLD_SIZE=\d.* with torchrun .* unset WORLD_SIZE"):
        neps.run(lambda x: x, tmp_path / "root", {"x": neps.Float(0, 1)}, max_evaluations_total=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "environment",
    [
        {},
        TORCHRUN | {"WORLD_SIZE": "1"},
        {"WORLD_SIZE": "8"},
        {"WORLD_SIZE": "8", "MASTER_ADDR": "node1", "MASTER_PORT": "29500"},  # what a job's script exports for later
        {"WORLD_SIZE": "8", "RANK": "3"},
        {"WORLD_SIZE": "many", "RANK": "3", "MASTER_ADDR": "node1"},
        {"WORLD_SIZE": "8", "RANK": "", "MASTER_ADDR": "node1"},
        TASK | {"PMI_RANK": "3", "OMPI_COMM_WORLD_SIZE": "8"},
        {"MASTER_ADDR": "node1", "SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1"},
    ],
)
def test_all_others_are_workers_by_themselves(environment: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert group_of(environment) is None
    assert not caplog.records


def test_tasks_of_one_srun_that_have_a_master_address_are_told_that_they_are_workers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        assert group_of(TASK | {"MASTER_ADDR": "node1", "WORLD_SIZE": "8"}) is None
    assert "one of 8 tasks of one srun" in caplog.text
