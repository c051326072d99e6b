"""A sample of the power cuts of `scripts/stress torn-power`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from rigs.requirements import require
from torn_power.disk import disk_available

_CUTS = 8


def test_what_was_announced_survives_a_power_cut(tmp_path: Path) -> None:
    """The seed is that of the run, and printed by the program, too."""
    require(disk_available())
    seed, record = os.environ["NEPS_TEST_SEED"], tmp_path / "record.json"
    command = [sys.executable, "-m", "torn_power", "--times", str(_CUTS), "--seed", seed, "--json", str(record)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"{_CUTS} power cuts" in ran.stdout
