"""What people see of a run: its status, a worker's progress, and tables. Derived, and never read by a search.

`neps.status` and the command line come from here; `neps.run` shows its progress and writes its tables through here.
"""

from __future__ import annotations

from neps.views.status import status

__all__ = ["status"]
