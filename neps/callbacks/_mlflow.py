"""MLflow: each trial is a run, found again by its tags."""

from __future__ import annotations

import dataclasses
from typing import Any

from neps.callbacks._extras import LOSS, final_metrics, require
from neps.callbacks._protocol import Callback, Ending, RunningTrial, TrialEnd

__all__ = ["MLflow"]

_EXTRA, _NAME = "mlflow", "neps.callbacks.MLflow"
_RUN, _TRIAL = "neps.run", "neps.trial"
_STATUS = {Ending.SUCCESS: "FINISHED", Ending.FAILED: "FAILED", Ending.DROPPED: "RUNNING", Ending.PENDING: "RUNNING"}


@dataclasses.dataclass(slots=True)
class _Run:
    """A run that is logged to; `known` are the steps that earlier attempts have logged."""

    client: Any
    id: str
    known: frozenset[int] = frozenset()

    def log(self, step: float, loss: float) -> None:
        if int(step) not in self.known:
            self.client.log_metric(self.id, LOSS, loss, step=int(step))


class MLflow(Callback):
    """Logs each trial as a run of MLflow: its configuration, its curve, and its final metrics.

    The run has the tags `neps.run` and `neps.trial`; a later attempt finds it by these and goes on with it, each step
    once. Where the worker is preempted its status is KILLED until then. While run_pipeline runs it is the active run:
    `mlflow.log_metric` adds to it. Steps are whole numbers there; others are cut.

    Args:
        experiment: the experiment's name; made if absent.
        tracking_uri: where to; None: as MLflow decides (`mlflow.set_tracking_uri`, MLFLOW_TRACKING_URI, or its own
            default). `file:…` needs MLFLOW_ALLOW_FILE_STORE=true in the environment of MLflow 3.

    Raises:
        neps.errors.NepsError: if mlflow isn't installed: `pip install 'neps[mlflow]'`.
    """

    def __init__(self, experiment: str = "neps", tracking_uri: str | None = None) -> None:
        self._mlflow = require("mlflow", extra=_EXTRA, what=_NAME)
        self._name = experiment
        if tracking_uri is not None:
            self._mlflow.set_tracking_uri(tracking_uri)
        self._runs: dict[str, _Run] = {}

    def on_trial_start(self, trial: RunningTrial) -> None:
        """Begin the run, or go on with it, and log what it lacks of what earlier attempts have reported."""
        client = self._mlflow.MlflowClient()
        run_id = self._run(client, trial)
        self._mlflow.start_run(run_id=run_id, nested=True)  # there may be one around neps.run
        run = self._runs[trial.id] = _Run(client, run_id)
        for name, value in trial.config.items():
            client.log_param(run_id, name, value)
        if trial.resumed:
            run.known = frozenset(metric.step for metric in client.get_metric_history(run_id, LOSS))
        for step, loss in sorted(trial.reported.items()):
            run.log(step, loss)

    def on_report(self, trial: RunningTrial, step: float, loss: float) -> None:
        """Log the loss, unless an earlier attempt has."""
        if (run := self._runs.get(trial.id)) is not None:
            run.log(step, loss)

    def on_trial_end(self, trial: RunningTrial, end: TrialEnd) -> None:
        """End the run: FINISHED, FAILED or KILLED; where another worker goes on with it, it stays RUNNING."""
        if (run := self._runs.pop(trial.id, None)) is None:
            return
        try:
            for name, value in final_metrics(end).items():
                run.client.log_metric(run.id, name, value)
        finally:
            self._end(run, _STATUS.get(end.status, "KILLED"))

    def _end(self, run: _Run, status: str) -> None:
        """Also where the server is gone: the next trial's run must not count as part of this one."""
        active = self._mlflow.active_run()
        if active is not None and active.info.run_id == run.id:
            self._mlflow.end_run(status)
        else:
            run.client.set_terminated(run.id, status)

    def _run(self, client: Any, trial: RunningTrial) -> str:
        """The run's id. A search takes longer the more runs there are, so only where there may be one."""
        experiment, tags = self._experiment(client), {_RUN: trial.run, _TRIAL: str(trial.number)}
        if trial.resumed:
            wanted = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
            for run in client.search_runs([experiment], wanted, max_results=1):
                return str(run.info.run_id)
        return str(client.create_run(experiment, tags=tags, run_name=f"config_{trial.number}").info.run_id)

    def _experiment(self, client: Any) -> str:
        """Its id. Several workers may make it at once; then all take the oldest."""
        if not (found := self._experiments(client)):
            try:
                client.create_experiment(self._name)
            except self._mlflow.MlflowException:
                if not self._experiments(client):
                    raise
            found = self._experiments(client)
        return str(min(found, key=lambda each: (each.creation_time or 0, each.experiment_id)).experiment_id)

    def _experiments(self, client: Any) -> list[Any]:
        if "'" in self._name:  # which no filter can hold
            return [each for each in client.search_experiments() if each.name == self._name]
        return list(client.search_experiments(filter_string=f"name = '{self._name}'"))
