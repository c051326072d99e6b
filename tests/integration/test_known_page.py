"""What docs/known-trials.md shows runs as it stands."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import neps

PAGE = (Path(__file__).parents[2] / "docs" / "known-trials.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def ran(folder: Path, program: str) -> str:
    command = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=120).stdout


def test_known_configurations_come_first(tmp_path: Path) -> None:
    assert ran(tmp_path, BLOCKS[0]).splitlines() == ["[1, 2]"]
    history = neps.load(tmp_path / "results/known")
    assert [dict(trial.config) for trial in history.trials[:2]] == [{"x": 0.1, "layers": 4}, {"x": 0.4, "layers": 2}]


def test_results_from_elsewhere(tmp_path: Path) -> None:
    ran(tmp_path, BLOCKS[0])
    shutil.copytree(tmp_path / "results/known", tmp_path / "results/other")
    ran(tmp_path, f"import neps\n{BLOCKS[1]}")
    assert len(neps.load(tmp_path / "results/known").imported) == 1 + 6


def test_an_earlier_search(tmp_path: Path) -> None:
    ran(tmp_path, f"{BLOCKS[0]}\n{BLOCKS[2]}")
    history = neps.load(tmp_path / "results/wider")
    assert (len(history.trials), len(history.earlier)) == (6, 6)
