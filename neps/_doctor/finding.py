"""What the doctor finds: of which kind, where, what the optimizer does about it, and what the user can do.

And where each trial stands by its files alone, as a worker that joins without the results cache comes to see it.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable

__all__ = ["Finding", "Kind", "Mend", "Standing"]


class Kind(enum.StrEnum):
    """What is wrong, in one word."""

    TORN = "torn"
    FOREIGN = "foreign"
    DEAD = "dead"
    STUCK = "stuck"
    DUPLICATE = "duplicate"
    STALE = "stale"
    PERMISSION = "permission"
    STORAGE = "storage"
    CLOCK = "clock"
    FILESYSTEM = "filesystem"


class Standing(enum.StrEnum):
    """Where a trial stands: `damaged` is published or follows at once, `unreadable` follows after a lease."""

    SUCCESS = "success"
    FAILED = "failed"
    DAMAGED = "damaged"
    UNREADABLE = "unreadable"
    RUNNING = "running"
    DEAD = "dead"
    WAITING = "waiting"
    UNTOLD = "untold"
    RESERVED = "reserved"


@dataclasses.dataclass(frozen=True, slots=True)
class Mend:
    """How something can be mended while workers run: `would` completes "would …"; `do` returns what was done."""

    would: str
    do: Callable[[], str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was found.

    `optimizer` is what workers do about it, `advice` what the user can do. Without `wrong` it is only said: nothing has
    to be done. `path` and `trial` say where, as far as it is one place.
    """

    kind: Kind
    what: str
    optimizer: str
    advice: str
    path: str | None = None
    trial: int | None = None
    wrong: bool = True
    mend: Mend | None = None
