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

from neps._views.saying import takes

__all__ = ["Row"]

_LOCK = struct.Struct("@hhqqi4x")  # struct flock of 64-bit Linux, the one system with these locks
_DRAWING, _WRITING = 0, 1
_PATIENCE, _PAUSE, _MOMENT = 0.1, 0.0005, 0.02
_NO_LOCKS = (OSError, AttributeError, ValueError)  # of this terminal, on this system, or of what is no terminal


class Row:
    """The last row of a terminal, as this process and others use it.

    Args:
        descriptor: of the terminal. It is opened anew: others' descriptors have no locks of this one, and wait where
            it takes nothing.
    """

    def __init__(self, descriptor: int) -> None:
        self._given, self._own = _Descriptor(descriptor), _Descriptor(-1)
        with contextlib.suppress(OSError):
            flags = os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC | os.O_NONBLOCK
            self._own = _Descriptor(os.open(os.ttyname(descriptor), flags))
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

    def put(self, content: bytes) -> bool:
        """Write there; False where the terminal takes nothing just now, or only the beginning."""
        deadline = time.monotonic() + _MOMENT
        with contextlib.suppress(OSError):
            descriptor = self._own.number if self._own.number != -1 else self._given.number
            while content and descriptor != -1 and takes(descriptor, max(0.0, deadline - time.monotonic())):
                with contextlib.suppress(BlockingIOError):  # somebody else is writing
                    content = content[os.write(descriptor, content) :]
                if content and time.monotonic() >= deadline:
                    break
        return not content

    def close(self) -> None:
        """Give everything up."""
        with contextlib.suppress(OSError):
            os.close(self._own.number)

    def _lock(self, byte: int, kind: int) -> bool:
        """Whether nobody else has it: also where there are no locks."""
        try:
            fcntl.fcntl(self._own.number, fcntl.F_OFD_SETLK, _LOCK.pack(kind, os.SEEK_SET, byte, 1, 0))
        except (BlockingIOError, PermissionError):
            return False
        except _NO_LOCKS:
            return True
        return True

    def _is_locked(self, byte: int) -> bool:
        """By others, that is: one's own locks stand in nobody's way."""
        asked = _LOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
        with contextlib.suppress(*_NO_LOCKS):
            kind, *_ = _LOCK.unpack(fcntl.fcntl(self._own.number, fcntl.F_OFD_GETLK, asked))
            return bool(kind != fcntl.F_UNLCK)
        return False


class _Descriptor:
    """User code may close every descriptor, and open its own under the same number: that one is left alone."""

    def __init__(self, number: int) -> None:
        self._number, self._identity = number, _identity(number)

    @property
    def number(self) -> int:
        """-1 where it is there no more."""
        return self._number if self._identity and _identity(self._number) == self._identity else -1


def _identity(descriptor: int) -> tuple[int, int] | None:
    with contextlib.suppress(OSError):
        status = os.fstat(descriptor)
        return status.st_dev, status.st_ino
    return None
