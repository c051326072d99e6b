"""What the results cache knows of a run: an observer learns it, and has it remember what the folders alone told."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence

from neps._ledger.documents import UnreadableDocumentError
from neps._ledger.identity import Identity
from neps._ledger.knowledge import Knowledge
from neps._ledger.layout import Layout
from neps._ledger.news import News
from neps._ledger.results_cache import MANY, ResultsCache, parse
from neps._ledger.trial_folder import TrialFolder
from neps._ledger.trial_state import read_state, trial_of
from neps._ledger.trust import Trust
from neps._trial import Trial

__all__ = ["Recall"]

_logger = logging.getLogger("neps.ledger")


class Recall:
    """The results cache, as one observer uses it; `me` is None for a reader, who writes nothing."""

    def __init__(self, layout: Layout, me: Identity | None, trust: Trust, known: Knowledge) -> None:
        self._layout, self._me, self._trust, self._known = layout, me, trust, known
        self._results_cache = ResultsCache(layout, me.worker if me else "")
        self._news = News(layout)

    def first(self) -> set[int]:
        """Learn what it holds; the numbers that are left to the folders."""
        remembered = dict(self._news.read_on())
        numbers = set(self._layout.numbers())
        if not remembered.keys() <= numbers:  # somebody has removed trials: what it says of their numbers is void
            remembered = {number: payload for number, payload in remembered.items() if number in numbers}
            if self._me:
                with contextlib.suppress(OSError):
                    self._results_cache.rewrite(lambda number, line: line if number in numbers else None)
        return numbers - {number for number, payload in remembered.items() if self._believe(number, payload)}

    def hear(self) -> None:
        """Learn what others have written since: for readers, whom it saves the folders."""
        for number, payload in self._news.read_on():
            before = self._known.trials.get(number)
            if before is None or not before.succeeded:
                self._believe(number, payload)

    def _believe(self, number: int, payload: bytes) -> bool:
        """Believe a line, or, where it says anything odd, leave it to the folder."""
        trial: Trial | None = None
        if self._known.details:
            try:
                trial = parse(number, payload)
                self._trust.check(trial.decision, "a line of the results cache")
            except UnreadableDocumentError as error:
                _logger.debug("The results cache is not believed: %s", error)
                return False
        self._known.succeeded(number, trial)
        return True

    def append(self, trial: Trial) -> None:
        """This worker's trial has ended: a success is remembered."""
        self._results_cache.append(trial)

    def rebuild(self, numbers: Sequence[int]) -> None:
        """Have it remember what the folders alone told, though it be but that a trial has succeeded.

        Else readers of a run whose workers look at no details would read all folders for ever, once it is deleted.
        Where result.yaml could not be linked, who joins later tries that again.
        """
        trials = self._known.trials
        if self._known.details:
            ended = (number for number in numbers if number in trials)
            complete = [number for number in ended if TrialFolder(self._layout, number).has_result()]
            self._results_cache.add(complete, trials.get)
            return
        succeeded = [number for number in numbers if number not in trials and number not in self._known.pending]
        if len(succeeded) >= MANY:  # to read fewer is no trouble
            self._results_cache.add(succeeded, self._read)

    def _read(self, number: int) -> Trial | None:
        folder = TrialFolder(self._layout, number)
        with contextlib.suppress(UnreadableDocumentError, OSError):
            if (state := read_state(folder, complete=False)) is not None:
                return trial_of(folder, state)
        return None
