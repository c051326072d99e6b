"""Real filesystems that are small enough to be filled: what "no space left on device" does to neps.

They differ once full: on tmpfs a file can still be created, but not written; on ext4 a write fails, and small ones
after it may succeed. Needs Linux and root, ext4 also mkfs.ext4 and a loop device. Called by tests.
"""

from __future__ import annotations

import contextlib
import functools
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from rigs import mounts

__all__ = ["Kind", "smallfs", "smallfs_available"]

Kind = Literal["tmpfs", "ext4"]


@contextlib.contextmanager
def smallfs(kind: Kind = "tmpfs", kibibytes: int = 1024, inodes: int | None = None) -> Iterator[Path]:
    """Mounts an empty filesystem and unmounts it in all cases.

    Args:
        kind: `tmpfs` or `ext4`.
        kibibytes: its size, what it needs for itself included; for ext4 at least 256.
        inodes: how many files and folders it can hold, its root included (and eleven of its own for ext4); None is
            the filesystem's default.

    Yields:
        The folder it is mounted at.
    """
    with tempfile.TemporaryDirectory(prefix="smallfs-") as folder:
        target = Path(folder, "mount")
        target.mkdir()
        try:
            if kind == "tmpfs":
                options = f"size={kibibytes}k" + (f",nr_inodes={inodes}" if inodes else "")
                mounts.mount("smallfs", str(target), "tmpfs", options=options)
            else:
                _mount_ext4(Path(folder, "image"), target, kibibytes, inodes)
            yield target
        finally:
            mounts.detach(str(target))


@functools.cache
def smallfs_available(kind: Kind = "tmpfs") -> str | None:
    """Why such a filesystem can't be mounted on this machine, or None."""
    if reason := mounts.not_root_on_linux():
        return f"smallfs: {reason}"
    missing = [program for program in ("mkfs.ext4", "mount") if kind == "ext4" and not shutil.which(program)]
    if missing:
        return f"smallfs: {' and '.join(missing)} not found"
    try:
        with smallfs(kind):
            return None
    except (OSError, subprocess.CalledProcessError) as error:
        return f"smallfs: {error}"


def _mount_ext4(image: Path, target: Path, kibibytes: int, inodes: int | None) -> None:
    """Without a journal, which would take more than such a filesystem has."""
    counted = ["-N", str(inodes)] if inodes else []
    make = ["mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-b", "1024", *counted, str(image), f"{kibibytes}k"]
    for command in (make, ["mount", "-o", "loop", str(image), str(target)]):
        subprocess.run(command, check=True, capture_output=True, timeout=30)
    (target / "lost+found").rmdir()
