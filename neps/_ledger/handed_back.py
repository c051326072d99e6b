"""What the attempts that were handed back tell the next one: the time that they used, and how often it asks.

Attempts that died have left no word, and what came before a retry was another evaluation. Called by the worker that
evaluates, and by processes that run_pipeline has started.
"""

from __future__ import annotations

import contextlib
import dataclasses

from neps._ledger.documents import UnreadableDocumentError
from neps._ledger.retrying import RETRY
from neps._ledger.trial_folder import TrialFolder

__all__ = ["HandedBack"]


@dataclasses.dataclass(frozen=True, slots=True)
class HandedBack:
    """Of the earlier attempts at one evaluation, those that were handed back.

    `seconds`: how long they have taken, all together. `asks_within`: within how many seconds run_pipeline asked
    `should_stop` again and had returned, at most; None where it didn't ask twice in any of them.
    """

    seconds: float = 0.0
    asks_within: float | None = None

    @classmethod
    def before(cls, folder: TrialFolder, attempt: int) -> HandedBack:
        """Those before this attempt, as far as they can be read."""
        seconds, asks = 0.0, list[float]()
        with contextlib.suppress(UnreadableDocumentError, OSError):
            while attempt > 1 and (start := folder.start(attempt)) is not None and start.after != RETRY:
                attempt -= 1
                if (end := folder.end(attempt)) is not None:
                    seconds += end.seconds or 0.0
                    asks += [] if end.asks_within is None else [end.asks_within]
        return cls(seconds, max(asks, default=None))
