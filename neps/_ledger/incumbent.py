"""The best of a run for a worker whose sampler looks at nothing: from the results cache, a piece at a time.

For display only. Each look costs a bounded piece, however many trials there are, so it's a while until all is known.
"""

from __future__ import annotations

import contextlib
import json
import math

from neps._ledger.documents import UnreadableDocumentError
from neps._ledger.layout import Layout
from neps._ledger.news import News
from neps._ledger.results_cache import parse
from neps._ranking import better, incumbent_key, key_of
from neps._trial import Trial

__all__ = ["Incumbent"]

_PIECE = 1 << 18
_ODD = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError, UnreadableDocumentError)
"""What comes of a line that is no trial, as anybody may have written it."""


class Incumbent:
    """Follows the best of all workers' successes.

    Of what was read so far `best` is the incumbent, `succeeded` are the numbers of all successes, and `without_loss` of
    those whose loss is not finite.
    """

    def __init__(self, layout: Layout) -> None:
        self._news = News(layout)
        self.best: Trial | None = None
        self.succeeded: set[int] = set()
        self.without_loss: set[int] = set()

    @property
    def complete(self) -> bool:
        """Whether the last look came to the end of everything."""
        return self._news.complete

    def read_on(self) -> None:
        """Read on, at most a quarter of a megabyte."""
        for number, payload in self._news.read_on(_PIECE):
            with contextlib.suppress(*_ODD):
                self._see(number, payload)

    def _see(self, number: int, payload: bytes) -> None:
        """Only what may be the best is looked at closely: that costs ten times as much."""
        fields = json.loads(payload)
        loss, fidelity = float(fields["result"]["loss"]), float(fields["decision"].get("fidelity") or 0.0)
        self.succeeded.add(number)
        if not math.isfinite(loss):
            self.without_loss.add(number)
        elif self.best is None or key_of(fidelity, loss, number) < incumbent_key(self.best)[2:]:
            trial = parse(number, payload)
            if better(trial, self.best):
                self.best = trial
