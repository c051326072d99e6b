"""A sample of the faults of `scripts/stress system-calls`: a call that fails, or at which a process is killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from rigs.requirements import require
from rigs.tracing import tracing_available

_FAULTS = 150


def test_a_fault_at_a_system_call_costs_what_it_may_and_no_more(tmp_path: Path) -> None:
    """The seed is that of the run, and printed by the program, too."""
    require(tracing_available())
    seed, record = os.environ["NEPS_TEST_SEED"], tmp_path / "record.json"
    command = [sys.executable, "-m", "system_calls", "--times", str(_FAULTS), "--seed", seed, "--json", str(record)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"{_FAULTS} faults" in ran.stdout
