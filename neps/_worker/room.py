"""How much room there must be before a trial goes on that was left since the storage failed.

`save` says it. What the user's own code could not write is a guess: nothing says how large it was to be, nor always on
which disk. Called by `shortage`.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import traceback
from collections.abc import Iterable, Iterator

from neps._ledger.storage import SPACE, storage_error, try_to_write

__all__ = ["LEAST", "guess", "is_here", "tells_of_storage"]

LEAST = 1 << 16
_FIRST_GUESS = 1 << 24
_MOST_STALLS = 3
_FILE_WRITERS = re.compile(
    r"PytorchStreamWriter failed writing|unexpected pos \d+ vs \d+|\d+ requested and \d+ written"
)
"""How libraries that write files by themselves tell of a full disk: torch and NumPy."""
_ANYWHERE = "No space left on device"
"""What is written in C or Rust says so, of shared memory too: torch's DataLoader of /dev/shm."""


def tells_of_storage(text: str) -> bool:
    """Whether an error's text is that of storage that failed, wherever that is."""
    return _ANYWHERE in text or _FILE_WRITERS.search(text) is not None


def is_here(error: BaseException, folder: str) -> bool:
    """Whether it was the filesystem of `folder` that failed, and not another (/tmp, /dev/shm), for all that is seen.

    It was if a path in the folder is named, or a file in it was open where the error was raised (a write that fails
    names none), or if a little more can't be written there now.
    """
    failure = storage_error(error, folder)
    if failure is None:
        if _FILE_WRITERS.search(str(error)) or f"{folder}/" in str(error):
            return True
    elif any(_lies_in(folder, name) for name in ([failure.filename] if failure.filename else _written(failure))):
        return True
    return storage_error(try_to_write(folder, LEAST), folder, own=True) is not None


def _lies_in(folder: str, name: object) -> bool:
    return isinstance(name, str) and os.path.realpath(name).startswith(f"{os.path.realpath(folder)}/")


def _written(error: OSError) -> Iterator[object]:
    """The names of the files that the functions had at hand through which an error came."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        for value in list(frame.f_locals.values()):
            with contextlib.suppress(Exception):  # the user's values: they may do anything when they are asked
                if isinstance(value, io.IOBase):
                    yield value.name  # type: ignore[attr-defined]


def guess(error: BaseException, folder: str, files_in: Iterable[str], stalls: int) -> int:
    """About how many bytes it was that the user's own code could not write to `folder`, where that has failed.

    As many as the largest file has, and more than is free now: whoever removes what is half written leaves as much
    as didn't suffice. But no more than 16 MiB, 64 MiB, 256 MiB and 1 GiB for that, after so many stalls: somebody else
    may have made room meanwhile, and a quota shows nothing that is free.

    Args:
        error: what has failed.
        folder: the trial's.
        files_in: the folders whose files are looked at.
        stalls: how often it was left before, without progress.
    """
    failure = storage_error(error, folder)
    if failure is not None and failure.errno not in SPACE:  # an outage
        return LEAST
    missing = min(_free(folder) + LEAST, _FIRST_GUESS << 2 * min(stalls, _MOST_STALLS))
    return max([missing, *(size for looked_at in files_in for size in _sizes(looked_at))])


def _free(folder: str) -> int:
    with contextlib.suppress(OSError):
        return shutil.disk_usage(folder).free
    return 0


def _sizes(folder: str) -> Iterator[int]:
    for inside, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                yield os.lstat(f"{inside}/{name}").st_size
