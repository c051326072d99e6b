"""The storage of a round: each host has a mount of its own of the one root, and each mount can fail for a while.

The root itself is seen without faults by the program, as by one more host. Used by `strikes`, which say when.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from chaos.plan import Plan
from rigs.faultfs import Mount, Rule, faultfs

__all__ = ["OUTAGES", "Outage", "Storage"]

_NAMES = "link,mkdir,rename,unlink"


@dataclasses.dataclass(frozen=True)
class Outage:
    """One way of a filesystem to fail, for so many leases at most: what it says, and to which operations."""

    name: str
    rule: Rule
    leases: float


OUTAGES = (
    Outage("EIO for everything", Rule("*", "*", "EIO"), 2.5),
    Outage("ESTALE for everything", Rule("*", "*", "ESTALE"), 2.5),
    Outage("ENOSPC for whatever writes", Rule("create,write,mkdir,link,fsync", "*", "ENOSPC"), 2.5),
    Outage("EDQUOT for whatever writes", Rule("create,write,mkdir,link,fsync", "*", "EDQUOT"), 2.5),
    Outage("everything hangs", Rule("*", "*", "hang"), 2.5),
    Outage("lost replies of link, mkdir, rename and unlink", Rule(_NAMES, "*", "after:EIO"), 1.0),
    Outage("lost replies of link and mkdir, as EEXIST", Rule("link,mkdir", "*", "after:EEXIST"), 1.0),
    Outage("everything is slow", Rule("*", "*", "delay:0.05"), 1.5),
)


class Storage:
    """The mounts, by host; a context manager after which none of them is left."""

    def __init__(self, plan: Plan, hosts: Sequence[str]) -> None:
        """Mounts nothing yet."""
        self._plan, self._hosts = plan, hosts
        self._mounts: dict[str, Mount] = {}
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Mounts all."""
        for host in self._hosts:
            self._mounts[host] = self._stack.enter_context(faultfs(self._plan.root))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Unmounts all."""
        self._stack.close()

    @property
    def binds(self) -> Mapping[str, Mapping[Path, Path]]:
        """Where each host sees its mount: at the root."""
        return {host: {mount.path: self._plan.root} for host, mount in self._mounts.items()}

    def fail(self, hosts: Sequence[str], outage: Outage) -> None:
        """Let the mounts of these hosts fail so, until `work`."""
        for host in hosts:
            self._mounts[host].rules([outage.rule])

    def work(self, hosts: Sequence[str]) -> None:
        """Let them work again."""
        for host in hosts:
            self._mounts[host].rules([])

    def faults(self) -> int:
        """How many operations have failed, hung or been late so far."""
        return sum(len(mount.faults()) for mount in self._mounts.values())
