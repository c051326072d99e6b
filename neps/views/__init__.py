"""What people see of a run: its status, a worker's progress, tables, and plots. Derived, and never read by a search.

`neps.status`, `neps.plot` and the command line come from here; `neps.run` shows its progress and writes its tables
through here.
"""

from __future__ import annotations

from neps.views.optuna_study import to_optuna
from neps.views.plot import plot
from neps.views.status import status

__all__ = ["plot", "status", "to_optuna"]
