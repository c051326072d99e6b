"""Hugging Face Transformers: a callback of `Trainer` that reports evaluations, and keeps checkpoints through neps.

The trainer writes a checkpoint as a folder. That becomes one file, which neps replaces as a whole, and a folder again
where a later attempt, or a trial that continues this one, needs it.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path
from typing import IO, Any

from neps import checkpoint
from neps._children import current_trial, report
from neps.callbacks._extras import require
from neps.checkpoint._files import RANK, of_rank
from neps.errors import ArgumentError
from neps.integrations._own_file import OwnFile

require("transformers", extra="transformers", what="neps.integrations.transformers")

import torch  # noqa: E402
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments  # noqa: E402
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR  # noqa: E402

__all__ = ["NepsCallback"]

Directory = str | os.PathLike[str]
_RESUMED = f"{PREFIX_CHECKPOINT_DIR}-0"
"""Where a checkpoint is unpacked: older than all that the trainer writes, so `save_total_limit` removes it first."""


class NepsCallback(TrainerCallback):
    """Reports `metric` at each evaluation, and keeps each checkpoint of the trainer in the trial's folder.

    Pass it to the trainer, and `resume_from_checkpoint` to `train`, which then goes on from where the trial, or the one
    which it continues, has stopped: with the model, optimizer, scheduler, and random states. Have the trainer evaluate
    and save at the same time, such as after each epoch. After a checkpoint, it stops the training if
    `neps.current_trial().should_stop()` says so.

    Args:
        pipeline_directory: as run_pipeline gets it.
        previous_pipeline_directory: the same.
        metric: which metric of the evaluation to report; less is better.
        name: the checkpoint's file name. Several trainers in one trial, such as folds, need one each.
        report: whether to report; with several trainers call neps.report yourself, such as with the mean of the folds.

    Example:
        def run_pipeline(pipeline_directory, previous_pipeline_directory, learning_rate, epochs):
            resuming = NepsCallback(pipeline_directory, previous_pipeline_directory)
            arguments = TrainingArguments(
                output_dir=pipeline_directory / "trainer",
                learning_rate=learning_rate,
                num_train_epochs=epochs,
                eval_strategy="epoch",
                save_strategy="epoch",
                save_total_limit=1,
                report_to="none",
            )
            trainer = Trainer(model, arguments, train_dataset=…, eval_dataset=…, callbacks=[resuming])
            trainer.train(resume_from_checkpoint=resuming.resume_from_checkpoint(arguments.output_dir))
            return resuming.loss
    """

    def __init__(
        self,
        pipeline_directory: Directory,
        previous_pipeline_directory: Directory | None = None,
        *,
        metric: str = "eval_loss",
        name: str = "trainer.tar",
        report: bool = True,
    ) -> None:
        self._folder, self._previous = Path(pipeline_directory), previous_pipeline_directory
        self._metric = metric if metric.startswith("eval_") else f"eval_{metric}"
        self._name, self._reports = name, report
        self._own_file = OwnFile(pipeline_directory, name)
        self._loss: float | None = None

    def resume_from_checkpoint(self, output_dir: Directory) -> str | None:
        """What `Trainer.train` goes on from: a folder in `output_dir`, with the checkpoint; None: there is none.

        Raises:
            neps.errors.ArgumentError: if another callback of this attempt has trained with the same file.
        """
        self._own_file.take()
        folder = Path(output_dir, *([f"rank-{rank}"] if (rank := of_rank(RANK)) != "0" else []), _RESUMED)
        shutil.rmtree(folder, ignore_errors=True)

        def unpack(file: IO[bytes]) -> str:
            with tarfile.open(fileobj=file, mode="r:") as archive:
                archive.extractall(folder, filter="data")
            return str(folder)

        unpacked: str | None = checkpoint.load(self._folder, self._previous, self._name, read=unpack)
        return unpacked

    @property
    def loss(self) -> float:
        """The metric at the last evaluation, also where an earlier attempt has made that.

        Raises:
            neps.errors.ArgumentError: if there was none.
        """
        if self._loss is None:
            message = (
                f"no {self._metric!r} is known yet: the trainer has to evaluate first. Pass eval_dataset to it, and "
                'eval_strategy="epoch" to TrainingArguments.'
            )
            raise ArgumentError(message)
        return self._loss

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **_: Any,
    ) -> None:
        """Take the last evaluation from a checkpoint that is gone on from.

        Raises:
            neps.errors.ArgumentError: as resume_from_checkpoint, which may not have been called.
        """
        self._own_file.take()
        for entry in state.log_history:
            self._loss = entry.get(self._metric, self._loss)

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **more: Any,
    ) -> None:
        """Report first: what a checkpoint has seen is never reported again."""
        metrics: dict[str, Any] = more["metrics"]
        if self._metric not in metrics:
            message = (
                f"metric is {self._metric!r}, but the evaluation has {', '.join(sorted(metrics))}. Pass one of these, "
                "or have compute_metrics return it."
            )
            raise ArgumentError(message)
        self._loss = float(metrics[self._metric])
        if self._reports and state.is_world_process_zero:
            report(state.epoch or 0.0, self._loss)

    def on_save(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **_: Any,
    ) -> None:
        """Keep the folder that the trainer has just written, as one file, and stop where it is time to."""
        if state.is_world_process_zero:
            written = Path(args.output_dir or ".", f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}")
            checkpoint.save(self._folder, written, self._name, write=_pack)
        if _on_all_ranks(args, stop=current_trial().should_stop()):
            control.should_training_stop = True


def _on_all_ranks(args: TrainingArguments, *, stop: bool) -> bool:
    """What the first rank says: one that went on alone would wait for the others for ever."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return stop
    said = torch.tensor(int(stop), device=args.device)
    torch.distributed.broadcast(said, 0)
    return bool(said.item())


def _pack(folder: Path, file: IO[bytes]) -> None:
    with tarfile.open(fileobj=file, mode="w|") as archive:
        for path in sorted(folder.iterdir()):
            archive.add(path, path.name)
