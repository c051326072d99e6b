"""The objective of the stress tests: it trains for so many steps, keeps a checkpoint, and writes a journal.

The journal lies beside the root and is what tests believe: neps knows nothing of it. Used by workers and tests.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Literal

import neps
from rigs.appending import append
from stress.leash import hold

__all__ = ["Entry", "Event", "Objective", "journal", "journal_of", "record", "save", "save_fenced", "spaces", "wait"]

Event = Literal["begin", "step", "end"]
_VERY_LONG = 600.0


def spaces() -> Mapping[str, Mapping[str, Any]]:
    """Search spaces by name: plans of rounds are JSON."""
    return {
        "line": {"x": neps.Float(0, 1)},
        "epochs": {"x": neps.Float(0, 1), "epochs": neps.Integer(1, 27, is_fidelity=True)},
        "mixed": {
            "x": neps.Float(1e-4, 1.0, log=True, default=0.01),
            "width": neps.Integer(1, 3),
            "kind": neps.Categorical(["a", "b", True]),
        },
        "conditional": neps.SearchSpace(
            {
                "decay": neps.Float(0, 1, active_if={"momentum": neps.more_than(0.5), "depth": neps.at_least(2)}),
                "momentum": neps.Float(0, 1, active_if={"kind": "sgd"}),
                "x": neps.Float(0, 1),
                "kind": neps.Categorical(["adam", "sgd"]),
                "depth": neps.Integer(1, 4),
                "epochs": neps.Integer(1, 27, is_fidelity=True),
            },
            forbid=[{"kind": "sgd", "depth": 4}],
        ),
    }


@dataclasses.dataclass(frozen=True)
class Entry:
    """One line of the journal. `step`: where a `begin` resumed; how many steps a `step` or an `end` has done."""

    event: Event
    number: int
    step: int
    pid: int
    moment: float


@dataclasses.dataclass(frozen=True)
class Objective:
    """What `neps.run` calls.

    Args:
        steps: of an evaluation; each is followed by a checkpoint. 0 is a no-op.
        seconds: of a step.
        cost: what each evaluation returns as its cost; "x" is the value of the parameter x; None returns a bare loss.
        lethal: the trial whose evaluation ends its process, and how (see `die`), in its first `deaths` attempts.
        slow: the trial whose steps take ten minutes in its first attempt, to be killed or frozen meanwhile.
        fenced: whether checkpoints are saved by `neps.checkpoint`, instead of by means of the objective's own.
        leash: the file that holds trials back (`stress.leash`), if there is one.
    """

    steps: int = 0
    seconds: float = 0.0
    cost: float | Literal["x"] | None = None
    lethal: int | None = None
    manner: str = ""
    deaths: int = 1_000
    slow: int | None = None
    fenced: bool = False
    leash: str = ""

    def __call__(self, pipeline_directory: Path, **config: Any) -> Any:
        """Evaluate."""
        number = int(pipeline_directory.name.removeprefix("config_"))
        checkpoint = pipeline_directory / "checkpoint"
        done = int(checkpoint.read_text()) if checkpoint.exists() else 0
        record(pipeline_directory.parent, "begin", number, done)
        special = number in (self.lethal, self.slow)
        attempts = len([e for e in journal(pipeline_directory.parent, number) if e.event == "begin"]) if special else 0
        if number == self.lethal and attempts <= self.deaths:
            die(self.manner)
        hold(self.leash, number)
        for step in range(done + 1, self.steps + 1):
            wait(self.seconds)
            (save_fenced if self.fenced else save)(checkpoint, step)
            record(pipeline_directory.parent, "step", number, step)
            if number == self.slow and attempts == 1:
                wait(_VERY_LONG)
        record(pipeline_directory.parent, "end", number, self.steps)
        if self.cost is None:
            return config["x"]
        return {"loss": config["x"], "cost": config["x"] if self.cost == "x" else self.cost}


def wait(seconds: float) -> None:
    """Sleeps in pieces: a takeover interrupts Python code, not the operating system."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, 0.01))


def save(checkpoint: Path, content: object) -> None:
    """Replaces the checkpoint whole."""
    new = checkpoint.with_suffix(f".{os.getpid()}")
    new.write_text(str(content))
    new.replace(checkpoint)


def save_fenced(checkpoint: Path, content: object) -> None:
    """The same by `neps.checkpoint`, which knows the file as its own and keeps zombies from it."""

    def write(text: str, file: IO[bytes]) -> None:
        file.write(text.encode())

    neps.checkpoint.save(checkpoint.parent, str(content), checkpoint.name, write=write)


def die(manner: str) -> None:
    """Ends this process: `exit` like a crash in C code, `sys.exit`, or by a signal's number. Or `raise`."""
    if manner == "raise":
        raise RuntimeError(manner)
    if manner == "exit":
        os._exit(1)
    if manner == "sys.exit":
        sys.exit(1)
    os.kill(os.getpid(), int(manner))
    wait(_VERY_LONG)


def journal_of(root: Path) -> Path:
    """Where the journal of a root lies."""
    return root.with_suffix(".journal")


def record(root: Path, event: Event, number: int, step: int) -> None:
    """Appends to the journal."""
    append(journal_of(root), f"{event} {number} {step} {os.getpid()} {time.monotonic()}\n")


def journal(root: Path, number: int | None = None) -> list[Entry]:
    """All that was evaluated in a root, in order; or only what is of one trial. Pids are of the worker's host."""
    entries = []
    path = journal_of(root)
    for line in path.read_text().splitlines() if path.exists() else []:
        event, trial, step, pid, moment = line.split()
        entries.append(Entry(event, int(trial), int(step), int(pid), float(moment)))  # type: ignore[arg-type]
    return [entry for entry in entries if number in (None, entry.number)]
