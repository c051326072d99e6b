"""The system calls of Linux that mount, unmount and make namespaces, for all rigs.

By ctypes, because Python 3.11 has none of them, and because a child program would cost more than the call.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["BIND", "PRIVATE", "RECURSIVE", "SLAVE", "call", "detach", "mount", "not_root_on_linux", "read_only"]

BIND = 1 << 12
RECURSIVE = 1 << 14
PRIVATE = 1 << 18
SLAVE = 1 << 19
_READ_ONLY, _REMOUNT = 1, 32
_DETACH = 2


def call(function: str, *arguments: object) -> None:
    """Calls a function of libc that returns 0 for success, and raises OSError with its errno for anything else."""
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")


def mount(source: str, target: str, kind: str = "", *, flags: int = 0, options: str = "") -> None:
    """The system call mount(2)."""
    texts = [os.fsencode(text) for text in (source, target, kind)]
    call("mount", *texts, ctypes.c_ulong(flags), os.fsencode(options))


def detach(target: str) -> None:
    """Takes every mount at `target` out of the tree, also where it is busy or its server is dead.

    A plain umount fails with EBUSY as long as any process has a file open in it, and a check by `os.path.ismount`
    fails itself on a mount whose server is gone. So this asks lazily until the kernel says that none is left.
    """
    while True:
        try:
            call("umount2", os.fsencode(target), _DETACH)
        except OSError:
            return


def not_root_on_linux() -> str | None:
    """Why this process may not mount, or None."""
    if not sys.platform.startswith("linux"):
        return f"needs Linux, and this is {sys.platform}"
    if os.geteuid() != 0:
        return "needs root"
    return None


@contextlib.contextmanager
def read_only(folder: Path, target: Path) -> Iterator[Path]:
    """The same folder where writing fails: root may write whatever its mode says, but not to a read-only filesystem.

    Args:
        folder: what is to be seen.
        target: where, if root is to see it; it is made.
    """
    if os.geteuid() != 0:
        for path in (*folder.rglob("*"), folder):
            path.chmod(0o555 if path.is_dir() else 0o444)
        yield folder
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        return
    target.mkdir()
    mount(str(folder), str(target), flags=BIND)
    try:
        mount("", str(target), flags=BIND | _REMOUNT | _READ_ONLY)
        yield target
    finally:
        detach(str(target))
