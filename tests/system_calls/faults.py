"""Which faults there are at a call."""

from __future__ import annotations

import dataclasses
import errno
import re
from collections import Counter
from collections.abc import Iterator

from rigs.tracing import DONE, Action, Call, Fail, Kill, Lose

__all__ = ["Injection", "Point", "faults_at", "points", "shown"]

_ERRORS = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.ESTALE, errno.EACCES, errno.EINTR)
_LOST = {"link": errno.EEXIST, "rename": errno.ENOENT, "mkdir": errno.EEXIST, "unlink": errno.ENOENT}
"""What a client gets if the server did it, the reply was lost, and the request is sent again."""
_TOKENS = (
    (re.compile(r"[\w-]+-\d+-[0-9a-f]{8}"), "TOKEN"),
    (re.compile(r"[0-9a-f]{32}"), "TOKEN"),
    (re.compile(r"\b[0-9a-f]{16}\b"), "RUN"),
)


@dataclasses.dataclass(frozen=True)
class Point:
    """The `index`-th changing call of a role, and what it is."""

    role: str
    index: int
    call: str


class Injection:
    """Decides for `rigs.tracing`: one action at one point, and all else goes well. It also counts what comes by."""

    def __init__(self, point: Point | None = None, action: Action = DONE) -> None:
        self._point, self._action = point, action
        self._counts: Counter[str] = Counter()
        self.seen: list[Point] = []
        self.met: Point | None = None
        """Where the action was taken; None while it wasn't."""

    def __call__(self, call: Call) -> Action:
        """What becomes of the call."""
        here = Point(call.role, self._counts[call.role], f"{call.name} {' '.join(map(_plain, call.paths))}".strip())
        self._counts[call.role] += 1
        self.seen.append(here)
        if self._point and self.met is None and (here.role, here.index) == (self._point.role, self._point.index):
            self.met = here
            return self._action
        return DONE


def points(seen: list[Point]) -> list[Point]:
    """The points of a calm run, without those of helper processes' and threads' that come by chance of time."""
    return sorted(set(seen), key=lambda point: (point.role, point.index))


def faults_at(point: Point, *, last: bool) -> Iterator[Action]:
    """All faults at a point. A kill after a call leaves the files as one before the next does; the last has no next."""
    yield Kill()
    if last:
        yield Kill(after=True)
    yield from map(Fail, _ERRORS)
    name = point.call.split()[0]
    if name in _LOST:
        yield from (Lose(errno.EIO), Lose(_LOST[name]))


def shown(action: Action) -> str:
    """For people."""
    match action:
        case Kill(after):
            return "SIGKILL after" if after else "SIGKILL before"
        case Fail(error):
            return errno.errorcode[error]
        case Lose(error):
            return f"done, but {errno.errorcode[error]}"
    return "nothing"


def _plain(path: str) -> str:
    for pattern, name in _TOKENS:
        path = pattern.sub(name, path)
    return path or "ROOT"
