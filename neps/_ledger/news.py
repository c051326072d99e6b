"""What all workers append to the results cache, read on from where the last look ended: each line once, in pieces.

Whoever knows a run, or follows it, learns of successes here, at the cost of what is new. What they mean is not its
business, nor what the results cache doesn't hold.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from neps._ledger.foreign import LONGEST_LINE, piece
from neps._ledger.layout import Layout
from neps._ledger.results_cache import remembered

__all__ = ["News"]

_PIECE = 1 << 18
_MOST = 1 << 30
"""Bytes of one look, where nothing else is said: a file may have no end, by malice or by mistake."""


class News:
    """One reader's place in the results cache. `complete` says whether the last look came to the end of everything."""

    def __init__(self, layout: Layout) -> None:
        self._folder, self._run = layout.results_cache, layout.run
        self._read: dict[str, int] = {}
        self._left = self._most = 0
        self.complete = False

    def read_on(self, most: int = _MOST) -> Iterator[tuple[int, bytes]]:
        """The number and the unparsed trial of each line that is new.

        Args:
            most: after about how many bytes to stop.
        """
        self._left = self._most = most
        self.complete = False
        for name in self._names():
            with contextlib.suppress(OSError):
                for line in self._new_lines(name):
                    if (found := remembered(self._run, line)) is not None:
                        yield found
            if self._left <= 0:
                return
        self.complete = True

    def _new_lines(self, name: str) -> Iterator[bytes]:
        path, begin = f"{self._folder}/{name}", self._read.get(name, 0)
        size = os.stat(path).st_size  # noqa: PTH116
        begin = begin if size >= begin else 0  # else it is another file
        while begin < size and self._left > 0:
            content = self._piece(path, begin, size)
            self._left -= len(content)
            if not (whole := self._whole(content)):
                return
            yield from content[:whole].split(b"\n")
            self._read[name] = begin = begin + whole

    def _piece(self, path: str, begin: int, size: int) -> bytes:
        content = piece(path, begin, min(_PIECE, self._left))
        is_cut = b"\n" not in content and begin + len(content) < size
        if is_cut and (len(content) < self._left or self._left == self._most):  # else the next look goes on here
            return piece(path, begin, LONGEST_LINE)
        return content

    def _whole(self, content: bytes) -> int:
        """How many bytes of it are whole lines; the last one may be being written."""
        whole = content.rfind(b"\n") + 1
        is_one = not whole and (len(content) >= LONGEST_LINE or remembered(self._run, content) is not None)
        return len(content) if is_one else whole

    def _names(self) -> list[str]:
        try:
            return sorted(os.listdir(self._folder))  # noqa: PTH208
        except OSError:
            return []
