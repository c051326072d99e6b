"""docs/distributed.md keeps its word: two ranks on this machine, with gloo, train each trial together."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import neps

PAGE = Path(__file__).resolve().parents[2] / "docs" / "distributed.md"
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With the page's programs."""
    for block in re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE):
        program = block.replace("max_evaluations_total=2", "max_evaluations_total=1")  # torch is slow to import
        (tmp_path / program.split()[1].rstrip(":")).write_text(program)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["search.py", "train.py"]
    return tmp_path


_GLOO_ABORTED = "terminate called without an active exception"
"""What a rank says where gloo's own threads outlive it, now and then: PyTorch's matter, not ours."""


def start(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, cwd=folder, env=environment, check=False, capture_output=True, text=True, timeout=240
    )


def test_the_example_runs_and_ends_also_where_it_is_resumed_after_its_last_checkpoint(folder: Path) -> None:
    ended = start(folder, sys.executable, "search.py")
    if _GLOO_ABORTED in ended.stderr:
        assert neps.retry(folder / "results" / "distributed", failed=True)
        ended = start(folder, sys.executable, "search.py")
    assert ended.returncode == 0, ended.stderr
    history = neps.load(folder / "results" / "distributed")
    (trial,) = history.trials
    assert [step for step, _ in trial.learning_curve] == [1, 2, 3]
    assert trial.learning_curve[-1][1] == trial.loss
    config_1 = folder / "results" / "distributed" / "config_1"
    assert neps.checkpoint.load(config_1)["epoch"] == 3
    (config_1 / "loss").unlink()  # as if it had been killed before it wrote that
    ended = start(folder, *TORCHRUN, "train.py", str(config_1), str(trial.config["learning_rate"]))
    assert ended.returncode == 0, ended.stderr
    assert float((config_1 / "loss").read_text()) == trial.loss


def test_a_search_under_torchrun_is_refused_on_every_rank(folder: Path) -> None:
    ended = start(folder, *TORCHRUN, "search.py")
    assert ended.returncode != 0
    refused = [f"WORLD_SIZE=2, RANK={rank}, LOCAL_RANK={rank}" in ended.stderr for rank in (0, 1)]
    assert all(refused) or (any(refused) and "closing signal SIGTERM" in ended.stderr), ended.stderr  # by torchrun
    assert not (folder / "results").exists()
