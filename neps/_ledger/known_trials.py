"""What users know of trials: numbered documents, which the decisions after them look at.

    known/RUN/known_K.yaml    document K, made by link; the next number is only taken once this one is there

So all workers see the same in the same order, some of them later: that is as if a user had written it later. Whether a
configuration was taken is never stored here: the decision that takes it says so. `neps.enqueue` writes, workers read.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from neps._ledger import documents
from neps._ledger import fields as typed
from neps._ledger.documents import UnreadableDocumentError
from neps._ledger.identity import Identity
from neps._ledger.layout import Layout, known_name, known_number
from neps._ledger.numbered import Numbered
from neps._ledger.records import parsed
from neps._trial import Value

__all__ = ["Enqueued", "KnownTrials", "enqueue", "unreadable_known"]

_logger = logging.getLogger("neps.ledger")


@dataclasses.dataclass(frozen=True, slots=True)
class Enqueued:
    """List `number` of configurations that are to be evaluated, each in whole or in part."""

    number: int
    configs: tuple[Mapping[str, Value], ...]


def enqueue(layout: Layout, configs: Sequence[Mapping[str, Value]], me: Identity) -> int:
    """Publish a list of configurations, all or none: the document's number. It is durable then.

    Raises:
        ValueError: if it is more than a document holds; nothing is written.
        OSError: if it can't be written.
    """
    return _publish(layout, me, configs=[dict(config) for config in configs])


def _publish(layout: Layout, me: Identity, **content: Any) -> int:
    fields = {"run": layout.run, **content, "by": me.worker, "host": me.host, "time": documents.now()}
    try:
        documents.decode(known_name(1), documents.encode({"number": 1} | fields))
    except UnreadableDocumentError as error:
        raise ValueError(error.why) from error
    return _documents(layout).add(lambda number: {"number": number} | fields, me.token)


def _documents(layout: Layout) -> Numbered:
    return Numbered(layout.known, known_name, known_number)


class KnownTrials:
    """The documents of a run, for one observer. A look is one system call while there is nothing new.

    Args:
        layout: the run's paths.
        lease: in seconds: for so long a document that can't be read keeps the later ones from being read. A reader who
            looks once passes 0.
    """

    def __init__(self, layout: Layout, lease: float) -> None:
        self._layout, self._lease = layout, lease
        self._documents = _documents(layout)
        self._torn_since: float | None = None
        self.seen = 0
        """The number of the last document that was read, or passed over."""

    def look(self) -> Iterator[Enqueued]:
        """What is new.

        Raises:
            OSError: if the filesystem fails.
        """
        while self._documents.is_there(self.seen + 1):
            number = self.seen + 1
            try:
                found = _read(self._layout, number)
            except UnreadableDocumentError as error:
                if not self._passed_over(error, time.monotonic()):
                    return
                continue
            if found is None:
                return
            self.seen, self._torn_since = number, None
            yield found

    def _passed_over(self, error: UnreadableDocumentError, now: float) -> bool:
        """Whether a document that can't be read is damaged by now: then the next one counts."""
        self._torn_since = now if self._torn_since is None else self._torn_since
        if not error.lasting and now - self._torn_since < self._lease:
            return False
        _logger.warning("What was enqueued can't be read, and is passed over: %s. Enqueue it again.", error)
        self.seen, self._torn_since = self.seen + 1, None
        return True


def unreadable_known(layout: Layout) -> Iterator[UnreadableDocumentError]:
    """Why documents of a run can't be read, of those that can't."""
    for number in range(1, _documents(layout).last() + 1):
        try:
            _read(layout, number)
        except UnreadableDocumentError as error:
            yield error


def _read(layout: Layout, number: int) -> Enqueued | None:
    """A document, or None where there is none (any more)."""
    path = _documents(layout).path(number)
    if (fields := documents.load(path)) is None:
        return None
    return parsed(path, functools.partial(_understood, fields, number, layout.run))


def _understood(fields: Mapping[str, Any], number: int, run: str) -> Enqueued:
    typed.need(fields, "number", functools.partial(typed.equal, number))
    if (theirs := typed.need(fields, "run", typed.run_name)) != run:
        raise typed.WrongError(theirs, f"not {run}", "run")
    return Enqueued(number, typed.need(fields, "configs", typed.configs))
