"""The examples for Lightning and Transformers, in real processes that are killed and preempted in mid training."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import neps

REPOSITORY = Path(__file__).resolve().parents[2]
SECONDS = 400
EPOCHS = 5
WORKER = """
import hashlib, json, os, sys, tarfile, time, types
from pathlib import Path

import torch

import neps
from examples import {module} as example
from neps._ledger.identity import Identity
from neps._ledger.layout import Layout
from neps._ledger.records import End
from neps._ledger.trial_folder import TrialFolder

torch.set_num_threads(1)
CONFIG = {config}


class Striking(neps.Callback):
    def __init__(self, at, strike):
        self.at, self.strike = at, strike

    def on_report(self, trial, step, loss):
        if step == self.at:
            self.strike(trial)


def search(root, *callbacks, **more):
    space = {{name: neps.Constant(value) for name, value in CONFIG.items()}} | {{"epochs": neps.Constant({epochs})}}
    usual = {{"max_evaluations_total": 1, "progress": False, "post_run_summary": False}}
    run_pipeline = more.pop("run_pipeline", example.run_pipeline)
    return neps.run(run_pipeline, root, space, searcher="random_search", callbacks=callbacks, **(usual | more))

""".lstrip()
STRUCK = """
search("root", Striking(int(sys.argv[1]), lambda trial: os.kill(os.getpid(), int(sys.argv[2]))))
"""
RESUMED = """
def interrupt(trial):
    raise KeyboardInterrupt


def take_over(trial):
    folder, other = TrialFolder(Layout(trial.root), trial.number), Identity.mine()
    folder.end_attempt(1, End.DIED, other, "it seemed dead")
    folder.open_attempt(2, other, "died")


def bits(state):
    "All that a checkpoint holds of a model and what trains it, to be compared."
    if isinstance(state, torch.Tensor):
        return state.numpy().tobytes()
    if isinstance(state, dict):
        return repr([(key, bits(value)) for key, value in state.items()]).encode()
    return repr([bits(part) for part in state]).encode() if isinstance(state, list | tuple) else repr(state).encode()


def digest(folder):
    (path,) = [path for path in Path(folder).glob("*.*") if path.suffix in {".ckpt", ".tar"}]
    if path.suffix == ".ckpt":
        state = neps.checkpoint.load(folder, name=path.name)
        content = [state[name] for name in ("state_dict", "optimizer_states", "lr_schedulers")]
    else:
        with tarfile.open(path) as archive:
            opened = {name: archive.extractfile(name) for name in ("model.safetensors", "optimizer.pt", "scheduler.pt")}
            content = [opened.pop("model.safetensors").read(), *map(torch.load, opened.values())]
    return hashlib.sha256(bits(content)).hexdigest()


def train(folder, previous, epochs):
    os.makedirs(folder)
    torch.manual_seed(time.monotonic_ns())  # whatever the worker has drawn before
    return example.run_pipeline(Path(folder), previous and Path(previous), epochs=epochs, **CONFIG)


seen = {"resumed": search("root").trials[0].loss}
seen["at once"] = train("at_once", None, 5)
train("promoted_from", None, 2)
seen["promoted"] = train("promoted", "promoted_from", 5)
seen["digests"] = [digest(folder) for folder in ("root/config_1", "at_once", "promoted", "promoted_from")]
seen["again"] = example.run_pipeline(Path("at_once"), None, epochs=5, **CONFIG)
try:
    search("interrupted", Striking(2, lambda trial: os.kill(os.getpid(), 2)))
except KeyboardInterrupt:
    seen["interrupted"] = neps.load("interrupted").trials[0].status
search("taken_over", Striking(2, take_over), max_evaluations_per_run=1)
seen["ends"] = sorted(path.name for path in Path("taken_over/config_1").glob("*.end.yaml"))
try:
    example.NepsCallback("at_once").loss
except neps.errors.ArgumentError as error:
    seen["unknown"] = str(error)
try:
    exec(sys.argv[1])
except neps.errors.ArgumentError as error:
    seen["misnamed"] = str(error)


def two_folds(pipeline_directory, **config):
    example.run_pipeline(pipeline_directory, None, **config | {"epochs": 1})
    return example.run_pipeline(pipeline_directory, None, **config | {"epochs": 1})


try:
    search("folds", run_pipeline=two_folds)
except neps.errors.EvaluationError as error:
    seen["folds"] = str(error.__cause__)


def silent(pipeline_directory, **config):
    exec(sys.argv[2], globals() | {"pipeline_directory": pipeline_directory})
    return 0.5


seen["silent"] = search("silent", run_pipeline=silent).trials[0].learning_curve
seen["checkpoint"] = [path.name for path in Path("at_once").iterdir() if not path.name.startswith(".")]
print(json.dumps(seen))
"""


@dataclasses.dataclass(frozen=True)
class Example:
    """A framework's example, and what its trials are begun with."""

    module: str
    checkpoint: str
    config: dict[str, Any]
    signum: signal.Signals
    misnamed: str
    refusal: str
    silent: str

    def start(self, folder: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        worker = WORKER.format(module=self.module, config=self.config, epochs=EPOCHS)
        slurm = {"SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "search", "SLURM_NTASKS": "1", "SLURM_PROCID": "0"}
        slurm |= {"SLURM_LOCALID": "0", "SLURM_NODEID": "0", "SLURM_NODELIST": "localhost", "SLURM_NNODES": "1"}
        return subprocess.run(
            [sys.executable, "-c", worker + program, *arguments],
            cwd=folder,
            env=os.environ | slurm | {"PYTHONPATH": str(REPOSITORY), "NEPS_RUN_TOKEN": "test"},
            check=False,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )


EXAMPLES = [
    Example(
        "lightning_spirals",
        "lightning.ckpt",
        {"learning_rate": 0.01, "width": 16, "dropout": 0.3},
        signal.SIGUSR1,  # by which Lightning would have SLURM start the job again
        """
trainer = types.SimpleNamespace(sanity_checking=False, callback_metrics={"val_loss": 1.0}, is_global_zero=True)
callback = example.NepsCallback("at_once", monitor="accuracy")
callback.on_validation_end(trainer, None)
callback.on_train_epoch_end(trainer, None)
""",
        "monitor is 'accuracy', but the module has logged val_loss.",
        """
trainer = types.SimpleNamespace(callback_metrics={"val_loss": 1.0}, is_global_zero=True, current_epoch=0)
trainer.save_checkpoint = lambda path: None
trainer.strategy = types.SimpleNamespace(reduce_boolean_decision=lambda decision, all: decision)
callback = example.NepsCallback(pipeline_directory, report=False)
callback.on_train_epoch_end(trainer, None)
assert callback.loss == 1
""",
    ),
    Example(
        "transformers_sentences",
        "trainer.tar",
        {"learning_rate": 0.01, "weight_decay": 0.01, "dropout": 0.3, "heads": 2},
        signal.SIGTERM,
        """
callback = example.NepsCallback("at_once", metric="accuracy")
callback.on_evaluate(None, types.SimpleNamespace(), None, metrics={"eval_loss": 1.0})
""",
        "metric is 'eval_accuracy', but the evaluation has eval_loss.",
        """
state = types.SimpleNamespace(is_world_process_zero=True, epoch=1.0)
callback = example.NepsCallback(pipeline_directory, report=False)
callback.on_evaluate(None, state, None, metrics={"eval_loss": 1.0})
assert callback.loss == 1
""",
    ),
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.module)
def test_a_training_that_was_killed_and_preempted_comes_to_the_same_bits(example: Example, tmp_path: Path) -> None:
    """Killed in epoch 3, preempted in epoch 4, each after the report and before the checkpoint; promoted after 2."""
    killed = example.start(tmp_path, STRUCK, "3", str(int(signal.SIGKILL)))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    preempted = example.start(tmp_path, STRUCK, "4", str(int(example.signum)))
    assert preempted.returncode == -example.signum, preempted.stderr
    (trial,) = neps.load(tmp_path / "root").trials
    assert (trial.status, trial.attempts) == ("waiting", 2)
    last = example.start(tmp_path, RESUMED, example.misnamed, example.silent)
    assert last.returncode == 0, last.stderr
    seen = json.loads(last.stdout.splitlines()[-1])
    (trial,) = neps.load(tmp_path / "root").trials
    assert (trial.status, trial.attempts) == ("success", 3)
    assert [step for step, _ in trial.learning_curve] == [1, 2, 3, 4, 5]
    assert seen["resumed"] == seen["at once"] == seen["promoted"] == seen["again"] == trial.learning_curve[-1][1]
    resumed, at_once, promoted, promoted_from = seen["digests"]
    assert resumed == at_once == promoted != promoted_from
    assert seen["checkpoint"] == [example.checkpoint]
    assert seen["interrupted"] == "waiting"
    assert seen["ends"] == ["attempt_1.end.yaml"]
    reported = (tmp_path / "root" / "config_1" / "attempt_2.curve.jsonl").read_text().splitlines()
    assert [json.loads(line)[0] for line in reported if line] == [3, 4]
    last_reported = (tmp_path / "root" / "config_1" / "attempt_3.curve.jsonl").read_text().splitlines()
    assert [json.loads(line)[0] for line in last_reported if line] == [5], "the fourth epoch was saved after the signal"
    for attempt in (1, 2, 3):  # through neps.checkpoint
        assert (tmp_path / "root" / "config_1" / f"attempt_{attempt}.saved").exists()
    assert seen["misnamed"].startswith(example.refusal)
    assert f"keep their checkpoints in {example.checkpoint!r}, so" in seen["folds"]
    assert seen["silent"] == []
    assert "is known yet" in seen["unknown"]
    assert "scontrol" not in preempted.stderr
