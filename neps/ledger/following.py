"""The best of a run for a worker whose sampler looks at nothing: read from the accelerator, a piece at a time.

For display only. Each look costs a bounded piece, however many trials there are, so it's a while until all is known.
"""

from __future__ import annotations

import contextlib
import json
import math
import os

from neps.ledger.accelerator import parse, remembered
from neps.ledger.documents import UnreadableDocumentError
from neps.ledger.foreign import LONGEST_LINE, piece
from neps.ledger.layout import Layout
from neps.ranking import better, incumbent_key, key_of
from neps.trial import Trial

__all__ = ["Follower"]

_PIECE = 1 << 18


class Follower:
    """Follows what all workers append to the accelerator.

    Of what was read so far `best` is the incumbent, `succeeded` are the numbers of all successes, and `without_loss` of
    those whose loss is not finite; `complete` says whether the last look came to the end of everything.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._read: dict[str, int] = {}
        self.best: Trial | None = None
        self.succeeded: set[int] = set()
        self.without_loss: set[int] = set()
        self.complete = False

    def look(self) -> None:
        """Read on, at most a quarter of a megabyte."""
        left, self.complete = _PIECE, False
        try:
            names = sorted(os.listdir(self._layout.accelerator))  # noqa: PTH208
        except OSError:
            names = []
        for name in names:
            with contextlib.suppress(OSError):
                left -= self._read_on(name, left)
            if left <= 0:
                return
        self.complete = True

    def _read_on(self, name: str, most: int) -> int:
        """How many bytes of one file were read."""
        start = self._read.get(name, 0)
        content = piece(f"{self._layout.accelerator}/{name}", start, most)
        whole = content.rfind(b"\n") + 1
        if not whole and len(content) >= LONGEST_LINE:
            whole = len(content)
        self._read[name] = start + whole
        for line in content[:whole].splitlines():
            if (found := remembered(self._layout.run, line)) is not None:
                self._see(*found)
        return len(content)

    def _see(self, number: int, payload: bytes) -> None:
        """Only what may be the best is looked at closely: that costs ten times as much."""
        try:
            fields = json.loads(payload)
            loss, fidelity = float(fields["result"]["loss"]), float(fields["decision"].get("fidelity") or 0.0)
            self.succeeded.add(number)
            if not math.isfinite(loss):
                self.without_loss.add(number)
            elif self.best is None or key_of(fidelity, loss, number) < incumbent_key(self.best)[2:]:
                trial = parse(number, payload)
                if better(trial, self.best):
                    self.best = trial
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
            return
        except UnreadableDocumentError:
            return
