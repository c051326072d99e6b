"""TensorBoard: each trial is a run with its curve, its hyperparameters and its final metrics. Imports no PyTorch."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from neps.callbacks._extras import LOSS, final_metrics, require
from neps.callbacks._protocol import Callback, Ending, RunningTrial, TrialEnd

__all__ = ["TensorBoard"]

_EXTRA, _NAME = "tensorboard", "neps.callbacks.TensorBoard"
_STATUS = {Ending.SUCCESS: "STATUS_SUCCESS", Ending.FAILED: "STATUS_FAILURE"}


class TensorBoard(Callback):
    """Writes for TensorBoard: `tensorboard --logdir ROOT` then shows every trial, its curve, and a table of all.

    A trial's files lie in `ROOT/config_N/tensorboard`, and move with the run. A later attempt at a trial replaces what
    an earlier one has written by all that was reported so far. Steps are whole numbers there; others are cut.

    Args:
        log_dir: another folder, in which each trial gets one of its own, `RUN-NUMBER`. None: in the trial's folder.

    Raises:
        neps.errors.NepsError: if tensorboard isn't installed: `pip install 'neps[tensorboard]'`.

    Example:
        >>> import neps, tempfile
        >>> root, space = tempfile.mkdtemp(), {"x": neps.Float(0, 1)}
        >>> _ = neps.run(lambda x: x, root, space, max_evaluations_total=1, callbacks=[neps.callbacks.TensorBoard()])
        >>> [path.parent.name for path in Path(root).glob("config_1/*/events.out.tfevents.*")]
        ['tensorboard']
    """

    def __init__(self, log_dir: str | os.PathLike[str] | None = None) -> None:
        self._log_dir = None if log_dir is None else Path(log_dir).expanduser().absolute()
        self._boards: dict[str, _Board] = {}
        _require("summary.writer.event_file_writer")

    def on_trial_start(self, trial: RunningTrial) -> None:
        """Open a file, and write the configuration and what earlier attempts have reported."""
        folder = trial.directory / "tensorboard" if self._log_dir is None else self._log_dir / trial.id
        board = self._boards[trial.id] = _Board(folder, anew=trial.resumed)
        board.begin(trial)
        for step, loss in sorted(trial.reported.items()):
            board.scalar(LOSS, loss, step)
        board.flush()

    def on_report(self, trial: RunningTrial, step: float, loss: float) -> None:
        """Write the loss, so that a death costs nothing."""
        if (board := self._boards.get(trial.id)) is not None:
            board.scalar(LOSS, loss, step)
            board.flush()

    def on_trial_end(self, trial: RunningTrial, end: TrialEnd) -> None:
        """Write final metrics where the trial has ended, and close the file."""
        if (board := self._boards.pop(trial.id, None)) is None:
            return
        last = trial.fidelity or max((step for step, _ in end.learning_curve), default=0)
        for name, value in final_metrics(end).items():
            board.scalar(name, value, last)
        board.end(end.status)


class _Board:
    """One event file. What `torch.utils.tensorboard` would do, without importing PyTorch."""

    def __init__(self, folder: Path, *, anew: bool) -> None:
        self._events = _require("compat.proto.event_pb2")
        self._summaries = _require("compat.proto.summary_pb2")
        self._writer = _require("summary.writer.event_file_writer").EventFileWriter(str(folder))
        if anew:  # TensorBoard drops what earlier files say of steps from here on
            start = self._events.SessionLog(status=self._events.SessionLog.START)
            self._add(session_log=start)

    def begin(self, trial: RunningTrial) -> None:
        values = {name: _plain(value) for name, value in trial.config.items()}
        name = f"config_{trial.number} ({trial.run})"  # the table shows the beginning
        hparams = _require("plugins.hparams.summary_v2").hparams_pb(values, trial_id=name)
        self._add(summary=self._summaries.Summary.FromString(hparams.SerializeToString()))

    def scalar(self, name: str, value: float, step: float) -> None:
        scalar = self._summaries.Summary.Value(tag=name, simple_value=value)
        self._add(step, summary=self._summaries.Summary(value=[scalar]))

    def flush(self) -> None:
        self._writer.flush()

    def end(self, status: Ending) -> None:
        """Say how it ended, as the hparams plugin understands it: what was interrupted still runs, for all it knows."""
        if status in _STATUS:
            plugin = _require("plugins.hparams.plugin_data_pb2")
            metadata = _require("plugins.hparams.metadata")
            known = _require("plugins.hparams.api_pb2").Status.Value(_STATUS[status])
            info = plugin.SessionEndInfo(status=known, end_time_secs=time.time())
            value = self._summaries.Summary.Value(
                tag=metadata.SESSION_END_INFO_TAG,
                metadata=metadata.create_summary_metadata(plugin.HParamsPluginData(session_end_info=info)),
                tensor=metadata.NULL_TENSOR,
            )
            self._add(summary=self._summaries.Summary(value=[value]))
        self._writer.close()

    def _add(self, step: float = 0, **content: Any) -> None:
        self._writer.add_event(self._events.Event(wall_time=time.time(), step=int(step), **content))


def _plain(value: Any) -> bool | float | str:
    return value if isinstance(value, bool | int | float | str) else str(value)


def _require(module: str) -> Any:
    return require(f"tensorboard.{module}", extra=_EXTRA, what=_NAME)
