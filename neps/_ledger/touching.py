"""Touches the lock of an attempt for its worker; as a program, whenever the worker's own thread is overdue.

`stand_in` starts that program beside each worker, so it imports as little as it can (`posix`, not `os`). It has no part
in the worker's GIL. What the worker holds it reads from its standard input, a file that the worker rewrites.
"""

from __future__ import annotations

import posix
import sys
import time

__all__ = ["LOADER", "NOTHING", "SIZE", "UNFIT", "Lock", "encode", "touch"]

SIZE = 1 << 14
"""Of what is read again and again; behind it lies this module's code."""

LOADER = f"import marshal, posix; exec(marshal.loads(posix.pread(0, 1 << 20, {SIZE})))"
"""What the program is started with."""

UNFIT = 3
"""The program's exit status where it can't be told to die with the worker, or can't see whether that is stopped."""

_PATIENCE = 1.25
_HEADER = 8
_PR_SET_PDEATHSIG, _SIGKILL = 1, 9


class Lock:
    """The lock of one attempt: where it lies, and by which names beside it one sees whose the attempt is.

    Args:
        folder: the trial's, absolute.
        name: the lock's.
        start: the document that opened the attempt.
        ends: names of which one is there once the attempt is over.
        worker: who opened it, as that document says.
    """

    __slots__ = ("ends", "folder", "name", "start", "worker")

    def __init__(self, folder: bytes, name: bytes, start: bytes, ends: tuple[bytes, ...], worker: bytes) -> None:
        self.folder, self.name, self.start, self.ends, self.worker = folder, name, start, ends, worker


def touch(lock: Lock) -> bool:
    """Touch the lock, and make it on the first call; False, and nothing is touched, if the attempt is lost.

    It is lost where it has an end or a successor, or where the folder is another run's by now. Looked at and touched is
    one and the same folder, even if it is moved in between.

    Raises:
        OSError: if that fails, or the folder is gone.
    """
    folder = posix.open(lock.folder, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_NOFOLLOW | posix.O_CLOEXEC)
    try:
        if any(_exists(name, folder) for name in lock.ends) or not _is_held(lock, folder):
            return False
        try:
            posix.utime(lock.name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            flags = posix.O_WRONLY | posix.O_CREAT | posix.O_NOFOLLOW | posix.O_CLOEXEC
            posix.close(posix.open(lock.name, flags, 0o666, dir_fd=folder))
    finally:
        posix.close(folder)
    return True


def _exists(name: bytes, folder: int) -> bool:
    try:
        posix.lstat(name, dir_fd=folder)
    except FileNotFoundError:
        return False
    return True


def _is_held(lock: Lock, folder: int) -> bool:
    """Whether the attempt was opened by this worker; one that can't be read as yet is taken to be."""
    flags = posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_NONBLOCK | posix.O_CLOEXEC
    descriptor = posix.open(lock.start, flags, dir_fd=folder)
    try:
        content = posix.read(descriptor, 1 << 20)
    finally:
        posix.close(descriptor)
    named = [line for line in content.split(b"\n") if line.startswith(b"worker:")]
    return not named or any(lock.worker in line for line in named)


def encode(lock: Lock, beaten: float) -> bytes:
    """What `decode` reads: a lock, and when its worker touched it last or opened the attempt (`time.monotonic`)."""
    fields = (b"%.6f" % beaten, lock.folder, lock.name, lock.start, lock.worker, *lock.ends)
    body = b"\0".join(fields)
    return b"%0*d" % (_HEADER, len(body)) + body


def decode(content: bytes) -> tuple[Lock, float] | None:
    """The lock and its last beat; None where no attempt is held."""
    length = int(content[:_HEADER] or b"0")
    if not length:
        return None
    beaten, folder, name, start, worker, *ends = content[_HEADER : _HEADER + length].split(b"\0")
    return Lock(folder, name, start, tuple(ends), worker), float(beaten)


NOTHING = b"0" * _HEADER
"""In the place of a lock: no attempt is held."""


def _stand_in(worker: int, thread: int, period: float) -> int:
    """Touch what the worker holds whenever it hasn't done so itself for longer than `period`, as long as it runs."""
    if not _dies_with(thread) or _parent_runs() is None:
        return UNFIT
    _keep_nothing_else()
    touched = 0.0
    while posix.getppid() == worker:
        due = now = time.monotonic()
        due += period
        if (held := _shown()) is not None:
            lock, beaten = held
            if now >= max(touched, beaten) + _PATIENCE * period:
                touched = _touched(lock, touched)
            due = min(due, max(max(touched, beaten) + _PATIENCE * period, now + period / 4))
        time.sleep(due - now)
    return 0


def _keep_nothing_else() -> None:
    """Leave the worker's session and folder, and close what was inherited: somebody may wait for the end of a pipe."""
    posix.setsid()
    posix.chdir("/")
    for name in posix.listdir("/proc/self/fd"):
        posix.closerange(max(int(name), 3), int(name) + 1)  # which bears that the listing's own is closed by now


def _touched(lock: Lock, before: float) -> float:
    """Touch, unless the worker is stopped or that fails: then again soon. When this was done last."""
    try:
        if not _parent_runs():
            return before
        touch(lock)  # where it is lost, the worker's own thread will see so
    except OSError:
        return before
    return time.monotonic()


def _shown() -> tuple[Lock, float] | None:
    """What the worker holds; read until two looks agree, since it may be writing."""
    before = None
    while (content := posix.pread(0, SIZE, 0)) != before:
        before = content
    return decode(content)


def _dies_with(thread: int) -> bool:
    """Have the kernel kill this process once the thread is gone that has started it: at any death, and at any exec."""
    try:
        import _ctypes

        prctl = _ctypes.dlsym(_ctypes.dlopen(None, 0), "prctl")  # type: ignore[arg-type]  # None: this program
        done = not _ctypes.call_function(prctl, (_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0))
        posix.kill(thread, 0)  # it may be gone already
    except (ImportError, AttributeError, OSError):
        return False
    return done


def _parent_runs() -> bool | None:
    """Whether the parent is neither stopped nor dead; None where that can't be seen.

    Its pid is taken from where it is looked up: /proc may be of another pid namespace than `getppid`.
    """
    try:
        _, parent = _process(b"self")
        state, _ = _process(parent)
    except (OSError, ValueError):
        return None
    return state not in b"TtZX"


def _process(pid: bytes) -> tuple[bytes, bytes]:
    """State and parent of a process."""
    descriptor = posix.open(b"/proc/%b/stat" % pid, posix.O_RDONLY | posix.O_CLOEXEC)
    try:
        state, parent = posix.read(descriptor, 4096).rpartition(b") ")[2].split()[:2]
    finally:
        posix.close(descriptor)
    return state, parent


if __name__ == "__main__":
    sys.exit(_stand_in(int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
