"""Chaos for a minute or two, of `tests/chaos`: the first of its rounds, which has most in it.

`scripts/stress` has more.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rigs.faketime import faketime_available
from rigs.faultfs import faultfs_available
from rigs.requirements import require

_TESTS = Path(__file__).resolve().parents[1]
_TRIALS = os.environ.get("NEPS_CHAOS_TRIALS", "24")
"""Some twenty kills and as many freezes. They take about a minute on two cores, and two where these are busy."""
_MOST_SECONDS = 800.0


@pytest.mark.usefixtures("hosts")
def test_nothing_is_lost_doubled_stuck_or_overspent(tmp_path: Path) -> None:
    """And nobody crashes or fails, but whom the chaos asked to."""
    require(faultfs_available() or faketime_available())
    record, folder = tmp_path / "chaos.json", tmp_path / "chaos"
    seed = os.environ["NEPS_TEST_SEED"]
    arguments = ["--minutes", "0", "--seed", seed, "--trials", _TRIALS, "--json", str(record), "--folder", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(_TESTS)}
    with subprocess.Popen(
        [sys.executable, "-m", "chaos", *arguments], env=environment, stdout=subprocess.PIPE, text=True
    ) as program:
        try:
            said, _ = program.communicate(timeout=_MOST_SECONDS)
        finally:
            program.terminate()  # then it takes its hosts with it
    assert program.returncode == 0, said
    strikes = {row["scenario"]: row["survived"] for row in json.loads(record.read_text())["rows"]}
    assert strikes["kills"] > 0, "the chaos did nothing"
