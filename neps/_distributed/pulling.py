"""What other ranks have reported, taken by rank 0 into the trial's curve while all of them evaluate it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

from neps._distributed.carrier import Carrier
from neps._evaluation import Reports
from neps._ledger.claims import Claim

__all__ = ["Pull"]


class Pull:
    """Takes what other ranks have reported, for steps that rank 0 has not reported itself; from any thread.

    Args:
        carrier: the call's.
        number: of the evaluation.
        held: the trial.
        reports: those of rank 0.
        read: told the names of the messages that were read.
    """

    def __init__(
        self, carrier: Carrier, number: int, held: Claim, reports: Reports, read: Callable[[str], object]
    ) -> None:
        self._carrier, self._number, self._held, self._reports, self._read = carrier, number, held, reports, read
        self._fetched = 0
        self._lock = threading.Lock()

    def __call__(self) -> None:
        """Those that are new."""
        with self._lock:
            count = self._carrier.count(f"reports/{self._number}")
            while self._fetched < count:
                points = self._carrier.find(f"reported/{self._number}/{self._fetched + 1}")
                if points is None:
                    return
                self._fetched += 1
                self._read(f"reported/{self._number}/{self._fetched}")
                theirs = [(step, loss) for step, loss in points if step not in self._reports.points]
                with contextlib.suppress(OSError):
                    self._held.hold.curve(begun=True).append(theirs)
