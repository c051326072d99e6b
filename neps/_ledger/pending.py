"""A committed trial without a result, as one observer watches it. In memory only; part of the view.

Whether its worker evaluates it or it waits for `neps.tell` (`pending_mark`): to the history both are pending.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable

from neps._ledger.identity import Identity
from neps._ledger.silence import Silence
from neps._ledger.trial_folder import TrialFolder
from neps._ledger.trial_state import TrialState, trial_with
from neps._trial import Trial

__all__ = ["Pending"]


@dataclasses.dataclass(slots=True)
class Pending:
    """A trial that runs, or waits to be resumed.

    `spent` is what its ended attempts have cost. `silence` is that of its worker, and `torn` since when a document of
    it can't be read. `looked` is the time of the last close look, monotonic. The rest is the lookout's: in which of its
    turns it was looked at last, when its heartbeat is to be looked at again, and whether that was only looked at once
    since it was seen to beat.
    """

    folder: TrialFolder
    state: TrialState
    spent: float
    silence: Silence
    torn: Silence
    looked: float = 0.0
    turn: int = 0
    beat_due: float = 0.0
    in_doubt: bool = False

    @classmethod
    def of(cls, folder: TrialFolder, state: TrialState, spent: float, *, poll: float, lease: float) -> Pending:
        """One that was seen just now, for the first time."""
        return cls(folder, state, spent, Silence(lease / 3), Silence(poll))

    def seen(self, now: float, state: TrialState, mark: Hashable) -> None:
        """A close look that succeeded: where it stands, and the mark of its last heartbeat."""
        self.state = state
        self.silence.observe(now, (state.start.attempt, mark))

    def observe_heartbeat(self, now: float) -> None:
        """A look at the heartbeat alone.

        Raises:
            OSError: if the filesystem fails; then it was no look.
        """
        attempt = self.state.start.attempt
        self.silence.observe(now, (attempt, self.folder.heartbeat(attempt)))

    def has_gone_on(self) -> bool:
        """Whether its last attempt has an end now, or, where that is known, a successor, as far as this client sees."""
        attempt = self.state.start.attempt
        return self.folder.has_start(attempt + 1) if self.waits else self.folder.has_end(attempt)

    def is_silent(self, lease: float) -> bool:
        """Whether its last attempt's worker has been silent for longer than the lease.

        Nobody is waited for where the attempt goes on without its worker.
        """
        return not self.awaits_tell and self.silence.longer_than(lease)

    def is_dead(self, lease: float) -> bool:
        """Whether its last attempt's worker was silent for so long, or is proven dead."""
        return self.is_silent(lease) or (not self.awaits_tell and self.state.start.identity.proven_dead())

    def is_resumable(self, lease: float, me: Identity | None) -> bool:
        """Whether `me`, who evaluates nothing now, may resume it: it waits for that, its worker is dead, or is me.

        An attempt that one has opened without learning it (a reply was lost) is nobody else's.
        """
        return self.waits or self.is_mine(me) or self.is_dead(lease)

    def is_mine(self, me: Identity | None) -> bool:
        """Whether `me` has opened its last attempt, which has not ended."""
        return self.runs and self.state.start.identity == me

    @property
    def runs(self) -> bool:
        """Whether its last attempt needs its worker, as far as is known."""
        return not self.waits and not self.awaits_tell

    @property
    def waits(self) -> bool:
        """Whether its last attempt has ended without a result, and nobody has opened the next."""
        return self.state.end is not None

    @property
    def awaits_tell(self) -> bool:
        """Whether its last attempt goes on without its worker, until `neps.tell`."""
        return self.state.mark is not None

    @property
    def trial(self) -> Trial:
        """As the history shows it."""
        return trial_with(self.folder, self.state, self.spent)
