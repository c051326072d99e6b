"""Worker processes that begin together: each has imported all and opened the run when they meet in a barrier.

Called by what measures how fast several workers are together.
"""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Barrier

__all__ = ["crowd", "meet", "meeting"]

_DEADLINE = 120.0

_barrier: Barrier


def crowd(workers: int, preload: Sequence[str] = ()) -> ProcessPoolExecutor:
    """A pool of so many fresh processes in which `meet` works; the modules `preload` are imported once for all."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    return ProcessPoolExecutor(workers, context, _meet_at, (context.Barrier(workers, timeout=_DEADLINE),))


def _meet_at(barrier: Barrier) -> None:
    global _barrier  # noqa: PLW0603 - a process of the pool has no other place for it
    _barrier = barrier


def meet() -> None:
    """Wait until all processes of the crowd have come here."""
    _barrier.wait()


@contextlib.contextmanager
def meeting() -> Iterator[None]:
    """What each process of the crowd does: where one fails, the others wait for it no longer."""
    try:
        yield
    except BaseException:
        _barrier.abort()
        raise
