"""What was written to a disk, in order, and when it was told to make that last: by which any power cut can be played.

The disk is one file on a `rigs.faultfs` mount, which logs (`WriteLog`); a loop device and a filesystem lie on it. An
image of the disk after a cut has all that was written before the last sync, and of the rest what the disk got done: a
part of it, in any order, down to a sector. Standard library only, since the server of faultfs imports it.
"""

from __future__ import annotations

import dataclasses
import os
import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

__all__ = ["Cut", "Fate", "WriteLog", "cut_images"]

_HEAD = struct.Struct("=cQI")
_WRITE, _SYNC, _END = b"w", b"s", b"e"
_SECTOR = 512

Fate = Literal["nothing", "some", "everything"]
"""What the disk gets done of what was not synced."""


class WriteLog:
    """The log, to append to."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def written(self, offset: int, data: bytes) -> None:
        """Note that these bytes were written there."""
        os.write(self._descriptor, _HEAD.pack(_WRITE, offset, len(data)) + data)

    def synced(self) -> None:
        """Note that all of that must last from now on."""
        os.write(self._descriptor, _HEAD.pack(_SYNC, 0, 0))


@dataclasses.dataclass(frozen=True)
class Cut:
    """A power cut: after so many bytes of the log, with this fate of what was not synced."""

    position: int
    fate: Fate


def cut_images(log: Path, disk: Path, cuts: list[Cut], rng: random.Random) -> Iterator[tuple[Cut, Path]]:
    """Make the disk as each cut leaves it, in the order of the log.

    Args:
        log: what was written and synced.
        disk: the disk as it was when the log began. What was synced is written to it.
        cuts: the cuts.
        rng: decides what of the rest is done.

    Yields:
        Each cut and an image, which may be used until the next one is asked for.
    """
    waiting = sorted(cuts, key=lambda cut: cut.position)
    rest: list[tuple[int, bytes]] = []
    with disk.open("r+b", buffering=0) as synced:
        for begin, kind, offset, data in _entries(log):
            while waiting and waiting[0].position <= begin:
                cut = waiting.pop(0)
                image = disk.with_suffix(f".cut_{len(waiting)}")  # a new file: its loop device may outlive a mount
                _copy(disk, image)
                _apply(image, rest, cut.fate, rng)
                yield cut, image
                image.unlink()
            if kind == _WRITE:
                rest.append((offset, data))
            elif kind == _SYNC:
                for where, what in rest:
                    os.pwrite(synced.fileno(), what, where)
                rest.clear()


def _entries(log: Path) -> Iterator[tuple[int, bytes, int, bytes]]:
    with log.open("rb") as file:
        while head := file.read(_HEAD.size):
            begin = file.tell() - _HEAD.size
            kind, offset, size = _HEAD.unpack(head)
            yield begin, kind, offset, file.read(size)
        yield file.tell(), _END, 0, b""


def _apply(image: Path, rest: list[tuple[int, bytes]], fate: Fate, rng: random.Random) -> None:
    """In any order but of the same sector, of which the last write counts."""
    if fate == "nothing":
        return
    share = 1.0 if fate == "everything" else rng.random()
    with image.open("r+b", buffering=0) as file:
        for offset, data in rest:
            for begin in range(0, len(data), _SECTOR):
                if rng.random() < share:
                    os.pwrite(file.fileno(), data[begin : begin + _SECTOR], offset + begin)


def _copy(source: Path, target: Path) -> None:
    """Copy the parts that aren't holes."""
    size = source.stat().st_size
    with source.open("rb") as old, target.open("wb") as new:
        new.truncate(size)
        place = 0
        while place < size:
            try:
                begin = os.lseek(old.fileno(), place, os.SEEK_DATA)
            except OSError:
                return
            place = os.lseek(old.fileno(), begin, os.SEEK_HOLE)
            os.pwrite(new.fileno(), os.pread(old.fileno(), place - begin, begin), begin)
