"""Which workers of a run there are, and whether any lives: asked before the run is moved aside, which may take a lease.

Told by the presence of workers and by the heartbeats of attempts, either of which may be missing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence

from neps._ledger import documents
from neps._ledger.documents import UnreadableDocumentError
from neps._ledger.foreign import change_mark, read
from neps._ledger.identity import Identity
from neps._ledger.layout import Layout
from neps._ledger.records import parsed
from neps._ledger.silence import Silence
from neps._ledger.storage import DENIED
from neps._ledger.view import View

__all__ = ["Present", "live_worker", "workers_there"]

_logger = logging.getLogger("neps.ledger")
_POLL = 0.5
_MOMENT = 0.02


@dataclasses.dataclass(frozen=True, slots=True)
class Present:
    """A worker that seems to be there, and when it last showed that, in nanoseconds; None if that isn't known."""

    identity: Identity
    touched: int | None


def workers_there(layout: Layout, view: View) -> dict[str, Present]:
    """The workers that show that they are there, by name, but for those that are proven dead. One look, no wait.

    Args:
        layout: the run's paths.
        view: what a reader knows of it.
    """
    suspects = [*_holders(view), *_present(layout)]
    return {identity.worker: Present(identity, mark()) for identity, mark in suspects if not identity.proven_dead()}


@dataclasses.dataclass(slots=True)
class _Suspect:
    """A worker that may live. `mark` reads what it touches: None where there is nothing (any more)."""

    identity: Identity
    mark: Callable[[], int | None]
    silence: Silence
    last: int | None = None

    def shows_life(self, now: float) -> bool:
        """Look once: whether it has touched something since the last look."""
        seen, before = self.mark(), self.last
        changed = self.silence.looks > 0 and seen is not None and seen != before
        self.last = seen
        self.silence.observe(now, None if seen is None else 0)  # a presence that goes away is no sign of life
        return changed


def live_worker(
    layout: Layout, me: Identity, lease: float, caller: str = "overwrite_working_directory"
) -> Identity | None:
    """A worker of the run that lives, or None once all are proven dead or were silent for a lease.

    `caller` is who waits for that, for people.

    Raises:
        OSError: if the filesystem fails, which says nothing of anybody.
    """
    suspects = [suspect for suspect in _suspects(layout, lease) if not suspect.identity.proven_dead()]
    neighbours = [suspect.identity for suspect in suspects if suspect.identity.is_neighbour_of(me)]
    if neighbours or not suspects:
        return next(iter(neighbours), None)
    names = ", ".join(sorted({suspect.identity.worker for suspect in suspects}))
    _logger.warning(
        "%s: waiting up to %g s (lease_seconds) to see whether %s is still alive. If so, its run stays where it is.",
        caller,
        lease,
        names,
    )
    return _first_to_show_life(suspects, lease)


def _first_to_show_life(suspects: Sequence[_Suspect], lease: float) -> Identity | None:
    while not all(suspect.silence.longer_than(lease) for suspect in suspects):
        for suspect in suspects:
            if suspect.shows_life(time.monotonic()):
                return suspect.identity
        time.sleep(_POLL)
    return None


def _suspects(layout: Layout, lease: float) -> Iterator[_Suspect]:
    for identity, mark in [*_present(layout, unknown=True), *_holding(layout, lease)]:
        yield _Suspect(identity, mark, Silence(_POLL))


def _present(layout: Layout, *, unknown: bool = False) -> Iterator[tuple[Identity, Callable[[], int | None]]]:
    """Whoever shows that it is there; with `unknown`, even if nobody can read who that is."""
    names: list[str] = []
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        names = os.listdir(layout.presence)  # noqa: PTH208
    deadline = time.monotonic() + (2 * _POLL if unknown else 0.0)  # it may just be written
    for name in names:
        path = f"{layout.presence}/{name}"
        try:
            identity = _identity(path, deadline)
        except UnreadableDocumentError:
            identity = Identity(name.removesuffix(".yaml"), "", "", "", 1, 0) if unknown else None
        if identity is not None:
            yield identity, functools.partial(_time_of_change, path)


def _identity(path: str, deadline: float) -> Identity | None:
    """Whose presence this is, or None if it is gone; what can't be read is looked at again until the deadline.

    Raises:
        UnreadableDocumentError: if it can't be read then.
    """
    while True:
        try:
            fields = documents.load(path)
            return None if fields is None else parsed(path, functools.partial(Identity.from_document, fields))
        except UnreadableDocumentError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(_MOMENT)


def _time_of_change(path: str) -> int | None:
    """As `change_mark`; where this user may not look, nothing is touched. A filesystem that fails makes it no look."""
    try:
        return change_mark(path)
    except OSError as error:
        if error.errno in DENIED:
            return None
        raise


def _holding(layout: Layout, lease: float) -> Iterator[tuple[Identity, Callable[[], int | None]]]:
    """Whoever holds an attempt: `.neps/` with the presences may have been deleted.

    What can't be read now may be an attempt of somebody who lives: it is looked at again, until it is damaged.

    Raises:
        OSError: if the filesystem fails, which says nothing of anybody.
    """
    view = View(layout, None, lease=lease, poll=_POLL)
    view.join()
    while any(each.torn.looks or not each.was_undecided for each in view.numbers.reserved.values()):
        time.sleep(_POLL)
        read(layout.definition)  # else nothing would ever be known
        view.refresh()
    yield from _holders(view)


def _holders(view: View) -> Iterator[tuple[Identity, Callable[[], int | None]]]:
    for pending in view.pending.values():
        if not pending.waits and not pending.awaits_tell:  # what goes on without a worker keeps no run alive
            start = pending.state.start
            yield start.identity, functools.partial(pending.folder.heartbeat, start.attempt)
