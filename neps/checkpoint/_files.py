"""The files of a checkpoint: how one is replaced, which are ours, and what may be deleted. It decides nothing.

Beside a checkpoint NAME stands an empty file `.NAME.neps`, the sign that neps wrote it. While it is written it is
called `.NAME.neps-TOKEN`, and ends as NAME does: libraries that get a name append the ending that they miss. Nothing
without that sign is ever deleted.
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

from neps._ledger.layout import is_ledger_name
from neps._ledger.storage import storage_error
from neps._ledger.whole_files import Staged

__all__ = [
    "RANK",
    "UNFINISHED",
    "EmptyError",
    "WriteError",
    "delete",
    "discard_unfinished",
    "is_checkpoint_name",
    "open_to_read",
    "replace_checkpoint",
]

_SIGN = re.compile(r"\.([^.].*)\.neps")
_LEAST = 1 << 16
RANK = "{rank}"
"""Stands in a name for the number of the process."""
UNFINISHED = re.compile(r"\..+\.neps-[0-9a-f]{32}(\.[^.]*)*")
"""What a checkpoint is called while it is written, and what a writer makes of that name."""


class WriteError(Exception):
    """The storage failed: `failure` says how, though `write` may have raised something else.

    `size` is about how many bytes there must be room for.
    """

    def __init__(self, failure: OSError, size: int) -> None:
        super().__init__(str(failure))
        self.failure, self.size = failure, size


class EmptyError(Exception):
    """`write` has written nothing, or elsewhere."""


def replace_checkpoint(
    folder: str,
    name: str,
    write: Callable[[IO[bytes]], object],
    before: Callable[[], object],
    *,
    compare: bool = False,
) -> bool:
    """Put a file in the place of `name`: whoever reads it, at any time, finds the old or the new one whole.

    Args:
        folder: where; it must exist.
        name: the file's.
        write: called with a new file, open for writing.
        before: called when all is written and synced, just before the old file is replaced; may raise to prevent it.
        compare: whether to look if the new file has the content of the old one.

    Returns:
        False if it was compared, and has.

    Raises:
        WriteError: if the storage failed, for all that can be seen.
        EmptyError: if nothing was written.
        Exception: what `write` or `before` raised.
    """
    target = f"{folder}/{name}"
    with Staged(f"{folder}/.{name}.neps-{uuid.uuid4().hex}{os.path.splitext(name)[1]}") as staged:  # noqa: PTH122
        _stage(staged, target, write)
        before()
        differs = not (compare and _same(staged.path, target))
        with _failing(staged.path, target):
            _sign(folder, name)
            staged.replace(target)
    return differs


def _stage(staged: Staged, target: str, write: Callable[[IO[bytes]], object]) -> None:
    with _failing(staged.path, target):
        file = staged.open()
    try:
        _write(file, write)
    except Exception as error:
        failure = _failure(error, staged.path) or _still_fails(staged.path)
        if failure is None:
            raise
        raise WriteError(failure, _size(staged.path, target)) from error
    with contextlib.suppress(OSError):
        if not os.stat(staged.path).st_size:  # noqa: PTH116
            raise EmptyError
    with _failing(staged.path, target):
        staged.sync()


def _write(file: IO[bytes], write: Callable[[IO[bytes]], object]) -> None:
    try:
        write(file)
    except BaseException:
        with contextlib.suppress(Exception):  # nothing may hide an interruption
            file.close()
        raise
    file.close()


@contextlib.contextmanager
def _failing(staged: str, target: str) -> Iterator[None]:
    """What fails in here is done by this module itself."""
    try:
        yield
    except OSError as error:
        if _failure(error, staged) is None:
            raise
        raise WriteError(error, _size(staged, target)) from error


def _failure(error: Exception, staged: str) -> OSError | None:
    return storage_error(error, os.path.dirname(staged), own=True)  # noqa: PTH120


def _size(staged: str, target: str) -> int:
    """About how large the new file was to be: more than there is of it, and as large as the old one."""
    sizes = {}
    for path in (staged, target):
        with contextlib.suppress(OSError):
            sizes[path] = os.stat(path).st_size  # noqa: PTH116
    written = sizes.get(staged, 0)
    return max(sizes[target], written + _LEAST) if target in sizes else 2 * written + _LEAST


def _still_fails(staged: str) -> OSError | None:
    """Whether a little more can't be written: whoever writes by the file's name may hide why that failed."""
    try:
        descriptor = os.open(staged, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            os.write(descriptor, os.urandom(_LEAST))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        return _failure(error, staged)
    return None


def _same(staged: str, target: str) -> bool:
    import filecmp

    with contextlib.suppress(OSError):
        return filecmp.cmp(staged, target, shallow=False)
    return False


def _sign(folder: str, name: str) -> None:
    """Make sure of the sign; one that is there need not be writable, as little as the checkpoint that is replaced."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(f"{folder}/.{name}.neps", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))


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
            if UNFINISHED.fullmatch(name):
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


def of_rank(name: str) -> str:
    """The name of this process's own file: `{rank}` is its number among those that torchrun has started.

    Example:
        >>> of_rank("optimizer-{rank}.pt")
        'optimizer-0.pt'
    """
    if not isinstance(name, str) or RANK not in name:
        return name
    rank = os.environ.get("RANK", "") if os.environ.get("TORCHELASTIC_RUN_ID") else ""
    return name.replace(RANK, rank if rank.isdecimal() else "0")


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
