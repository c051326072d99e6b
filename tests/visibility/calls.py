"""The system calls of neps's ledger, answered by a disk in memory for paths below its root, and for its descriptors.

All other calls go on to the operating system. Here is the one place at which neps's own code is intercepted: the
functions of `os`, those of `posix` in `touching`, and the clock.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import posix
import stat
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, Protocol, Self
from unittest import mock

from neps._ledger import touching
from visibility.client_view import ClientView
from visibility.disk import Disk, Inode, failure

__all__ = ["ROOT", "Caller", "Calls", "as_caller"]

ROOT = "/in-memory"
"""Below it lies the disk."""
_FIRST_DESCRIPTOR = 1 << 24
_local = threading.local()


class Caller(Protocol):
    """Who calls: a client, which decides when a call goes on, and whether it fails."""

    view: ClientView

    def begin(self, call: str) -> int:
        """A call is about to happen; the errno with which it is to fail, 0 for none. Negative: after it was done."""

    def log(self, call: str, path: str, outcome: str) -> None:
        """What came of it."""

    def now(self) -> float:
        """The time."""

    def sleep(self, seconds: float) -> None:
        """Let it pass."""


@contextlib.contextmanager
def as_caller(caller: Caller) -> Iterator[None]:
    """All calls of this thread are this client's meanwhile."""
    _local.caller = caller
    try:
        yield
    finally:
        del _local.caller


def _caller() -> Caller | None:
    return getattr(_local, "caller", None)


class _Open:
    """What a descriptor stands for."""

    def __init__(self, path: str, inode: Inode, *, appends: bool) -> None:
        self.path, self.inode, self.appends = path, inode, appends
        self.place = 0


class Calls:
    """A context manager: neps calls this disk meanwhile."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._files: dict[int, _Open] = {}
        self._descriptors = itertools.count(_FIRST_DESCRIPTOR)
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        replaced = {name: self._either(name, getattr(self, f"_{name}")) for name in _NAMES}
        for name, ours in replaced.items():
            self._stack.enter_context(mock.patch.object(os, name, ours))
        inside = SimpleNamespace(**{**vars(posix), **{name: replaced[name] for name in _NAMES if name in vars(posix)}})
        self._stack.enter_context(mock.patch.object(touching, "posix", inside))
        real_monotonic, real_sleep = time.monotonic, time.sleep

        def monotonic() -> float:
            caller = _caller()
            return real_monotonic() if caller is None else caller.now()

        def sleep(seconds: float) -> None:
            caller = _caller()
            real_sleep(seconds) if caller is None else caller.sleep(seconds)

        self._stack.enter_context(mock.patch.multiple(time, monotonic=monotonic, sleep=sleep))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _either(self, name: str, ours: Callable[..., Any]) -> Callable[..., Any]:
        """A function that is called for the disk, or else the operating system's."""
        theirs = getattr(os, name)

        def call(*given: Any, dir_fd: int | None = None, **keywords: Any) -> Any:
            caller = _caller()
            if caller is not None and given:
                target = self._target(given[0], dir_fd)
                if target is not None:
                    return ours(caller, target, *given[1:], **keywords)
            if dir_fd is not None:
                keywords["dir_fd"] = dir_fd
            return theirs(*given, **keywords)

        return call

    def _target(self, given: Any, dir_fd: int | None) -> str | int | None:
        if isinstance(given, int):
            return given if given in self._files else None
        path = os.fsdecode(given)
        if dir_fd in self._files:
            path = f"{self._files[dir_fd].path}/{path}"
        return path if path == ROOT or path.startswith(f"{ROOT}/") else None

    # What happens to the disk: authoritative, and its reply may be lost

    def _change(self, caller: Caller, call: str, path: str, do: Callable[[], Any]) -> Any:
        number = caller.begin(call)
        if number > 0:
            caller.log(call, path, errno.errorcode[number])
            raise failure(number, path)
        try:
            done = do()
        except OSError as error:
            caller.log(call, path, errno.errorcode[error.errno or 0])
            raise
        caller.log(call, path, "done" if number == 0 else f"done, and said {errno.errorcode[-number]}")
        if number < 0:
            raise failure(-number, path)
        caller.view.knows(path)
        caller.view.knows(path.rpartition("/")[0])  # it was found on the way, so no kernel denies it now
        return done

    def _mkdir(self, caller: Caller, path: str, *_: object) -> None:
        self._change(caller, "mkdir", path, lambda: self._disk.make_folder(path))

    def _link(self, caller: Caller, source: str, target: str) -> None:
        try:
            self._change(caller, "link", target, lambda: self._disk.link(source, target))
        except OSError as error:
            raise failure(error.errno or 0, source, target) from None

    def _unlink(self, caller: Caller, path: str) -> None:
        self._change(caller, "unlink", path, lambda: self._disk.unlink(path))

    def _rename(self, caller: Caller, source: str, target: str) -> None:
        self._change(caller, "rename", source, lambda: self._disk.rename(source, target))
        caller.view.knows(target)

    _replace = _rename

    def _utime(self, caller: Caller, path: str, **_: object) -> None:
        def do() -> None:
            if (inode := self._disk.now(path)) is None:
                raise failure(errno.ENOENT, path)
            self._disk.touch(inode)

        self._change(caller, "utime", path, do)

    # Opening

    def _open(self, caller: Caller, path: str, flags: int, *_: object) -> int:
        if flags & os.O_CREAT:
            exclusive = bool(flags & os.O_EXCL)
            inode = self._change(caller, "create", path, lambda: self._disk.create(path, exclusive=exclusive))
        else:
            self._look(caller, "open", path)
            inode = self._found(caller, path)
            if inode.links == 0:  # what is gone is stale; whoever was told so looks anew
                caller.view.knows(path)
                raise failure(errno.ESTALE, path)
        if flags & os.O_DIRECTORY and not inode.is_folder:
            raise failure(errno.ENOTDIR, path)
        descriptor = next(self._descriptors)
        self._files[descriptor] = _Open(path, inode, appends=bool(flags & os.O_APPEND))
        return descriptor

    def _close(self, _caller: Caller, descriptor: int) -> None:
        del self._files[descriptor]

    # Contents

    def _read(self, caller: Caller, descriptor: int, size: int) -> bytes:
        opened = self._files[descriptor]
        content = caller.view.content(opened.inode, caller.now())[opened.place : opened.place + size]
        opened.place += len(content)
        return content

    def _pread(self, caller: Caller, descriptor: int, size: int, place: int) -> bytes:
        return caller.view.content(self._files[descriptor].inode, caller.now())[place : place + size]

    def _write(self, caller: Caller, descriptor: int, content: bytes | memoryview) -> int:
        opened = self._files[descriptor]
        before = opened.inode.content.now
        self._change(caller, "write", opened.path, lambda: self._disk.write(opened.inode, before + bytes(content)))
        caller.view.knows_file(opened.inode)
        return len(content)

    def _fsync(self, caller: Caller, descriptor: int) -> None:
        self._change(caller, "fsync", self._files[descriptor].path, lambda: None)

    # Looking

    def _look(self, caller: Caller, call: str, path: str) -> None:
        if number := caller.begin(call):
            caller.log(call, path, errno.errorcode[abs(number)])
            raise failure(abs(number), path)

    def _found(self, caller: Caller, path: str) -> Inode:
        inode = caller.view.find(path, caller.now())
        if inode is None:
            raise failure(errno.ENOENT, path)
        return inode

    def _lstat(self, caller: Caller, path: str) -> os.stat_result:
        self._look(caller, "stat", path)
        return self._status(caller, self._found(caller, path))

    def _stat(self, caller: Caller, path: str | int, **_: object) -> os.stat_result:
        return self._fstat(caller, path) if isinstance(path, int) else self._lstat(caller, path)

    def _fstat(self, caller: Caller, descriptor: int) -> os.stat_result:
        return self._status(caller, self._files[descriptor].inode)

    @staticmethod
    def _status(caller: Caller, inode: Inode) -> os.stat_result:
        mode = stat.S_IFDIR | 0o755 if inode.is_folder else stat.S_IFREG | 0o644
        changed, size = caller.view.changed(inode, caller.now()), len(caller.view.content(inode, caller.now()))
        return os.stat_result((mode, inode.number, 1, 1, 0, 0, size, 0, 0, 0), {"st_mtime_ns": changed})

    def _listdir(self, caller: Caller, path: str) -> list[str]:
        self._look(caller, "list", path)
        self._found(caller, path)
        return caller.view.listing(path, caller.now())

    def _scandir(self, caller: Caller, path: str) -> Any:
        entries = [SimpleNamespace(name=name, path=f"{path}/{name}") for name in self._listdir(caller, path)]
        return contextlib.nullcontext(iter(entries))

    def _access(self, caller: Caller, path: str, *_: object, **__: object) -> bool:
        return caller.view.find(path, caller.now()) is not None


_LOOKING = ("access", "fstat", "listdir", "lstat", "scandir", "stat")
_CHANGING = ("link", "mkdir", "rename", "replace", "unlink", "utime")
_NAMES = (*_LOOKING, *_CHANGING, "open", "close", "read", "pread", "write", "fsync")
