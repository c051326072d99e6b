"""What the scenarios evaluate: some epochs, each reported and saved, and told to the evidence once that is done."""

from __future__ import annotations

import dataclasses
import os
import signal
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import neps
from system_calls.place import Place

__all__ = ["CHECKPOINT", "Telling", "Training", "loss_of", "saved_epoch"]

CHECKPOINT = "state.txt"


def loss_of(x: float, epochs: int) -> float:
    """The loss: by the configuration alone."""
    return round((x - 0.3) ** 2 + 1 / epochs, 6)


@dataclasses.dataclass(frozen=True)
class Training:
    """A run_pipeline.

    Args:
        place: whose evidence it tells.
        epochs: of each evaluation, where the configuration has none.
        first: called in the first evaluation of trial 1 alone, after its first epoch.
        pending: return neps.PENDING at the end.
        pace: called after each epoch.
    """

    place: Place
    epochs: int = 1
    first: Callable[[], object] | None = None
    pending: bool = False
    pace: Callable[[Path], object] = lambda _: None

    def __call__(self, pipeline_directory: Path, previous_pipeline_directory: Path | None, **config: Any) -> Any:
        """Evaluate."""
        number, evaluation = int(pipeline_directory.name.removeprefix("config_")), uuid.uuid4().hex
        known = {entry.evaluation for entry in self.place.told() if (entry.event, entry.number) == ("begin", 1)}
        done = neps.checkpoint.load(
            pipeline_directory, previous_pipeline_directory, CHECKPOINT, default=0, read=saved_epoch
        )
        previous = previous_pipeline_directory and int(previous_pipeline_directory.name.removeprefix("config_"))
        self.place.tell("begin", number, evaluation, epoch=done, previous=previous)
        epochs = config.get("epochs", self.epochs)
        for epoch in range(done + 1, epochs + 1):
            neps.report(epoch, loss_of(config["x"], epoch))
            neps.checkpoint.save(pipeline_directory, epoch, CHECKPOINT, write=_write_epoch)
            self.place.tell("saved", number, evaluation, epoch=epoch)
            if number == 1 and not known and self.first is not None:
                self.first()
            self.pace(pipeline_directory)
        loss = loss_of(config["x"], epochs)
        self.place.tell("returned", number, evaluation, loss=loss)
        if self.pending:
            self.place.tell("job", number, evaluation, loss=loss, attempt=os.environ["NEPS_ATTEMPT"])
            return neps.PENDING
        return {"loss": loss, "cost": 1.0, "info_dict": {"evaluation": evaluation}}


class Telling(neps.Callback):
    """Tells the evidence of what neps says that it has published."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def on_trial_end(self, trial: neps.callbacks.RunningTrial, end: neps.callbacks.TrialEnd) -> None:
        """Called once the attempt has its end."""
        facts = {"status": str(end.status), "loss": end.loss, "error": end.error}
        self._place.tell("ended", trial.number, str(end.info_dict.get("evaluation", "")), **facts)


def saved_epoch(file: IO[bytes]) -> int:
    """Read a checkpoint; whatever is not a whole one is an error."""
    text = file.read().decode()
    if not text.endswith(" epochs\n"):
        raise ValueError(f"a torn checkpoint: {text!r}")
    return int(text.removesuffix(" epochs\n"))


def _write_epoch(epoch: int, file: IO[bytes]) -> None:
    file.write(f"{epoch} epochs\n".encode())


def fail() -> None:
    """An evaluation that fails."""
    raise RuntimeError("the evaluation fails, as it should")


def be_killed() -> None:
    """An evaluation whose worker dies."""
    os.kill(os.getpid(), signal.SIGKILL)


def interrupt() -> None:
    """An evaluation that somebody interrupts."""
    raise KeyboardInterrupt
