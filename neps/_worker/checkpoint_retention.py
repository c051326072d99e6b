"""Freeing the disk: which trials' checkpoints nobody can need any more (`keep_checkpoints`), and deleting those.

Each worker decides by what it knows, which may be old. So it rests on what never changes: that a trial has succeeded,
and what a sampler has given up for ever. What runs, may be resumed or retried keeps its checkpoint, and that which it
continues. `Disk` hears of each trial as it becomes known, and looks again only at those that this may concern.
"""

from __future__ import annotations

import enum
import logging
from collections import defaultdict
from collections.abc import Collection, Mapping
from types import MappingProxyType

from neps._fidelity import Brackets
from neps._history import History
from neps._ledger.trial_folder import TrialFolder
from neps._ranking import ranks
from neps._trial import Trial
from neps._worker.context import Context
from neps._worker.settings import Keep
from neps.checkpoint import _files as files
from neps.errors import DirectoryError
from neps.samplers import Sampler

__all__ = ["Disk", "deletable"]

_logger = logging.getLogger("neps.worker")


def deletable(history: History, continuable: Collection[int], keep: Keep) -> set[int]:
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
        if keep is Keep.BEST or not ranks(trial) or trial.fidelity != top
    }


class _Reach(enum.Enum):
    """What a trial that has become known may change the sampler's `continuable` of."""

    FAMILY = enum.auto()
    """Itself, and the trial that it continues."""
    BRACKET = enum.auto()
    """All trials of its bracket."""
    RUN = enum.auto()
    """Any trial: nobody knows."""


def _reach_of(sampler: Sampler, brackets: Brackets | None) -> _Reach:
    if type(sampler).continuable is Sampler.continuable:  # a class that overrides it may go by anything
        return _Reach.FAMILY
    from neps.samplers._multi_fidelity.bracket_search import BracketSearch  # not before somebody searches in brackets

    if type(sampler) is not BracketSearch:
        return _Reach.RUN
    if not sampler.promotion.gives_up:
        return _Reach.FAMILY
    return _Reach.BRACKET if brackets is not None else _Reach.RUN


class Disk:
    """Frees the disk of one run, for one worker, at the cost of what is new.

    Call `seen` for each trial that becomes known, in any order, and again when it stands differently.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._concerned: set[int] = set()
        self._continuing: defaultdict[int, set[int]] = defaultdict(set)
        self._best: Trial | None = None
        self._freed: set[int] = set()

    def seen(self, trial: Trial) -> None:
        """A trial is known, or stands differently now: this concerns it, and the one that it continues."""
        self._concerned.add(trial.number)
        if trial.previous is not None:
            self._concerned.add(trial.previous)
            self._continuing[trial.previous].add(trial.number)

    def gone(self, number: int) -> None:
        """Nothing is known of this number any more."""
        self._concerned.update(previous for previous, numbers in self._continuing.items() if number in numbers)

    def free(self) -> None:
        """Delete what `neps.checkpoint` has saved in trials that can't be continued any more, and say so."""
        if self._context.settings.keep_checkpoints is Keep.ALL:
            return
        for number in sorted(self.deletable() - self._freed):
            self._freed.add(number)
            self._delete(TrialFolder(self._context.layout, number))

    def deletable(self) -> set[int]:
        """Those of the trials that may be freed for what has become known since the last call."""
        context, known = self._context, self._context.view.known()
        reach = _reach_of(context.sampler, context.brackets)
        concerned = self._take_concerned(reach, known)
        if not concerned:
            return concerned
        part = concerned.union(*(self._continuing.get(number, ()) for number in concerned))
        if self._best is not None:
            part.add(self._best.number)
        trials = {number: known[number] for number in part if number in known}
        index = context.brackets if reach is _Reach.RUN else None
        history = History(context.space, MappingProxyType(trials), context.seed, index)
        continuable = context.sampler.continuable(history)
        return deletable(history, continuable, context.settings.keep_checkpoints) & concerned

    def _take_concerned(self, reach: _Reach, known: Mapping[int, Trial]) -> set[int]:
        """The trials that what has become known since the last call may concern."""
        concerned, self._concerned = self._concerned, set()
        before, self._best = self._best, self._context.view.best
        if before is not None and before is not self._best:
            concerned.add(before.number)
        if reach is _Reach.RUN:
            return set(known)
        return concerned | self._in_brackets(concerned, known) if reach is _Reach.BRACKET else concerned

    def _in_brackets(self, numbers: Collection[int], known: Mapping[int, Trial]) -> set[int]:
        """The trials of the brackets that these are in."""
        places = (known[number].place for number in numbers if number in known)
        brackets = {place.bracket for place in places if place is not None}
        placed = self._context.brackets or Brackets()
        return {trial.number for bracket in brackets if bracket is not None for trial in placed.get(bracket, ())}

    def _delete(self, folder: TrialFolder) -> None:
        try:
            self._context.tenure.check()  # by now the folder may be another run's
            deleted = files.delete(folder.path)
        except DirectoryError:
            raise
        except OSError as error:
            _logger.warning(
                "The checkpoints of trial %d can't be deleted: %s. See %s", folder.number, error, folder.path
            )
            return
        if deleted:
            names, size = ", ".join(name for name, _ in deleted), sum(size for _, size in deleted)
            message = "Nobody needs the checkpoints of trial %d any more: deleted %s in %s, %d bytes"
            _logger.info(message, folder.number, names, folder.path, size)
