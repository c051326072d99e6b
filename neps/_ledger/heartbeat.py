"""The heartbeat of a worker: one thread that touches the lock of the attempt it holds, and its presence.

The lock appears when the first heartbeat is due, so that short trials need none. The same thread notices when the
attempt was taken over (this worker was thought dead), and calls whoever evaluates. Where it is overdue, since a C call
holds the GIL, a process stands in for it. Only this worker, or that process on its behalf, writes these.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from neps._ledger import documents
from neps._ledger.claims import Hold
from neps._ledger.identity import Identity
from neps._ledger.layout import Layout
from neps._ledger.stand_in import StandIn
from neps._ledger.touching import Lock, touch

__all__ = ["Heartbeat"]

_logger = logging.getLogger("neps.ledger")
_T = TypeVar("_T")


@dataclasses.dataclass(slots=True)
class _Beating:
    """What is kept alive, since when; `opening` until it is known to be open. Changed only under the lock."""

    hold: Hold
    lock: Lock
    on_superseded: Callable[[], object]
    on_beat: Callable[[], object]
    since: float
    opening: bool


class Heartbeat:
    """Beats from `begin` to `stop`.

    Args:
        layout: the run's paths.
        me: this worker.
        lease: seconds of silence that others tolerate; a heartbeat is due each third of it.
    """

    def __init__(self, layout: Layout, me: Identity, lease: float) -> None:
        self._presence = f"{layout.presence}/{me.worker}.yaml"
        self._me = me
        self._period = lease / 3
        self._held: _Beating | None = None
        self._held_since = time.monotonic()
        self._changed = threading.Condition()
        self._stopping = False
        self._stand_in = StandIn(self._period)
        self._thread = threading.Thread(target=self._beat, name="neps-heartbeat", daemon=True)

    def begin(self) -> None:
        """Show that this worker is there, and begin to beat."""
        self._appear()
        self._thread.start()

    def stop(self) -> None:
        """End the thread, if it has begun, and this worker's presence."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join()
        self._stand_in.stop()
        self.disappear()

    def disappear(self) -> None:
        """Show no longer that this worker is there: enough where its process ends now. It waits for no thread."""
        self._stopping = True
        with contextlib.suppress(OSError):
            os.unlink(self._presence)  # noqa: PTH108

    def withdraw(self) -> None:
        """Stop, and remove the folders of a run that isn't published. In another's, some worker may just appear."""
        self.stop()
        folder = os.path.dirname(self._presence)  # noqa: PTH120
        with contextlib.suppress(OSError):
            os.rmdir(folder)  # noqa: PTH106
            os.rmdir(os.path.dirname(folder))  # noqa: PTH106, PTH120

    def while_opening(self, hold: Hold, begin: Callable[[], _T | None]) -> _T | None:
        """Open an attempt, and keep it alive from then on, however long that and what follows take.

        Args:
            hold: of the attempt that is to be opened; `Heartbeat.hold` says later who is to be told.
            begin: opens it; None if somebody else was first.
        """
        if self._thread.is_alive():
            self._stand_in.begin()  # it starts meanwhile
        self._hold(hold, lambda: None, lambda: None, opening=True)
        opened = None
        try:
            opened = begin()
        finally:
            if opened is None:
                self.release()
        return opened

    def hold(
        self, hold: Hold, on_superseded: Callable[[], object], on_beat: Callable[[], object] = lambda: None
    ) -> None:
        """Keep an attempt alive.

        Args:
            hold: of the attempt that this worker has opened.
            on_superseded: called in the heartbeat's thread if the attempt is taken over.
            on_beat: called in the heartbeat's thread with each beat.
        """
        with self._changed:
            held = self._held
            if held is not None and held.hold == hold:  # since it was expected
                held.on_superseded, held.on_beat, held.opening = on_superseded, on_beat, False
                return
        self._hold(hold, on_superseded, on_beat, opening=False)

    def _hold(
        self, hold: Hold, on_superseded: Callable[[], object], on_beat: Callable[[], object], *, opening: bool
    ) -> None:
        lock = hold.lock()
        with self._changed:
            self._held_since = time.monotonic()
            self._held = _Beating(hold, lock, on_superseded, on_beat, self._held_since, opening)
            if self._thread.is_alive():  # else there is nobody to stand in for
                self._stand_in.show(lock, self._held_since)

    def beat(self) -> None:
        """Touch the lock now: the first heartbeat may not be due before a trial ends whose result can't be written."""
        with self._changed:
            held = self._held
        if held is not None:
            with contextlib.suppress(OSError):
                touch(held.lock)

    def held_for(self) -> float:
        """For how many seconds the attempt that was held last has been held."""
        return time.monotonic() - self._held_since

    def release(self) -> None:
        """The attempt needs no heartbeat any more. Neither callback runs after this."""
        with self._changed:
            self._held = None  # the thread hides it: the next attempt is mostly shown before that is worth its cost

    def _beat(self) -> None:
        due = time.monotonic() + self._period
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopping, timeout=max(0.0, due - time.monotonic()))
                if self._stopping:
                    return
                held = self._held
                if held is None:
                    self._stand_in.hide()
            due = time.monotonic() + self._period
            if held is not None:
                try:
                    due = min(due, self._beat_for(held))
                except Exception:  # no more memory, no more threads: the next beat may go well
                    _logger.exception("A heartbeat for %s failed unexpectedly. Trying again.", held.hold.folder.path)
            if not self._stopping:
                self._appear()

    def _beat_for(self, held: _Beating) -> float:
        """Touch the lock of an attempt; when to come again."""
        first = held.since + self._period
        if time.monotonic() < first:
            return first
        try:
            open_still = touch(held.lock)
        except OSError as error:
            if not (held.opening and isinstance(error, FileNotFoundError)):  # else its start has no name yet
                _logger.warning("No heartbeat for %s: %s. Trying again.", held.hold.folder.path, error)
        else:
            self._tell(held, open_still=open_still)
        return time.monotonic() + self._period

    def _tell(self, held: _Beating, *, open_still: bool) -> None:
        """Call back, unless the attempt was released meanwhile."""
        with self._changed:
            now = self._held
            if now is None or now.lock is not held.lock:
                return
            if open_still:
                self._stand_in.show(held.lock, time.monotonic())
                now.on_beat()
            else:
                self._held = None
                now.on_superseded()

    def _appear(self) -> None:
        """Show that this worker lives. Only `overwrite_working_directory` looks; it never fails the worker."""
        with contextlib.suppress(OSError):
            try:
                os.utime(self._presence)
            except FileNotFoundError:
                os.makedirs(os.path.dirname(self._presence), exist_ok=True)  # noqa: PTH103, PTH120
                with open(self._presence, "wb") as file:  # noqa: PTH123 - the name is this worker's own
                    file.write(documents.encode({**self._me.to_document(), "time": documents.now()}))
