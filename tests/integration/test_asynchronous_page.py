"""docs/asynchronous.md keeps its word: its search leaves its trials to its jobs, and they tell."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import neps
from rigs.waiting import wait_until

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "asynchronous.md").read_text(encoding="utf-8")
SEARCH, JOB = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_jobs_tell(tmp_path: Path) -> None:
    (tmp_path / "search.py").write_text(SEARCH.replace("max_evaluations_total=20", "max_evaluations_total=3"))
    (tmp_path / "job.py").write_text(JOB)
    environment = {name: value for name, value in os.environ.items() if name != "NEPS_ATTEMPT"}
    subprocess.run([sys.executable, "search.py"], cwd=tmp_path, check=True, env=environment)
    wait_until(lambda: len(neps.load(tmp_path / "results" / "jobs").succeeded) == 3, 120, "jobs that tell")
    for trial in neps.load(tmp_path / "results" / "jobs"):
        assert [step for step, _ in trial.learning_curve] == [1, 2, 3]
        assert trial.learning_curve[-1][1] == trial.loss == (trial.config["learning_rate"] - 0.1) ** 2 + 1 / 3  # type: ignore[operator]
