"""The files of a checkpoint: how one is replaced, which are ours, and what may be deleted. It decides nothing.

Beside a checkpoint NAME stands an empty file `.NAME.neps`, the sign that neps wrote it. While it is written it is
called `.NAME.neps-TOKEN`. Nothing without that sign is ever deleted.
"""

from __future__ import annotations

import contextlib
import os
import re
import uuid
from collections.abc import Callable, Iterator
from typing import IO

__all__ = ["delete", "discard_unfinished", "open_to_read", "replace"]

_SIGN = re.compile(r"\.(.+)\.neps")
_UNFINISHED = re.compile(r"\..+\.neps-[0-9a-f]{32}")


def replace(folder: str, name: str, write: Callable[[IO[bytes]], object], before: Callable[[], object]) -> None:
    """Put a file in the place of `name`: whoever reads it, at any time, finds the old or the new one whole.

    Args:
        folder: where; it must exist.
        name: the file's.
        write: called with a new file, open for writing.
        before: called when all is written and synced, just before the old file is replaced; may raise to prevent it.
    """
    staged = f"{folder}/.{name}.neps-{uuid.uuid4().hex}"
    try:
        with open(staged, "xb") as file:  # noqa: PTH123
            write(file)
        _sync(staged)  # opened again: `write` may have written by the file's name, or closed it
        before()
        _sign(folder, name)
        os.replace(staged, f"{folder}/{name}")  # noqa: PTH105
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(staged)  # noqa: PTH108


def _sign(folder: str, name: str) -> None:
    """Make sure of the sign; one that is there need not be writable, as little as the checkpoint that is replaced."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(f"{folder}/.{name}.neps", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_to_read(folder: str, name: str) -> IO[bytes] | None:
    """Open a file, or None where there is none.

    Raises:
        OSError: if it is there and can't be opened.
    """
    path = f"{folder}/{name}"
    with contextlib.suppress(FileNotFoundError):
        return open(path, "rb")  # noqa: PTH123 - the caller closes it
    try:
        os.listdir(folder)  # noqa: PTH208 - a client that remembers an absence looks anew at a folder that is opened
        return open(path, "rb")  # noqa: PTH123
    except FileNotFoundError:
        return None


def discard_unfinished(folder: str) -> None:
    """Delete what attempts that died were writing. Whoever still writes there is a zombie."""
    for inside, _, names in os.walk(folder):
        for name in names:
            if _UNFINISHED.fullmatch(name):
                _unlink(f"{inside}/{name}")


def delete(folder: str) -> list[tuple[str, int]]:
    """Delete the checkpoints in a folder and in those below that neps has written, and nothing else.

    Returns:
        Each file's path below `folder`, and the bytes that it had.
    """
    deleted = []
    for inside, _, names in os.walk(folder):
        for name in _checkpoints(names):
            if (size := _unlink(f"{inside}/{name}")) is not None:
                deleted.append((os.path.relpath(f"{inside}/{name}", folder), size))
            _unlink(f"{inside}/.{name}.neps")  # last: who dies before finds it again
    discard_unfinished(folder)
    return deleted


def _checkpoints(names: list[str]) -> Iterator[str]:
    for name in names:
        if sign := _SIGN.fullmatch(name):
            yield sign[1]


def _unlink(path: str) -> int | None:
    """Delete a file: how large it was, or None if it isn't there (any more)."""
    try:
        size = os.lstat(path).st_size
        os.unlink(path)  # noqa: PTH108
    except FileNotFoundError:
        return None
    return size
