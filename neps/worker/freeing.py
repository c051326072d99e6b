"""Freeing the disk: which trials' checkpoints nobody can need any more (`keep_checkpoints`), and deleting those.

Each worker decides by what it knows, which may be old. So it rests on what never changes: that a trial has succeeded,
and what a sampler has given up for ever. What runs, may be resumed or retried keeps its checkpoint, and that which it
continues.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Collection

from neps.checkpoint import files
from neps.errors import DirectoryError
from neps.history import History
from neps.ledger.trial_folder import TrialFolder
from neps.worker.context import Context
from neps.worker.settings import Keep

__all__ = ["Disk", "freeable"]

_logger = logging.getLogger("neps.worker")


def freeable(history: History, continuable: Collection[int], keep: Keep) -> set[int]:
    """The trials whose checkpoints nobody can need any more.

    Args:
        history: what is known.
        continuable: the ended trials that the sampler may still continue.
        keep: what the user wants kept beyond what is needed.
    """
    if keep is Keep.ALL:
        return set()
    needed = {trial.previous for trial in history.trials if not trial.succeeded}
    best, top = history.best, history.space.highest_fidelity
    kept = {*needed, *continuable, best.number if best else None}
    return {
        trial.number
        for trial in history.succeeded
        if trial.number not in kept
        if keep is Keep.BEST or not math.isfinite(trial.rank_key) or trial.fidelity != top
    }


class Disk:
    """Frees the disk of one run, for one worker."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._freed: set[int] = set()

    def free(self) -> None:
        """Delete what `neps.checkpoint` has saved in trials that can't be continued any more, and say so."""
        keep = self._context.settings.keep_checkpoints
        if keep is Keep.ALL:
            return
        context = self._context
        history = History(context.space, context.view.known(), context.seed, context.brackets)
        for number in sorted(freeable(history, context.sampler.continuable(history), keep) - self._freed):
            self._freed.add(number)
            self._delete(TrialFolder(self._context.layout, number))

    def _delete(self, folder: TrialFolder) -> None:
        try:
            self._context.tenure.check()  # by now the folder may be another run's
            deleted = files.delete(folder.path)
        except DirectoryError:
            raise
        except OSError as error:
            _logger.warning("Trial %d keeps its checkpoints: %s. See %s", folder.number, error, folder.path)
            return
        if deleted:
            names, size = ", ".join(name for name, _ in deleted), sum(size for _, size in deleted)
            message = "Trial %d can't be continued any more: deleted %s in %s, %d bytes"
            _logger.info(message, folder.number, names, folder.path, size)
