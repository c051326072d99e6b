"""The part of the kernel's FUSE protocol (version 7.31) that a passthrough filesystem needs, as Python values.

Spoken directly, because the bindings that exist need a library of the system, and lose what the tests are about:
O_EXCL, "now" as a time, and the handle in fstat. Layouts are those of `linux/fuse.h`. Called by
`rigs.faultfs_server`.
"""

from __future__ import annotations

import enum
import os
import struct
from dataclasses import dataclass

__all__ = ["BUFFER_BYTES", "MAX_WRITE_BYTES", "OPCODES", "Forget", "Request", "SetAttr", "Validity", "pack"]

MAX_WRITE_BYTES = 128 * 1024
BUFFER_BYTES = MAX_WRITE_BYTES + 4096

OPCODES = {
    1: "lookup",
    3: "getattr",
    4: "setattr",
    5: "readlink",
    6: "symlink",
    9: "mkdir",
    10: "unlink",
    11: "rmdir",
    12: "rename",
    13: "link",
    14: "open",
    15: "read",
    16: "write",
    17: "statfs",
    18: "release",
    20: "fsync",
    25: "flush",
    26: "init",
    27: "opendir",
    28: "readdir",
    29: "releasedir",
    30: "fsyncdir",
    35: "create",
}


class Forget(enum.IntEnum):
    """Requests that the kernel wants no answer to."""

    ONE = 2
    MANY = 42


class SetAttr(enum.IntFlag):
    """Which fields of a setattr request count."""

    MODE = 1 << 0
    UID = 1 << 1
    GID = 1 << 2
    SIZE = 1 << 3
    ATIME = 1 << 4
    MTIME = 1 << 5
    ATIME_NOW = 1 << 7
    MTIME_NOW = 1 << 8


@dataclass(frozen=True)
class Request:
    """One request of the kernel. `thread` is who asks: a thread id of the real host, 0 if it is of none."""

    opcode: int
    unique: int
    node: int
    thread: int
    body: bytes

    _HEADER = struct.Struct("=IIQQIIIHH")

    @classmethod
    def parse(cls, packet: bytes) -> Request:
        """Takes the header off."""
        _, opcode, unique, node, _, _, thread, _, _ = cls._HEADER.unpack_from(packet)
        return cls(opcode, unique, node, thread, packet[cls._HEADER.size :])

    def unpack(self, layout: str) -> tuple[int, ...]:
        """The integers that the body begins with."""
        return struct.unpack_from("=" + layout, self.body)

    def texts(self, offset: int) -> list[str]:
        """The names from `offset` on, each of which a zero byte ends."""
        return [os.fsdecode(text) for text in self.body[offset:].split(b"\0")[:-1]]


@dataclass(frozen=True)
class Validity:
    """How long, in seconds, the kernel may answer from its cache: attributes, names, and absences of names."""

    attributes: float = 0.0
    entries: float = 0.0
    absences: float = 0.0


class pack:  # noqa: N801 - a namespace: pack.reply, pack.entry, ...
    """Answers to the kernel, as bytes."""

    @staticmethod
    def reply(unique: int, payload: bytes = b"", error: int = 0) -> bytes:
        """A whole packet: the payload, or the errno."""
        return struct.pack("=IiQ", 16 + len(payload), -error, unique) + payload

    @staticmethod
    def init(minor: int, flags: int) -> bytes:
        """What this side can do."""
        return struct.pack("=IIIIHHIIHHI28x", 7, minor, 1 << 17, flags, 64, 48, MAX_WRITE_BYTES, 1, 0, 0, 0)

    @staticmethod
    def attributes(stat: os.stat_result) -> bytes:
        """The struct fuse_attr."""
        times = [divmod(ns, 10**9) for ns in (stat.st_atime_ns, stat.st_mtime_ns, stat.st_ctime_ns)]
        seconds, rests = zip(*times, strict=True)
        sizes = (stat.st_ino, stat.st_size, stat.st_blocks)
        owner = (stat.st_mode, stat.st_nlink, stat.st_uid, stat.st_gid, stat.st_rdev, stat.st_blksize, 0)
        return struct.pack("=QQQqqqIIIIIIIIII", *sizes, *seconds, *rests, *owner)

    @classmethod
    def attribute_reply(cls, stat: os.stat_result, valid: Validity) -> bytes:
        """The struct fuse_attr_out."""
        return struct.pack("=QII", *_seconds_and_ns(valid.attributes), 0) + cls.attributes(stat)

    @classmethod
    def entry(cls, node: int, stat: os.stat_result, valid: Validity) -> bytes:
        """The struct fuse_entry_out."""
        (entry_s, entry_ns), (attr_s, attr_ns) = _seconds_and_ns(valid.entries), _seconds_and_ns(valid.attributes)
        return struct.pack("=QQQQII", node, 0, entry_s, attr_s, entry_ns, attr_ns) + cls.attributes(stat)

    @staticmethod
    def absence(valid: Validity) -> bytes:
        """A fuse_entry_out that says: no such name, and you may remember that."""
        seconds, ns = _seconds_and_ns(valid.absences)
        return struct.pack("=QQQQII88x", 0, 0, seconds, 0, ns, 0)

    @staticmethod
    def opened(handle: int) -> bytes:
        """The struct fuse_open_out, with no permission to keep old pages."""
        return struct.pack("=QII", handle, 0, 0)

    @staticmethod
    def written(count: int) -> bytes:
        """The struct fuse_write_out."""
        return struct.pack("=II", count, 0)

    @staticmethod
    def statfs(stat: os.statvfs_result) -> bytes:
        """The struct fuse_statfs_out."""
        counts = (stat.f_blocks, stat.f_bfree, stat.f_bavail, stat.f_files, stat.f_ffree)
        return struct.pack("=QQQQQIIII24x", *counts, stat.f_bsize, stat.f_namemax, stat.f_frsize, 0)

    @staticmethod
    def listing(entries: list[tuple[str, int, int]], offset: int, size: int) -> bytes:
        """As many of the entries (name, inode, type) from number `offset` on as fit into `size` bytes."""
        packed = b""
        for number, (name, inode, kind) in enumerate(entries[offset:], start=offset + 1):
            raw = os.fsencode(name)
            entry = struct.pack("=QQII", inode, number, len(raw), kind) + raw
            entry += bytes(-len(entry) % 8)
            if len(packed) + len(entry) > size:
                break
            packed += entry
        return packed


def _seconds_and_ns(seconds: float) -> tuple[int, int]:
    return int(seconds), int(seconds % 1 * 1e9)
