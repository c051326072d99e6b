"""PyTorch Lightning: a callback that reports each epoch, and saves the trainer's state through `neps.checkpoint`.

Lightning decides what is in a checkpoint, and restores it; neps, how it is replaced, by whom, and which one is found.
"""

from __future__ import annotations

import dataclasses
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from neps import checkpoint
from neps._children import current_trial, report
from neps.callbacks._extras import require
from neps.errors import ArgumentError
from neps.integrations._own_file import OwnFile

require("lightning.pytorch", extra="lightning", what="neps.integrations.lightning")

import torch  # noqa: E402
from lightning.fabric.plugins import CheckpointIO  # noqa: E402
from lightning.pytorch import Callback, LightningModule, Trainer  # noqa: E402

__all__ = ["NepsCallback"]

Directory = str | os.PathLike[str]


class NepsCallback(Callback):
    """Reports `monitor` to neps after each epoch, then saves a checkpoint in the trial's folder.

    Then it stops the training if `neps.current_trial().should_stop()` says so: no epoch is lost to a signal that comes
    early enough. Lightning honours that from its `min_epochs` on.

    Pass it to the trainer, and `ckpt_path` to `fit`, which then goes on from where the trial, or the one which it
    continues, has stopped: with the model, the optimizers, schedulers, loops, and random states of the main process.

    Args:
        pipeline_directory: as run_pipeline gets it.
        previous_pipeline_directory: the same.
        monitor: the metric to report, as the module logs it; less is better.
        name: the checkpoint's file name. Several trainers in one trial, such as folds, need one each.
        report: whether to report; with several trainers call neps.report yourself, such as with the mean of the folds.

    Example:
        def run_pipeline(pipeline_directory, previous_pipeline_directory, learning_rate, epochs):
            lightning.seed_everything(0)
            resuming = NepsCallback(pipeline_directory, previous_pipeline_directory, monitor="val_loss")
            trainer = lightning.Trainer(
                max_epochs=epochs, callbacks=[resuming], logger=False, enable_checkpointing=False
            )
            trainer.fit(Module(learning_rate), data, ckpt_path=resuming.ckpt_path)
            return resuming.loss
    """

    def __init__(
        self,
        pipeline_directory: Directory,
        previous_pipeline_directory: Directory | None = None,
        *,
        monitor: str = "val_loss",
        name: str = "lightning.ckpt",
        report: bool = True,
    ) -> None:
        self._files = _Files(Path(pipeline_directory), previous_pipeline_directory, name)
        self._own_file = OwnFile(pipeline_directory, name)
        self._reports = report
        self._monitor = monitor
        self._validated = False
        self._random: dict[str, Any] | None = None
        self._loss: float | None = None

    @property
    def ckpt_path(self) -> str | None:
        """What `Trainer.fit` goes on from: the checkpoint of the trial, or else of the one it continues, or None."""
        return next((str(path) for path in self._files.paths if path.exists()), None)

    @property
    def loss(self) -> float:
        """The metric after the last epoch, also where that was trained by an earlier attempt.

        Raises:
            neps.errors.ArgumentError: if no epoch was trained.
        """
        if self._loss is None:
            message = f"no {self._monitor!r} is known yet: Trainer.fit has to train an epoch first."
            raise ArgumentError(message)
        return self._loss

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Have the trainer write and read this checkpoint through neps.

        Raises:
            neps.errors.ArgumentError: if another callback of this attempt has trained with the same file.
        """
        if stage == "fit":
            self._own_file.take()
        if not isinstance(trainer.strategy.checkpoint_io, _ThroughNeps):
            trainer.strategy.checkpoint_io = _ThroughNeps(trainer.strategy.checkpoint_io, self._files)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Validation metrics are known from here on."""
        self._validated = not trainer.sanity_checking

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Go on with the random numbers that the checkpoint's next epoch would have drawn.

        The first epoch of a fit draws the order of its data before `on_train_start`, unlike all others.
        """
        if self._random is not None:
            _set_random_states(self._random)
            self._random = None

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report first: what a checkpoint has seen is never reported again."""
        loss = trainer.callback_metrics.get(self._monitor)
        if loss is not None:
            self._loss = float(loss)
            if self._reports and trainer.is_global_zero:
                report(trainer.current_epoch + 1, self._loss)
        elif self._validated:
            logged = ", ".join(sorted(trainer.callback_metrics)) or "nothing"
            message = (
                f"monitor is {self._monitor!r}, but the module has logged {logged}. Log it in validation_step, as in "
                f"self.log({self._monitor!r}, loss), or pass the name of what is logged."
            )
            raise ArgumentError(message)
        trainer.save_checkpoint(self._files.paths[0])
        if trainer.strategy.reduce_boolean_decision(current_trial().should_stop(), all=False):
            trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        """What the checkpoint holds of this callback."""
        return {"loss": self._loss, "random": _random_states()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The reverse."""
        self._loss, self._random = state_dict["loss"], state_dict["random"]


@dataclasses.dataclass(frozen=True)
class _Files:
    """Where checkpoints of this trial, and of the one which it continues, are."""

    own: Path
    previous: Directory | None
    name: str

    @property
    def paths(self) -> list[Path]:
        return [self.own / self.name, *([] if self.previous is None else [Path(self.previous, self.name)])]


class _ThroughNeps(CheckpointIO):
    """Reads and writes one checkpoint through neps, and leaves all others to what the trainer would have used."""

    def __init__(self, others: CheckpointIO, files: _Files) -> None:
        self._others, self._files = others, files

    def save_checkpoint(self, checkpoint_: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        if Path(path) == self._files.paths[0]:
            checkpoint.save(self._files.own, checkpoint_, self._files.name)
        else:
            self._others.save_checkpoint(checkpoint_, path, storage_options)

    def load_checkpoint(
        self,
        path: Any,
        map_location: Callable[..., Any] | None = None,
        weights_only: bool | None = None,  # noqa: FBT001 - as Lightning calls it
    ) -> Any:
        if Path(path) in self._files.paths:
            files, safe = self._files, weights_only is not False
            return checkpoint.load(files.own, files.previous, files.name, weights_only=safe)
        return self._others.load_checkpoint(path, map_location, weights_only)

    def remove_checkpoint(self, path: Any) -> None:
        self._others.remove_checkpoint(path)


def _random_states() -> dict[str, Any]:
    """Of this process, as plain values: those of CUDA devices, too, where there are any in use."""
    algorithm, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002 - what old code draws from
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
        "numpy": [algorithm, np.asarray(keys).tolist(), *rest],
        "python": random.getstate(),
    }


def _set_random_states(states: dict[str, Any]) -> None:
    algorithm, keys, *rest = states["numpy"]
    torch.set_rng_state(states["torch"])
    if states["cuda"] and torch.cuda.device_count() == len(states["cuda"]):
        torch.cuda.set_rng_state_all(states["cuda"])
    np.random.set_state((algorithm, np.array(keys, dtype=np.uint32), *rest))  # noqa: NPY002
    version, internal, following = states["python"]
    random.setstate((version, tuple(internal), following))
