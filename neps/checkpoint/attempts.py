"""Which attempts this process evaluates, so that `save` can look whether its own is still the open one.

The worker enters each attempt here while run_pipeline is called; a forked child inherits that, and one that is started
anew finds its name in the environment (see `neps.children`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from neps.children import ParentAttempt, announced, inherited
from neps.errors import CheckpointError, NepsError
from neps.evaluation import check
from neps.ledger.definition import DEFAULT_LEASE_SECONDS, find_definition
from neps.ledger.identity import Identity
from neps.ledger.trial_folder import TrialFolder

__all__ = ["Attempt", "attempt_in", "check_open", "open_attempt"]


@dataclasses.dataclass(slots=True, eq=False)
class Attempt:
    """One that this process evaluates, or was started for, and what its checkpoints came to.

    `is_lost`: whether it has an end or a successor, or the folder is another run's by now. `stalled` is about how many
    bytes the last `save` could not write, None while saving works. `loaded`: whether a checkpoint of this trial was
    loaded; `advanced`: whether one was saved that is further on, for all that is seen. `trainers`: whose each file is
    that a training framework's trainer keeps its state in (see `neps.integrations`).
    """

    folder: TrialFolder
    attempt: int
    is_lost: Callable[[], bool]
    on_superseded: Callable[[], object] = lambda: None
    before_saving: Callable[[], object] = lambda: None
    patience: float = 0.0
    stalled: int | None = None
    loaded: bool = False
    advanced: bool = False
    trainers: dict[Path, object] = dataclasses.field(default_factory=dict)

    def stall(self, size: int) -> None:
        """There was no room for so many bytes: remembered here, and said by a sign, since this may be a child."""
        self.recover()
        self.stalled = size
        with contextlib.suppress(OSError):  # then the worker finds that it can't write, either
            self.folder.mark_stalled(self.attempt, size)

    def recover(self) -> None:
        """Saving works (again)."""
        if self.stalled is not None:
            self.folder.unmark_stalled(self.attempt, self.stalled)
            self.stalled = None

    def advance(self) -> None:
        """Leave the sign that this attempt has saved a checkpoint: deaths before it count no more."""
        with contextlib.suppress(OSError):  # the next one may
            self.folder.mark_saved(self.attempt)
            self.advanced = True


_attempts: dict[str, Attempt] = {}


@contextlib.contextmanager
def open_attempt(
    folder: TrialFolder,
    attempt: int,
    me: Identity,
    on_superseded: Callable[[], object],
    before_saving: Callable[[], object] = lambda: None,
    patience: float = 0.0,
) -> Iterator[Attempt]:
    """While this lasts, checkpoints in the trial's folder are replaced only as long as the attempt is the open one.

    Args:
        folder: the trial's.
        attempt: the one that this worker evaluates.
        me: this worker.
        on_superseded: called by a `save` that finds the attempt taken over, in whichever thread that is.
        before_saving: called by any other `save`, before the checkpoint is replaced.
        patience: for how many seconds a `save` tries again where the storage fails.
    """
    mine = Attempt(
        folder,
        attempt,
        lambda: folder.superseded(attempt) or not folder.is_held(attempt, me),
        on_superseded,
        before_saving,
        patience,
    )
    _attempts[folder.path] = mine
    try:
        with announced(folder, attempt, me):
            yield mine
    finally:
        if _attempts.get(folder.path) is mine:
            del _attempts[folder.path]


def attempt_in(folder: str) -> Attempt | None:
    """The attempt that is evaluated in `folder`, or in one above it, here or by who started this process; or None."""
    path = os.path.realpath(folder)
    parents = inherited()
    of_parent = [_of_parent(os.getpid(), parents)] if parents is not None and not _attempts else []
    for attempt in [*_attempts.values(), *of_parent]:
        if f"{path}/".startswith(f"{os.path.realpath(attempt.folder.path)}/"):
            return attempt
    return None


@functools.lru_cache(maxsize=1)
def _of_parent(_process: int, parents: ParentAttempt) -> Attempt:
    """The attempt for which this process was started: it waits and leaves signs as its parent would."""
    lease = DEFAULT_LEASE_SECONDS
    with contextlib.suppress(NepsError, OSError):
        if (definition := find_definition(parents.root)) is not None:
            lease = definition.lease_seconds
    return Attempt(parents.folder, parents.attempt, parents.is_lost, patience=10 * lease)


def check_open(folder: str) -> None:
    """Look whether the attempt that is evaluated in `folder`, or in one above it, is still open; fine where none is.

    Raises:
        Fenced, TakenOverError: if it isn't, and this process evaluates it (see `neps.evaluation.check`).
        CheckpointError: if it isn't, elsewhere: in a child process.
    """
    attempt = attempt_in(folder)
    if attempt is None:
        return
    if attempt.is_lost():
        attempt.on_superseded()
        check()
        raise CheckpointError(
            f"no checkpoint is saved in {folder}: attempt {attempt.attempt} of trial {attempt.folder.number}, to "
            "which this process belongs, has ended, or another worker has taken it over because its worker was silent "
            "for longer than lease_seconds. End this process, too. A longer lease_seconds tolerates longer silences."
        )
    attempt.before_saving()
