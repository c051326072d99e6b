"""This host's view of the filesystem: is it fit, has it room, may this user write, what does its clock say?

What races prove is in `neps.testing.filesystem`; here a few rounds of it. Called by the examination.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
import uuid
from collections.abc import Iterator

from neps._doctor.finding import Finding, Kind
from neps._ledger.storage import DENIED, advice, denial, shown_size, try_to_write
from neps.testing.filesystem import CHECKS, Probe, shown_winners

__all__ = ["Host", "host_findings", "look_at_host", "probe_findings"]

_TRIED_BYTES = 1 << 24
_FEW_BYTES, _FEW_FILES = 1 << 28, 1000
_CLOCK_SECONDS = 5.0
_ROUNDS, _PROCESSES = 5, 4


@dataclasses.dataclass(frozen=True, slots=True)
class Host:
    """What this host sees. `refused` is why a file can't be written; `ahead` by how much this clock is.

    `free_bytes` and `free_files` are what this user may still use; `free_files` is None where nothing counts files.
    `now` is the filesystem's time, or this host's if nothing can be written.
    """

    name: str
    user: int
    filesystem: str
    free_bytes: int
    free_files: int | None
    refused: OSError | None
    ahead: float | None
    write_seconds: float

    @property
    def now(self) -> float:
        """The filesystem's time."""
        return time.time() - (self.ahead or 0.0)


def look_at_host(root: str) -> Host:
    """Look, and write 16 MiB into a file without a name: a quota shows itself to nobody else."""
    space = os.statvfs(root)
    began = time.monotonic()
    refused = try_to_write(root, _TRIED_BYTES)
    return Host(
        name=os.uname().nodename,
        user=os.geteuid(),
        filesystem=_filesystem(root),
        free_bytes=space.f_bavail * space.f_frsize,
        free_files=space.f_favail if space.f_files else None,
        refused=refused,
        ahead=_ahead(root) if refused is None else None,
        write_seconds=time.monotonic() - began,
    )


def _filesystem(root: str) -> str:
    """The type of the filesystem, and where it is mounted; empty where there is no /proc."""
    found = ("", "")
    with contextlib.suppress(OSError), open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
        for line in file:
            fields, _, rest = line.partition(" - ")
            point = fields.split()[4].replace("\\040", " ")
            inside = root == point or root.startswith(f"{point.rstrip('/')}/")
            if inside and len(point) >= len(found[0]):
                found = (point, rest.split()[0])
    return f"{found[1]}, mounted at {found[0]}" if found[1] else ""


def _ahead(root: str) -> float | None:
    """By how many seconds this host's clock is ahead of the filesystem's, which stamps new files."""
    path = f"{root}/.neps-doctor-{uuid.uuid4().hex}"
    try:
        before = time.time()
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
        after, stamp = time.time(), os.stat(path).st_mtime  # noqa: PTH116
    except OSError:
        return None
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)  # noqa: PTH108
    return 0.0 if before <= stamp <= after else before - stamp


def host_findings(root: str, host: Host) -> Iterator[Finding]:
    """What of it stands in the way of a worker that starts here."""
    if host.refused is not None:
        yield _refusal(root, host.refused)
    elif host.free_bytes < _FEW_BYTES or (host.free_files is not None and host.free_files < _FEW_FILES):
        files = "" if host.free_files is None else f", and {host.free_files} files"
        yield Finding(
            kind=Kind.STORAGE,
            what=f"there is room for {shown_size(host.free_bytes)}{files}",
            optimizer="Once that is used up, workers hand their trials back, and start none until there is room again.",
            advice="Free some space there: `df -h` and `df -i` show what is left.",
            path=root,
        )
    if host.ahead is not None and abs(host.ahead) > _CLOCK_SECONDS:
        direction = "ahead of" if host.ahead > 0 else "behind"
        yield Finding(
            kind=Kind.CLOCK,
            what=f"this host's clock is {abs(host.ahead):.0f} s {direction} the filesystem's",
            optimizer="No decision depends on a clock. The ages and times that it shows are wrong by as much.",
            advice="Have the clock set (NTP).",
            wrong=False,
        )


def _refusal(root: str, error: OSError) -> Finding:
    denied = denial(root, error)
    if denied is not None and error.errno in DENIED:
        return Finding(
            kind=Kind.PERMISSION,
            what=str(denied).removeprefix(f"{root} ").split(": ", 1)[0],
            optimizer="A worker that this user starts ends with an error before it begins. Others go on.",
            advice=str(denied).split(": ", 1)[1],
            path=root,
        )
    return Finding(
        kind=Kind.STORAGE,
        what=f"{shown_size(_TRIED_BYTES)} can't be written: {error}",
        optimizer="Workers hand their trials back, and start none until as much as they need can be written.",
        advice=advice(error),
        path=root,
    )


def probe_findings(root: str) -> Iterator[Finding]:
    """What races of real processes show of the primitives that all rests on: seconds, in a folder that is removed."""
    with Probe(root, root, rounds=_ROUNDS, processes=_PROCESSES) as probe:
        for check in CHECKS.values():
            found = check(probe)
            if found.problem is not None:
                yield Finding(
                    kind=Kind.FILESYSTEM,
                    what=f"{found.primitive}: {found.problem} (winners: {shown_winners(found)})",
                    optimizer="It relies on this: a trial may be decided twice, or a result be lost.",
                    advice="Choose a root_directory on another filesystem; `neps check DIR` tests one.",
                    path=root,
                )
                return
