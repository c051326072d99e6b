"""The process that stands beside a worker to keep its heartbeat up, as anybody sees it in /proc. Called by tests."""

from __future__ import annotations

import contextlib
from pathlib import Path

__all__ = ["stand_ins"]


def stand_ins(worker: int | None = None) -> list[int]:
    """Pids of those that live and stand beside a worker (its pid in its own namespace), or beside any."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            arguments = (process / "cmdline").read_bytes().split(b"\0")  # empty for a zombie
            if b"neps-heartbeat" in arguments:
                of = int(arguments[arguments.index(b"neps-heartbeat") + 1])
                found += [int(process.name)] if worker in (None, of) else []
    return found
