"""The ready callbacks, with the real trackers, offline: one run a trial, also where its worker is killed midway."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlflow
import pytest
import wandb

import neps
from neps.callbacks import Ending, MLflow, RunningTrial, TensorBoard, TrialEnd, WeightsAndBiases
from neps.errors import ArgumentError, NepsError

SECONDS = 240
WORKER = """
import os, sys, mlflow, neps, wandb

def run_pipeline(pipeline_directory, rate, kind):
    state = neps.checkpoint.load(pipeline_directory, default={"epoch": 0})
    for epoch in range(state["epoch"] + 1, 6):
        neps.report(epoch, rate / epoch)
        if epoch == 3 and len(sys.argv) > 1:
            os.kill(os.getpid(), int(sys.argv[1]))
        neps.checkpoint.save(pipeline_directory, {"epoch": epoch})
    mlflow.log_metric("mine", 7)
    wandb.log({"mine": 7})
    return {"loss": rate / 10, "cost": 2, "accuracy": 0.75}

neps.run(
    run_pipeline,
    "root",
    {"rate": neps.Constant(0.5), "kind": neps.Categorical([None, True])},
    searcher="random_search",
    max_evaluations_total=2,
    seed=1,
    callbacks=[
        neps.callbacks.TensorBoard(),
        neps.callbacks.WeightsAndBiases(mode="offline"),
        neps.callbacks.MLflow(tracking_uri="file:mlruns"),
    ],
)
"""
STEPS = [1, 2, 3, 4, 5]
OFFLINE = {"MLFLOW_ALLOW_FILE_STORE": "true", "WANDB_SILENT": "true", "WANDB_MODE": "offline"}


@pytest.fixture(scope="module", params=[signal.SIGKILL, signal.SIGTERM], ids=["killed", "preempted"])
def searched(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a worker has ended in epoch 3 of trial 1, before its checkpoint, and another one has gone on to the end."""
    folder = tmp_path_factory.mktemp("searched")
    for arguments, status in (([str(int(request.param))], -request.param), ([], 0)):
        ended = subprocess.run(
            [sys.executable, "-c", WORKER, *arguments],
            cwd=folder,
            env=os.environ | OFFLINE,
            check=False,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert ended.returncode == status, ended.stderr
        assert "of the callback" not in ended.stderr
    trials = neps.load(folder / "root").trials
    assert [(trial.status, trial.attempts) for trial in trials] == [("success", 2), ("success", 1)]
    return folder


def test_tensorboard(searched: Path) -> None:
    program = """
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata
board = EventAccumulator(sys.argv[1])
board.Reload()
plugin = {name: board.summary_metadata[name].plugin_data.content for name in board.summary_metadata}
start = metadata.parse_session_start_info_plugin_data(plugin[metadata.SESSION_START_INFO_TAG])
end = metadata.parse_session_end_info_plugin_data(plugin[metadata.SESSION_END_INFO_TAG])
tags = {tag: [(event.step, event.value) for event in board.Scalars(tag)] for tag in board.Tags()["scalars"]}
print(json.dumps([tags, start.hparams["rate"].number_value, start.group_name, end.status]))
"""
    for number in (1, 2):
        folder = searched / "root" / f"config_{number}" / "tensorboard"
        command = [sys.executable, "-c", program, str(folder)]
        shown = subprocess.run(command, check=True, capture_output=True, text=True, timeout=SECONDS).stdout
        tags, rate, group, status = json_of(shown)
        assert tags["loss"] == [[step, pytest.approx(0.5 / step)] for step in STEPS]
        assert tags["final_loss"] == [[5, pytest.approx(0.05)]]
        assert tags["cost"] == [[5, 2]]
        assert tags["info/accuracy"] == [[5, 0.75]]
        assert (rate, group, status) == (0.5, f"config_{number} ({run_of(searched)})", 1)


def test_weights_and_biases(searched: Path) -> None:
    """A worker that is killed leaves nothing in its own folder; one that is preempted leaves it for `wandb sync`."""
    files = sorted((searched / "wandb").glob("offline-run-*/run-*.wandb"))
    assert [file.stem for file in files] == [f"run-{run_of(searched)}-{number}" for number in (1, 1, 2)]
    attempts = [WandbFile(file) for file in files]
    first = attempts[0].steps
    assert first in ([], [1, 2, 3])
    assert attempts[0].preempted == bool(first)
    assert first + attempts[1].steps == STEPS
    assert attempts[2].steps == STEPS
    for attempt, number in zip(attempts[1:], (1, 2), strict=True):
        assert (attempt.name, attempt.group) == (f"config_{number}", f"root-{run_of(searched)[:8]}")
        assert (attempt.exit_code, attempt.preempted) == (0, False)
        assert (float(attempt.summary["final_loss"]), float(attempt.summary["mine"])) == (0.05, 7)


def test_mlflow(searched: Path) -> None:
    program = """
import json, mlflow
client = mlflow.MlflowClient("file:mlruns")
(experiment,) = client.search_experiments(filter_string="name = 'neps'")
runs = client.search_runs([experiment.experiment_id])
print(json.dumps([[
    run.info.run_name, run.info.status, run.data.params, run.data.metrics, run.data.tags,
    [(metric.step, metric.value) for metric in client.get_metric_history(run.info.run_id, "loss")]
] for run in sorted(runs, key=lambda run: run.info.run_name)]))
"""
    command = [sys.executable, "-c", program]
    environment = os.environ | OFFLINE
    shown = subprocess.run(command, cwd=searched, env=environment, check=True, capture_output=True, text=True).stdout
    runs = json_of(shown)
    assert [name for name, *_ in runs] == ["config_1", "config_2"]
    for number, (_, status, parameters, metrics, tags, curve) in enumerate(runs, 1):
        assert status == "FINISHED"
        assert parameters["rate"] == "0.5"
        assert (metrics["final_loss"], metrics["cost"], metrics["info/accuracy"], metrics["mine"]) == (0.05, 2, 0.75, 7)
        assert (tags["neps.run"], tags["neps.trial"]) == (run_of(searched), str(number))
        assert curve == [[step, 0.5 / step] for step in STEPS]


def json_of(shown: str) -> Any:
    return json.loads(shown.splitlines()[-1])


def run_of(folder: Path) -> str:
    return next(line for line in (folder / "root" / "neps.yaml").read_text().splitlines() if line.startswith("run: "))[
        5:
    ]


class WandbFile:
    """What an attempt has left offline: a log in blocks of 32 KiB, as LevelDB's, of protocol buffers."""

    def __init__(self, path: Path) -> None:
        records: Any = importlib.import_module("wandb.proto.wandb_internal_pb2")
        self.steps: list[float] = []
        self.summary: dict[str, str] = {}
        self.name = self.group = ""
        self.preempted, self.exit_code = False, None
        for content in self._records(path.read_bytes()):
            record = records.Record()
            record.ParseFromString(content)
            match record.WhichOneof("record_type"):
                case "run":
                    self.name, self.group = record.run.display_name, record.run.run_group
                case "history":
                    values = {item.key or item.nested_key[0]: item.value_json for item in record.history.item}
                    self.steps += [float(values["step"])] if "step" in values else []
                case "summary":
                    self.summary |= {item.key or item.nested_key[0]: item.value_json for item in record.summary.update}
                case "preempting":
                    self.preempted = True
                case "exit":
                    self.exit_code = record.exit.exit_code

    @staticmethod
    def _records(content: bytes) -> Iterator[bytes]:
        at, whole = 7, b""
        while at + 7 <= len(content):
            if (left := 32768 - at % 32768) < 7:
                at += left
                continue
            _, size, kind = struct.unpack("<IHB", content[at : at + 7])
            whole += content[at + 7 : at + 7 + size]
            at += 7 + size
            if kind in {1, 4}:  # whole, or the last part
                yield whole
                whole = b""


class TestOnline:
    """What the server knows of an earlier attempt isn't logged again."""

    def test_a_resumed_run_gets_what_it_lacks(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        logged: list[float] = []
        run = SimpleNamespace(
            summary={"step": 2.0},
            define_metric=lambda *_, **__: None,
            log=lambda values: logged.append(values["step"]),
            finish=lambda exit_code: logged.append(exit_code),  # noqa: PLW0108 - called by keyword
        )
        begun: dict[str, Any] = {}

        def init(**settings: Any) -> Any:
            begun.update(settings)
            return run

        monkeypatch.setattr(wandb, "init", init)
        callback = WeightsAndBiases("project", tags=["a"])
        trial = RunningTrial(
            run="4f2a", root=tmp_path, number=3, attempt=2, config={"x": 1}, directory=tmp_path, reported={1: 5, 3: 4}
        )
        callback.on_trial_start(trial)
        callback.on_report(trial, 2, 3)
        callback.on_report(trial, 4, 3)
        callback.on_trial_end(trial, TrialEnd(status=Ending.SUCCESS, loss=0.5))
        assert logged == [3, 4, 0]
        assert (begun["id"], begun["resume"], begun["tags"], begun["config"]) == ("4f2a-3", "allow", ["a"], {"x": 1})

    def test_a_pending_trial_is_no_preempted_one(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        finished: list[int] = []
        run = SimpleNamespace(  # it can't be marked as preempted
            summary={},
            define_metric=lambda *_, **__: None,
            finish=lambda exit_code: finished.append(exit_code),  # noqa: PLW0108 - called by keyword
        )
        monkeypatch.setattr(wandb, "init", lambda **_: run)
        callback = WeightsAndBiases()
        trial = RunningTrial(run="4f2a", root=tmp_path, number=1, attempt=1, config={}, directory=tmp_path)
        callback.on_trial_start(trial)
        callback.on_trial_end(trial, TrialEnd(status=Ending.PENDING))
        assert finished == [0]

    def test_what_is_set_for_each_trial_is_refused(self) -> None:
        with pytest.raises(ArgumentError, match=r"WeightsAndBiases got id, name, which it sets itself"):
            WeightsAndBiases(name="a", id="b")


@pytest.mark.parametrize(
    ("callback", "package", "extra"),
    [(TensorBoard, "tensorboard", "tensorboard"), (WeightsAndBiases, "wandb", "wandb"), (MLflow, "mlflow", "mlflow")],
)
def test_a_missing_extra_is_said_at_once(
    callback: type[neps.Callback], package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith(f"{package}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    message = f"needs the package '{package}', which isn't installed. Install it: pip install 'neps[{extra}]'"
    with pytest.raises(NepsError, match=rf"^neps\.callbacks\.{callback.__name__} {re.escape(message)}$"):
        callback()


def test_a_tracker_that_could_not_begin_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def init(**_: Any) -> None:
        raise RuntimeError("no such project")

    monkeypatch.setattr(wandb, "init", init)
    history = neps.run(
        lambda x: neps.report(1, x) or x,  # type: ignore[func-returns-value]
        tmp_path,
        {"x": neps.Float(0, 1)},
        searcher="random_search",
        max_evaluations_total=1,
        callbacks=[WeightsAndBiases()],
    )
    assert history.trials[0].succeeded


def test_a_run_of_mlflow_is_active_no_longer_than_its_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its server goes away meanwhile, too."""

    def gone(*_: Any, **__: Any) -> None:
        raise mlflow.MlflowException("connection refused")

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    before = mlflow.get_tracking_uri()
    callback = MLflow(tracking_uri=f"file:{tmp_path}/mlruns")
    try:
        trial = RunningTrial(run="4f2a", root=tmp_path, number=1, attempt=1, config={}, directory=tmp_path)
        callback.on_trial_start(trial)
        assert mlflow.active_run() is not None
        monkeypatch.setattr(mlflow.MlflowClient, "log_metric", gone)
        with pytest.raises(mlflow.MlflowException, match="connection refused"):
            callback.on_trial_end(trial, TrialEnd(status=Ending.SUCCESS, loss=0.5))
        assert mlflow.active_run() is None
    finally:
        mlflow.end_run()
        mlflow.set_tracking_uri(before)


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")  # of what MLflow does
def test_an_experiment_of_mlflow_may_have_an_apostrophe(tmp_path: Path) -> None:
    """In a database: the file store of MLflow itself makes none of such a name."""
    name, before = 'it\'s "mine"', mlflow.get_tracking_uri()
    try:
        for number in (1, 2):  # makes it, and finds it
            callback = MLflow(name, tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")
            trial = RunningTrial(run="4f2a", root=tmp_path, number=number, attempt=1, config={}, directory=tmp_path)
            callback.on_trial_start(trial)
            callback.on_trial_end(trial, TrialEnd(status=Ending.SUCCESS, loss=0.5))
        (experiment,) = [each for each in mlflow.MlflowClient().search_experiments() if each.name == name]
        assert len(mlflow.MlflowClient().search_runs([experiment.experiment_id])) == 2
    finally:
        mlflow.set_tracking_uri(before)


def test_a_pending_trial_goes_on_running_in_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    before = mlflow.get_tracking_uri()
    callback = MLflow(tracking_uri=f"file:{tmp_path}/mlruns")
    try:
        trial = RunningTrial(run="4f2a", root=tmp_path, number=1, attempt=1, config={}, directory=tmp_path)
        callback.on_trial_start(trial)
        run = mlflow.active_run()
        assert run is not None
        callback.on_trial_end(trial, TrialEnd(status=Ending.PENDING))
        assert mlflow.active_run() is None
        assert mlflow.get_run(run.info.run_id).info.status == "RUNNING"
    finally:
        mlflow.end_run()
        mlflow.set_tracking_uri(before)
