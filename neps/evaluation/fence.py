"""Fencing: another thread interrupts an evaluation whose attempt somebody else has taken over.

The heartbeat thread of a zombie calls `Fence.interrupt`. Who notices the takeover, and how, is decided elsewhere.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["Fence", "Fenced"]

T = TypeVar("T")


class Fenced(BaseException):
    """Raised inside run_pipeline: this attempt has been taken over, so nothing that it does counts any more."""


class Fence:
    """Lets another thread interrupt one call, once; for each evaluation a new one.

    Works in any thread. Python raises the exception at the evaluating thread's next bytecode: a call that sits in C
    code or in the operating system (a long kernel, `time.sleep`) is interrupted when that returns. Like
    KeyboardInterrupt it may strike between taking a lock and the `try` that gives it back. It never reaches the code
    around the call: whoever interrupts late finds the fence closed, and does nothing.

    Example:
        >>> fence = Fence()
        >>> fence.call(len, "abc")
        3
        >>> fence.interrupt()  # too late: nothing happens
    """

    def __init__(self) -> None:
        self.broken = False
        """Whether the call was interrupted, or will be as soon as it begins."""
        self._closed = False
        self._thread: int | None = None
        self._lock = threading.Lock()

    def interrupt(self) -> None:
        """Raise `Fenced` in the call, now or when it begins; do nothing if it's over, or at a second time."""
        with self._lock:
            if self._closed or self.broken:
                return
            self.broken = True
            if self._thread is not None:
                _raise_in(self._thread)

    def call(self, function: Callable[..., T], *args: object) -> T:
        """Call `function(*args)`, which `interrupt` may end with `Fenced`."""
        # The exception can strike at any instruction, those of _close included: hence two of them. It strikes once.
        try:
            try:
                self._open()
                return function(*args)
            finally:
                self._close()
        except Fenced:
            self._close()
            raise

    def _open(self) -> None:
        with self._lock:
            if self.broken:
                raise Fenced
            self._thread = threading.get_ident()

    def _close(self) -> None:
        with self._lock:
            self._closed = True
        if self.broken:
            # It may still be under way. CPython can withdraw it, but up to 3.12 that leaves the interpreter looking for
            # it for ever, slowly, and hangs it under a trace function. So: raised anew in its place, and caught.
            try:
                _raise_in(threading.get_ident())
                while True:
                    pass
            except Fenced:
                pass


def _raise_in(thread: int) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(Fenced))
