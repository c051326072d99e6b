"""Which process is this, and is that one provably dead? On the same host only, and never by a guess.

A pid means something only together with the host's boot, the pid namespace and the time at which the process
started. Written into each attempt's start; read by whoever considers taking it over.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import re
import socket
import uuid
from collections.abc import Mapping
from typing import Any

from neps._ledger import fields

__all__ = ["Identity", "process_state"]

_LARGEST_PID = 2**31 - 1
_AFTER_NAME = re.compile(rb".*\)\s+(\S)(?:\s+\S+){18}\s+(\d+)", re.DOTALL)


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """One worker's process. `worker` is unique and for people; the other fields tell whether it still lives."""

    worker: str
    host: str
    boot: str
    pid_namespace: str
    pid: int
    process_started: int

    @classmethod
    def mine(cls) -> Identity:
        """A new identity of this process."""
        host, pid = socket.gethostname(), os.getpid()
        label = re.sub(r"[^A-Za-z0-9_-]", "-", host.split(".")[0]) or "host"
        _, started = process_state(pid)
        return cls(f"{label}-{pid}-{uuid.uuid4().hex[:8]}", host, _boot(), _pid_namespace(), pid, started)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Identity:
        """Read back what `to_document` wrote.

        Raises:
            KeyError, ValueError: if it isn't there, or not of its type.
        """
        return cls(
            worker=fields.need(document, "worker", fields.text),
            host=fields.need(document, "host", fields.text),
            boot=fields.need(document, "boot", fields.text),
            pid_namespace=fields.need(document, "pid_namespace", fields.text),
            pid=fields.need(document, "pid", functools.partial(fields.whole, least=1, most=_LARGEST_PID)),
            process_started=fields.need(document, "process_started", fields.whole),
        )

    def to_document(self) -> dict[str, Any]:
        """As plain data, by field."""
        return {
            "worker": self.worker,
            "host": self.host,
            "boot": self.boot,
            "pid_namespace": self.pid_namespace,
            "pid": self.pid,
            "process_started": self.process_started,
        }

    @property
    def token(self) -> str:
        """What makes a staged file's name its author's; without a dot."""
        return self.worker

    def is_neighbour_of(self, other: Identity) -> bool:
        """Whether both pids are of one host, boot and pid namespace, so that either process can look for the other."""
        return self._lives_at(other.boot, other.pid_namespace)

    def _lives_at(self, boot: str, pid_namespace: str) -> bool:
        known = bool(self.boot and self.pid_namespace)
        return known and (self.boot, self.pid_namespace) == (boot, pid_namespace)

    def proven_dead(self) -> bool:
        """Whether this process has certainly ended: known only on its own host, boot and pid namespace."""
        if not self._lives_at(_boot(), _pid_namespace()):
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:
            pass
        state, started = process_state(self.pid)
        if not state or not self.process_started:
            return False
        return state in "ZX" or started != self.process_started


def process_state(pid: int) -> tuple[str, int]:
    """State letter and start time in clock ticks since boot, or ("", 0) where there is no /proc to tell."""
    if not _sees_own_processes():
        return "", 0
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123
            match = _AFTER_NAME.match(file.read())
    except OSError:
        return "", 0
    return (match[1].decode(), int(match[2])) if match else ("", 0)


@functools.cache
def _sees_own_processes() -> bool:
    """Whether /proc is of this pid namespace: after a bare `unshare --pid` its numbers are those of other processes."""
    try:
        return os.readlink("/proc/self") == str(os.getpid())  # noqa: PTH115
    except OSError:
        return False


@functools.cache
def _boot() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:  # noqa: PTH123
            return file.read().strip()
    except OSError:
        return ""


@functools.cache
def _pid_namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")  # noqa: PTH115
    except OSError:
        return ""
