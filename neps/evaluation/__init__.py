"""One call of run_pipeline: its signature, the signals that may interrupt it, and what it returned.

The worker calls it. It writes no file and knows neither the ledger nor samplers.
"""

from __future__ import annotations

from neps.evaluation.call import Interrupted, evaluate
from neps.evaluation.fence import Fence, Fenced, check
from neps.evaluation.pending import PENDING, PendingType
from neps.evaluation.plain import plain
from neps.evaluation.reporting import Reports, report
from neps.evaluation.returned import Evaluated, failure, read_return_value
from neps.evaluation.signals import Interruption, Signals
from neps.evaluation.signature import check_signature, keywords, named_directories

__all__ = [
    "PENDING",
    "Evaluated",
    "Fence",
    "Fenced",
    "Interrupted",
    "Interruption",
    "PendingType",
    "Reports",
    "Signals",
    "check",
    "check_signature",
    "evaluate",
    "failure",
    "keywords",
    "named_directories",
    "plain",
    "read_return_value",
    "report",
]
