"""Is the run still this worker's? It may have been moved aside while the worker was frozen, and another begun there."""

from __future__ import annotations

import time

from neps._ledger.layout import Layout
from neps._ledger.overwriting import is_moved
from neps.errors import DirectoryError

__all__ = ["Tenure"]


class Tenure:
    """Looks once in a third of a lease, and before anything is written after a silence of that length.

    A run is moved only where all its workers were silent for a lease, so whoever looks so often can't miss it.
    """

    def __init__(self, layout: Layout, lease: float) -> None:
        self._layout, self._period = layout, lease / 3
        self._looked = time.monotonic()

    def check(self) -> None:
        """Make sure of it.

        Raises:
            DirectoryError: if the run was moved aside.
        """
        now = time.monotonic()
        if now - self._looked < self._period:
            return
        if is_moved(self._layout.root, self._layout.run):
            message = (
                f"The run in {self._layout.root} was moved to {self._layout.overwritten}/{self._layout.run} while this "
                "worker was silent for longer than lease_seconds. It stops, and has changed nothing in the new run."
            )
            raise DirectoryError(message)
        self._looked = now
