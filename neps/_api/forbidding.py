"""The functions in `forbid`, tried before anything is written: a run that has begun would end by their errors.

`neps.run` and `neps.AskAndTell` call it. What a space does with them is in `neps.space`.
"""

from __future__ import annotations

import logging
import time

from neps.space import SearchSpace
from neps.space._forbidden import Rule

__all__ = ["tried"]

_logger = logging.getLogger("neps")
_CONFIGS = 64
_SECONDS = 1.0
_SLOW = 0.05


def tried(space: SearchSpace) -> SearchSpace:
    """The same space, whose functions in `forbid` were tried on some configurations, one of them allowed.

    Those are the same ones in each process. No more are drawn after a second, once one of them is allowed.

    Raises:
        SpaceError: if a function raises, returns no bool, or contradicts itself; or if they forbid all that is drawn.
    """
    if not any(isinstance(clause, Rule) for clause in space.forbid):
        return space
    import numpy as np

    generator, began, allowed = np.random.default_rng(0), time.monotonic(), False
    for number in range(_CONFIGS):
        allowed |= space.is_surely_allowed(space.decode(generator.random(space.dimensions)))
        seconds = time.monotonic() - began
        if number == 0:
            _warn_if_slow(seconds)
        if allowed and seconds > _SECONDS:
            break
    if not allowed:
        space.sample(generator)
    return space


def _warn_if_slow(seconds: float) -> None:
    """Of a call's time, by that of two."""
    if seconds > 2 * _SLOW:
        _logger.warning(
            "forbid: to ask its functions about one configuration takes %.2g s. Searchers with a model ask about some "
            "twenty before each trial, others about a few, and a finite space is looked at whole. Make them faster.",
            seconds / 2,
        )
