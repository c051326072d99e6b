"""The truth: a filesystem in memory that forgets nothing, so that each client can be shown an earlier state of it.

What changes it is authoritative: mkdir, link, rename, unlink and exclusive creation know what is there now.
"""

from __future__ import annotations

import dataclasses
import errno
import itertools
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

__all__ = ["Disk", "Inode", "Past", "failure"]

T = TypeVar("T")


def failure(number: int, path: str, other: str | None = None) -> OSError:
    """What a system call raises."""
    return OSError(number, os.strerror(number), path, None, other)


@dataclasses.dataclass(slots=True)
class Past(Generic[T]):
    """All values of one thing, each with the version of the disk and the time from which on it was the value."""

    values: list[tuple[int, float, T]] = dataclasses.field(default_factory=list)

    @property
    def now(self) -> T:
        """The last."""
        return self.values[-1][2]

    @property
    def last(self) -> int:
        """The index of the last."""
        return len(self.values) - 1

    def index(self, version: int, gone_by: float) -> int:
        """Which was the value at a version; but none that was replaced at that time or before."""
        found = next((i for i in range(self.last, -1, -1) if self.values[i][0] <= version), 0)
        while found < self.last and self.values[found + 1][1] <= gone_by:
            found += 1
        return found


class Inode:
    """A file or a folder, whatever its names are."""

    def __init__(self, number: int, *, is_folder: bool) -> None:
        self.number, self.is_folder = number, is_folder
        self.links = 0
        self.content = Past[bytes]()
        self.changed = Past[int]()


class Disk:
    """What is there, and was.

    Args:
        clock: the time in seconds.
        observe: called with the path and the content of each document that appears at a contested name.
    """

    def __init__(self, clock: Callable[[], float], observe: Callable[[str, Inode], None] = lambda *_: None) -> None:
        self._clock, self.observe = clock, observe
        self.version = 0
        self._numbers = itertools.count(2)
        self.names: dict[str, Past[Inode | None]] = {}
        self.children: dict[str, set[str]] = defaultdict(set)
        self._set("/", Inode(1, is_folder=True))

    def now(self, path: str) -> Inode | None:
        """What has a name now."""
        past = self.names.get(path)
        return past.now if past is not None else None

    def listing(self, folder: str) -> Iterator[str]:
        """The names that a folder has now."""
        return (name for name in sorted(self.children[folder]) if self.now(f"{folder}/{name}") is not None)

    def make_folder(self, path: str) -> None:
        """As mkdir(2)."""
        self._absent(path)
        self._set(path, Inode(next(self._numbers), is_folder=True))

    def create(self, path: str, *, exclusive: bool) -> Inode:
        """As open(2) with O_CREAT."""
        if not exclusive and (found := self.now(path)) is not None:
            return found
        self._absent(path)
        inode = Inode(next(self._numbers), is_folder=False)
        self.write(inode, b"")
        self._set(path, inode)
        return inode

    def write(self, inode: Inode, content: bytes) -> None:
        """All that a file holds from now on."""
        self.version += 1
        inode.content.values.append((self.version, self._clock(), content))
        self.touch(inode)

    def touch(self, inode: Inode) -> None:
        """As utime(2). No two times are the same: what counts is that one has changed."""
        self.version += 1
        inode.changed.values.append((self.version, self._clock(), self.version))

    def link(self, source: str, target: str) -> None:
        """As link(2)."""
        inode = self._present(source)
        self._absent(target)
        self._set(target, inode)
        self.observe(target, inode)

    def unlink(self, path: str) -> None:
        """As unlink(2)."""
        self._present(path)
        self._set(path, None)

    def rename(self, source: str, target: str) -> None:
        """As rename(2), of files: what has the new name is replaced."""
        inode = self._present(source)
        self._set(target, inode)
        self._set(source, None)
        self.observe(target, inode)

    def _present(self, path: str) -> Inode:
        if (inode := self.now(path)) is None:
            raise failure(errno.ENOENT, path)
        return inode

    def _absent(self, path: str) -> None:
        if self.now(path) is not None:
            raise failure(errno.EEXIST, path)
        if self.now(os.path.dirname(path)) is None:  # noqa: PTH120
            raise failure(errno.ENOENT, path)

    def _set(self, path: str, inode: Inode | None) -> None:
        self.version += 1
        past = self.names.setdefault(path, Past([(0, float("-inf"), None)]))
        if past.now is not None:
            past.now.links -= 1
        if inode is not None:
            inode.links += 1
        past.values.append((self.version, self._clock(), inode))
        folder, name = os.path.split(path)
        self.children[folder.rstrip("/")].add(name)
