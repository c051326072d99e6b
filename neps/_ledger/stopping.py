"""Requests that the workers of a run leave: numbered documents, which only workers heed that had begun before.

    stops/RUN/stop_K.yaml    request K, made by link; the next number is only taken once this one is there

Nothing here compares times. What a worker finds when it joins was there before it, so it never heeds that: no request
keeps a later start from working. `neps.stop` asks, the loop and the heartbeat of a worker look, `neps status` tells.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import functools
import logging
import threading
import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from neps._ledger import documents
from neps._ledger import fields as typed
from neps._ledger.documents import UnreadableDocumentError
from neps._ledger.identity import Identity
from neps._ledger.layout import Layout, stop_name, stop_number
from neps._ledger.numbered import Numbered
from neps._ledger.records import parsed

__all__ = ["Asked", "StopRequest", "Stops", "asked_now", "latest_stop", "request_stop"]

_logger = logging.getLogger("neps.ledger")


class Asked(enum.IntEnum):
    """What a worker was asked; a later request may ask for more, never for less."""

    NOTHING = 0
    AFTER_TRIAL = 1
    NOW = 2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StopRequest:
    """Request `number` to leave: now, or each worker `after_trial`; `workers` were seen then. `made` is for people."""

    number: int
    after_trial: bool
    workers: tuple[str, ...]
    made: datetime | None = None


def request_stop(layout: Layout, workers: Iterable[str], me: Identity, *, after_trial: bool) -> StopRequest:
    """Ask all workers of a run to leave; it is durable then, if possible.

    Raises:
        OSError: if it can't be written.
    """
    named = tuple(sorted(workers))

    def fields(number: int) -> dict[str, Any]:
        return {
            "run": layout.run,
            "number": number,
            "after_trial": after_trial or None,
            "workers": list(named),
            "by": me.worker,
            "host": me.host,
            "time": documents.now(),
        }

    number = _requests(layout).add(fields, me.token)
    _requests(layout).sync_if_possible()
    return StopRequest(number=number, after_trial=after_trial, workers=named)


def asked_now(layout: Layout) -> set[str]:
    """The workers that some request has asked to leave now: no later one asks them for less."""
    names: set[str] = set()
    for number in range(1, _requests(layout).last() + 1):
        with contextlib.suppress(UnreadableDocumentError, OSError):
            request = _read(layout, number)
            if request is not None and not request.after_trial:
                names |= set(request.workers)
    return names


def latest_stop(layout: Layout) -> StopRequest | None:
    """The last request that can be read; None if there is none."""
    for number in range(_requests(layout).last(), 0, -1):
        with contextlib.suppress(UnreadableDocumentError, OSError):
            return _read(layout, number)
    return None


def _requests(layout: Layout) -> Numbered:
    return Numbered(layout.stops, stop_name, stop_number)


def _read(layout: Layout, number: int) -> StopRequest | None:
    """A request, or None where there is none (any more).

    Raises:
        UnreadableDocumentError: if it can't be trusted (yet).
        OSError: if the filesystem fails.
    """
    path = _requests(layout).path(number)
    fields = documents.load(path)
    if fields is None:
        return None
    return parsed(
        path,
        lambda: StopRequest(
            number=typed.need(fields, "number", functools.partial(typed.equal, number)),
            after_trial=typed.get(fields, "after_trial", typed.flag, False),
            workers=typed.get(fields, "workers", typed.texts, ()),
            made=typed.get(fields, "time", typed.moment),
        ),
    )


class Stops:
    """What one worker is asked. From any thread; a look is one system call while there is nothing new.

    A request that was there when this worker joined is not for it. Since a client may cache that a name is absent, a
    request that turns up later may have been there, too. So it is heeded if it names this worker, which was seen then;
    or if its name was absent at a look a lease after the joining: no cache is that old.

    Args:
        layout: the run's paths.
        worker: this worker's name.
        lease: in seconds.
        known: the last request that this process knew before it was restarted by exec; None if it has just begun.
    """

    def __init__(self, layout: Layout, worker: str, lease: float, known: int | None = None) -> None:
        self._layout, self._worker, self._lease = layout, worker, lease
        self._since_before = known is not None
        self.known = known or 0
        """The last request that was looked at, or that was there before."""
        self.before_asked = self.known
        """The last one before those that this worker heeds."""
        self._asked = Asked.NOTHING
        self._began = time.monotonic()
        self._certain = self._since_before
        self._torn_since: float | None = None
        self._lock = threading.Lock()

    def join(self) -> None:
        """This worker begins, once others can see it: what is there now, and doesn't name it, was before it."""
        if self._since_before:
            return
        with self._lock:
            self._began = time.monotonic()
            self.known = self.before_asked = last = _requests(self._layout).last()
            for number in range(last, 0, -1):
                with contextlib.suppress(UnreadableDocumentError):
                    request = _read(self._layout, number)
                    if request is None or self._worker not in request.workers:
                        return
                    self._heed(request)

    def look(self) -> Asked:
        """What this worker is asked by now.

        Raises:
            OSError: if the filesystem fails.
        """
        with self._lock:
            while self._asked is not Asked.NOW and self._next_is_read():
                pass
            return self._asked

    def _next_is_read(self) -> bool:
        now = time.monotonic()
        if not _requests(self._layout).is_there(self.known + 1):
            self._certain = self._certain or now - self._began >= self._lease
            return False
        try:
            request = _read(self._layout, self.known + 1)
        except UnreadableDocumentError as error:
            return self._passed_over(error, now)
        if request is None:
            return False
        self.known, self._torn_since = request.number, None
        if self._certain or self._worker in request.workers:
            self._heed(request)
        else:
            _logger.info(
                "Stop request %d in %s does not name this worker, and may be older than it. It is not heeded. If this "
                "worker should leave, run `neps stop` again.",
                request.number,
                self._layout.stops,
            )
        return True

    def _heed(self, request: StopRequest) -> None:
        if not self._asked:
            self.before_asked = request.number - 1
        self._asked = max(self._asked, Asked.AFTER_TRIAL if request.after_trial else Asked.NOW)

    def _passed_over(self, error: UnreadableDocumentError, now: float) -> bool:
        """Whether a request that can't be read is damaged by now: then the next one counts."""
        self._torn_since = now if self._torn_since is None else self._torn_since
        if not error.lasting and now - self._torn_since < self._lease:
            return False
        _logger.warning("A stop request can't be read, and is passed over: %s. Run `neps stop` again.", error)
        self.known, self._torn_since = self.known + 1, None
        return True
