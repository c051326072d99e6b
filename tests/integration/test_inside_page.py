"""docs/inside-run-pipeline.md keeps its word: its search runs, and its shell lines set a time that neps takes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import neps

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "inside-run-pipeline.md").read_text(encoding="utf-8")
(SEARCH,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
(JOB,) = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)


def test_the_search_runs_and_its_job_knows_its_end(tmp_path: Path) -> None:
    (tmp_path / "search.py").write_text(f"{SEARCH}\nprint(neps.current_trial().seconds_left)\n")
    (tmp_path / "job.sh").write_text(JOB.replace("python", sys.executable))
    done = subprocess.run(["bash", "job.sh"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert 3 * 3600 < float(done.stdout) <= 4 * 3600
    history = neps.load(tmp_path / "results" / "stopping")
    assert [trial.status for trial in history] == ["success"] * 3
    assert all(len(trial.learning_curve) == 10 for trial in history)


def test_each_row_is_a_name_of_a_trial() -> None:
    rows = re.findall(r"^\| `(.*?)` \|", PAGE.partition("## Stop politely")[0], re.MULTILINE)
    _, *names = re.findall(r"\w+", " ".join(rows))
    public = {name for name in dir(neps.CurrentTrial()) if not name.startswith("_")}
    assert set(names) == public - {"when"}
