"""Waiting for conditions, with deadlines: what tests use instead of sleeps. Called by tests and by other rigs."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["wait_until"]


def wait_until(condition: Callable[[], object], deadline_seconds: float, what: str, poll_seconds: float = 0.01) -> None:
    """Returns as soon as `condition()` is true.

    Raises:
        AssertionError: the deadline has passed; the message says `what` was waited for.
    """
    end = time.monotonic() + deadline_seconds
    while not condition():
        if time.monotonic() >= end:
            raise AssertionError(f"waited {deadline_seconds:g} s in vain for: {what}")
        time.sleep(poll_seconds)
