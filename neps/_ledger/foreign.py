"""Opening and reading what anybody may have put into a root: regular files only, no link followed, no wait, bounded.

All that the ledger reads comes through here. A name of a run may be a pipe, a device, a link out of the root or a
file without an end, by malice or by mistake; nobody may hang, follow it or run out of memory for that.
"""

from __future__ import annotations

import errno
import os
import stat

__all__ = [
    "END_MARKER",
    "LARGEST",
    "LONGEST_LINE",
    "NotAFileError",
    "change_mark",
    "is_complete",
    "misplaced",
    "piece",
    "read",
    "tail",
]

END_MARKER = b"\n...\n"
"""How each document ends, at the start of a line, where no text inside a document can put it. A linked
file may be seen short or zero-filled for a moment, even where it was synced."""

LARGEST = 1 << 25
"""Bytes of a document at most. What is written is bounded far below (`_evaluation.plain`, `publish_definition`)."""

LONGEST_LINE = 1 << 20
_STALE_TRIES = 20
_CHUNK = 1 << 16
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_KINDS = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISREG, "a file"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class NotAFileError(OSError):
    """What stands at a name is no regular file, or larger than any that neps writes. Looking again can't help."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(errno.EINVAL, why, path)
        self.why = why


def is_complete(content: bytes) -> bool:
    """Whether a document has been seen whole."""
    return content.endswith(END_MARKER) and b"\0" not in content


def read(path: str, most: int = LARGEST) -> bytes | None:
    """The content of a file up to its end marker, or None where there is none (for all that this client knows).

    Raises:
        NotAFileError: if something else stands there, or it has more than `most` bytes.
        OSError: if it is there and can't be read (EACCES, EIO …).
    """
    for _ in range(_STALE_TRIES):
        try:
            descriptor = _open(path)
            try:
                return _content(descriptor, path, most)
            finally:
                os.close(descriptor)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno != errno.ESTALE:
                raise
    return None


def tail(path: str, size: int) -> bytes | None:
    """The last `size` bytes of a file, or None where there is none.

    Raises:
        OSError: as `read`.
    """
    try:
        descriptor = _open(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        left = min(size, length := os.fstat(descriptor).st_size)
        chunks: list[bytes] = []
        while left and (chunk := os.pread(descriptor, min(left, 1 << 20), length - left)):
            chunks.append(chunk)
            left -= len(chunk)
        return b"".join(chunks)
    finally:
        os.close(descriptor)


def piece(path: str, start: int, size: int) -> bytes:
    """At most `size` bytes of a file, from `start` on; nothing beyond its end.

    Raises:
        OSError: as `read`, and where there is no file.
    """
    descriptor = _open(path)
    try:
        return os.pread(descriptor, size, start)
    finally:
        os.close(descriptor)


def change_mark(path: str) -> int | None:
    """When a file was last touched, as a mark of which only changes mean something; None where there is none.

    Raises:
        OSError: if the filesystem fails.
    """
    try:
        return os.lstat(path).st_mtime_ns
    except (FileNotFoundError, NotADirectoryError):
        return None


def misplaced(path: str) -> str | None:
    """What stands at a name that should be a folder's, or None where a folder does, or nothing as yet.

    Raises:
        OSError: if the filesystem fails.
    """
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return None
    return None if stat.S_ISDIR(mode) else _kind(mode)


def _open(path: str) -> int:
    """A descriptor of a regular file. Opening waits for nobody: not for the writer of a pipe, nor for a device."""
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.EMLINK, errno.ENXIO, errno.ENODEV}:
            raise NotAFileError(path, _in_its_place(path)) from error
        raise
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise NotAFileError(path, _kind(mode))
    return descriptor


def _in_its_place(path: str) -> str:
    try:
        return _kind(os.lstat(path).st_mode)
    except OSError:
        return _kind(0)


def _kind(mode: int) -> str:
    kind = next((name for test, name in _KINDS if test(mode)), "something that is no file")
    return f"{kind} stands in its place"


def _content(descriptor: int, path: str, most: int) -> bytes:
    """Small files take one read: what ends with the marker is whole."""
    content = os.read(descriptor, _CHUNK)
    if content.endswith(END_MARKER) or not content:
        return content
    chunks, size = [content], len(content)
    while chunk := os.read(descriptor, _CHUNK):
        chunks.append(chunk)
        size += len(chunk)
        if size > most:
            raise NotAFileError(path, f"it has more than {most} bytes, which is not allowed in a document")
        if (chunks[-2][-len(END_MARKER) :] + chunk).endswith(END_MARKER):
            break
    return b"".join(chunks)
