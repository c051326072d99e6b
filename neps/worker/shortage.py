"""What a worker does where the storage fails: its trial is left, not failed, and nothing is begun until it works again.

That a trial was left so, and how much it could not write, is in its files: so a worker that comes later waits as well.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
import os
import re
import time

from neps.checkpoint.attempts import Attempt
from neps.errors import StorageError
from neps.evaluation import Interrupted, Outcome
from neps.ledger.documents import UnreadableDocumentError
from neps.ledger.outage import Outage
from neps.ledger.pending import Pending
from neps.ledger.setbacks import Setbacks
from neps.ledger.storage import behind, gist, shown_size, storage_error, try_to_write
from neps.worker.context import Context
from neps.worker.steps import Held, Pause

__all__ = ["Shortage"]

_logger = logging.getLogger("neps.worker")
_LEAST = 1 << 16
_MOST = 1 << 30
"""Of what is tried to be written: more takes too long, and what a document asks for may be anything."""
_LONGEST_BACKOFF = 600.0
_REASON = "{} to have room again"
_HIDDEN = re.compile(
    r"PytorchStreamWriter failed writing|unexpected pos \d+ vs \d+"
    r"|\d+ requested and \d+ written|No space left on device"
)
"""How libraries that write by themselves tell of a full disk: torch, NumPy, and what is written in Rust."""


class Shortage:
    """What one worker knows of storage that fails.

    A trial that was left for that is *short*. Before anything is resumed or claimed, as much as it needs (up to 1 GiB)
    is written and removed again; while that fails, or where this worker's evaluations fail so one after the other, it
    waits.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._short: dict[int, tuple[int, int]] = {}
        self._tried: set[tuple[int, int]] = set()
        self._outage = Outage(_logger, math.inf, context.lease / 2)
        self._in_a_row = 0
        self._look_at = 0.0
        self._refused = False

    # After an evaluation

    def judge(self, held: Held, outcome: Outcome, attempt: Attempt) -> Outcome | Interrupted:
        """An evaluation that failed since the storage did has no result, unless that happens again and again."""
        failure = None if outcome.success else self._failure(held, outcome, attempt)
        if failure is None:
            self._in_a_row = 0
            return outcome
        self._in_a_row += 1
        self._look_at = time.monotonic() + self.backoff
        stalls, most = self._stalls(held) + 1, self._context.settings.max_attempts
        if stalls >= most:
            error = (
                f"given up after {stalls} attempts in a row whose storage failed, without progress "
                f"(max_attempts={most}); the last: {gist(failure, held.folder.path)}"
            )
            if not any(isinstance(seen, StorageError) for seen in behind(failure)):  # where the user's own code was
                error = f"{(outcome.error or '').rstrip()}\n{error}"
            return dataclasses.replace(outcome, error=error)
        return Interrupted(reason="storage", exception=failure)

    @property
    def backoff(self) -> float:
        """For how many seconds to begin nothing after so many evaluations that failed in a row."""
        return min(self._context.lease / 12 * 2.0 ** min(self._in_a_row, 16), _LONGEST_BACKOFF)

    @staticmethod
    def needed(held: Held, attempt: Attempt) -> int:
        """About how many bytes there must be room for: what `save` says, or the largest file that lies there."""
        sizes = [_LEAST]
        for folder, _, names in os.walk(held.folder.path) if attempt.stalled is None else ():
            for name in names:
                with contextlib.suppress(OSError):
                    sizes.append(os.lstat(f"{folder}/{name}").st_size)
        return attempt.stalled or max(sizes)

    @staticmethod
    def _failure(held: Held, outcome: Outcome, attempt: Attempt) -> BaseException | None:
        """What says that it was the storage: `save`, the exception, or that nothing more can be written."""
        error = outcome.exception
        if error is None:  # a value that is no loss
            return None
        told = attempt.stalled is not None or isinstance(error, StorageError) or _HIDDEN.search(outcome.error or "")
        if told or storage_error(error, held.folder.path) is not None:
            return error
        refused = try_to_write(held.folder.path, _LEAST)
        return refused if storage_error(refused, held.folder.path) is not None else None

    def _stalls(self, held: Held) -> int:
        """How often this trial was left so without progress, up to now."""
        with contextlib.suppress(OSError):
            most = self._context.settings.max_attempts
            return Setbacks.of(held.folder, held.standing.start.attempt, most - 1).stalls
        return 0

    # Before the next

    def see(self, pending: Pending) -> None:
        """A trial that waits: was it left for want of storage?"""
        number, attempt = pending.folder.number, pending.standing.start.attempt
        if not pending.waits or (number, attempt) in self._tried or number in self._short:
            return
        with contextlib.suppress(UnreadableDocumentError):
            end = pending.folder.end(attempt)
            if end is not None and end.needs_bytes is not None:
                self._short[number] = (attempt, end.needs_bytes)

    def refuse(self, error: OSError) -> Pause:
        """There is no room for a document, so nothing could be begun: that may last, and is no reason to end."""
        self._refused = True
        return self._wait(f"No trial can be started in {self._context.layout.root}", error)

    def pause(self) -> Pause | None:
        """Why nothing may be begun now; None if that's not so."""
        root = self._context.layout.root
        self._forget()
        if time.monotonic() < self._look_at:
            return Pause(_REASON.format(root))
        if not self._short and not self._refused:
            return None
        size = min(_MOST, max([_LEAST, *(needed for _, needed in self._short.values())]))
        error = try_to_write(root, size, lambda: self._context.signals.received is not None)
        if error is not None:
            needed = f"the {shown_size(size)} that {self._who_needs_it()} (estimated)"
            return self._wait(f"No trial is started: {needed} can't be written to {root}", error)
        self._tried |= {(number, attempt) for number, (attempt, _) in self._short.items()}
        self._short.clear()
        self._refused = False
        return None

    def _who_needs_it(self) -> str:
        numbers = [str(number) for number in sorted(self._short)[:5]]
        if len(numbers) > 1:
            return f"trials {', '.join(numbers)} need"
        return f"trial {numbers[0]} needs" if numbers else "a trial needs"

    def _wait(self, what: str, error: OSError) -> Pause:
        self._look_at = time.monotonic() + (self._outage.failed(what, error) or 0.0)
        return Pause(_REASON.format(self._context.layout.root))

    def begun(self) -> None:
        """A trial could be begun."""
        if self._outage.seconds:
            _logger.warning("%s has room again, after %.0f s", self._context.layout.root, self._outage.seconds)
        self._outage.worked()

    def _forget(self) -> None:
        """Those that somebody has resumed meanwhile."""
        for number, (attempt, _) in list(self._short.items()):
            pending = self._context.view.pending.get(number)
            if pending is None or pending.standing.start.attempt != attempt:
                del self._short[number]
