"""What the files of one trial mean together: follow its attempts to the last, and complete what is half done.

The rules (docs/how-it-works.md): an attempt has one start and one end; the end decides; whoever finds an end
completes what should follow it. Called by the view; writes only what follows from what is there.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging

from neps._ledger.documents import UnreadableDocumentError
from neps._ledger.identity import Identity
from neps._ledger.pending_mark import PendingMark, read_mark
from neps._ledger.records import AttemptEnd, AttemptStart, End, result_fields
from neps._ledger.trial_folder import TrialFolder
from neps._trial import Decision, Result, Status, Trial

_logger = logging.getLogger("neps.ledger")

__all__ = ["TrialState", "condemn", "read_state", "spent_before", "spent_on", "trial_of", "trial_with"]


@dataclasses.dataclass(frozen=True, slots=True)
class TrialState:
    """A trial at its last attempt. `end` is None while that runs; `result` is there once it decides the trial.

    `mark` is there where the attempt goes on without its worker, until `neps.tell`; an end outweighs it.
    """

    decision: Decision
    start: AttemptStart
    end: End | None = None
    result: Result | None = None
    mark: PendingMark | None = None

    @property
    def status(self) -> Status:
        """As the user sees it."""
        if self.result is not None:
            return Status.SUCCESS if self.result.outcome.success else Status.FAILED
        return Status.RUNNING if self.end is None else Status.WAITING


def read_state(folder: TrialFolder, known: TrialState | None = None, *, complete: bool = True) -> TrialState | None:
    """Where a trial stands now, or None while its number is not committed.

    Args:
        folder: the trial's.
        known: an earlier look at it: what was decided and begun stays so.
        complete: whether to write what follows from what is found (False for readers).

    Raises:
        UnreadableDocumentError: if a document on the way can't be trusted (yet).
        OSError: if the filesystem fails.
    """
    if known is None:
        committed = folder.decision()
        if committed is None:
            return None
        known = TrialState(*committed)
    decision, start = known.decision, known.start
    published = _published(folder, decision)
    if published is not None and published.result is not None and published.result.outcome.success:
        return TrialState(decision, _started(folder, start, published.attempt), published.end, published.result)
    start, end = _last_attempt(folder, known, published)
    if complete:
        _complete(folder, start.attempt, end, published)
    return _at(folder, known, start, end)


def _at(folder: TrialFolder, known: TrialState, start: AttemptStart, end: AttemptEnd | None) -> TrialState:
    """The trial at its last attempt; whether that is marked need not be read again."""
    if end is not None:
        return TrialState(known.decision, start, end.end, end.result)
    mark = known.mark if known.start == start else None
    return TrialState(known.decision, start, mark=mark or read_mark(folder, start.attempt))


def _last_attempt(
    folder: TrialFolder, known: TrialState, published: AttemptEnd | None
) -> tuple[AttemptStart, AttemptEnd | None]:
    """Follow the attempts from the one that is known to the last, and how that ended."""
    start = known.start
    while True:
        end = _end(folder, start.attempt, known.decision, published)
        successor = folder.start(start.attempt + 1) if end is not None else None
        if successor is None:
            return start, end
        start = successor


def _complete(folder: TrialFolder, attempt: int, end: AttemptEnd | None, published: AttemptEnd | None) -> None:
    """Write what follows from the last attempt's end: a void result goes, one that is missing comes.

    Where that fails, the end has told all the same, and the next who looks tries it: a kernel may let nobody link
    another user's file.
    """
    with contextlib.suppress(OSError):
        if published is not None and published.attempt < attempt:
            folder.set_result_aside(published.attempt)
            published = None
        if published is None and end is not None and end.result is not None:
            folder.complete(attempt)


def _published(folder: TrialFolder, decision: Decision) -> AttemptEnd | None:
    """The published result; where it can't be trusted, the attempts' ends must tell."""
    try:
        return folder.result(decision)
    except UnreadableDocumentError:
        return None


def _end(folder: TrialFolder, attempt: int, decision: Decision, published: AttemptEnd | None) -> AttemptEnd | None:
    """How an attempt ended; the published result is the same document, or stands in for an unreadable one."""
    if published is not None and published.attempt == attempt:
        return published
    return folder.end(attempt, decision)


def _started(folder: TrialFolder, start: AttemptStart, attempt: int) -> AttemptStart:
    if start.attempt == attempt:
        return start
    with contextlib.suppress(UnreadableDocumentError):
        return folder.start(attempt) or start
    return start


def condemn(folder: TrialFolder, why: str, me: Identity) -> None:
    """Publish the verdict that a trial is damaged, where the names are free, before anybody decides on that ground."""
    decision: Decision | None = None
    with contextlib.suppress(UnreadableDocumentError, OSError):
        decision, _ = folder.decision() or (None, None)
    try:
        folder.check()  # nothing is written through a link
        attempt = _open_attempt(folder, me)
        verdict = result_fields(Result.of_damage(why, me.worker, attempt))
        folder.end_with_result(attempt, verdict, me, patience=0.0)  # a lease has been waited for already
        if not _is_result(folder, attempt, decision):
            folder.publish_result(verdict, me, patience=0.0)
    except (OSError, UnreadableDocumentError) as error:  # a folder that can't be written to stops nobody
        _logger.warning("The verdict on trial %d can't be published: %s", folder.number, error)


def _open_attempt(folder: TrialFolder, me: Identity) -> int:
    """The last attempt, or, where that was left or died, a new one: the verdict needs an end to be published as."""
    attempt = folder.last_attempt()
    with contextlib.suppress(UnreadableDocumentError):
        end = folder.end(attempt)
        if end is not None and end.result is None:
            folder.open_attempt(attempt + 1, me, str(end.end))
            return attempt + 1
    return attempt


def _is_result(folder: TrialFolder, attempt: int, decision: Decision | None) -> bool:
    """Whether an attempt's end can be read and decides the trial; then it is made the trial's result."""
    with contextlib.suppress(UnreadableDocumentError):
        end = folder.end(attempt, decision)
        if end is not None and end.result is not None:
            folder.complete(attempt)
            return True
    return False


def trial_of(folder: TrialFolder, state: TrialState) -> Trial:
    """The trial that stands so, with what all its attempts have cost.

    Raises:
        OSError: if the filesystem fails.
    """
    return trial_with(folder, state, spent_before(folder, state.start.attempt))


def spent_before(folder: TrialFolder, attempt: int) -> float:
    """What the attempts before this one have cost.

    Raises:
        OSError: if the filesystem fails.
    """
    return sum((spent_on(folder, earlier) or 0.0 for earlier in range(1, attempt)), 0.0)


def spent_on(folder: TrialFolder, attempt: int) -> float | None:
    """What an attempt has cost, whatever decision it was of; None where it has no result that can be read.

    Raises:
        OSError: if the filesystem fails.
    """
    with contextlib.suppress(UnreadableDocumentError):
        end = folder.end(attempt)
        if end is not None and end.end is End.RESULT:
            return _accounted(end.result)
    return None


def trial_with(folder: TrialFolder, state: TrialState, spent: float) -> Trial:
    """The trial that stands so, where it is known what its earlier attempts have cost."""
    return Trial(
        number=folder.number,
        decision=state.decision,
        result=state.result,
        status=state.status,
        attempts=state.start.attempt,
        spent=spent + _accounted(state.result),
        awaits_tell=state.mark is not None,
    )


def _accounted(result: Result | None) -> float:
    return result.outcome.accounted_cost if result is not None else 0.0
