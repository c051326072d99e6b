"""Which attempts this process evaluates, so that `save` can look whether its own is still the open one.

The worker enters each attempt here while run_pipeline is called; a forked child inherits that, and one that is started
anew finds its name in the environment (see `neps.children`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator

from neps.children import announced, inherited
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
        with announced(folder, attempt, me):
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
    if not _attempts:
        _check_inherited(path)
    for evaluated, attempt in list(_attempts.items()):
        if not _is_inside(path, evaluated):
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


def _check_inherited(path: str) -> None:
    """The same in a process that run_pipeline has started."""
    attempt = inherited()
    if attempt is not None and _is_inside(path, attempt.folder.path) and attempt.is_lost():
        raise CheckpointError(
            f"no checkpoint is saved in {path}: attempt {attempt.attempt} at trial {attempt.number}, for which this "
            "process was started, has ended or was taken over by another worker, which goes on from the last "
            "checkpoint. End this process, too."
        )


def _is_inside(path: str, folder: str) -> bool:
    return f"{path}/".startswith(f"{os.path.realpath(folder)}/")
