"""Claims: what a worker holds once it has opened an attempt at a trial, until that attempt has its end.

A `Claim` is made by winning the start of an attempt, and everything that its worker does with it goes through it. What
proves that it is still held, its `Hold`, goes further: to the heartbeat, to `neps.checkpoint`, and by name to processes
that run_pipeline starts. Who else ends attempts, of workers that are dead, does so through the trial's folder.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
from collections.abc import Mapping
from typing import Any

from neps._ledger import fields as typed
from neps._ledger import foreign
from neps._ledger.curve_file import CurveFile
from neps._ledger.documents import UnreadableDocumentError
from neps._ledger.identity import Identity
from neps._ledger.layout import end_name, lock_name, saved_name, stalled_bytes, stalled_name, start_name, stopped_name
from neps._ledger.records import AttemptStart, End
from neps._ledger.touching import Lock
from neps._ledger.trial_folder import TrialFolder
from neps._ledger.trial_state import TrialState
from neps._trial import Decision, Result

__all__ = ["Claim", "Hold"]


@dataclasses.dataclass(frozen=True, slots=True)
class Hold:
    """Attempt `attempt` at a trial, and the name of the `worker` that has opened it: whoever knows these can look."""

    folder: TrialFolder
    attempt: int
    worker: str

    def is_lost(self) -> bool:
        """Whether the attempt has an end or a successor, or the folder is another run's by now."""
        return self.folder.superseded(self.attempt) or not self.is_own()

    def is_own(self) -> bool:
        """Whether the start of the attempt is still this worker's; one that can't be read is taken to be."""
        with contextlib.suppress(UnreadableDocumentError, OSError):
            start = self.folder.start(self.attempt)
            return start is not None and start.identity.worker == self.worker
        return True

    def lock(self) -> Lock:
        """How its lock file is touched, and only as long as it isn't lost."""
        return Lock(os.fsencode(self.folder.path), *_names_of_lock(self.attempt), self.worker.encode())

    def curve(self, *, begun: bool = False) -> CurveFile:
        """Where its reports go."""
        return self.folder.curve(self.attempt, begun=begun)

    def mark_saved(self) -> None:
        """Leave the sign that it has saved a checkpoint: an empty file, made by its own processes alone."""
        self._mark(saved_name(self.attempt))

    def mark_stopped(self, margin: float | None = None) -> None:
        """Leave the sign that one of its processes was told to stop, since the walltime of the job is nearly over.

        `margin`: by which it asked; None where a run inside of it has left.
        """
        with contextlib.suppress(OSError):  # its worker knows by itself that little is left
            self._mark(stopped_name(self.attempt), "" if margin is None else f"{margin}\n")

    def was_stopped(self) -> bool:
        """Whether there is such a sign of it."""
        return os.path.lexists(f"{self.folder.path}/{stopped_name(self.attempt)}")

    def stopped_margin(self) -> float | None:
        """The margin that such a sign of it names, if one does."""
        with contextlib.suppress(OSError, ValueError):
            return typed.cost(float(foreign.read(f"{self.folder.path}/{stopped_name(self.attempt)}") or b""))
        return None

    def mark_stalled(self, size: int) -> None:
        """Leave the sign that one of its processes had no room to save: its name says all, since that fits."""
        self._mark(stalled_name(self.attempt, size))

    def unmark_stalled(self, size: int) -> None:
        """There was room in the end: take that sign away."""
        with contextlib.suppress(OSError):
            os.unlink(f"{self.folder.path}/{stalled_name(self.attempt, size)}")  # noqa: PTH108

    def stalled(self) -> int | None:
        """The most bytes that such a sign of it names; None where there is none."""
        with contextlib.suppress(OSError):
            sizes = [stalled_bytes(name, self.attempt) for name in os.listdir(self.folder.path)]  # noqa: PTH208
            return max((size for size in sizes if size is not None), default=None)
        return None

    def _mark(self, name: str, content: str = "") -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(f"{self.folder.path}/{name}", flags, 0o666)
        try:
            if content:
                os.write(descriptor, content.encode())
        finally:
            os.close(descriptor)


@dataclasses.dataclass(frozen=True, slots=True)
class Claim:
    """A trial whose last attempt this worker has opened, as it stood then."""

    folder: TrialFolder
    state: TrialState

    @classmethod
    def commit(cls, folder: TrialFolder, decision: Decision, me: Identity) -> Claim | None:
        """Publish a decision, which opens attempt 1; None if somebody else was first."""
        return cls(folder, TrialState(decision, AttemptStart(1, me))) if folder.commit(decision, me) else None

    @classmethod
    def resume(cls, folder: TrialFolder, ended: TrialState, me: Identity) -> Claim | None:
        """Open the next attempt of a trial whose last one was left or died; None if somebody else was first."""
        start = AttemptStart(ended.start.attempt + 1, me, str(ended.end))
        won = folder.open_attempt(start.attempt, me, str(ended.end))
        return cls(folder, TrialState(ended.decision, start)) if won else None

    @property
    def number(self) -> int:
        """The trial's."""
        return self.folder.number

    @property
    def decision(self) -> Decision:
        """What is to be evaluated."""
        return self.state.decision

    @property
    def attempt(self) -> int:
        """Which attempt it is."""
        return self.state.start.attempt

    @property
    def hold(self) -> Hold:
        """What proves that it is still held."""
        return Hold(self.folder, self.attempt, self._me.worker)

    @property
    def _me(self) -> Identity:
        return self.state.start.identity

    def publish(self, fields: Mapping[str, Any]) -> bool:
        """End the attempt with its result, the trial's: True if it was ours, and durable then."""
        return self.folder.end_with_result(self.attempt, fields, self._me, self.decision)

    def leave(self, why: str, **more: float | None) -> bool:
        """Hand the attempt back, to be resumed by any worker: True if this end was ours. `more`: as of `AttemptEnd`."""
        return self.folder.end_attempt(self.attempt, End.LEFT, self._me, why, **more)

    def leave_hastily(self, why: str, seconds: float | None = None) -> bool:
        """The same in another thread than the evaluating one, which may just be ending it, too."""
        me = dataclasses.replace(self._me, worker=f"{self._me.worker}-signal")
        return self.folder.end_attempt(self.attempt, End.LEFT, me, why, seconds=seconds)

    def die(self, why: str) -> bool:
        """End the attempt, so that it counts as a death of its worker: True if this end was ours."""
        return self.folder.end_attempt(self.attempt, End.DIED, self._me, why)

    def ended(self, result: Result) -> TrialState:
        """How the trial stands with its result."""
        return dataclasses.replace(self.state, end=End.RESULT, result=result)


@functools.lru_cache(maxsize=16)
def _names_of_lock(attempt: int) -> tuple[bytes, bytes, tuple[bytes, ...]]:
    """The lock's own, that of the attempt's start, and those which say that it is over."""
    ends = os.fsencode(end_name(attempt)), os.fsencode(start_name(attempt + 1))
    return os.fsencode(lock_name(attempt)), os.fsencode(start_name(attempt)), ends
