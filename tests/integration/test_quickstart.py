"""The example that newcomers start first: two workers to the budget, resumed, interrupted, killed and taken over."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import neps
from examples import digits
from neps.trial import Status

SCRIPT = Path(digits.__file__)
SECONDS = 120  # far more than any step takes on a busy machine
DEFAULTS: dict[str, Any] = neps.SearchSpace(digits.pipeline_space).default_config() or {}


def start(root: Path, evaluations: int) -> subprocess.Popen[str]:
    command = [sys.executable, str(SCRIPT), "--workers=2", f"--evaluations={evaluations}", f"--root-directory={root}"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(SCRIPT.parents[1])}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # threads that wait for each other on a busy machine take ten times as long
    yield
    torch.set_num_threads(before)


def test_two_workers_reach_the_budget_and_a_second_start_reports_it_again(tmp_path: Path) -> None:
    root = tmp_path / "root"
    reports = []
    for _ in range(2):
        process = start(root, evaluations=3)
        output, _ = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, output
        reports.append(output[output.index("All 3 evaluations are done") :])
    history = neps.load(root)
    best = history.best
    assert best is not None
    assert [trial.number for trial in history.succeeded] == [1, 2, 3]
    assert dict(history.trials[0].config) == DEFAULTS
    assert reports[0] == reports[1]
    assert f"number {best.number}:" in reports[0]
    assert re.search(rf"validation error +{best.loss:.2%} +{history.trials[0].loss:.2%}\n", reports[0])
    assert f"Everything lies in {root}\n" in reports[0]
    assert (root / f"config_{best.number}" / "checkpoint.pt").is_file()


def test_interrupting_the_launcher_ends_its_workers(tmp_path: Path) -> None:
    root = tmp_path / "root"
    process = start(root, evaluations=1000)
    wait_until((root / "config_2" / "checkpoint.pt").exists)
    process.send_signal(signal.SIGINT)
    # The pipe ends only when the last process that holds it has ended, so this waits for the workers too.
    output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert f"Stopped. The same command goes on where it stopped, in {root}" in output
    assert {trial.status for trial in neps.load(root).trials} <= {Status.SUCCESS, Status.WAITING}


@pytest.mark.usefixtures("one_thread")
def test_a_trial_that_was_cut_off_goes_on_from_its_checkpoint_to_the_same_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digits, "EPOCHS", 20)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir()
    cut.mkdir()
    expected = digits.run_pipeline(whole, **DEFAULTS)
    monkeypatch.setattr(digits, "EPOCHS", 13)
    digits.run_pipeline(cut, **DEFAULTS)
    monkeypatch.setattr(digits, "EPOCHS", 20)
    resumed = digits.run_pipeline(cut, **DEFAULTS)
    assert (expected["info_dict"]["first_epoch"], resumed["info_dict"]["first_epoch"]) == (0, 10)
    assert resumed["loss"] == expected["loss"]
    weights = [torch.load(folder / "checkpoint.pt")["model"]["0.weight"] for folder in (whole, cut)]
    assert torch.equal(*weights)
