"""Deaths and freezes at a chosen instruction: a worker that sends itself a signal just before its n-th such call.

Only where it happens is chosen here; SIGKILL and SIGSTOP are as real as from outside. Used by the worker programs.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from neps._ledger.trial_folder import TrialFolder

__all__ = ["CHANGES", "strike"]

CHANGES = ("link", "makedirs", "mkdir", "open", "rename", "unlink")
"""Everything by which neps changes a directory, as functions of `os` (`open` includes reading)."""


def strike(points: list[str], nth: int, signum: int) -> None:
    """Send `signum` to this process before the n-th call of any of `points`, and never again.

    Points are functions of `os` by name, or methods of `TrialFolder`: `commit`, `end_with_result`, `open_attempt` …
    """
    calls = 0

    def count() -> None:
        nonlocal calls
        calls += 1
        if calls == nth:
            os.kill(os.getpid(), signum)

    for point in points:
        owner: Any = TrialFolder if hasattr(TrialFolder, point) else os
        setattr(owner, point, _preceded(count, getattr(owner, point)))


def _preceded(first: Callable[[], None], function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **keywords: Any) -> Any:
        first()
        return function(*arguments, **keywords)

    return call
