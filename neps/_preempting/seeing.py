"""What a rehearsal's folder shows of its trials: attempts, reports, and what run_pipeline has saved. Reads only."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

from neps._ledger.definition import find_definition
from neps._ledger.documents import UnreadableDocumentError
from neps._ledger.layout import Layout, is_ledger_name, start_name
from neps._ledger.records import AttemptEnd
from neps._ledger.trial_folder import TrialFolder

__all__ = ["Attempt", "Saved", "failure", "running"]

_STATES = frozenset(
    (".pt", ".pth", ".ckpt", ".bin", ".safetensors", ".npz", ".npy", ".pkl", ".pickle", ".joblib", ".h5", ".keras")
)


@dataclasses.dataclass(frozen=True, slots=True)
class Saved:
    """A file that run_pipeline has written: its name in the trial's folder, and when, in ns of the wall clock."""

    name: str
    written: int


@dataclasses.dataclass(frozen=True, slots=True)
class Attempt:
    """Attempt `number` at a trial, in a rehearsal."""

    folder: TrialFolder
    number: int

    def __str__(self) -> str:
        """As people are told."""
        return f"trial {self.folder.number}" + (f", attempt {self.number}" if self.number > 1 else "")

    @property
    def successor(self) -> Attempt:
        """The attempt after it, whether it is there or not."""
        return Attempt(self.folder, self.number + 1)

    @property
    def is_there(self) -> bool:
        """Whether somebody has opened it."""
        return self.folder.has_start(self.number)

    @property
    def began(self) -> int:
        """When it was opened, in ns of the wall clock; 0 if that can't be seen."""
        with contextlib.suppress(OSError):
            return os.stat(f"{self.folder.path}/{start_name(self.number)}").st_mtime_ns  # noqa: PTH116
        return 0

    @property
    def end(self) -> AttemptEnd | None:
        """How it ended, or None while it has not."""
        with contextlib.suppress(UnreadableDocumentError, OSError):
            return self.folder.end(self.number)
        return None

    @property
    def steps(self) -> list[float]:
        """The steps that it has reported, in order."""
        with contextlib.suppress(OSError):
            return sorted(self.folder.curve(self.number).points())
        return []

    @property
    def is_trained(self) -> bool:
        """Whether it has reported the last step of its fidelity, so that there is nothing left to interrupt."""
        with contextlib.suppress(UnreadableDocumentError, OSError):
            found = self.folder.decision()
            fidelity = None if found is None else found[0].fidelity
            return fidelity is not None and max(self.steps, default=0.0) >= fidelity
        return False

    def saved(self, since: int) -> list[Saved]:
        """What run_pipeline has written since then (ns of the wall clock), the latest last."""
        files = (Saved(name, written) for name, written in _files(self.folder.directory) if written >= since)
        return sorted(files, key=lambda file: file.written)

    def checkpoints(self, since: int) -> list[Saved]:
        """The same, of what looks like a checkpoint: saved by `neps.checkpoint`, or by its name."""
        return [file for file in self.saved(since) if self._is_checkpoint(file)]

    def _is_checkpoint(self, file: Saved) -> bool:
        path = self.folder.directory / file.name
        return path.suffix in _STATES or path.with_name(f".{path.name}.neps").exists()


def running(rehearsal: Path) -> Attempt | None:
    """An attempt that goes on now, in any of the roots."""
    return next((attempt for attempt in _latest(rehearsal) if attempt.end is None), None)


def failure(rehearsal: Path) -> AttemptEnd | None:
    """The end of an attempt that has failed, in any of the roots."""
    for attempt in _latest(rehearsal):
        end = attempt.end
        if end is not None and end.result is not None and not end.result.outcome.success:
            return end
    return None


def _latest(rehearsal: Path) -> Iterator[Attempt]:
    """The last attempt of each trial."""
    for root in sorted(rehearsal.glob("root_*")):
        with contextlib.suppress(OSError):
            if (definition := find_definition(str(root))) is None:
                continue
            layout = Layout(root, definition.run)
            for number in sorted(layout.numbers()):
                folder = TrialFolder(layout, number)
                if folder.has_start(1):
                    yield Attempt(folder, folder.last_attempt())


def _files(folder: Path) -> Iterator[tuple[str, int]]:
    """What the user's code has written, by name."""
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            if (Path(place) == folder and is_ledger_name(name)) or name.startswith("."):
                continue
            with contextlib.suppress(OSError):
                status = path.stat()
                if status.st_size:
                    yield str(path.relative_to(folder)), status.st_mtime_ns
