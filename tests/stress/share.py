"""What one worker process of a stress test does: one call of `neps.run`, told by plain data.

Made by tests, carried to the worker programs (`worker.py`, `solo.py`, `nursery.py`) as JSON.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import neps
from stress import sabotage
from stress.climbing import Climbing
from stress.objective import Objective, spaces

__all__ = ["Share"]

_DEFAULTS: dict[str, Any] = {"space": "line", "searcher": "random_search", "post_run_summary": False}


@dataclasses.dataclass(frozen=True)
class Share:
    """One call of `neps.run`.

    Args:
        root: its root directory.
        arguments: its other arguments; `space` is one of `spaces()`.
        objective: the arguments of `Objective`, or of `Climbing` where `climbs`.
        environment: set during the call.
        sabotage: the arguments of `sabotage.strike`, empty for none.
        delay: seconds before the call, by which it misses the common start.
        climbs: whether what is evaluated continues earlier trials.
    """

    root: Path
    arguments: Mapping[str, Any]
    objective: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    sabotage: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    delay: float = 0.0
    climbs: bool = False

    def to_plan(self) -> dict[str, Any]:
        """As JSON has it."""
        return {**dataclasses.asdict(self), "root": str(self.root)}

    @classmethod
    def from_plan(cls, plan: Mapping[str, Any]) -> Share:
        """Reads back what `to_plan` wrote."""
        return cls(**{**plan, "root": Path(plan["root"])})

    def work(self) -> neps.History:
        """Does it."""
        arguments = _DEFAULTS | dict(self.arguments)
        space = spaces()[arguments.pop("space")]
        time.sleep(self.delay)
        if self.sabotage:
            sabotage.strike(**self.sabotage)
        with mock.patch.dict(os.environ, self.environment):
            kind = Climbing if self.climbs else Objective
            return neps.run(kind(**self.objective), self.root, space, **arguments)
