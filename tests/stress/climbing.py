"""An objective with a fidelity: it goes on from the checkpoint of the trial that it continues, and insists on it.

Called by `neps.run` in workers whose share `climbs`. It writes the same journal as `stress.objective`.
"""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

from stress.leash import hold
from stress.objective import record, save, save_fenced, wait

__all__ = ["CHECKPOINT", "ETA", "Climbing", "climbing_loss"]

CHECKPOINT = "checkpoint.json"
ETA = 3
"""Between two rungs of the space "epochs"."""


@dataclasses.dataclass(frozen=True)
class Climbing:
    """What `neps.run` calls; an epoch takes so many seconds.

    With `fenced`, `neps.checkpoint` saves. `leash` is a file that holds trials back, if there is one (`stress.leash`).
    """

    seconds: float = 0.0
    fenced: bool = False
    leash: str = ""

    def __call__(
        self,
        pipeline_directory: Path,
        previous_pipeline_directory: Path | None,
        x: float,
        epochs: int,
        **conditional: Any,
    ) -> float:
        """Evaluate."""
        root, number = pipeline_directory.parent, int(pipeline_directory.name.removeprefix("config_"))
        own, whole = pipeline_directory / CHECKPOINT, {"x": x, "epochs": epochs, **conditional}
        if own.exists():
            done = _load(own, whole)["done"]
        elif previous_pipeline_directory is not None:
            done = _load(previous_pipeline_directory / CHECKPOINT, whole | {"epochs": epochs // ETA})["done"]
            if done != epochs // ETA:
                message = f"the checkpoint of {previous_pipeline_directory} has {done} epochs, not {epochs // ETA}"
                raise ValueError(message)
        else:
            done = 0
        record(root, "begin", number, done)
        hold(self.leash, number)
        for epoch in range(done + 1, epochs + 1):
            wait(self.seconds)
            (save_fenced if self.fenced else save)(own, json.dumps(whole | {"done": epoch}))
            record(root, "step", number, epoch)
        record(root, "end", number, epochs)
        return climbing_loss(x, epochs)


def climbing_loss(x: float, epochs: int) -> float:
    """Another order at each rung."""
    return (x - 0.3) ** 2 + math.sin(50.0 * x) / epochs


def _load(path: Path, config: dict[str, Any]) -> dict[str, Any]:
    """The checkpoint there, of this configuration at this fidelity."""
    checkpoint: dict[str, Any] = json.loads(path.read_text())
    if checkpoint != config | {"done": checkpoint["done"]}:
        message = f"{path} has {checkpoint}, not {config}"
        raise ValueError(message)
    return checkpoint
