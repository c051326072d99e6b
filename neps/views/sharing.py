"""What processes that share a terminal tell one another: whether others draw on its last row, or are writing there.

By advisory locks on the terminal device itself, so there is no file to clean up, and what a killed process had said is
gone with it. Where there are no such locks, each behaves as if it were alone. Used by the live line.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import time

__all__ = ["Row"]

_LOCK = struct.Struct("@hhqqi4x")  # struct flock of 64-bit Linux, the one system with these locks
_DRAWING, _WRITING = 0, 1
_PATIENCE, _PAUSE = 0.1, 0.0005
_NO_LOCKS = (OSError, AttributeError, ValueError)  # of this terminal, on this system, or of what is no terminal


class Row:
    """The last row of a terminal, as this process and others use it.

    Args:
        descriptor: of the terminal. It is opened anew, so that what user code closes takes no lock away.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = -1
        with contextlib.suppress(OSError):
            self._descriptor = os.open(os.ttyname(descriptor), os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        self._lock(_DRAWING, fcntl.F_RDLCK)
        self._is_held = self._is_left = False

    @property
    def shared(self) -> bool:
        """Whether another process draws a live line here, too."""
        return self._is_locked(_DRAWING)

    def hold(self, *, patiently: bool = False) -> bool:
        """Keep others from writing here, until `release`; False where one does so now, or has begun a line.

        Args:
            patiently: wait a moment for one who is writing; not again, while one has begun a line and leaves it so.
        """
        deadline = time.monotonic() + (_PATIENCE if patiently and not self._is_left else 0.0)
        while not self._is_held:
            self._is_held = self._lock(_WRITING, fcntl.F_WRLCK)
            if self._is_held or time.monotonic() >= deadline:
                break
            time.sleep(_PAUSE)
        self._is_left = not self._is_held and (patiently or self._is_left)
        return self._is_held

    def release(self) -> None:
        """Let others write."""
        if self._is_held:
            self._is_held = False
            self._lock(_WRITING, fcntl.F_UNLCK)

    def close(self) -> None:
        """Give everything up."""
        with contextlib.suppress(OSError):
            os.close(self._descriptor)

    def _lock(self, byte: int, kind: int) -> bool:
        """Whether nobody else has it: also where there are no locks."""
        try:
            fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLK, _LOCK.pack(kind, os.SEEK_SET, byte, 1, 0))
        except (BlockingIOError, PermissionError):
            return False
        except _NO_LOCKS:
            return True
        return True

    def _is_locked(self, byte: int) -> bool:
        """By others, that is: one's own locks stand in nobody's way."""
        asked = _LOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
        with contextlib.suppress(*_NO_LOCKS):
            kind, *_ = _LOCK.unpack(fcntl.fcntl(self._descriptor, fcntl.F_OFD_GETLK, asked))
            return bool(kind != fcntl.F_UNLCK)
        return False
