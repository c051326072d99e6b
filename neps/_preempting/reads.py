"""Which files in a folder are read before they are written again: seen by inotify, so Linux alone can tell.

Called while an attempt goes on that should read what the one before it has saved. It opens no file itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["Reads"]

_ACCESS, _MODIFY, _CLOSE_NOWRITE, _MOVED_TO, _CREATE = 0x1, 0x2, 0x10, 0x80, 0x100
_READ, _WRITTEN = _ACCESS | _CLOSE_NOWRITE, _MODIFY | _MOVED_TO | _CREATE
_IS_FOLDER = 0x40000000
_EVENT = struct.Struct("iIII")
_STAGED = ".neps-"


class Reads:
    """Watches the files that are in a folder, and in folders below it, from `with` on.

    A file counts as read if that was before it was written: `neps.checkpoint.save`, for one, compares what it replaces
    with what it writes, after it has begun to write under another name.

    Args:
        folder: the trial's.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths: dict[int, Path] = {}
        self._written: set[Path] = set()
        self._read: set[Path] = set()
        self._descriptor = -1

    def __enter__(self) -> Self:
        with contextlib.suppress(OSError, AttributeError):
            library = ctypes.CDLL(None, use_errno=True)
            self._descriptor = library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
            for folder in (self._folder, *(path for path in self._folder.rglob("*") if path.is_dir())):
                watch = library.inotify_add_watch(self._descriptor, os.fsencode(folder), _READ | _WRITTEN)
                self._paths[watch] = folder
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    @property
    def possible(self) -> bool:
        """Whether anything can be seen here."""
        return self._descriptor >= 0 and all(watch >= 0 for watch in self._paths)

    def names(self) -> list[str]:
        """The files that were read so far, relative to the folder."""
        for path, mask in self._events():
            if mask & _WRITTEN:
                self._written.add(_meant(path))
            elif path not in self._written:
                self._read.add(path)
        return sorted(str(path.relative_to(self._folder)) for path in self._read)

    def _events(self) -> Iterator[tuple[Path, int]]:
        while True:
            try:
                content = os.read(self._descriptor, 1 << 16)
            except OSError:
                return
            place = 0
            while place < len(content):
                watch, mask, _, size = _EVENT.unpack_from(content, place)
                place += _EVENT.size
                name = content[place : place + size].rstrip(b"\0")
                place += size
                if name and watch in self._paths and not mask & _IS_FOLDER:
                    yield self._paths[watch] / os.fsdecode(name), mask


def _meant(path: Path) -> Path:
    """The file that is written, where it is staged by `neps.checkpoint` under a hidden name."""
    name, staged, _ = path.name.removeprefix(".").rpartition(_STAGED)
    return path.with_name(name) if name and staged and path.name.startswith(".") else path
