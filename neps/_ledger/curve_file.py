"""attempt_K.curve.jsonl: the losses that an attempt has reported so far, appended by its worker and its children.

Not synced, and no rule of the search depends on it: it shows how a running trial stands, and keeps what a dead attempt
had reported. Torn lines are ignored. Where a trial's result lies beside it, that tells.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator

from neps._ledger.fields import any_number
from neps._ledger.foreign import tail

__all__ = ["CurveFile", "Point"]

Point = tuple[float, float]
_TAIL = 4096
_LARGEST = 1 << 26
_MOST_LINES = 1_000_000
_LONGEST_LINE = 200
_as_json = json.JSONEncoder().encode


class CurveFile:
    """The file at `path`: one line `[step, loss]` a report, as JSON with NaN and Infinity as Python writes them.

    Args:
        path: where it is, or will be.
        begun: whether another process may have left half a line, so that the next one begins anew.
    """

    def __init__(self, path: str, *, begun: bool = False) -> None:
        self._path = path
        self._torn = begun

    def append(self, points: Iterable[Point]) -> None:
        """Append points; opened each time, since run_pipeline may close every descriptor that it finds.

        Raises:
            OSError: if that fails; some of them may be there then, and all may be appended once more.
        """
        rest = memoryview(("\n" * self._torn + "".join(f"{_as_json(point)}\n" for point in points)).encode())
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        self._torn = True
        try:
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        finally:
            os.close(descriptor)
        self._torn = False

    def points(self) -> dict[float, float]:
        """The last loss that was reported for each step, in no order; empty where there is no file.

        Of a file that is larger than any sensible one only the end is read.

        Raises:
            OSError: if it is there and can't be read.
        """
        if not os.path.lexists(self._path):  # the usual case, at a tenth of what a failed opening costs
            return {}
        return dict(_points(tail(self._path, _LARGEST) or b""))

    def last(self) -> Point | None:
        """What was reported last, or None; reads only the end of the file.

        Raises:
            OSError: as `points`.
        """
        return next(reversed([*_points(tail(self._path, _TAIL) or b"")]), None)


def _points(content: bytes) -> Iterator[Point]:
    for line in content.rsplit(b"\n", _MOST_LINES)[-_MOST_LINES:-1]:
        try:
            step, loss = json.loads(line[:_LONGEST_LINE])
            point = any_number(step), any_number(loss)
        except (ValueError, TypeError, OverflowError, RecursionError):  # torn, or zeros where it is only seen in part
            continue
        if math.isfinite(point[0]) and point[0] >= 0:  # as neps.report has it
            yield point
