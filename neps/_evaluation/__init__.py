"""One call of run_pipeline: its signature, the signals that may interrupt it, and what it returned.

The worker calls it. It writes no file and knows neither the ledger nor samplers.
"""

from __future__ import annotations

from neps._evaluation.call import Interrupted, evaluate, out_of_time
from neps._evaluation.current import CurrentTrial, Cut, active, current_trial
from neps._evaluation.fence import Fence, Fenced, TimeOver, check
from neps._evaluation.pending import PENDING, PendingType
from neps._evaluation.plain import plain
from neps._evaluation.reporting import Reports, report
from neps._evaluation.returned import Evaluated, failure, read_return_value
from neps._evaluation.signals import Interruption, Signals
from neps._evaluation.signature import check_signature, keywords, named_directories
from neps._evaluation.stopping import UNLIMITED, Allowance, RanOut, Stopping, WalltimeOver

__all__ = [
    "PENDING",
    "UNLIMITED",
    "Allowance",
    "CurrentTrial",
    "Cut",
    "Evaluated",
    "Fence",
    "Fenced",
    "Interrupted",
    "Interruption",
    "PendingType",
    "RanOut",
    "Reports",
    "Signals",
    "Stopping",
    "TimeOver",
    "WalltimeOver",
    "active",
    "check",
    "check_signature",
    "current_trial",
    "evaluate",
    "failure",
    "keywords",
    "named_directories",
    "out_of_time",
    "plain",
    "read_return_value",
    "report",
]
