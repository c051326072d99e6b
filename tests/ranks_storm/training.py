"""The script that torchrun starts: all ranks call neps.run, and write down what each evaluation got and computed.

    torchrun … training.py ROOT EVIDENCE [--trials N] [--epochs N] [--fail WHERE] [--group trial|script] …

Each epoch the ranks sum a number that only this trial has: were two ranks ever in different trials, or a collective of
one trial matched by one of another, the sum would be wrong. Who is to misbehave is said by files in EVIDENCE: the
first rank that finds its turn takes the file away (by rename) and does it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

import neps


class Small:
    """A choice that is an object."""


class Large:
    """Another one."""


_LONGEST_MOMENT = 0.4
"""Seconds: a trial takes less."""
CHOICES = {"small": Small, "large": Large}
SPACE = {
    "x": neps.Float(0.0, 1.0),
    "net": neps.Categorical(CHOICES),
}


def record(evidence: Path, /, **facts: Any) -> None:
    """Append a line to this process's own file: a killed one leaves what it had written."""
    line = json.dumps({"moment": time.monotonic(), "pid": os.getpid(), "rank": rank(), **facts}) + "\n"
    with (evidence / f"rank-{rank()}-{os.getpid()}.jsonl").open("a") as file:
        file.write(line)


def rank() -> int:
    """This process's."""
    return int(os.environ.get("RANK", "0"))


def size() -> int:
    """How many there are."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def misbehave(evidence: Path, number: int, epoch: int) -> None:
    """Do what a file says, if it is this rank's turn: `RANK.TRIAL.EPOCH.WHAT`, each but the last may be `any`."""
    for order in sorted(evidence.glob("*.order")):
        whose, trial, when, what, _ = order.name.split(".")
        mine = whose in {"any", str(rank())} and trial in {"any", str(number)} and when in {"any", str(epoch)}
        if not mine:
            continue
        with contextlib.suppress(FileNotFoundError):
            order.rename(order.with_suffix(".done"))
            record(evidence, event="struck", what=what, trial=number, epoch=epoch)
            strike(what)
            return


def strike(what: str) -> None:
    """One misfortune."""
    match what:
        case "sudden":
            moment = threading.Timer(random.uniform(0, _LONGEST_MOMENT), os.kill, (os.getpid(), signal.SIGKILL))
            moment.daemon = True
            moment.start()
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "term" | "usr1":
            os.kill(os.getpid(), signal.SIGTERM if what == "term" else signal.SIGUSR1)
        case "raise":
            message = "misbehaving as told"
            raise ValueError(message)
        case "exit":
            raise SystemExit(3)


class Pipeline:
    """run_pipeline, as the arguments have it."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options

    def __call__(
        self, pipeline_directory: Path, previous_pipeline_directory: Path | None, x: float, net: type
    ) -> float | None:
        """Train for some epochs, from the checkpoint on."""
        evidence, current = self.options.evidence, neps.current_trial()
        facts = {"trial": current.number, "attempt": current.attempt, "x": x, "net": net.__name__, "seed": current.seed}
        folders = {"folder": pipeline_directory.name, "previous": str(previous_pipeline_directory)}
        record(evidence, event="begins", **facts, **folders, grouped=dist.is_initialized())
        if size() > 1 and not dist.is_initialized():
            dist.init_process_group("gloo")
        state = neps.checkpoint.load(pipeline_directory, default={"epoch": 0})
        start = self._agree(state["epoch"])
        for epoch in range(start + 1, self.options.epochs + 1):
            misbehave(evidence, current.number, epoch)
            self._hold(epoch)
            total = self._sum(current.number * 1000.0 + epoch + x)
            expected = size() * (current.number * 1000.0 + epoch + x)
            record(evidence, event="epoch", **facts, epoch=epoch, right=abs(total - expected) < 1e-6)
            neps.report(epoch, x / epoch)
            neps.checkpoint.save(pipeline_directory, {"epoch": epoch})
            time.sleep(self.options.seconds)
        if size() > 1 and self.options.group == "trial":
            dist.destroy_process_group()
        record(evidence, event="ends", **facts)
        return x if rank() == 0 else None

    def _hold(self, epoch: int) -> None:
        """Train on and on in this epoch, as long as the leash is there."""
        while self.options.leash is not None and self.options.leash.exists():
            neps.report(epoch, 1.0)
            time.sleep(0.05)

    def _sum(self, value: float) -> float:
        tensor = torch.tensor([value], dtype=torch.float64)
        if size() > 1:
            dist.all_reduce(tensor)
        return float(tensor)

    def _agree(self, epoch: int) -> int:
        """A rank may have loaded just before the last checkpoint was seen."""
        tensor = torch.tensor([epoch])
        if size() > 1:
            dist.all_reduce(tensor, op=dist.ReduceOp.MIN)
        return int(tensor)


def main() -> None:
    """One rank, or one worker by itself."""
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    parser.add_argument("evidence", type=Path)
    parser.add_argument("--trials", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.0, help="that an epoch takes")
    parser.add_argument("--group", choices=["trial", "script"], default="trial", help="whose the process group is")
    parser.add_argument("--strict", action="store_true", help="end with the first trial that fails")
    parser.add_argument("--leash", type=Path, help="a file; while it is there, no epoch ends")
    parser.add_argument("--lease", type=float, default=60.0)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format=f"%(asctime)s rank {rank()}/{os.getpid()} %(message)s")
    torch.set_num_threads(1)
    record(options.evidence, event="started")
    if options.group == "script" and size() > 1:
        dist.init_process_group("gloo")
    try:
        history = neps.run(
            Pipeline(options),
            options.root,
            SPACE,
            searcher="random_search",
            max_evaluations_total=options.trials,
            continue_until_max_evaluation_completed=True,
            seed=1,
            ignore_errors=not options.strict,
            lease_seconds=options.lease,
            max_attempts=10,
        )
    except BaseException as error:
        record(options.evidence, event="raised", error=f"{type(error).__name__}: {error}")
        raise
    losses = [[trial.number, trial.loss, str(trial.status), trial.attempts] for trial in history]
    record(options.evidence, event="returned", history=losses)


if __name__ == "__main__":
    main()
