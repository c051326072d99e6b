"""What a worker says to a filesystem without hard links: it refuses it, and leaves nothing there.

Called by the storm and its test.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from rigs.networked import networked
from storms.plan import Plan
from storms.program import Account

__all__ = ["refuse"]

SCENARIO = "sshfs without hard links: refused"
_TESTS = str(Path(__file__).resolve().parents[1])


def refuse(folder: Path, account: Account) -> None:
    """Adds to the account whether it does."""
    with networked("sshfs", ("-o", "disable_hardlink")) as (client, _):
        plan = Plan(folder, 3, 1, "random_search", place=client.path / "root")
        plan.write()
        plan.let(3)
        command = [sys.executable, "-m", "storms.worker", str(plan.file)]
        environment = {**os.environ, "PYTHONPATH": _TESTS}
        done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=120)
        left = sorted(str(path.relative_to(plan.root)) for path in plan.root.rglob("*") if path.is_file())
    account.faults[SCENARIO] += 1
    account.details[SCENARIO] = "the worker's error says so, and no file is left"
    if done.returncode != 1 or "its filesystem has no hard links" not in done.stderr:
        account.wrong.append((SCENARIO, f"it ended with {done.returncode}: {done.stderr[-2000:]}"))
    if left:
        account.wrong.append((SCENARIO, f"it left {left}"))
