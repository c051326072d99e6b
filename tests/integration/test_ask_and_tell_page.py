"""docs/ask-and-tell.md keeps its word: its loops run, and each makes 20 trials."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "ask-and-tell.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(
    ("example", "printed"),
    [(0, r"<Trial \d+: success, loss "), (1, "20 trials: 20 succeeded;"), (2, "20 trials: 20 succeeded;")],
)
def test_an_example_runs(tmp_path: Path, example: int, printed: str) -> None:
    assert len(EXAMPLES) == 3
    (tmp_path / "search.py").write_text(EXAMPLES[example])
    done = subprocess.run(
        [sys.executable, "search.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert re.match(printed, done.stdout), done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"search.py", *(["results"] if example == 2 else [])}
