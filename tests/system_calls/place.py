"""Where a scenario plays: a root, and beside it the evidence, which neps knows nothing of. And processes to play in."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rigs.appending import append
from rigs.forked import end_by

__all__ = ["Entry", "Place", "import_what_was", "in_log", "played"]

_POLL_SECONDS = 0.001


@dataclasses.dataclass(frozen=True)
class Entry:
    """One line of the evidence: what happened to which trial, in which evaluation of it, and the rest by name."""

    event: str
    number: int
    evaluation: str
    facts: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Place:
    """The folders of one scenario; the root has the same path each time that it is played."""

    folder: Path

    @property
    def root(self) -> Path:
        """The run's root directory."""
        return self.folder / "root"

    @property
    def evidence(self) -> Path:
        """What evaluations and callbacks have told."""
        return self.folder / "evidence.jsonl"

    @property
    def log(self) -> Path:
        """What the processes have printed."""
        return self.folder / "log.txt"

    def tell(self, event: str, number: int, evaluation: str = "", **facts: object) -> None:
        """Append a line to the evidence."""
        append(self.evidence, json.dumps([event, number, evaluation, facts]) + "\n")

    def told(self) -> list[Entry]:
        """All evidence, in order."""
        lines = self.evidence.read_text().splitlines() if self.evidence.exists() else []
        return [Entry(*json.loads(line)) for line in lines]

    def store(self) -> None:
        """Keep what is there as what each play begins with."""
        _copy(self.folder, self.folder / "template", "root", "evidence.jsonl")

    def restore(self) -> None:
        """Begin anew with what was kept."""
        shutil.rmtree(self.root, ignore_errors=True)
        self.evidence.unlink(missing_ok=True)
        self.log.unlink(missing_ok=True)
        _copy(self.folder / "template", self.folder, "root", "evidence.jsonl")


def _copy(source: Path, target: Path, *names: str) -> None:
    target.mkdir(exist_ok=True)
    there = [str(source / name) for name in names if (source / name).exists()]
    if there:
        subprocess.run(["cp", "-a", *there, str(target)], check=True)  # which keeps hard links


def in_log(function: Callable[[Place], object], place: Place) -> Callable[[], None]:
    """The function, to be called in a process of its own, whose words go to the log."""

    def run() -> None:
        descriptor = os.open(place.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        for stream in (1, 2):
            os.dup2(descriptor, stream)
        logging.basicConfig(level=logging.INFO, format="%(relativeCreated)d %(name)s %(message)s", stream=sys.stderr)
        function(place)
        (place.folder / "modules.json").write_text(json.dumps(sorted(sys.modules)))

    return run


def import_what_was(place: Place) -> None:
    """Import here what the last process had imported: the next ones, forked from this one, need not."""
    for name in json.loads((place.folder / "modules.json").read_text()):
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def played(function: Callable[[], object], deadline: float) -> int:
    """Call the function in a forked process: its exit code, negative if a signal ended it.

    Raises:
        TimeoutError: it did not end; it is killed then.
    """
    sys.stdout.flush()
    if (pid := os.fork()) == 0:
        end_by(function)
    end = time.monotonic() + deadline
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            os.kill(pid, signal.SIGABRT)  # by which Python shows where it is
            os.waitpid(pid, 0)
            raise TimeoutError("still there at the deadline")
        time.sleep(_POLL_SECONDS)
