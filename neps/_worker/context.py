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
from neps._worker.known import Known
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

    `lease` and `poll` are in seconds. `any_order` says whether sampler and budget let numbers be decided in any order;
    nothing that the sampler looks at is kept up then, so `brackets` is None.
    """

    me: Identity
    layout: Layout
    space: SearchSpace
    sampler: Sampler
    seed: int
    lease: float
    poll: float
    any_order: bool
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
    known: Known

    @property
    def independent(self) -> bool:
        """Whether numbers may be claimed in any order: not once somebody has enqueued something in mid-run."""
        return self.any_order and not self.known.in_turn

    def look_at_known(self) -> None:
        """Learn what users have enqueued meanwhile; what follows from that is looked at, too.

        Raises:
            OSError: if the filesystem fails.
        """
        self.known.look()
        if self.any_order and not self.independent:
            self.view.want_details()
