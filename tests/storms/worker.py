"""A worker, a program: one call of `neps.run` that trains over epochs with checkpoints.

`sys.argv[1]` is the plan's file. `sys.argv[2]`, if there is one, names what is odd about it: `handler` has one of
its own for SIGTERM; the training of `deaf` swallows every interruption.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import math
import os
import random
import secrets
import signal
import socket
import sys
import time
from pathlib import Path
from typing import IO, Any

import neps
from chaos.evidence import record
from storms.plan import Plan

__all__ = ["Training"]

EPOCHS = 9
_NAME = "NEPS_STORM_WORKER"


def main() -> None:
    """Entry."""
    plan, oddity = Plan.read(Path(sys.argv[1])), (sys.argv[2:] or [""])[0]
    job = f"{os.environ.get('SLURM_JOB_ID')}.{os.environ.get('SLURM_RESTART_COUNT', '0')}"
    name = os.environ.get(_NAME, job)
    logging.basicConfig(level=logging.INFO, format="%(relativeCreated)d %(name)s %(message)s")
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    record(plan.evidence, name, "worker", host=socket.gethostname(), boot=boot, pid=os.getpid(), oddity=oddity)
    if oddity == "handler":
        signal.signal(signal.SIGTERM, lambda number, _: record(plan.evidence, name, "handled", signal=number))
    budget: dict[str, Any] = {"max_cost_total": 2 * plan.trials} if plan.by_cost else {}
    neps.run(
        Training(plan, name, oddity == "deaf"),
        plan.root,
        {"x": neps.Float(0, 1), "epochs": neps.Integer(1, EPOCHS, is_fidelity=True)},
        searcher=plan.searcher,
        **(budget or {"max_evaluations_total": plan.trials}),
        continue_until_max_evaluation_completed=True,
        overwrite_working_directory=plan.overwrite,
        ignore_errors=True,
        cost_value_on_error=2,
        lease_seconds=plan.lease,
        seed=plan.seed,
    )
    record(plan.evidence, name, "returned")


@dataclasses.dataclass(frozen=True)
class Training:
    """What `neps.run` calls. It insists on what it finds in checkpoints; what it finds wrong fails its trial."""

    plan: Plan
    worker: str
    deaf: bool

    def __call__(
        self, pipeline_directory: Path, previous_pipeline_directory: Path | None, x: float, epochs: int
    ) -> dict[str, Any]:
        """Evaluate."""
        number = int(pipeline_directory.name.removeprefix("config_"))
        evaluation, previous = secrets.token_hex(8), previous_pipeline_directory
        self._tell("begin", number, evaluation=evaluation, x=x, epochs=epochs, previous=previous and previous.name)
        self._hold(number)
        state = neps.checkpoint.load(pipeline_directory, previous, default={"x": x, "epoch": 0}, read=json.load)
        if state["x"] != x:
            raise ValueError(f"{pipeline_directory} was given x={x} and the checkpoint of x={state['x']}")
        self._tell("loaded", number, evaluation=evaluation, epoch=state["epoch"])
        for epoch in range(state["epoch"] + 1, epochs + 1):
            self._tell("epoch", number, evaluation=evaluation, epoch=epoch)
            _wait(self.plan.epoch_seconds * random.Random().uniform(0.5, 1.5))  # two attempts shall differ
            neps.checkpoint.save(pipeline_directory, {"x": x, "epoch": epoch}, write=_write)
            self._tell("saved", number, evaluation=evaluation, epoch=epoch)
            neps.report(epoch, _loss(x, epoch))
        self._tell("end", number, evaluation=evaluation, loss=_loss(x, epochs))
        return {"loss": _loss(x, epochs), "cost": 2, "info_dict": {"evaluation": evaluation}}

    def _hold(self, number: int) -> None:
        """Waits, if the search is ahead of the storm; who is deaf then hears nothing."""
        while self.deaf:
            self._tell("deaf", number)
            with contextlib.suppress(BaseException):
                _wait(3600)
        while number > int(self.plan.reach.read_text()):
            _wait(0.1)

    def _tell(self, event: str, number: int, **facts: object) -> None:
        record(self.plan.evidence, self.worker, event, number=number, **facts)


def _write(state: object, file: IO[bytes]) -> None:
    file.write(json.dumps(state).encode())


def _loss(x: float, epoch: int) -> float:
    return (x - 0.3) ** 2 + math.sin(50.0 * x) / (5 * epoch)


def _wait(seconds: float) -> None:
    """In pieces: a signal interrupts Python code, not the operating system."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, 0.01))


if __name__ == "__main__":
    main()
