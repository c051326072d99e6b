"""What a worker has at hand in an opened run. Its parts are handed on together, since each step needs most of them."""

from __future__ import annotations

import dataclasses

from neps.budget import Spending
from neps.evaluation import Signals
from neps.fidelity import Brackets
from neps.ledger.heartbeat import Heartbeat
from neps.ledger.identity import Identity
from neps.ledger.layout import Layout
from neps.ledger.view import View
from neps.samplers import Sampler
from neps.space import SearchSpace
from neps.worker.settings import Settings
from neps.worker.tenure import Tenure

__all__ = ["Context"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One worker in one run: who it is (`me`), what the run is, what is known, and what was asked of it.

    `lease` and `poll` are in seconds. `independent` says whether numbers may be claimed in any order; nothing that its
    sampler looks at is kept up then, so `brackets` is None.
    """

    me: Identity
    layout: Layout
    space: SearchSpace
    sampler: Sampler
    seed: int
    lease: float
    poll: float
    independent: bool
    settings: Settings
    view: View
    spending: Spending
    brackets: Brackets | None
    heartbeat: Heartbeat
    signals: Signals
    tenure: Tenure
