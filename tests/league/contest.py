"""One library in one directory: its workers as real processes, what is done to them, and what came of it.

What came of it is told by two that can't agree by mistake: the evidence, which the evaluation itself writes, and what
the library says afterwards that it has recorded. Called by `scenarios`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from benchmarks.driving.environments import interpreter, variables

__all__ = ["LIBRARIES", "Contest", "Outcome"]

_DRIVER = Path(__file__).parent / "driver.py"
_HANGS_SECONDS = 400.0
_POLL_SECONDS = 0.02

LIBRARIES = {"neps": "own", "neps017": "neps017", "optuna": "optuna", "smac": "smac"}
"""The libraries, and the environments of `benchmarks.driving.environments` that they run in."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of a scenario, in numbers that should all be 0 but `results`, `evaluations` and `seconds`.

    `results` are recorded; `lost` ended by the evidence, and are not; `doubled` are recorded more than once; `stuck`
    are neither ended nor taken up by anybody, after all workers have left and one more was started; `overspent` and
    `short` compare `results` with the budget; `crashed` workers ended by an error, and `hung` ones not at all.
    `evaluations` were begun; `repeated` of them had ended once before, and `dropped` ones never ended: each was
    interrupted by us or by the library.
    """

    results: int
    evaluations: int
    lost: int = 0
    doubled: int = 0
    stuck: int = 0
    overspent: int = 0
    short: int = 0
    crashed: int = 0
    hung: int = 0
    repeated: int = 0
    dropped: int = 0
    seconds: float | None = None
    detail: str = ""


class Contest:
    """A library's workers in `root`; as a context manager, it ends all that it has started.

    Args:
        library: one of `LIBRARIES`.
        folder: an empty one, for the evidence and what workers print.
        root: where the library keeps its files; None is a folder in `folder`.
    """

    def __init__(self, library: str, folder: Path, root: Path | None = None) -> None:
        self.library = library
        self.root = root or folder / "root"
        self._folder, self._evidence = folder, folder / "evidence.jsonl"
        self._workers: list[subprocess.Popen[bytes]] = []
        self._ended_by_us: set[int] = set()
        self._size = 0
        self.hung = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()

    # What is done

    def start(self, count: int, *, budget: int, seconds: float) -> None:
        """Start workers at the same moment: for SMAC one process, whose workers these are.

        SMAC asks a question if a scenario has changed, and their number is part of it: so that stays as it was first.
        """
        processes, self._size = (1, self._size or count) if self.library == "smac" else (count, 1)
        for _ in range(processes):
            self.start_process(budget=budget, seconds=seconds, workers=self._size)

    def start_process(self, *, budget: int, seconds: float, workers: int = 1) -> None:
        """Start one process."""
        options = {"evidence": self._evidence, "budget": budget, "seconds": seconds, "workers": workers}
        with (self._folder / f"worker_{len(self._workers)}.log").open("wb") as log:
            self._workers.append(
                subprocess.Popen(
                    self._command("work", **options),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=variables(),
                    cwd=self._folder,
                    start_new_session=True,
                )
            )

    def _command(self, what: str, **options: object) -> list[str]:
        told = [f"--{name}={value}" for name, value in options.items()]
        return [str(interpreter(LIBRARIES[self.library])), str(_DRIVER), self.library, what, str(self.root), *told]

    def evaluating(self) -> int:
        """The process of an evaluation that has begun and not ended; waits for one that has just begun."""
        seen = len(self._entries())
        self.until(lambda: any(entry["event"] == "begin" for entry in self._entries()[seen:]), "an evaluation")
        return int(next(entry["pid"] for entry in self._entries()[seen:] if entry["event"] == "begin"))

    def kill(self, pid: int) -> None:
        """SIGKILL to one process."""
        self._ended_by_us.add(pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def kill_all(self) -> None:
        """SIGKILL to all that was started, at once: as when the power fails."""
        for worker in self._workers:
            if worker.poll() is None:
                self._ended_by_us.add(worker.pid)
                os.killpg(worker.pid, signal.SIGKILL)
        for worker in self._workers:
            worker.wait()

    def until(self, holds: Callable[[], bool], what: str, seconds: float = _HANGS_SECONDS) -> None:
        """Wait for a condition, or until no worker is left."""
        deadline = time.monotonic() + seconds
        while not holds():
            if all(worker.poll() is not None for worker in self._workers):
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.library}: {what} never came")
            time.sleep(_POLL_SECONDS)

    def wait(self, seconds: float = _HANGS_SECONDS) -> None:
        """Wait for the ends of all workers; those that never end are counted, and ended."""
        deadline = time.monotonic() + seconds
        for worker in self._workers:
            try:
                worker.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.hung += 1
                self._ended_by_us.add(worker.pid)
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(worker.pid, signal.SIGKILL)
                worker.wait()

    # What came of it

    def ended(self) -> int:
        """How many evaluations have ended, by the evidence."""
        return self._evidence.read_bytes().count(b'"end"') if self._evidence.exists() else 0

    def first_begin(self, after: float) -> float:
        """When the first evaluation began after a moment (monotonic)."""
        return min(float(e["moment"]) for e in self._entries() if e["event"] == "begin" and e["moment"] > after)

    def _entries(self) -> list[dict[str, Any]]:
        if not self._evidence.exists():
            return []
        return [json.loads(line) for line in self._evidence.read_text().splitlines()]

    def crashed(self) -> list[str]:
        """Of each worker that ended by an error, its last line."""
        said = []
        for index, worker in enumerate(self._workers):
            if worker.pid not in self._ended_by_us and worker.poll() not in {0, None}:
                lines = (self._folder / f"worker_{index}.log").read_text(errors="replace").strip().splitlines()
                said.append(lines[-1][:150] if lines else f"exit code {worker.returncode}")
        return said

    def outcome(self, budget: int, seconds: float | None = None, detail: str = "") -> Outcome:
        """All of it, once no worker is left."""
        counted, refusal = self._counted()
        losses, entries, crashed = Counter(counted["losses"]), self._entries(), self.crashed()
        begun = Counter(entry["x"] for entry in entries if entry["event"] == "begin")
        ended = Counter(entry["x"] for entry in entries if entry["event"] == "end")
        results = losses.total()
        return Outcome(
            results=results,
            evaluations=begun.total(),
            lost=sum(x not in losses for x in ended),
            doubled=sum(count - 1 for count in losses.values()),
            stuck=counted["unfinished"],
            overspent=max(0, results - budget),
            short=max(0, budget - results),
            crashed=len(crashed),
            hung=self.hung,
            repeated=sum(count - 1 for count in ended.values()),
            dropped=begun.total() - ended.total(),
            seconds=seconds,
            detail=refusal or next(iter(crashed), detail),
        )

    def _counted(self) -> tuple[dict[str, Any], str]:
        """What the library itself says; where it can't read its own files any more: nothing, and why."""
        command = self._command("count")
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env=variables(),
            cwd=self._folder,
            timeout=_HANGS_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            return {"losses": [], "unfinished": 0}, (done.stderr.strip().splitlines() or ["?"])[-1][:150]
        counted: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return counted, ""
