"""Weights & Biases: each trial is a run, all trials of a search are a group."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from neps.callbacks._extras import LOSS, final_metrics, require
from neps.callbacks._protocol import Callback, Ending, RunningTrial, TrialEnd
from neps.errors import ArgumentError

__all__ = ["WeightsAndBiases"]

_EXTRA, _NAME, _STEP = "wandb", "neps.callbacks.WeightsAndBiases", "step"
_OURS = {"project", "id", "resume", "name", "group", "config"}


class WeightsAndBiases(Callback):
    """Logs each trial as a run of Weights & Biases: its configuration, its curve over `step`, and its final metrics.

    The run's id comes from the search's and the trial's number, so a later attempt resumes it. Where the worker is
    preempted, the run is marked so. While run_pipeline runs, it is `wandb.run`: `wandb.log` adds to it.

    Offline (`mode="offline"` or WANDB_MODE) each attempt has a folder of its own with the same id, for `wandb sync`. A
    worker that is killed leaves nothing in its own; the next attempt then writes all that was reported so far.

    Args:
        project: the project.
        group: the group of all trials; None: the root directory's name and the first digits of the run's identifier.
        **settings: other arguments of `wandb.init`, such as `mode`, `dir`, `entity`, `tags`.

    Raises:
        neps.errors.NepsError: if wandb isn't installed: `pip install 'neps[wandb]'`.
        neps.errors.ArgumentError: if `settings` has what is set here.
    """

    def __init__(self, project: str = "neps", group: str | None = None, **settings: Any) -> None:
        if taken := sorted(_OURS & set(settings)):
            message = f"{_NAME} got {', '.join(taken)}, which it sets itself for each trial. Leave it out."
            raise ArgumentError(message)
        self._wandb = require("wandb", extra=_EXTRA, what=_NAME)
        self._project, self._group, self._settings = project, group, settings
        self._runs: dict[str, tuple[Any, float]] = {}

    def on_trial_start(self, trial: RunningTrial) -> None:
        """Begin the run, or go on with it, and log what it lacks of what earlier attempts have reported."""
        run = self._wandb.init(
            project=self._project,
            id=trial.id,
            resume="allow",
            name=f"config_{trial.number}",
            group=self._group or f"{trial.root.name}-{trial.run[:8]}",
            config=dict(trial.config),
            **self._settings,
        )
        self._runs[trial.id] = run, _known(run, trial)
        run.define_metric(_STEP)
        run.define_metric(LOSS, step_metric=_STEP)
        for step, loss in sorted(trial.reported.items()):
            self.on_report(trial, step, loss)

    def on_report(self, trial: RunningTrial, step: float, loss: float) -> None:
        """Log the loss, unless an earlier attempt has."""
        run, known = self._runs.get(trial.id, (None, 0.0))
        if run is not None and step > known:
            run.log({_STEP: step, LOSS: loss})

    def on_trial_end(self, trial: RunningTrial, end: TrialEnd) -> None:
        """Finish the run: as finished, as failed, or as preempted."""
        run, _ = self._runs.pop(trial.id, (None, 0.0))
        if run is None:
            return
        run.summary.update(final_metrics(end))
        if not end.final and end.status is not Ending.PENDING:
            run.mark_preempting()
        logged = run.summary.get(_STEP)
        run.finish(exit_code=0 if end.status in {Ending.SUCCESS, Ending.PENDING} else 1)
        if logged is not None and end.status is not Ending.DROPPED:
            _mark(trial).write_text(f"{float(logged)!r}\n")


def _known(run: Any, trial: RunningTrial) -> float:
    """The last step that the run has: as the server says, or as noted by the last attempt that ended politely."""
    steps = [-1.0]
    with contextlib.suppress(TypeError, ValueError):
        steps.append(float(run.summary.get(_STEP)))
    with contextlib.suppress(OSError, ValueError):
        steps.append(float(_mark(trial).read_text()))
    return max(steps)


def _mark(trial: RunningTrial) -> Path:
    return trial.directory / "wandb_step.txt"
