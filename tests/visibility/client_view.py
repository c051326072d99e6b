"""What one client sees of the disk: names, contents, times and listings, each late by its own lag, never backwards.

So does NFS with its caches of attributes, of names that aren't there and of listings, and so do replicas.
"""

from __future__ import annotations

from typing import TypeVar

from visibility.disk import Disk, Inode, Past

__all__ = ["ClientView"]
T = TypeVar("T")


class ClientView:
    """The view of one client.

    Args:
        disk: the truth.
        bound: for how many seconds at most something may be seen that isn't so any more.

    `lag` is how many changes of the disk are not seen yet, as far as the bound and what was seen already allow it.
    """

    def __init__(self, disk: Disk, bound: float) -> None:
        self._disk, self._bound = disk, bound
        self._seen: dict[int | str, int] = {}
        self.lag = 0

    def find(self, path: str, now: float) -> Inode | None:
        """What has a name, as far as this client knows."""
        past = self._disk.names.get(path)
        return None if past is None else self._value(path, past, now)

    def content(self, inode: Inode, now: float) -> bytes:
        """What a file holds."""
        return self._value(-inode.number, inode.content, now) if inode.content.values else b""

    def changed(self, inode: Inode, now: float) -> int:
        """When a file was changed last."""
        return self._value(inode.number, inode.changed, now) if inode.changed.values else 0

    def listing(self, folder: str, now: float) -> list[str]:
        """The names in a folder: an older listing than what is known of each name."""
        found = []
        for name in sorted(self._disk.children[folder]):
            path = f"{folder}/{name}"
            if self._value(f"{path} listed", self._disk.names[path], now) is not None:
                found.append(name)
        return found

    def knows(self, path: str) -> None:
        """What this client has done itself, it sees; so does who was told that what it saw is stale."""
        past = self._disk.names.get(path)
        if past is None:
            return
        self._seen[path] = past.last
        if past.now is not None:
            self.knows_file(past.now)

    def knows_file(self, inode: Inode) -> None:
        """The same of a file that it has written or touched."""
        self._seen[-inode.number], self._seen[inode.number] = inode.content.last, inode.changed.last

    def _value(self, key: int | str, past: Past[T], now: float) -> T:
        index = max(past.index(self._disk.version - self.lag, now - self._bound), self._seen.get(key, 0))
        self._seen[key] = index
        return past.values[index][2]
