"""docs/nested-spaces.md keeps its word: its search runs, its file is read, and the example tunes a network."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import ConfigSpace

import neps
from examples import layers

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "nested-spaces.md").read_text(encoding="utf-8")
SEARCH, HANDED, EXTENDED = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
(FILE,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_the_search_runs(tmp_path: Path) -> None:
    (tmp_path / "search.py").write_text(SEARCH)
    done = subprocess.run(
        [sys.executable, "search.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True
    )
    history = neps.load(tmp_path / "results" / "nested")
    assert [str(trial.status) for trial in history] == ["success"] * 20
    flat, nested = map(ast.literal_eval, done.stdout.splitlines()[-2:])
    assert (flat, nested) == (history.best_config, history.space.handed(flat))
    assert {"optimizer.sgd.momentum", "layer.3.width", "optimizer.sgd.schedule.step.every"} <= set(history.space)
    handed = {"learning_rate": 0.1} | {
        name: ast.literal_eval(value) for name, _, value in (line.partition(" = ") for line in HANDED.splitlines())
    }
    assert history.space.handed(history.space.validate(handed)) == handed
    pairs = re.findall(r"`(\{\"optimizer\": .*?\})`", PAGE.replace("\n", " "))
    assert len(pairs) == 2
    assert history.space.flattened(ast.literal_eval(pairs[0])) == ast.literal_eval(pairs[1])


def test_a_fidelity_is_added_to_a_configuration_space() -> None:
    names = {"neps": neps, "configuration_space": ConfigSpace.ConfigurationSpace({"x": (0.0, 1.0)})}
    exec(EXTENDED, names)  # noqa: S102 - the page's own
    assert names["space"] == neps.SearchSpace({"x": neps.Float(0, 1), "epochs": neps.Integer(1, 27, is_fidelity=True)})


def test_the_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(FILE)
    space = neps.space_from(path)
    assert (space.fidelity, len(space.forbid), space["learning_rate"].default) == ("epochs", 1, 1e-3)
    assert space.arguments == (
        *("learning_rate", "batch_size", "augment", "strength", "optimizer", "layer", "dataset", "epochs"),
    )


def test_the_example_tunes_layers_and_optimizer(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, layers.__file__, f"--root-directory={tmp_path / 'run'}", "--trials=6", "--epochs=2"],
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    history = neps.load(tmp_path / "run")
    assert len(history.succeeded) == 6
    assert history.best is not None
    assert f"{history.best.loss:.2%}" in done.stdout
    assert history.space == neps.SearchSpace(layers.pipeline_space)


def test_the_network_of_the_example_is_the_one_that_was_chosen() -> None:
    config = {"layer": [{"width": 8, "activation": "relu"}, {"width": 4, "activation": "tanh"}]}
    model = layers.network(config["layer"])
    assert [type(part).__name__ for part in model] == ["Linear", "ReLU", "Linear", "Tanh", "Linear"]
    assert type(layers.optimizer_of(model, 0.1, {"sgd": {"momentum": 0.9, "nesterov": True}})).__name__ == "SGD"
    assert type(layers.optimizer_of(model, 0.1, {"adam": {"beta1": 0.9}})).__name__ == "Adam"
