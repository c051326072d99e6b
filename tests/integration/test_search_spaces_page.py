"""docs/search-spaces.md keeps its word: its search runs, and what it says of its space is so."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import neps

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "search-spaces.md").read_text(encoding="utf-8")
SEARCH, RULE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_search_runs(tmp_path: Path) -> None:
    (tmp_path / "search.py").write_text(SEARCH)
    subprocess.run([sys.executable, "search.py"], cwd=tmp_path, check=True)
    history = neps.load(tmp_path / "results" / "conditional")
    assert [trial.status for trial in history] == ["success"] * 20
    for trial in history:
        config = trial.config
        assert ("momentum" in config) == (config["optimizer"] == "sgd")
        assert ("nesterov" in config) == (config.get("momentum", 0.0) > 0.5)  # type: ignore[operator] # a number
        assert ("width" in config) == (config["layers"] != 1)
        assert config["optimizer"] == "adam" or config["batch_size"] < 512  # type: ignore[operator] # a number


def test_each_type_is_as_the_table_says() -> None:
    names = {"neps": neps, "SmallNet": dict, "LargeNet": list}
    (table,) = re.findall(r"^## Types\n(.*?)^## ", PAGE, re.DOTALL | re.MULTILINE)
    first = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    made = [eval(call, names) for cell in first for call in re.findall(r"`(.*?)`", cell)]  # noqa: S307 - the page's own
    assert len(made) == 9
    assert all(isinstance(each, neps.Parameter) for each in made)


def test_the_function_forbids() -> None:
    names: dict[str, neps.SearchSpace] = {}
    exec(RULE, names)  # noqa: S102 - the page's own
    assert not names["space"].is_allowed({"layers": 8, "width": 512})
    assert names["space"].is_allowed({"layers": 1, "width": 512})
