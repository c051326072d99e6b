"""The README keeps its word: its complete example runs, in two terminals at once, and leaves what it describes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import neps
from neps.samplers import _registry as registry

README = Path(__file__).resolve().parents[2] / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE)


def section(title: str) -> str:
    return README.read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the complete example was run in two terminals at once."""
    folder = tmp_path_factory.mktemp("readme")
    (example,) = (block for block in blocks("python") if "neps.run(" in block)
    (folder / "search.py").write_text(example)
    start(folder, terminals=2)
    return folder


def start(folder: Path, terminals: int) -> list[str]:
    processes = [
        subprocess.Popen(
            [sys.executable, "search.py"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for _ in range(terminals)
    ]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * terminals, outputs
    return outputs


def test_20_evaluations_in_all(folder: Path) -> None:
    (output,) = start(folder, terminals=1)
    history = neps.load(folder / "results/example")
    assert len(history.trials) == len(history.succeeded) == 20
    assert history.best is not None
    assert output.splitlines()[-1] == f"{history.best.config} {history.best.loss}"


def test_what_is_in_the_directory(folder: Path) -> None:
    listed = re.findall(r"^ {4} +([a-z_0-9.]+/?) {2,}", section("What is in the directory"), re.MULTILINE)
    root = folder / "results/example"
    assert len(listed) == 14
    elsewhere = {"overwritten/", "launches/", "stops/", "endings/", "confirmations/", "attempt_1.curve.jsonl"}
    for name in set(listed) - elsewhere:
        assert (root / name).exists() or (root / "config_1" / name).exists(), name


def test_the_searchers_and_their_settings(tmp_path: Path) -> None:
    names = re.findall(r'^\| `"(\w+)"`', section("Searchers"), re.MULTILINE)
    names += [f"{name}_prior" for name in names if f"{name}_prior" in registry.SEARCHERS]
    assert set(names) == set(registry.SEARCHERS)
    pages = re.split(r"^## ", (README.parent / "docs/searchers.md").read_text(), flags=re.MULTILINE)
    documented = {page.split(maxsplit=1)[0]: re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) for page in pages[1:]}
    for page in pages[1:]:
        if same := re.search(r"^Its settings are those of `(\w+)`", page, re.MULTILINE):
            documented[page.split(maxsplit=1)[0]] = documented[same[1]]
    space: dict[str, Any] = {"x": neps.Float(0, 1, default=0.3)}
    for searcher in names:
        root = tmp_path / searcher
        steps = {"z": neps.Integer(1, 9, is_fidelity=True)} if "eta" in documented[searcher] else {}
        neps.run(lambda x, z=1: {"loss": x, "cost": z}, root, space | steps, searcher=searcher, max_cost_total=1)
        published = yaml.safe_load((root / "neps.yaml").read_text())["searcher"]["settings"]
        assert set(published) == set(documented[searcher]), searcher


def test_the_checkpoint_is_gone_on_from(tmp_path: Path) -> None:
    (block,) = (block for block in blocks("python") if "checkpoint" in block)
    names: dict[str, Any] = {}
    exec(block, names)  # noqa: S102 - it is what users are told to run
    assert names["run_pipeline"](tmp_path, learning_rate=0.1) == pytest.approx(0.9**10)
    assert (tmp_path / "checkpoint.pt").is_file()
    assert names["run_pipeline"](tmp_path, learning_rate=0.5) == pytest.approx(0.9**10)


def test_the_example_of_the_checkpoints_page(tmp_path: Path) -> None:
    page = (README.parent / "docs/checkpoints.md").read_text()
    (block,) = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {}
    exec(block, names)  # noqa: S102 - the same
    folders = [tmp_path / name for name in ("at_once", "first", "then")]
    for folder in folders:
        folder.mkdir()
    torch.manual_seed(0)
    at_once = names["run_pipeline"](folders[0], None, learning_rate=0.1, epochs=5)
    torch.manual_seed(0)
    names["run_pipeline"](folders[1], None, learning_rate=0.1, epochs=2)
    torch.manual_seed(1)
    assert names["run_pipeline"](folders[2], folders[1], learning_rate=0.1, epochs=5) == at_once


def test_the_examples_of_the_searchers_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = (README.parent / "docs/searchers.md").read_text()
    for block in re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        exec(block, {"__name__": "__main__"})  # noqa: S102 - the same
    assert len(neps.load("results/pibo").succeeded) == 10
    history = neps.load("results/epochs")
    spent, best = history.fidelity_spent, history.best
    assert spent is not None
    assert best is not None
    assert 270 <= spent.continued < 270 + 27
    assert {trial.previous is None for trial in history.succeeded} == {True, False}
    assert [step for step, _ in best.learning_curve][-1] == 27


def test_neps_status(folder: Path) -> None:
    command = [sys.executable, "-m", "neps", "status", "results/example"]
    shown = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=True).stdout
    assert "20" in shown
