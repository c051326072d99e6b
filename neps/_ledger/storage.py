"""When a filesystem fails: which errors mean that, what can be done about each, and whether this user may write at all.

Called wherever something is written that is worth waiting for, or that can't be written by waiting.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import stat
import uuid
from collections.abc import Callable, Iterator

from neps.errors import DirectoryError, NepsError

__all__ = [
    "DENIED",
    "SPACE",
    "advice",
    "behind",
    "denial",
    "filesystem_words",
    "lost_terminal",
    "shown_size",
    "storage_error",
    "told_of",
    "try_to_write",
]

SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
"""No outage, so it may last until somebody does something."""
_NAMES = """
    EIO ESTALE EINTR ENOTCONN ETIMEDOUT EREMOTEIO ENOLINK ECOMM ENXIO ENODEV ESHUTDOWN ENOLCK EKEYEXPIRED
    EHOSTDOWN EHOSTUNREACH ENETDOWN ENETUNREACH ECONNRESET ECONNABORTED ECONNREFUSED
"""
_OUTAGE = frozenset(getattr(errno, name) for name in _NAMES.split() if hasattr(errno, name))  # some are Linux's own
_CLEAR = SPACE | {errno.EIO, errno.ESTALE, errno.EROFS}
"""What nothing but a filesystem says: a socket knows the others, too."""
DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_CHUNK = 1 << 20
_KIBI = 1024


def storage_error(error: BaseException | None, folder: str, *, own: bool = False) -> OSError | None:
    """What in an exception, or behind it, says that the filesystem of `folder` fails; None if nothing does.

    Args:
        error: the exception; its causes, contexts and groups are looked at, too.
        folder: errors that sockets have as well, or that a bug may cause, count only where they name a path in it.
        own: whether it comes from writing there, so that one that names no path is about that.
    """
    for seen in behind(error):
        if isinstance(seen, BaseExceptionGroup):
            found = [storage_error(part, folder, own=own) for part in seen.exceptions]
            if all(found):  # else one of them is another matter
                return found[0]
        elif isinstance(seen, OSError) and _is_of_storage(seen, folder, own=own):
            return seen
    return None


def _is_of_storage(error: OSError, folder: str, *, own: bool) -> bool:
    if error.errno in _CLEAR:
        return True
    inside = own if error.filename is None else str(error.filename).startswith(f"{folder}/")
    return inside and (error.errno in _OUTAGE or (own and error.errno in DENIED))


def lost_terminal(error: BaseException | None) -> bool:
    """Whether it comes from printing to a terminal that was closed, as of a worker that outlives its login by nohup."""
    says_so = any(isinstance(seen, OSError) and seen.errno == errno.EIO and not seen.filename for seen in behind(error))
    return says_so and any(_is_hung_up(descriptor) for descriptor in (1, 2))


def _is_hung_up(descriptor: int) -> bool:
    import termios

    try:
        termios.tcgetattr(descriptor)
    except termios.error as error:
        return bool(error.args[0] == errno.EIO)
    return False


def filesystem_words(error: BaseException, folder: str) -> str:
    """The filesystem's own words in an exception, or behind it: one line. Else what the exception says."""
    text = str(storage_error(error, folder, own=True) or error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def shown_size(count: float) -> str:
    """A number of bytes, for people.

    Example:
        >>> shown_size(512), shown_size(1_835_008)
        ('512 B', '1.8 MiB')
    """
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < _KIBI:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= _KIBI
    return f"{count:.1f} TiB"


def behind(error: BaseException | None) -> Iterator[BaseException]:
    """An exception, its causes and its contexts, the nearest first."""
    waiting, seen = [error], set[int]()
    while waiting:
        current = waiting.pop(0)
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting += [current.__cause__, current.__context__]


def advice(error: OSError) -> str:
    """What somebody who reads this error can do."""
    if error.errno == errno.ENOSPC:
        return "Free some space there: `df -h` and `df -i` show what is left."
    if error.errno == errno.EDQUOT:
        return "Free some space there, or ask for more: `quota -s` (on Lustre `lfs quota`) shows what is used."
    if error.errno == errno.EROFS:
        return "The filesystem is mounted read-only here: have it mounted writable."
    if error.errno in DENIED:
        return "This user may not write there: have its owner or mode changed, or renew an expired ticket (`klist`)."
    return "The filesystem or its server fails: see `dmesg`, or ask who runs it."


@contextlib.contextmanager
def told_of(root: str, then: str, folder: str | None = None) -> Iterator[None]:
    """Where the filesystem of a root fails meanwhile, raise an error of neps: what has failed, and what to do.

    Args:
        root: the run's root directory.
        then: what it means, and what to do once it works again, in sentences.
        folder: where to try whether this user may write; None as of `denial`.

    Raises:
        DirectoryError: in the place of any OSError.
    """
    try:
        yield
    except NepsError:
        raise
    except OSError as error:
        message = f"{root} can't be used: {error}. {advice(error)} {then}"
        raise denial(root, error, folder) or DirectoryError(message) from error


def try_to_write(folder: str, size: int, until: Callable[[], object] = lambda: False) -> OSError | None:
    """Write so many bytes there and sync them, in a file without a name: what failed, or None.

    Args:
        folder: an existing folder.
        size: how many bytes; random ones, since some filesystems compress.
        until: asked between the pieces; stops writing where it is true.
    """
    path, block = f"{folder}/.neps-try-{uuid.uuid4().hex}", os.urandom(min(size, _CHUNK))
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            with contextlib.suppress(OSError):  # at once: who is killed while writing leaves no GiB on a full disk
                os.unlink(path)  # noqa: PTH108
            _fill(descriptor, block, size, until)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        return error
    finally:  # where a file that is open can't be removed
        with contextlib.suppress(OSError):
            os.unlink(path)  # noqa: PTH108
    return None


def _fill(descriptor: int, block: bytes, size: int, until: Callable[[], object]) -> None:
    left = size
    while left > 0 and not until():
        left -= os.write(descriptor, block[: min(left, len(block))])


# Who may write


def denial(root: str, error: OSError, folder: str | None = None) -> DirectoryError | None:
    """The error to raise where this user may not write, which no waiting will change; None if that isn't so.

    Args:
        root: the run's root directory.
        error: what has failed.
        folder: where to try; None is the folder of the path that the error names, or else the root.
    """
    if error.errno not in DENIED:
        return None
    named = isinstance(error.filename, str) and error.filename.startswith(f"{root}/")
    folder = _nearest(folder or (os.path.dirname(error.filename) if named else root))  # noqa: PTH120
    refused = try_to_write(folder, 0)
    if refused is None or refused.errno not in DENIED:
        return None
    place = folder if folder == root else f"{folder} (root_directory {root})"
    return DirectoryError(f"{place} can't be written by this user ({_user(os.geteuid())}): {_why(folder)}")


def _nearest(folder: str) -> str:
    """The folder, or the lowest one above it that exists."""
    while not os.path.lexists(folder) and os.path.dirname(folder) != folder:  # noqa: PTH120
        folder = os.path.dirname(folder)  # noqa: PTH120
    return folder


def _why(folder: str) -> str:
    readable = "`neps status` and neps.load need no permission to write."
    with contextlib.suppress(OSError):
        if os.statvfs(folder).f_flag & os.ST_RDONLY:
            return (
                f"its filesystem is mounted read-only on this host. Have it mounted writable, start on a host where it "
                f"is, or choose another root_directory; {readable}"
            )
    with contextlib.suppress(OSError):
        found = os.stat(folder)  # noqa: PTH116
        owner = f"it belongs to {_user(found.st_uid)}, mode {stat.filemode(found.st_mode)}"
        if _mode_allows(found):
            return (
                f"{owner}, which allows it, so something else forbids it: an attribute (`lsattr -d`), an access list "
                f"(`getfacl`) or an expired ticket (`klist`). Change that, or choose another root_directory; {readable}"
            )
        return (
            f"{owner}. Start as a user who may write there, have the owner allow it (`chmod -R g+rwX`, and umask 002 "
            f"for workers of several users), or choose another root_directory; {readable}"
        )
    return f"permission is denied. Have its owner allow it, or choose another root_directory; {readable}"


def _mode_allows(found: os.stat_result) -> bool:
    if os.geteuid() in {0, found.st_uid}:
        return os.geteuid() == 0 or bool(found.st_mode & stat.S_IWUSR)
    if found.st_gid in {os.getegid(), *os.getgroups()}:
        return bool(found.st_mode & stat.S_IWGRP)
    return bool(found.st_mode & stat.S_IWOTH)


def _user(number: int) -> str:
    with contextlib.suppress(KeyError):
        return f"{pwd.getpwuid(number).pw_name}, uid {number}"
    return f"uid {number}"
