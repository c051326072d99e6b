"""What a client of a networked filesystem pays and sees: `os` and `posix` as the simulated workers find them.

The files themselves lie in a real folder in memory. A call that the server answers takes a latency of virtual time; one
that the client's caches answer takes none, and may be out of date. Modelled on NFS: exclusive creations always ask,
opening revalidates (close-to-open), attributes and absences are believed for a while, one's own changes are known.
"""

# ruff: noqa: PTH112, PTH115, PTH118, PTH120
# What is patched are the calls of `os` on texts; so it needs the others.

from __future__ import annotations

import collections
import contextlib
import os
import posix
import random
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

from benchmarks.workers.scheduling import Clock

__all__ = ["Server"]

_CREATES = os.O_CREAT
_ENTRIES_A_LISTING = 500


class _Client:
    """One host's caches: when what was seen of a name (its status, or None for its absence) ceases to be believed."""

    def __init__(self) -> None:
        self.seen: dict[str, tuple[float, os.stat_result | None]] = {}
        self.by_folder: dict[str, set[str]] = collections.defaultdict(set)
        self.opened: dict[str, int] = {}

    def changed(self, path: str) -> None:
        """This client has changed a name: so it knows of no absence in that folder any more."""
        folder = os.path.dirname(path)
        for name in self.by_folder.pop(folder, ()):
            if (known := self.seen.get(name)) is not None and known[1] is None:
                del self.seen[name]
        self.seen.pop(path, None)

    def believe(self, path: str, until: float, status: os.stat_result | None) -> None:
        self.seen[path] = (until, status)
        if status is None:
            self.by_folder[os.path.dirname(path)].add(path)


class Server:
    """The metadata server of the folder `root`, and what its clients see.

    Args:
        root: a folder in memory.
        clock: whose activities are the clients, one host each.
        latency: seconds until the server has answered, in the mean: between a half and three halves of it.
        cache: seconds for which a client believes attributes and absences.
        absences: whether it believes absences (NFS: `lookupcache=all`, the default) or asks again (`positive`).
    """

    def __init__(self, root: str, clock: Clock, *, latency: float, cache: float, absences: bool = True) -> None:
        self._root, self._clock, self._latency, self._cache = root, clock, latency, cache
        self._absences = absences
        self._luck = random.Random(1)  # noqa: S311 - the same in each simulation
        self._clients: dict[int, _Client] = collections.defaultdict(_Client)
        self.calls: collections.Counter[str] = collections.Counter()
        """System calls on the root, by name."""
        self.asked: collections.Counter[str] = collections.Counter()
        """Those of them that the server had to answer."""
        self.times: list[float] = []
        """When it was asked, in order."""

    def _ours(self, path: Any) -> str | None:
        """The path as text, where it is this server's and the caller one of its clients."""
        if self._clock.activity is None or isinstance(path, int):
            return None
        text = os.fsdecode(path)
        return text if text.startswith(self._root) else None

    def _client(self) -> _Client:
        activity = self._clock.activity
        assert activity is not None  # noqa: S101
        return self._clients[activity]

    def _ask(self, call: str) -> None:
        self.asked[call] += 1
        self.times.append(self._clock.now)
        self._clock.sleep(self._latency * self._luck.uniform(0.5, 1.5))

    # What is patched

    def lstat(self, path: Any, **options: Any) -> os.stat_result:
        """As `os.lstat`: by the caches, if they know."""
        if "dir_fd" in options and options["dir_fd"] is not None:
            path = os.path.join(os.readlink(f"/proc/self/fd/{options.pop('dir_fd')}"), os.fsdecode(path))
        if (text := self._ours(path)) is None:
            return _lstat(path, **options)
        self.calls["stat"] += 1
        status = self._look(text)
        if status is None:
            raise FileNotFoundError(2, "No such file or directory", text)
        return status

    def stat(self, path: Any, **options: Any) -> os.stat_result:
        """As `os.stat`; nothing of a run is a link."""
        return self.lstat(path) if self._ours(path) else _stat(path, **options)

    def _look(self, path: str) -> os.stat_result | None:
        client, folder = self._client(), os.path.dirname(path)
        inside = folder != self._root and folder.startswith(self._root)
        if inside and self._cached_absence(client, folder):
            return None
        known = client.seen.get(path)
        if known is not None and self._clock.now < known[0]:
            return known[1]
        self._ask("stat")
        try:
            status = _lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            status = None
        self._believe(client, path, status)
        return status

    def _believe(self, client: _Client, path: str, status: os.stat_result | None) -> None:
        if status is not None or self._absences:
            client.believe(path, self._clock.now + self._cache, status)

    def _cached_absence(self, client: _Client, path: str) -> bool:
        known = client.seen.get(path)
        return known is not None and known[1] is None and self._clock.now < known[0]

    def lexists(self, path: Any) -> bool:
        """As `os.path.lexists`."""
        try:
            self.lstat(path)
        except (OSError, ValueError):
            return False
        return True

    def open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        """As `os.open`: asks, but for what is believed to be absent; reads what has changed."""
        if dir_fd is not None and self._clock.activity is not None:
            path = os.path.join(os.readlink(f"/proc/self/fd/{dir_fd}"), os.fsdecode(path))
            dir_fd = None
        if (text := self._ours(path)) is None:
            return _open(path, flags, mode, dir_fd=dir_fd)
        client = self._client()
        self.calls["open"] += 1
        if not flags & _CREATES and (
            self._cached_absence(client, text) or self._cached_absence(client, os.path.dirname(text))
        ):
            raise FileNotFoundError(2, "No such file or directory", text)
        self._ask("create" if flags & _CREATES else "open")
        if flags & _CREATES:
            client.changed(text)
        try:
            descriptor = _open(path, flags, mode)
        except FileNotFoundError:
            self._believe(client, text, None)
            raise
        if not flags & (os.O_DIRECTORY | os.O_WRONLY | os.O_RDWR):
            changed = _fstat(descriptor).st_mtime_ns
            if client.opened.get(text) != changed:
                client.opened[text] = changed
                self._ask("read")
        return descriptor

    def changing(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """A call that changes names: the server is asked, and answers at its own time."""

        def patched(path: Any, *others: Any, **options: Any) -> Any:
            if "dir_fd" in options and options["dir_fd"] is not None and self._clock.activity is not None:
                path = os.path.join(os.readlink(f"/proc/self/fd/{options.pop('dir_fd')}"), os.fsdecode(path))
            texts = [text for each in (path, *others[:1]) if not isinstance(each, int) and (text := self._ours(each))]
            if not texts:
                return call(path, *others, **options)
            self.calls[name] += 1
            self._ask(name)
            for text in texts:
                self._client().changed(text)
            return call(path, *others, **options)

        return patched

    def fsync(self, descriptor: int) -> None:
        """As `os.fsync`: sends what was written."""
        if self._clock.activity is None:
            _fsync(descriptor)
            return
        self.calls["fsync"] += 1
        if not os.path.isdir(f"/proc/self/fd/{descriptor}"):  # a folder's changes are with the server already
            self._ask("fsync")

    def scandir(self, path: Any = ".") -> Any:
        """As `os.scandir`: a request for so many entries."""
        if self._ours(path) is None:
            return _scandir(path)
        self.calls["list"] += 1
        entries = list(_scandir(path))
        for _ in range(1 + len(entries) // _ENTRIES_A_LISTING):
            self._ask("list")
        return contextlib.nullcontext(iter(entries))

    def listdir(self, path: Any = ".") -> list[Any]:
        """As `os.listdir`."""
        if self._ours(path) is None:
            return _listdir(path)
        with self.scandir(path) as entries:
            return [entry.name for entry in entries]

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """While it lasts, simulated workers find these calls in `os` and `posix`, and the virtual time in `time`."""
        from neps._ledger import touching as module

        touching: Any = module
        names = {
            name: self.changing(name, getattr(os, name)) for name in ("mkdir", "link", "unlink", "rename", "utime")
        }
        patched = {**names, "open": self.open, "lstat": self.lstat, "stat": self.stat, "fsync": self.fsync}
        patched |= {"scandir": self.scandir, "listdir": self.listdir}
        before = {name: getattr(os, name) for name in patched}
        lexists, monotonic, sleep, posix_before = os.path.lexists, time.monotonic, time.sleep, touching.posix
        for name, function in patched.items():
            setattr(os, name, function)
        os.path.lexists = self.lexists
        clock = self._clock
        time.monotonic = lambda: monotonic() if clock.activity is None else clock.now
        time.sleep = lambda seconds: sleep(seconds) if clock.activity is None else clock.sleep(float(seconds))
        touching.posix = SimpleNamespace(**{**vars(posix), **patched})
        try:
            yield
        finally:
            for name, function in before.items():
                setattr(os, name, function)
            os.path.lexists, time.monotonic, time.sleep, touching.posix = lexists, monotonic, sleep, posix_before


_lstat, _stat, _open, _fsync, _fstat, _scandir, _listdir = (
    os.lstat,
    os.stat,
    os.open,
    os.fsync,
    os.fstat,
    os.scandir,
    os.listdir,
)
