"""What users have enqueued and imported, as one worker knows it: new documents are read and checked."""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping, Sequence

from neps._deciding import checked_configs
from neps._ledger.known_trials import Enqueued, Imported, KnownTrials, Results
from neps._ledger.layout import Layout
from neps._queue import Queue
from neps._trial import Decision, Value
from neps.errors import ArgumentError
from neps.space import SearchSpace

__all__ = ["Known"]

_logger = logging.getLogger("neps.worker")


class Known:
    """What users have said of trials.

    Args:
        layout: the run's paths.
        space: what is searched.
        lease: in seconds.
        first_configs: the run's.
        least: how many documents there were before the run began: without them nothing is decided.
    """

    def __init__(
        self, layout: Layout, space: SearchSpace, lease: float, first_configs: Sequence[Mapping[str, Value]], least: int
    ) -> None:
        self._least = least
        self._space, self._documents, self._folder = space, KnownTrials(layout, lease), layout.known
        self.queue = Queue(first_configs)
        """What was enqueued; an observer of the view keeps it up."""
        self.results = Results(functools.partial(Decision.check, space=space))
        """What was imported, and what the run starts from."""

    @property
    def seen(self) -> int:
        """The number of the last document that was read."""
        return self._documents.seen

    @property
    def lacks(self) -> str | None:
        """What has to be seen before anything is decided; None once it is."""
        if self.seen >= self._least:
            return None
        return f"what this run starts from, document {self.seen + 1} in {self._folder}, to become readable"

    def look(self) -> None:
        """Learn what is new.

        Raises:
            OSError: if the filesystem fails.
        """
        for found in self._documents.look():
            self._add(found)

    def _add(self, found: Enqueued | Imported) -> None:
        if isinstance(found, Imported):
            self.results.add(found)
            return
        try:
            configs = checked_configs(self._space, found.configs, "configs")
        except ArgumentError as error:  # somebody has edited it
            _logger.warning("Document %d in %s is passed over: %s", found.number, self._folder, error)
            return
        self.queue.add(found.number, configs)
