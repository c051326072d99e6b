"""Which attempts this process evaluates, so that `save` can look whether its own is still the open one.

The worker enters each attempt here while run_pipeline is called; a forked child inherits that.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator

from neps.errors import CheckpointError
from neps.ledger.identity import Identity
from neps.ledger.trial_folder import TrialFolder

__all__ = ["Attempt", "attempt_in", "check_open", "open_attempt"]


@dataclasses.dataclass(slots=True, eq=False)
class Attempt:
    """One that this process evaluates, and what its checkpoints came to.

    `stalled` is about how many bytes the last `save` could not write, None while saving works. `loaded`: whether a
    checkpoint of this trial was loaded; `advanced`: whether one was saved that is further on, for all that is seen.
    """

    folder: TrialFolder
    attempt: int
    me: Identity
    on_superseded: Callable[[], object]
    before_saving: Callable[[], object]
    patience: float = 0.0
    stalled: int | None = None
    loaded: bool = False
    advanced: bool = False

    def is_lost(self) -> bool:
        """Whether it has an end or a successor, or the folder is another run's by now."""
        return self.folder.superseded(self.attempt) or not self.folder.is_held(self.attempt, self.me)

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
    mine = Attempt(folder, attempt, me, on_superseded, before_saving, patience)
    _attempts[folder.path] = mine
    try:
        yield mine
    finally:
        if _attempts.get(folder.path) is mine:
            del _attempts[folder.path]


def attempt_in(folder: str) -> Attempt | None:
    """The attempt that is evaluated in `folder`, or in one above it; None where none is."""
    path = os.path.realpath(folder)
    for evaluated, attempt in list(_attempts.items()):
        if f"{path}/".startswith(f"{os.path.realpath(evaluated)}/"):
            return attempt
    return None


def check_open(folder: str) -> None:
    """Look whether the attempt that is evaluated in `folder`, or in one above it, is still open; fine where none is.

    Raises:
        CheckpointError: if it isn't.
    """
    attempt = attempt_in(folder)
    if attempt is None:
        return
    if attempt.is_lost():
        attempt.on_superseded()
        raise CheckpointError(
            f"no checkpoint is saved in {folder}: another worker has taken trial {attempt.folder.number} over, "
            "since this one was silent for longer than lease_seconds, and goes on from the last checkpoint. A "
            "longer lease_seconds bears longer silences."
        )
    attempt.before_saving()
