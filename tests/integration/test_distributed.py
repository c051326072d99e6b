"""docs/distributed.md keeps its word: two ranks on this machine, with gloo, train each trial together, in both ways."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import neps

PAGE = Path(__file__).resolve().parents[2] / "docs" / "distributed.md"
FRAMEWORK = """
import functools, json, os

import torch, torch.distributed

import neps
from examples import {example} as example

torch.set_num_threads(1)
seen = {{"losses": [], "sizes": []}}


@functools.wraps(example.run_pipeline)
def run_pipeline(**arguments):
    loss = example.run_pipeline(**arguments)
    seen["losses"].append(loss)
    seen["sizes"].append(torch.distributed.get_world_size())
    return loss


space = example.pipeline_space | {{"epochs": neps.Integer(1, 2, is_fidelity=True)}}
neps.run(run_pipeline, "root", space, searcher="successive_halving", eta=2, max_evaluations_total=3, seed=1)
with open(os.environ["RANK"] + ".json", "w") as file:
    json.dump(seen, file)
"""
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With the page's programs."""
    for block in re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE):
        program = block.replace("max_evaluations_total=2", "max_evaluations_total=1")  # torch is slow to import
        (tmp_path / program.split()[1].rstrip(":")).write_text(program)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["launcher.py", "search.py", "train.py"]
    return tmp_path


def test_who_forgets_torchrun_is_told(folder: Path) -> None:
    done = start(folder, sys.executable, "search.py")
    assert done.returncode == 1
    assert "torchrun has not started this process: start the script with torchrun" in done.stderr.splitlines()[-1]


_GLOO_ABORTED = "terminate called without an active exception"
"""What a rank says where gloo's own threads outlive it, now and then: PyTorch's matter, not ours."""


def start(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(PAGE.parents[1])}
    return subprocess.run(
        command, cwd=folder, env=environment, check=False, capture_output=True, text=True, timeout=240
    )


def test_the_example_runs_and_ends_also_where_it_is_resumed_after_its_last_checkpoint(folder: Path) -> None:
    ended = start(folder, sys.executable, "launcher.py")
    if _GLOO_ABORTED in ended.stderr:
        assert neps.retry(folder / "results" / "launched", failed=True)
        ended = start(folder, sys.executable, "launcher.py")
    assert ended.returncode == 0, ended.stderr
    history = neps.load(folder / "results" / "launched")
    (trial,) = history.trials
    assert [step for step, _ in trial.learning_curve] == [1, 2, 3]
    assert trial.learning_curve[-1][1] == trial.loss
    config_1 = folder / "results" / "launched" / "config_1"
    assert neps.checkpoint.load(config_1)["epoch"] == 3
    (config_1 / "loss").unlink()  # as if it had been killed before it wrote that
    ended = start(folder, *TORCHRUN, "train.py", str(config_1), str(trial.config["learning_rate"]))
    assert ended.returncode == 0, ended.stderr
    assert float((config_1 / "loss").read_text()) == trial.loss


def test_the_example_for_torchrun_runs(folder: Path) -> None:
    ended = start(folder, *TORCHRUN, "search.py")
    assert ended.returncode == 0, ended.stderr
    (trial,) = neps.load(folder / "results" / "distributed")
    assert [step for step, _ in trial.learning_curve] == [1, 2, 3]
    assert trial.learning_curve[-1][1] == trial.loss


@pytest.mark.parametrize("example", ["lightning_spirals", "transformers_sentences"])
def test_training_frameworks_train_on_all_ranks(folder: Path, example: str) -> None:
    (folder / "probe.py").write_text(FRAMEWORK.format(example=example))
    ended = start(folder, *TORCHRUN, "probe.py")
    assert ended.returncode == 0, ended.stderr
    trials = neps.load(folder / "root").trials
    assert [trial.status for trial in trials] == ["success"] * 3, ended.stderr
    assert trials[2].previous in {1, 2}
    assert [step for step, _ in trials[2].learning_curve] == [2]  # it has gone on where that one had ended
    first, second = (json.loads((folder / f"{rank}.json").read_text()) for rank in (0, 1))
    assert first == second == {"losses": [trial.loss for trial in trials], "sizes": [2, 2, 2]}  # means over both ranks
