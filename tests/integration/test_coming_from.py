"""docs/coming-from.md keeps its word: what can run here runs, and finds what the other tool finds."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import neps
from neps.samplers import _registry as registry

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "docs" / "coming-from.md").read_text(encoding="utf-8")


def block(mark: str) -> str:
    found = [text for text in re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE) if mark in text]
    assert len(found) == 1, (mark, len(found))
    text: str = found[0]
    return text


def started(folder: Path, script: str) -> str:
    (folder / "search.py").write_text(script)
    done = subprocess.run(
        [sys.executable, "search.py"], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_same_script_in_neps(tmp_path: Path) -> None:
    output = started(tmp_path, block("# search.py"))
    history = neps.load(tmp_path / "results/example")
    assert len(history.succeeded) == 20
    assert history.best is not None
    assert output.splitlines()[-1] == f"{history.best.config} {history.best.loss}"


def test_the_same_script_in_optuna_searches_the_same_space(tmp_path: Path) -> None:
    output = started(tmp_path, block("import optuna").replace("n_trials=20", "n_trials=3"))
    assert re.search(r"'learning_rate': .*'optimizer': .*'layers': ", output)


@pytest.mark.parametrize("mark", ["neps.PipelineSpace", "from ray import tune"])
def test_the_scripts_of_tools_that_are_not_installed_here_are_python(mark: str) -> None:
    assert ast.parse(block(mark)).body


def test_one_known_configuration_comes_first(tmp_path: Path) -> None:
    started(tmp_path, block('root_directory="results/known"'))
    history = neps.load(tmp_path / "results/known")
    assert len(history.succeeded) == 5
    assert dict(history.by_number[1].config) == {"x": 0.25, "layers": 2}


def test_several_known_configurations_come_first(tmp_path: Path) -> None:
    (first,) = re.findall(r"`first_configs=(\[\{.*?\}, .*?\])`", PAGE)
    (call,) = re.findall(r"`(neps\.enqueue\(\"results/known\".*?\))`", PAGE)
    space = 'pipeline_space={"x": neps.Float(0, 1), "layers": neps.Integer(1, 8)}, root_directory="results/known"'
    run = f"neps.run(lambda x, layers: (x - 0.3) ** 2 + layers, {space}, first_configs={first}, max_evaluations_total="
    started(tmp_path, f"import neps\n{run}6)\n{call}\n{run}8)\n")
    trials = neps.load(tmp_path / "results/known").trials
    assert [trial.enqueued for trial in trials] == [True, True, False, False, False, False, True, False]
    assert trials[0].config == {"x": 0.1, "layers": 2}
    assert (trials[1].config["x"], trials[6].config["x"]) == (0.4, 0.3)


def test_each_argument_of_ours_exists() -> None:
    rows = re.findall(r"^\| .* \| (.*) \|$", PAGE, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"(\w+)=(?!=)", " ".join(re.findall(r"`([^`]*)`", row)))}
    settings = {name for searcher in registry.SEARCHERS for name in registry._keywords(searcher)}
    kinds = (neps.Float, neps.Categorical, neps.SearchSpace)
    parameters = {name for kind in kinds for name in inspect.signature(kind).parameters}
    elsewhere = {"gres", "callbacks"}  # SLURM's; see docs/trackers.md
    assert named - elsewhere <= set(inspect.signature(neps.run).parameters) | settings | parameters
    assert len(named) > 15
