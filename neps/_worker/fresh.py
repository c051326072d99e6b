"""What this process had when it began, and giving it back to the one that is started in its place (see `anew`).

What an exec leaves as it is: the working directory, umask, limits, processors and timers, ignored signals, and each
descriptor that C code has opened without O_CLOEXEC. "When it began" is the first import of this module: nothing tells
what was changed before.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

from neps._evaluation.actions import set_action

__all__ = ["Beginning"]

_STREAMS = range(3)
_LIMITS = tuple(number for name, number in sorted(vars(resource).items()) if name.startswith("RLIMIT_"))
_TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)


class Beginning:
    """Made when the process begins."""

    def __init__(self) -> None:
        self.environment = dict(os.environb)
        """As it was."""
        self._directory, self._place = _directory(), _identity(os.curdir)
        self._umask = _umask()
        self._limits = {limit: resource.getrlimit(limit) for limit in _LIMITS}
        self._processors = _processors()
        self._streams = [_identity(descriptor) for descriptor in _STREAMS]
        self._inherited = {descriptor: _identity(descriptor) for descriptor in _inheritable()}
        self._ignored = {signum for signum in signal.valid_signals() if signal.getsignal(signum) is signal.SIG_IGN}

    @property
    def directory(self) -> str | None:
        """The working directory at the beginning; None where there is no way back to it."""
        if self._place is None:
            return None
        if _identity(os.curdir) == self._place:  # also where it was moved
            return _directory()
        return self._directory if self._directory and _identity(self._directory) == self._place else None

    @property
    def has_its_streams(self) -> bool:
        """Whether standard input, output and error are what they were."""
        return [_identity(descriptor) for descriptor in _STREAMS] == self._streams

    def restore(self) -> None:
        """Go back to the directory, stop the timers, and let only the descriptors through that came with the process.

        Raises:
            OSError: if the directory can't be entered.
        """
        if (directory := self.directory) is None:
            raise FileNotFoundError("the working directory in which the process began is gone")
        os.chdir(directory)
        self._restore_rights()
        for timer in _TIMERS:
            signal.setitimer(timer, 0)
        for descriptor in _inheritable():
            if _identity(descriptor) != self._inherited.get(descriptor):
                with contextlib.suppress(OSError):
                    os.set_inheritable(descriptor, False)  # noqa: FBT003

    def _restore_rights(self) -> None:
        """The mode of new files, limits as far as they may be raised again, and on which processors to run."""
        if self._umask is not None:
            os.umask(self._umask)
        for limit, (soft, hard) in self._limits.items():
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(limit, (soft, hard))
                continue
            now = resource.getrlimit(limit)[1]  # who has lowered it may not raise it
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(limit, (_lower(soft, now), now))
        with contextlib.suppress(OSError):
            if self._processors is not None:
                os.sched_setaffinity(0, self._processors)

    def restore_actions(self) -> None:
        """Let each signal do what it did at the beginning: none has a handler any more."""
        for signum in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            set_action(signum, ignored=signum in self._ignored)


def _umask() -> int | None:
    """Without setting it, which would be seen by other threads; None where the kernel doesn't tell."""
    with contextlib.suppress(OSError, StopIteration):
        status = Path("/proc/self/status").read_bytes()
        return int(next(line for line in status.split(b"\n") if line.startswith(b"Umask:")).split()[1], 8)
    return None


def _processors() -> set[int] | None:
    with contextlib.suppress(AttributeError, OSError):  # Linux's own
        return os.sched_getaffinity(0)
    return None


def _lower(soft: int, hard: int) -> int:
    """A soft limit that the hard one allows."""
    if resource.RLIM_INFINITY in {soft, hard}:
        return soft if hard == resource.RLIM_INFINITY else hard
    return min(soft, hard)


def _directory() -> str | None:
    with contextlib.suppress(OSError):
        return os.getcwd()  # noqa: PTH109
    return None


def _identity(file: str | int) -> tuple[int, int] | None:
    with contextlib.suppress(OSError):
        status = os.stat(file)  # noqa: PTH116 - may be a descriptor
        return status.st_dev, status.st_ino
    return None


def _inheritable() -> Iterator[int]:
    """The descriptors above the standard streams that an exec leaves open; none where the kernel doesn't tell."""
    with contextlib.suppress(OSError):
        for descriptor in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208
            with contextlib.suppress(OSError):  # the listing's own
                if descriptor not in _STREAMS and os.get_inheritable(descriptor):
                    yield descriptor
