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


def test_several_known_configurations_come_first(tmp_path: Path) -> None:
    (first,) = re.findall(r"`(first_configs=\[\{.*?\}, .*?\])`", PAGE)
    space = 'pipeline_space={"x": neps.Float(0, 1), "layers": neps.Integer(1, 8)}, root_directory="results/known"'
    started(
        tmp_path, f"import neps\nneps.run(lambda x, layers: x + layers, {space}, {first}, max_evaluations_total=3)\n"
    )
    trials = neps.load(tmp_path / "results/known").trials
    assert [trial.enqueued for trial in trials] == [True, True, False]
    assert (trials[0].config, trials[1].config["x"]) == ({"x": 0.1, "layers": 2}, 0.4)


def edited(title: str) -> tuple[str, str]:
    """The script before and after the edits that the page shows."""
    (shown,) = re.findall(rf"^## {title}\n.*?^```diff\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    lines = shown.splitlines()
    return tuple("\n".join(line[1:] for line in lines if line[:1] != left_out) + "\n" for left_out in "+-")  # type: ignore[return-value]


def test_a_script_of_optuna_with_conditionals_steps_and_a_first_trial_runs_after_the_edits(tmp_path: Path) -> None:
    before, after = edited("A script of Optuna, edited")
    assert re.search(r"^\{'optimizer': ", started(tmp_path, before), re.MULTILINE)
    output = started(tmp_path, after)
    history = neps.load(tmp_path / "results/edited")
    assert len(history.succeeded) == 10
    first = history.trials[0]
    assert (first.config, first.loss) == ({"optimizer": "sgd", "width": 64, "momentum": 0.9}, 0.0)
    assert output.splitlines()[-1] == f"{history.best_config} 0.0"
    for trial in history.trials:
        assert trial.config.keys() == {
            "optimizer",
            "width",
            {"adam": "beta1"}.get(str(trial.config["optimizer"]), "momentum"),
        }


def test_a_script_of_optuna_with_a_pruner_runs_after_the_edits(tmp_path: Path) -> None:
    before, after = edited("A script of Optuna with a pruner, edited")
    assert re.search(r"^\{'learning_rate': ", started(tmp_path, before), re.MULTILINE)
    started(tmp_path, after.replace("max_fidelity_total=60", "max_fidelity_total=60, seed=1"))
    history = neps.load(tmp_path / "results/pruned")
    assert history.fidelity_spent is not None
    assert history.fidelity_spent.continued >= 60
    assert any(trial.previous is not None for trial in history.succeeded), "good ones are continued"
    assert history.best is not None
    curve = history.learning_curve(history.best.number)
    assert [step for step, _ in curve] == [*range(1, int(str(history.best.config["epochs"])) + 1)], "each epoch once"


def test_a_script_of_neps_0_17_with_priors_runs_after_the_edits(tmp_path: Path) -> None:
    before, after = edited("A script of NePS 0.17, edited")
    assert "prior=1e-2" in before
    assert ast.parse(before).body
    started(tmp_path, after)
    history = neps.load(tmp_path / "results/edited")
    assert len(history.succeeded) == 10
    assert history.space["learning_rate"].default == 1e-2
    assert history.space["optimizer"].default == "adam"


def test_each_argument_of_ours_exists() -> None:
    rows = re.findall(r"^\| .* \| (.*) \|$", PAGE, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"(\w+)=(?!=)", " ".join(re.findall(r"`([^`]*)`", row)))}
    settings = {name for searcher in registry.SEARCHERS for name in registry._keywords(searcher)}
    kinds = (neps.Float, neps.Categorical, neps.SearchSpace)
    parameters = {name for kind in kinds for name in inspect.signature(kind).parameters}
    elsewhere = {"gres", "callbacks"}  # SLURM's; see docs/trackers.md
    assert named - elsewhere <= set(inspect.signature(neps.run).parameters) | settings | parameters
    assert len(named) > 15
