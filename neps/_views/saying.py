"""Write to a stream that may take nothing: a terminal after Ctrl-S, a connection that hangs, a pipe that nobody reads.

What neps has to say then is lost after a moment. No worker waits for it, or fails.
"""

from __future__ import annotations

import _thread
import contextlib
import contextvars
import queue
import select
from typing import TextIO

__all__ = ["say", "takes"]

_PATIENCE = 1.0


def say(stream: TextIO, text: str) -> None:
    """Write a line, and return after a second at the latest; never raises an `Exception`."""
    descriptor = -1
    with contextlib.suppress(Exception):
        descriptor = stream.fileno()
    if descriptor == -1:  # not a file: nothing to wait for
        with contextlib.suppress(Exception):
            _write(stream, text)
        return
    done: queue.SimpleQueue[None] = queue.SimpleQueue()

    def write() -> None:
        with contextlib.suppress(Exception):  # a stream that is closed, say
            if takes(descriptor, _PATIENCE / 2):  # less than is waited for it: nothing comes later
                _write(stream, text)
        done.put(None)

    # Not a `Thread`: that would take locks that a signal handler waits for in vain, and hold up the process's end.
    with contextlib.suppress(RuntimeError, queue.Empty):
        _thread.start_new_thread(contextvars.copy_context().run, (write,))
        done.get(timeout=_PATIENCE)


def takes(descriptor: int, seconds: float) -> bool:
    """Whether something can be written there within that time."""
    poll = select.poll()  # select knows no descriptors above 1023
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(1000 * seconds))


def _write(stream: TextIO, text: str) -> None:
    stream.write(f"{text}\n")
    stream.flush()
