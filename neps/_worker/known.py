"""What users have enqueued and imported, as one worker knows it: new documents are read.

Whether an enqueued configuration is of the space is looked at by the decision that would take it: a list may be long.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping

from neps._deciding import Refused, completed, entry_generator
from neps._ledger.definition import Definition
from neps._ledger.known_trials import Imported, KnownTrials, Results
from neps._ledger.layout import Layout, known_name
from neps._queue import Queue
from neps._trial import Decision, Entry
from neps.errors import SpaceError
from neps.space import SearchSpace

__all__ = ["Known"]

_logger = logging.getLogger("neps.worker")


class Known:
    """What users have said of trials.

    Args:
        layout: the run's paths.
        space: what is searched.
        definition: the run's. It says how many documents there were before the run began: without them nothing is
            decided.
    """

    def __init__(self, layout: Layout, space: SearchSpace, definition: Definition) -> None:
        self._least = definition.known
        self._documents, self._folder = KnownTrials(layout, definition.lease_seconds), layout.known
        self._refuses_first = any(
            not _can_be_completed(space, config, definition.seed, Entry(0, number))
            for number, config in enumerate(definition.first_configs, start=1)
        )
        self.queue = Queue(definition.first_configs)
        """What was enqueued; an observer of the view keeps it up."""
        self.results = Results(functools.partial(Decision.check, space=space))
        """What was imported, and what the run starts from."""

    @property
    def in_turn(self) -> bool:
        """Whether who decides has to know all earlier decisions: what is enqueued, or in the place of something."""
        return self.queue.more or self._refuses_first

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
            if isinstance(found, Imported):
                self.results.add(found)
            else:
                self.queue.add(found.number, found.configs)

    def refuse(self, refused: Refused, number: int) -> None:
        """Pass over what trial `number` would have taken, and say so."""
        entry = refused.entry
        self.queue.refuse(entry)
        if entry.batch:
            what = f"configs[{entry.place - 1}] of {self._folder}/{known_name(entry.batch)}"
            then = "It stays enqueued, for a start whose search space allows it."
        else:
            what = f"first_configs[{entry.place - 1}] of the run"
            then = f"Trial {number} evaluates another configuration. To try that one later, use neps.enqueue."
        _logger.warning("%s is passed over: %s %s", what, refused.why, then)


def _can_be_completed(space: SearchSpace, given: Mapping[str, object], seed: int, entry: Entry) -> bool:
    try:
        completed(space, given, entry_generator(seed, entry))
    except SpaceError:
        return False
    return True
