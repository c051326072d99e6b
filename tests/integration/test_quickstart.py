"""The example that newcomers start first: two workers to the budget, again, interrupted; and what continuing does."""

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
import yaml

import neps
from examples import digits
from neps._trial import Status

SCRIPT = Path(digits.__file__)
SECONDS = 240  # far more than any step takes on a busy machine
TRAININGS = 5.0  # so that something is continued after the initial design
CONFIG: dict[str, Any] = {
    "learning_rate": 0.1,
    "momentum": 0.9,
    "weight_decay": 1e-3,
    "batch_size": 64,
    "channels": 4,
    "dropout": 0.3,
    "activation": "relu",
}


def start(root: Path, trainings: float) -> subprocess.Popen[str]:
    command = [sys.executable, str(SCRIPT), "--workers=2", f"--trainings={trainings}", f"--root-directory={root}"]
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
        process = start(root, trainings=TRAININGS)
        output, _ = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, output
        reports.append(output[output.index("\nThe best network so far") :])
    history = neps.load(root)
    best, spent = history.best, history.fidelity_spent
    assert best is not None
    assert spent is not None
    assert reports[0] == reports[1]
    assert spent.continued >= TRAININGS * digits.EPOCHS
    assert {trial.status for trial in history.trials} == {Status.SUCCESS}

    promotions = [trial for trial in history.trials if trial.previous is not None]
    assert promotions
    for trial in history.trials:
        begun = history.by_number[trial.previous].fidelity if trial.previous else 0
        assert trial.info_dict["first_epoch"] == begun
        assert (root / f"config_{trial.number}" / "checkpoint.pt").is_file()

    assert f"{len(history.trials) - len(promotions)} configurations were tried" in reports[0]
    assert f"trials took {spent.continued:g} epochs" in reports[0]
    assert f"saved {1 - spent.continued / spent.from_scratch:.0%}." in reports[0]
    assert f"configuration is number {best.number}:" in reports[0]
    assert f"All files are in {root}\n" in reports[0]
    curve = re.findall(r"^ +([0-9.]+) +(\d+) +([0-9.]+)% *█*$", reports[0], re.MULTILINE)
    assert [float(spent) for spent, _, _ in curve] == sorted(float(spent) for spent, _, _ in curve)
    assert curve[-1] == (
        f"{spent.continued / digits.EPOCHS:.1f}",
        f"{best.fidelity:g}",
        f"{100 * (best.loss or 0):.2f}",
    )


def test_one_worker_that_is_killed_costs_no_report(tmp_path: Path) -> None:
    root = tmp_path / "root"
    process = start(root, trainings=1.0)
    wait_until((root / "config_1" / "trial.yaml").exists)
    victim = yaml.safe_load((root / "config_1" / "trial.yaml").read_text())["pid"]
    os.kill(victim, signal.SIGKILL)
    output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, output
    assert "1 of 2 workers failed (exit status -9)." in output
    assert "\nThe best network so far" in output


def test_interrupting_the_launcher_ends_its_workers(tmp_path: Path) -> None:
    root = tmp_path / "root"
    process = start(root, trainings=1000)
    wait_until((root / "config_2" / "checkpoint.pt").exists)
    process.send_signal(signal.SIGINT)
    # The pipe ends only when the last process that holds it has ended, so this waits for the workers too.
    output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert f"Stopped. The same command goes on where it stopped, in {root}" in output
    assert {trial.status for trial in neps.load(root).trials} <= {Status.SUCCESS, Status.WAITING}


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("stops", [(1,), (3,), (1, 3)])
def test_continuing_comes_to_the_same_bits(tmp_path: Path, stops: tuple[int, ...]) -> None:
    """Weights, optimizer and random state after 5 epochs at once, and in steps, each as a trial of its own."""
    at_once = train(tmp_path / "at_once", None, 5)
    previous = None
    for epochs in stops:
        train(tmp_path / str(epochs), previous, epochs)
        previous = tmp_path / str(epochs)
    continued = train(tmp_path / "continued", previous, 5)
    assert (at_once["info_dict"]["first_epoch"], continued["info_dict"]["first_epoch"]) == (0, stops[-1])
    assert continued["loss"] == at_once["loss"]
    assert bits(tmp_path / "continued") == bits(tmp_path / "at_once")
    assert bits(tmp_path / str(stops[-1])) != bits(tmp_path / "at_once")


@pytest.mark.usefixtures("one_thread")
def test_a_trial_that_was_cut_off_goes_on_from_its_own_checkpoint_to_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(tmp_path / "previous", None, 1)
    train(tmp_path / "whole", tmp_path / "previous", 5)
    epochs = 0

    def cut(*arguments: Any, **keywords: Any) -> None:
        nonlocal epochs
        if epochs == 2:
            raise KeyboardInterrupt
        epochs += 1
        train_one_epoch(*arguments, **keywords)

    train_one_epoch = digits.train_one_epoch
    monkeypatch.setattr(digits, "train_one_epoch", cut)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "cut", tmp_path / "previous", 5)
    monkeypatch.setattr(digits, "train_one_epoch", train_one_epoch)
    resumed = train(tmp_path / "cut", tmp_path / "previous", 5)
    assert resumed["info_dict"]["first_epoch"] == 3
    assert bits(tmp_path / "cut") == bits(tmp_path / "whole")


def train(folder: Path, previous: Path | None, epochs: int) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    torch.manual_seed(time.monotonic_ns())  # whatever the worker has drawn before
    return digits.run_pipeline(folder, previous, epochs=epochs, **CONFIG)


def bits(folder: Path) -> Any:
    """All that a checkpoint holds, to be compared."""
    return flat(neps.checkpoint.load(folder))


def flat(state: Any) -> Any:
    if isinstance(state, torch.Tensor):
        return state.dtype, tuple(state.shape), state.numpy().tobytes()
    if isinstance(state, dict):
        return {key: flat(value) for key, value in state.items()}
    return [flat(value) for value in state] if isinstance(state, list | tuple) else state
