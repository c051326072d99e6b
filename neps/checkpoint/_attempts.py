"""Which attempts this process evaluates, so that `save` can look whether its own is still the open one.

The worker enters each attempt here while run_pipeline is called; a forked child inherits that, and one that is started
anew finds its name in the environment (see `neps._children`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from neps._children import announced, inherited
from neps._evaluation import check
from neps._ledger.claims import Hold
from neps._ledger.definition import DEFAULT_LEASE_SECONDS, find_definition
from neps.errors import CheckpointError, NepsError

__all__ = ["Evaluation", "attempt_in", "check_open", "open_attempt"]


@dataclasses.dataclass(slots=True, eq=False)
class Evaluation:
    """Of an attempt, by this process or by the one that has started it: what its checkpoints came to.

    `hold` is the attempt's. `stalled` is about how many bytes the last `save` could not write, None while saving works.
    `loaded`: whether a checkpoint of this trial was loaded; `advanced`: whether one was saved that is further on, for
    all that is seen. `trainers`: whose each file is that a training framework's trainer keeps its state in (see
    `neps.integrations`). `is_rank_zero`: whether this process writes the files that all ranks of a training have in
    common; on other ranks `skipped` has those that were not written here.
    """

    hold: Hold
    on_superseded: Callable[[], object] = lambda: None
    before_saving: Callable[[], object] = lambda: None
    patience: float = 0.0
    stalled: int | None = None
    loaded: bool = False
    advanced: bool = False
    trainers: dict[Path, object] = dataclasses.field(default_factory=dict)
    is_rank_zero: bool = True
    skipped: set[Path] = dataclasses.field(default_factory=set)

    @property
    def patience_left(self) -> float:
        """For how many seconds a `save` tries: not again where it was in vain."""
        return self.patience if self.stalled is None else 0.0

    def stall(self, size: int) -> None:
        """There was no room for so many bytes: remembered here, and said by a sign, since this may be a child."""
        self.recover()
        self.stalled = size
        with contextlib.suppress(OSError):  # then the worker finds that it can't write, either
            self.hold.mark_stalled(size)

    def recover(self) -> None:
        """Saving works (again)."""
        if self.stalled is not None:
            self.hold.unmark_stalled(self.stalled)
            self.stalled = None

    def advance(self) -> None:
        """Leave the sign that this attempt has saved a checkpoint: deaths before it count no more."""
        with contextlib.suppress(OSError):  # the next one may
            self.hold.mark_saved()
            self.advanced = True


_evaluations: dict[str, Evaluation] = {}


@contextlib.contextmanager
def open_attempt(
    hold: Hold,
    on_superseded: Callable[[], object],
    before_saving: Callable[[], object] = lambda: None,
    patience: float = 0.0,
    ends: float = math.inf,
) -> Iterator[Evaluation]:
    """While this lasts, checkpoints in the trial's folder are replaced only as long as the attempt is the open one.

    Args:
        hold: of the attempt that this worker evaluates.
        on_superseded: called by a `save` that finds the attempt taken over, in whichever thread that is.
        before_saving: called by any other `save`, before the checkpoint is replaced.
        patience: for how many seconds a `save` tries again where the storage fails.
        ends: when max_seconds_per_trial is over, by the monotonic clock.
    """
    path = hold.folder.path
    _evaluations[path] = mine = Evaluation(hold, on_superseded, before_saving, patience)
    try:
        with announced(hold, ends):
            yield mine
    finally:
        if _evaluations.get(path) is mine:
            del _evaluations[path]


def attempt_in(folder: str) -> Evaluation | None:
    """What is evaluated in `folder`, or in one above it, here or by who started this process; None if nothing is."""
    path = os.path.realpath(folder)
    parents = inherited()
    of_parent = [_of_parent(os.getpid(), parents)] if parents is not None and not _evaluations else []
    for evaluation in [*_evaluations.values(), *of_parent]:
        if f"{path}/".startswith(f"{os.path.realpath(evaluation.hold.folder.path)}/"):
            return evaluation
    return None


@functools.lru_cache(maxsize=1)
def _of_parent(_process: int, parents: Hold) -> Evaluation:
    """That of the attempt for which this process was started: it waits and leaves signs as its parent would."""
    lease = DEFAULT_LEASE_SECONDS
    with contextlib.suppress(NepsError, OSError):
        if (definition := find_definition(str(parents.folder.directory.parent))) is not None:
            lease = definition.lease_seconds
    return Evaluation(parents, patience=10 * lease)


def check_open(folder: str) -> None:
    """Look whether the attempt that is evaluated in `folder`, or in one above it, is still open; fine where none is.

    Raises:
        Fenced, TakenOverError: if it isn't, and this process evaluates it (see `neps._evaluation.check`).
        CheckpointError: if it isn't, elsewhere: in a child process.
    """
    evaluation = attempt_in(folder)
    if evaluation is None:
        return
    hold = evaluation.hold
    if hold.is_lost():
        evaluation.on_superseded()
        check()
        raise CheckpointError(
            f"no checkpoint is saved in {folder}: attempt {hold.attempt} of trial {hold.folder.number}, to "
            "which this process belongs, has ended, or another worker has taken it over because its worker was silent "
            "for longer than lease_seconds. End this process, too. A longer lease_seconds tolerates longer silences."
        )
    evaluation.before_saving()
