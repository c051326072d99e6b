"""What is evaluated: a training that imports lazily, reports, keeps checkpoints, and insists on what it finds in them.

Run by `chaos.worker`. What it finds wrong fails its trial, and what it does is told to `chaos.evidence`.
"""

from __future__ import annotations

import ctypes
import dataclasses
import math
import os
import random
import secrets
import sys
import time
from pathlib import Path
from typing import Any

import neps
from chaos.evidence import WORKER, record
from chaos.plan import Plan
from chaos.slow_imports import check_whole

__all__ = ["ASKED", "EPOCHS", "Training", "result_of", "space"]

ASKED = "asked by the chaos"
"""What an evaluation says that fails since it shall."""
EPOCHS = 9
_EPOCHS_WITHOUT_FIDELITY = 3
_EPOCH_SECONDS = (0.05, 0.5)
_DEAF = 0.02
"""So many epochs take two and a half leases: what is taken over in one can't be told so at its next report."""


def space(searcher: str) -> dict[str, Any]:
    """Two parameters, and epochs: a fidelity, or a constant for what knows none."""
    without = searcher in ("bayesian_optimization", "random_search", "regularized_evolution")
    epochs = neps.Constant(_EPOCHS_WITHOUT_FIDELITY) if without else neps.Integer(1, EPOCHS, is_fidelity=True)
    return {"x": neps.Float(0, 1), "rate": neps.Float(1e-4, 1.0, log=True), "epochs": epochs}


def result_of(plan: Plan, evaluation: str, loss: float) -> dict[str, Any]:
    """What an evaluation comes to."""
    return {"loss": loss, "cost": plan.kind.cost or 1.0, "info_dict": {"evaluation": evaluation}}


@dataclasses.dataclass(frozen=True)
class Training:
    """What `neps.run` calls."""

    plan: Plan

    def __call__(
        self, pipeline_directory: Path, previous_pipeline_directory: Path | None, x: float, rate: float, epochs: int
    ) -> Any:
        """Evaluate."""
        number = int(pipeline_directory.name.removeprefix("config_"))
        evaluation = secrets.token_hex(8)
        previous = previous_pipeline_directory.name if previous_pipeline_directory else None
        attempt = int(os.environ["NEPS_ATTEMPT"].split()[0])
        asked = {"evaluation": evaluation, "x": x, "epochs": epochs, "previous": previous}
        self._tell("begin", number, attempt=attempt, **asked)
        chance = random.Random()  # unseeded: two attempts shall differ
        self._import_something(number, chance)
        state = self._load(pipeline_directory, previous_pipeline_directory, x)
        self._tell("loaded", number, evaluation=evaluation, epoch=state["epoch"])
        for epoch in range(state["epoch"] + 1, epochs + 1):
            seconds = 2.5 * self.plan.lease if chance.random() < _DEAF else chance.uniform(*_EPOCH_SECONDS)
            _wait(seconds, chance.choice(["plain", "plain", "plain", "ctypes", "sqlite3"]))
            self._save(pipeline_directory, {"x": x, "epoch": epoch})
            self._tell("saved", number, evaluation=evaluation, epoch=epoch)
            neps.report(epoch, _loss(x, rate, epoch))
        return self._outcome(number, evaluation, _loss(x, rate, epochs), chance)

    def _outcome(self, number: int, evaluation: str, loss: float, chance: random.Random) -> Any:
        if chance.random() < self.plan.kind.failing:
            raise RuntimeError(ASKED)
        if chance.random() < self.plan.kind.pending:
            self._tell("pending", number, evaluation=evaluation, loss=loss, of=os.environ["NEPS_ATTEMPT"])
            return neps.PENDING
        self._tell("end", number, evaluation=evaluation, loss=loss)
        return result_of(self.plan, evaluation, loss)

    def _import_something(self, number: int, chance: random.Random) -> None:
        new = [module for module in self.plan.modules if module[0] not in sys.modules]
        if new:
            name, attribute = chance.choice(new)
            self._tell("import", number, module=name)
            check_whole(name, attribute)
            self._tell("imported", number, module=name)

    def _load(self, own: Path, previous: Path | None, x: float) -> dict[str, Any]:
        state: dict[str, Any] = neps.checkpoint.load(own, previous) or {"x": x, "epoch": 0}
        if state["x"] != x:
            raise ValueError(f"{own} was given x={x} and the checkpoint of x={state['x']}")
        return state

    def _save(self, own: Path, state: dict[str, Any]) -> None:
        import torch

        weights = torch.full((64,), float(state["epoch"]))
        neps.checkpoint.save(own, {**state, "weights": weights})

    def _tell(self, event: str, number: int, **facts: object) -> None:
        record(self.plan.evidence, os.environ[WORKER], event, number=number, **facts)


def _loss(x: float, rate: float, epoch: int) -> float:
    return (x - 0.3) ** 2 + 0.1 * abs(math.log10(rate) + 2) + math.sin(50.0 * x) / (5 * epoch)


def _wait(seconds: float, manner: str) -> None:
    """An epoch of training: Python code that waits in pieces, called by Python, or by C code that calls it back."""
    end = time.monotonic() + seconds

    def steps() -> int:
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.01))
        return 1

    if manner == "ctypes":
        ctypes.CFUNCTYPE(ctypes.c_int)(steps)()
    elif manner == "sqlite3":
        import sqlite3

        with sqlite3.connect(":memory:") as database:
            database.create_function("steps", 0, steps)
            database.execute("select steps()")
        database.close()
    else:
        steps()
