"""What max_seconds_per_trial means for one attempt: when its time is over, and what it then comes to.

What ends an evaluation then is in `neps._evaluation`; `evaluating` calls here, and publishes.
"""

from __future__ import annotations

import dataclasses
import time

from neps._evaluation import UNLIMITED, Allowance, Evaluated
from neps._ledger.claims import Claim
from neps._ledger.handed_back import HandedBack
from neps._outcome import Outcome
from neps._worker.settings import OnTimeLimit, Settings

__all__ = ["allowance_of", "limited"]


def allowance_of(held: Claim, settings: Settings) -> Allowance:
    """How much time an attempt has that begins now.

    What earlier attempts used counts as far as it is known: those that were handed back have recorded it. So the time
    may be over at once. One that was resumed may still ask whether to stop, since what it then returns is its result.
    Nobody knows yet whether it asks: it may go on until it has reported or saved something and a while after that, or
    until all attempts together have taken twice the limit.
    """
    if (limit := settings.max_seconds_per_trial) is None:
        return UNLIMITED
    now = time.monotonic()
    earlier = HandedBack.before(held.folder, held.attempt)
    left = limit - earlier.seconds
    return Allowance(
        seconds=limit,
        ends=now + max(0.0, left),
        latest=now + left + limit,
        resumed=earlier.seconds > 0,
        asks_within=earlier.asks_within,
    )


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
