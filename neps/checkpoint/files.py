"""The files of a checkpoint: how one is replaced, which are ours, and what may be deleted. It decides nothing.

Beside a checkpoint NAME stands an empty file `.NAME.neps`, the sign that neps wrote it. While it is written it is
called `.NAME.neps-TOKEN`. Nothing without that sign is ever deleted.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import uuid
from collections.abc import Callable, Iterator
from typing import IO

from neps.ledger.layout import is_ledger_name

__all__ = ["delete", "discard_unfinished", "is_checkpoint_name", "open_to_read", "replace"]

_SIGN = re.compile(r"\.([^.].*)\.neps")
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
    """Open a file, or None where there is none. A link is followed: users may keep checkpoints elsewhere.

    Raises:
        OSError: if it is there and can't be opened, or is no file.
    """
    path = f"{folder}/{name}"
    with contextlib.suppress(FileNotFoundError):
        return _open(path)
    try:
        os.listdir(folder)  # noqa: PTH208 - a client that remembers an absence looks anew at a folder that is opened
        return _open(path)
    except FileNotFoundError:
        return None


def _open(path: str) -> IO[bytes]:
    """Opened without waiting for whoever might write to a pipe."""
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is no file", path)
    return file


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
    for inside, _, names in [] if os.path.islink(folder) else os.walk(folder):  # noqa: PTH114
        for name in _checkpoints(names):
            if (size := _unlink(f"{inside}/{name}")) is not None:
                deleted.append((os.path.relpath(f"{inside}/{name}", folder), size))
            _unlink(f"{inside}/.{name}.neps")  # last: who dies before finds it again
    discard_unfinished(folder)
    return deleted


def _checkpoints(names: list[str]) -> Iterator[str]:
    """The names that have a sign. It is anybody's to make, so what `save` would never write is none of ours."""
    for name in names:
        if (sign := _SIGN.fullmatch(name)) and is_checkpoint_name(sign[1]):
            yield sign[1]


def is_checkpoint_name(name: str) -> bool:
    """Whether `save` writes a file of that name: a plain one, not hidden, and none of the ledger's.

    Example:
        >>> is_checkpoint_name("model.pt"), is_checkpoint_name("trial.yaml"), is_checkpoint_name("../model.pt")
        (True, False, False)
    """
    plain = name and not name.startswith(".") and os.path.basename(name) == name and "\0" not in name  # noqa: PTH119
    return bool(plain) and not is_ledger_name(name)


def _unlink(path: str) -> int | None:
    """Delete a file: how large it was, or None if it isn't there (any more), or something else is."""
    try:
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode):
            return None
        os.unlink(path)  # noqa: PTH108
    except FileNotFoundError:
        return None
    return status.st_size
