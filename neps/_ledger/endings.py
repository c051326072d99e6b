"""That results have ended a run: numbered documents, so that all workers agree, and `neps status` can say why.

    endings/RUN/ending_K.yaml    ending K, made by link

Who leaves since a target is reached, or patience at its end, publishes it once. A call whose budget it binds starts
nothing more, whatever the trials that still ran have brought since; any other goes on. If the folder is removed, each
call decides by the results alone.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import functools
import logging
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from neps._ending import LIMITS, Ending
from neps._ledger import documents
from neps._ledger import fields as typed
from neps._ledger.documents import UnreadableDocumentError
from neps._ledger.exclusive import publish, sync_folder
from neps._ledger.identity import Identity
from neps._ledger.layout import Layout, ending_name
from neps._ledger.records import parsed
from neps._ledger.storage import SPACE

__all__ = ["Endings", "PublishedEnding", "last_ending", "reason_of", "unreadable_endings"]

_logger = logging.getLogger("neps.ledger")


@dataclasses.dataclass(frozen=True, slots=True)
class PublishedEnding:
    """An ending, and when it was published, for people."""

    ending: Ending
    made: datetime | None


class Endings:
    """The endings of a run, as one worker knows them; a look is one system call while there is nothing new."""

    def __init__(self, layout: Layout, me: Identity) -> None:
        self._layout, self._me = layout, me
        self._known: dict[int, PublishedEnding] = {}

    def look(self) -> Sequence[Ending]:
        """Those that are there by now.

        Raises:
            OSError: if the filesystem fails.
        """
        _read_all(self._layout, self._known)
        return [known.ending for _, known in sorted(self._known.items())]

    def publish(self, ending: Ending) -> None:
        """Say so, unless somebody has: of the same limit there is one.

        Where the disk is full, or something else stands there, that isn't worth waiting for: the search is over.

        Raises:
            OSError: if the filesystem fails.
        """
        try:
            self._publish(ending)
        except OSError as error:
            if error.errno not in {*SPACE, errno.ENOTDIR, errno.EEXIST}:
                raise
            _logger.warning(
                "That the search has ended (%s) can't be written to %s: %s. `neps status` won't say it.",
                ending.reason,
                self._layout.endings,
                error,
            )

    def _publish(self, ending: Ending) -> None:
        number = 1
        while not self._is_said(ending):
            os.makedirs(self._layout.endings, exist_ok=True)  # noqa: PTH103
            fields = {
                "run": self._layout.run,
                "number": number,
                "reason": ending.reason,
                "before": ending.number,
                **{name: getattr(ending, name) for name in LIMITS},
                "worker": self._me.worker,
                "time": documents.now(),
            }
            if publish(self._layout.endings, ending_name(number), documents.encode(fields), self._me.token):
                sync_folder(self._layout.endings)
                return
            number += 1

    def _is_said(self, ending: Ending) -> bool:
        return any(said.limit == ending.limit for said in self.look())


def last_ending(layout: Layout) -> PublishedEnding | None:
    """The last ending that can be read; None if there is none."""
    known: dict[int, PublishedEnding] = {}
    with contextlib.suppress(OSError):
        _read_all(layout, known)
    return known[max(known)] if known else None


def reason_of(published: PublishedEnding | None) -> str | None:
    """Its reason, where there is one."""
    return published.ending.reason if published is not None else None


def unreadable_endings(layout: Layout) -> dict[str, UnreadableDocumentError]:
    """Why some can't be read, by their paths.

    Raises:
        OSError: if the filesystem fails.
    """
    return _read_all(layout, {})


def _read_all(layout: Layout, known: dict[int, PublishedEnding]) -> dict[str, UnreadableDocumentError]:
    """Read what isn't known yet; why the others, by their paths, can't be read now: they say nothing.

    Raises:
        OSError: if the filesystem fails, or the folder can't be entered.
    """
    number, unreadable = 1, dict[str, UnreadableDocumentError]()
    while True:
        if number not in known:
            path = f"{layout.endings}/{ending_name(number)}"
            try:
                if (fields := documents.load(path)) is None:
                    return unreadable
                known[number] = parsed(path, functools.partial(_read, fields, number))
            except UnreadableDocumentError as error:
                os.lstat(path)  # of a folder that can't be entered, every number would be there
                unreadable[path] = error
        number += 1


def _read(fields: Mapping[str, Any], number: int) -> PublishedEnding:
    typed.need(fields, "number", functools.partial(typed.equal, number))
    ending = Ending(
        reason=typed.need(fields, "reason", typed.text),
        number=typed.need(fields, "before", typed.counted),
        target_loss=typed.get(fields, "target_loss", typed.number),
        patience=typed.get(fields, "patience", typed.counted),
        patience_cost=typed.get(fields, "patience_cost", typed.cost),
    )
    return PublishedEnding(ending, typed.get(fields, "time", typed.moment))
