"""What max_seconds_per_trial means for one attempt: when its time is over, and what it then comes to.

What ends an evaluation then is in `neps._evaluation`; `evaluating` calls here, and publishes.
"""

from __future__ import annotations

import dataclasses
import math
import time

from neps._evaluation import Evaluated
from neps._ledger.claims import Claim
from neps._ledger.documents import UnreadableDocumentError
from neps._ledger.retrying import RETRY
from neps._outcome import Outcome
from neps._worker.settings import OnTimeLimit, Settings

__all__ = ["ends_of", "limited"]


def ends_of(held: Claim, settings: Settings) -> float:
    """When the time of an attempt that begins now is over, by the monotonic clock; infinity without a limit.

    What earlier attempts used counts as far as it is known: those that were handed back have recorded it. Those that
    died have not, and the ones before a retry are another evaluation's.
    """
    if settings.max_seconds_per_trial is None:
        return math.inf
    return time.monotonic() + settings.max_seconds_per_trial - (_used(held) if held.attempt > 1 else 0.0)


def _used(held: Claim) -> float:
    seconds, attempt = 0.0, held.attempt
    try:
        while attempt > 1 and (start := held.folder.start(attempt)) is not None and start.after != RETRY:
            attempt -= 1
            end = held.folder.end(attempt)
            seconds += end.seconds or 0.0 if end is not None else 0.0
    except (UnreadableDocumentError, OSError):
        return seconds
    return seconds


def limited(evaluated: Evaluated, outcome: Outcome, settings: Settings) -> Outcome:
    """The outcome of an evaluation whose time may have been over: its last report, where that is what the user wants.

    Args:
        evaluated: how it ended.
        outcome: the same with all that was reported as its learning curve.
        settings: the user's.
    """
    wanted = evaluated.out_of_time and settings.on_time_limit is OnTimeLimit.LAST_REPORT
    if not wanted or not outcome.learning_curve:
        return outcome
    steps = outcome.learning_curve_steps or ()
    return dataclasses.replace(
        outcome,
        success=True,
        loss=outcome.learning_curve[-1],
        info_dict={"max_seconds_per_trial": settings.max_seconds_per_trial, "last_step": steps[-1] if steps else None},
        error=None,
    )
