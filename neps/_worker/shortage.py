"""What a worker does where the storage fails: its trial is left, not failed, and nothing is begun until it works again.

That a trial was left so, and how much it could not write, is in its files: so a worker that comes later waits as well.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
import time

from neps._evaluation import Evaluated, Interrupted
from neps._ledger.claims import Claim
from neps._ledger.documents import UnreadableDocumentError
from neps._ledger.outage import Outage
from neps._ledger.pending import Pending
from neps._ledger.setbacks import Setbacks
from neps._ledger.storage import behind, filesystem_words, lost_terminal, shown_size, storage_error, try_to_write
from neps._worker.context import Context
from neps._worker.room import LEAST, guess, is_here, tells_of_storage
from neps._worker.steps import Pause
from neps.checkpoint._attempts import Evaluation
from neps.errors import StorageError

__all__ = ["Shortage"]

_logger = logging.getLogger("neps.worker")
_MOST = 1 << 30
"""Of what is tried to be written: more takes too long, and what a document asks for may be anything."""
_LONGEST_BACKOFF = 600.0
_REASON = "{} to have room again"
_ELSEWHERE = "the storage that failed (not that of {}, but perhaps /tmp or /dev/shm)"


class Shortage:
    """What one worker knows of storage that fails.

    A trial that was left for that is *short*. Before anything is resumed or claimed, as much as it needs (up to 1 GiB)
    is written and removed again; while that fails, or where this worker's evaluations fail so one after the other, it
    waits. `reason` is for what.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._short: dict[int, tuple[int, int]] = {}
        self._tried: set[tuple[int, int]] = set()
        self._outage = Outage(_logger, math.inf, context.lease / 2)
        self._in_a_row = 0
        self._look_at = 0.0
        self._refused = False
        self.reason = _REASON.format(context.layout.root)

    # After an evaluation

    def judge(self, held: Claim, ended: Evaluated | Interrupted, attempt: Evaluation) -> Evaluated | Interrupted:
        """An evaluation that failed since the storage did has no result, unless that happens again and again."""
        failure = self._failure(held, ended, attempt)
        if failure is None:
            if isinstance(ended, Evaluated):  # else it shows nothing
                self._in_a_row = 0
            return ended
        if isinstance(ended, Evaluated) and lost_terminal(ended.exception):
            return Interrupted(reason="terminal", exception=failure)  # as by SIGHUP, which was ignored
        self._in_a_row += 1
        self._look_at = time.monotonic() + self.backoff
        self.reason = _REASON.format(self._context.layout.root)
        setbacks, most = self._setbacks(held).one_more_stall(), self._context.settings.max_attempts
        if setbacks.stalled_too_often(most):
            return ended if isinstance(ended, Interrupted) else _given_up(held, ended, failure, setbacks, most)
        return Interrupted(reason="storage", exception=failure)

    @property
    def backoff(self) -> float:
        """For how many seconds to begin nothing after so many evaluations that failed in a row."""
        return min(self._context.lease / 12 * 2.0 ** min(self._in_a_row, 16), _LONGEST_BACKOFF)

    def until(self, needs: int) -> str:
        """What a trial that was left waits for, as a sentence without its full stop."""
        root = self._context.layout.root
        if self.reason == _REASON.format(root):
            return f"No trial is started until {shown_size(needs)} can be written to {root}"
        return f"This worker waits {self.backoff:.3g} s for {self.reason}"

    def needed(self, held: Claim, error: BaseException, attempt: Evaluation) -> int:
        """About how many bytes there must be room for: what `save` says, here or in a child, or a guess."""
        if (said := _stalled(held, attempt)) is not None:
            return said
        folder, layout, previous = held.folder.path, self._context.layout, held.decision.previous
        if not is_here(error, folder):
            self.reason = _REASON.format(_ELSEWHERE.format(layout.root))
            return LEAST
        continued = [] if previous is None else [layout.trial(previous)]
        return guess(error, folder, [folder, *continued], self._setbacks(held).stalls)

    @staticmethod
    def _failure(held: Claim, ended: Evaluated | Interrupted, attempt: Evaluation) -> BaseException | None:
        """What says that it was the storage: `save`, the exception, or that nothing more can be written."""
        if isinstance(ended, Evaluated) and ended.outcome.success:
            return None
        stalled = _stalled(held, attempt) is not None
        if isinstance(ended, Interrupted):  # sys.exit with the status of a child that could not save is no death
            return ended.exception if stalled and ended.counts_as_death else None
        return _behind_failure(ended, held.folder.path, stalled=stalled)

    def _setbacks(self, held: Claim) -> Setbacks:
        """How often this trial was left so, up to now."""
        with contextlib.suppress(OSError):
            most = self._context.settings.max_attempts
            return Setbacks.of(held.folder, held.attempt, most - 1)
        return Setbacks()

    # Before the next

    def see(self, pending: Pending) -> None:
        """A trial that waits: was it left for want of storage?"""
        number, attempt = pending.folder.number, pending.state.start.attempt
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
            return Pause(self.reason)
        if not self._short and not self._refused:
            return None
        size = min(_MOST, max([LEAST, *(needed for _, needed in self._short.values())]))
        error = try_to_write(root, size, lambda: self._context.signals.leaving)
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
        self.reason = _REASON.format(self._context.layout.root)
        self._look_at = time.monotonic() + (self._outage.failed(what, error) or 0.0)
        return Pause(self.reason)

    def begun(self) -> None:
        """A trial could be begun."""
        if self._outage.seconds:
            _logger.warning("%s has room again, after %.0f s", self._context.layout.root, self._outage.seconds)
        self._outage.worked()

    def _forget(self) -> None:
        """Those that somebody has resumed meanwhile."""
        for number, (attempt, _) in list(self._short.items()):
            pending = self._context.view.pending.get(number)
            if pending is None or pending.state.start.attempt != attempt:
                del self._short[number]


def _behind_failure(ended: Evaluated, folder: str, *, stalled: bool) -> BaseException | None:
    """What says that an evaluation in a folder failed since the storage did; `stalled`: a `save` has said so."""
    error, said = ended.exception, ended.outcome.error or ""
    if error is None:  # a value that is no loss
        return StorageError(said or "no checkpoint could be saved") if stalled else None
    if stalled or _says_so(error, said, folder):
        return error
    refused = try_to_write(folder, LEAST)
    return refused if storage_error(refused, folder) is not None else None


def _says_so(error: BaseException, text: str, folder: str) -> bool:
    """Whether an exception, or its text, tells that the storage of that folder has failed."""
    said = isinstance(error, StorageError) or tells_of_storage(text)
    return said or storage_error(error, folder) is not None


def _stalled(held: Claim, attempt: Evaluation) -> int | None:
    """For how many bytes a `save` had no room, in this process or in one that it has started."""
    return attempt.stalled or held.hold.stalled()


def _given_up(held: Claim, ended: Evaluated, failure: BaseException, setbacks: Setbacks, most: int) -> Evaluated:
    """A failure that says how often the storage has failed, before the error where that is of the user's own code."""
    error = (
        f"given up after {setbacks.stalls} attempts in a row whose storage failed, without progress "
        f"(max_attempts={most}); the last: {filesystem_words(failure, held.folder.path)}"
    )
    if not any(isinstance(seen, StorageError) for seen in behind(failure)):
        error = f"{error}\n\n{ended.outcome.error or ''}"
    return dataclasses.replace(ended, outcome=dataclasses.replace(ended.outcome, error=error))
