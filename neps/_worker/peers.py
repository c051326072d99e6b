"""The processes that evaluate each trial together with this worker; mostly none.

`Alone` is a worker by itself. Where torchrun has started several ranks, `neps._distributed` stands behind this.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, Protocol

from neps._evaluation import Evaluated, Fence, Interrupted, PendingType, Reports, Signals, Stopping
from neps._ledger.claims import Claim

__all__ = ["Alone", "Ended", "Peers"]

Ended = Evaluated | Interrupted | PendingType


class Peers(Protocol):
    """What a worker tells the others of an evaluation, and asks them."""

    @property
    def signals(self) -> Signals:
        """Those of this process, which the others learn of."""

    @property
    def are_there(self) -> bool:
        """Whether there are any."""

    def grace(self, lease: float) -> float:
        """For how many seconds a call of run_pipeline that was interrupted may go on."""

    def evaluating(
        self, held: Claim, previous: Path | None, fence: Fence, stopping: Stopping, reports: Reports
    ) -> contextlib.AbstractContextManager[Callable[[], None]]:
        """While it lasts, all evaluate this trial. Gives what to call where it was taken over."""

    def settle(self, own: Ended | None) -> Ended:
        """What came of it on all of them, once it is over everywhere.

        Args:
            own: what came of it here; None where run_pipeline doesn't return, though it was interrupted.
        """

    def conclude(self, leaves: Callable[[], bool]) -> None:
        """The trial has its end, and this worker goes on: so do the others; perhaps all in a new start of themselves.

        Args:
            leaves: whether this worker evaluates nothing more, so that nothing has to be clean for it.

        Raises:
            RankError: if they can't go on together.
        """

    def end(self, raised: BaseException | None) -> NoReturn:
        """The same where run_pipeline doesn't return: this process ends, or starts anew where nothing was raised."""

    def ends_by_signal(self, signum: int) -> None:
        """This process is about to end as this signal does."""


class Alone:
    """No others."""

    are_there = False

    def __init__(self) -> None:
        self.signals = Signals()
        """Of this process."""

    def grace(self, lease: float) -> float:
        """As long as others waited for it."""
        return lease

    def evaluating(
        self,
        held: Claim,  # noqa: ARG002 - for others
        previous: Path | None,  # noqa: ARG002 - for others
        fence: Fence,
        stopping: Stopping,  # noqa: ARG002 - for others
        reports: Reports,  # noqa: ARG002 - for others
    ) -> contextlib.AbstractContextManager[Callable[[], None]]:
        """Nobody else does."""
        return contextlib.nullcontext(fence.interrupt)

    def settle(self, own: Ended | None) -> Ended:
        """What came of it here."""
        assert own is not None  # noqa: S101 - nobody else stops it
        return own

    def conclude(self, leaves: Callable[[], bool]) -> None:
        """Nobody has to know."""

    def end(self, raised: BaseException | None) -> NoReturn:
        """Never called."""
        raise AssertionError from raised

    def ends_by_signal(self, signum: int) -> None:
        """Nobody has to know."""
