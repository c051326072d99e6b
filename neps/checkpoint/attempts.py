"""Which attempts this process evaluates, so that `save` can look whether its own is still the open one.

The worker enters each attempt here while run_pipeline is called; a forked child inherits that.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator

from neps.errors import CheckpointError
from neps.evaluation import check
from neps.ledger.identity import Identity
from neps.ledger.trial_folder import TrialFolder

__all__ = ["check_open", "open_attempt"]


@dataclasses.dataclass(frozen=True, slots=True)
class _Attempt:
    folder: TrialFolder
    attempt: int
    me: Identity
    on_superseded: Callable[[], object]
    before_saving: Callable[[], object]

    def is_lost(self) -> bool:
        """Whether it has an end or a successor, or the folder is another run's by now."""
        return self.folder.superseded(self.attempt) or not self.folder.is_held(self.attempt, self.me)


_attempts: dict[str, _Attempt] = {}


@contextlib.contextmanager
def open_attempt(
    folder: TrialFolder,
    attempt: int,
    me: Identity,
    on_superseded: Callable[[], object],
    before_saving: Callable[[], object] = lambda: None,
) -> Iterator[None]:
    """While this lasts, checkpoints in the trial's folder are replaced only as long as the attempt is the open one.

    Args:
        folder: the trial's.
        attempt: the one that this worker evaluates.
        me: this worker.
        on_superseded: called by a `save` that finds the attempt taken over, in whichever thread that is.
        before_saving: called by any other `save`, before the checkpoint is replaced.
    """
    _attempts[folder.path] = mine = _Attempt(folder, attempt, me, on_superseded, before_saving)
    try:
        yield
    finally:
        if _attempts.get(folder.path) is mine:
            del _attempts[folder.path]


def check_open(folder: str) -> None:
    """Look whether the attempt that is evaluated in `folder`, or in one above it, is still open; fine where none is.

    Raises:
        Fenced, TakenOverError: if it isn't, and this process evaluates it (see `neps.evaluation.check`).
        CheckpointError: if it isn't, elsewhere: in a forked child.
    """
    path = os.path.realpath(folder)
    for evaluated, attempt in list(_attempts.items()):
        if not f"{path}/".startswith(f"{os.path.realpath(evaluated)}/"):
            continue
        if attempt.is_lost():
            attempt.on_superseded()
            check()
            raise CheckpointError(
                f"no checkpoint is saved in {folder}: another worker has taken trial {attempt.folder.number} over, "
                "since this one was silent for longer than lease_seconds, and goes on from the last checkpoint. A "
                "longer lease_seconds bears longer silences."
            )
        attempt.before_saving()
