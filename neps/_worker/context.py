"""What a worker has at hand in an opened run. Its parts are handed on together, since each step needs most of them."""

from __future__ import annotations

import dataclasses

from neps._budget import Improvement, Spending
from neps._evaluation import Signals
from neps._evaluation.walltime import Walltime
from neps._fidelity import Brackets
from neps._ledger.endings import Endings
from neps._ledger.heartbeat import Heartbeat
from neps._ledger.identity import Identity
from neps._ledger.layout import Layout
from neps._ledger.stopping import Stops
from neps._ledger.view import View
from neps._worker.peers import Peers
from neps._worker.settings import Settings
from neps._worker.tenure import Tenure
from neps._worker.time_left import TimeLeft
from neps.samplers import Sampler
from neps.space import SearchSpace

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
    improvement: Improvement
    endings: Endings
    brackets: Brackets | None
    heartbeat: Heartbeat
    signals: Signals
    tenure: Tenure
    peers: Peers
    walltime: Walltime
    time_left: TimeLeft
    stops: Stops
