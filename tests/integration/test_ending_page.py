"""docs/ending.md keeps its word: its search ends as it says, and its commands confirm."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import neps

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "ending.md").read_text(encoding="utf-8")
SEARCH, CONFIRM = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
(COMMANDS,) = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)


def shell(folder: Path, text: str) -> str:
    done = subprocess.run(["bash", "-ec", text], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_search_ends_and_its_best_are_confirmed_from_python_and_from_the_shell(tmp_path: Path) -> None:
    (tmp_path / "search.py").write_text(SEARCH)
    said = shell(tmp_path, f"{sys.executable} search.py").strip()
    root = tmp_path / "results/ending"
    assert said == neps.load(root).ended_by
    assert re.fullmatch(r"target_loss=0.07 was reached by .*|no improvement in the last 20 results, .*", said)
    (tmp_path / "confirm.py").write_text(SEARCH.partition("if __name__")[0] + CONFIRM)
    table = shell(tmp_path, f"{sys.executable} confirm.py").splitlines()
    assert table[0] == "5 configurations confirmed with 3 seeds"
    again = shell(tmp_path, COMMANDS.replace("neps confirm", f"{sys.executable} -m neps confirm"))
    assert again.count("\n".join(table[:-1])) == 2
    assert len(list(root.glob("confirmations/*/config_*"))) == 15
