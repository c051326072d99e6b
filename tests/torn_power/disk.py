"""A disk whose power can be cut at any moment, afterwards: an ext4 on a loop device, of which all writes are logged.

Needs Linux, root, /dev/fuse, a loop device and mkfs.ext4.
"""

from __future__ import annotations

import contextlib
import functools
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rigs import mounts
from rigs.faultfs import faultfs, faultfs_available
from rigs.smallfs import smallfs_available

__all__ = ["Disk", "disk_available", "mounted"]

_MEBIBYTES = 24


class Disk:
    """The disk: `log` has what was written to it since it was mounted, and `start` is what it was then.

    Args:
        folder: an existing folder, in memory if it is to be quick.
        options: mount options of the filesystem.
    """

    def __init__(self, folder: Path, options: str) -> None:
        self.log, self.start, self.target = folder / "log", folder / "start", folder / "mount"
        self._backing, self._options = folder / "backing", options

    @contextlib.contextmanager
    def mounted(self) -> Iterator[None]:
        """Make the filesystem, and mount it at `target`; what is written there meanwhile is logged."""
        self._backing.mkdir()
        self.target.mkdir()
        self.log.touch()
        disk = self._backing / "disk"
        _run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", disk, f"{_MEBIBYTES}M")
        _run("cp", "--sparse=always", disk, self.start)
        with (
            faultfs(self._backing, writes=self.log) as logged,
            mounted(logged.path / "disk", self.target, self._options),
        ):
            yield

    @contextlib.contextmanager
    def after_cut(self, image: Path) -> Iterator[None]:
        """Mount what a cut has left at the same place, which replays the journal."""
        with mounted(image, self.target, self._options):
            yield


@contextlib.contextmanager
def mounted(image: Path, target: Path, options: str) -> Iterator[None]:
    """Mount a file that holds a filesystem. The loop device goes with the mount."""
    _run("mount", "-o", f"loop,{options}", image, target)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            _run("umount", target)
        mounts.detach(str(target))


@functools.cache
def disk_available() -> str | None:
    """Why there can't be such a disk on this machine, or None."""
    if reason := faultfs_available() or smallfs_available("ext4"):
        return reason
    try:
        with tempfile.TemporaryDirectory() as folder, Disk(Path(folder), "data=ordered").mounted():
            return None
    except OSError as error:
        return f"a disk with a log: {error}"


def _run(*command: str | Path) -> None:
    assert shutil.which(str(command[0])), f"{command[0]} is not installed"
    ran = subprocess.run([str(word) for word in command], check=False, capture_output=True, text=True, timeout=120)
    if ran.returncode:
        raise OSError(f"{' '.join(map(str, command))} ended with {ran.returncode}: {ran.stderr.strip()}")
