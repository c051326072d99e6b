"""Wrong arguments and other definitions: an error that teaches, and not one byte is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neps
from neps.errors import ArgumentError, DefinitionMismatchError, NepsError
from stress.evidence import tree

SPACE = {
    "lr": neps.Float(1e-4, 1.0, log=True, default=0.1),
    "width": neps.Integer(1, 8),
    "kind": neps.Categorical(["a", "b"]),
    "fixed": neps.Constant(3),
}


def run(root: Any, **changes: Any) -> neps.History:
    arguments = {
        "run_pipeline": lambda **config: config["lr"],
        "pipeline_space": SPACE,
        "searcher": "random_search",
        "max_evaluations_total": 3,
        "seed": 1,
        "post_run_summary": False,
    }
    return neps.run(root_directory=root, **{**arguments, **changes})


def change(**parameters: Any) -> dict[str, Any]:
    return {name: parameter for name, parameter in {**SPACE, **parameters}.items() if parameter is not None}


# What differs → what the message must name.
MISMATCHES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a bound": ({"pipeline_space": change(lr=neps.Float(1e-5, 1.0, log=True, default=0.1))}, ["lr", "1e-05", "0.0001"]),
    "a scale": ({"pipeline_space": change(lr=neps.Float(1e-4, 1.0, default=0.1))}, ["lr", "log"]),
    "a type": ({"pipeline_space": change(width=neps.Float(1, 8))}, ["width"]),
    "a choice more": ({"pipeline_space": change(kind=neps.Categorical(["a", "b", "c"]))}, ["kind", "c"]),
    "choices in another order": ({"pipeline_space": change(kind=neps.Categorical(["b", "a"]))}, ["kind"]),
    "a default": ({"pipeline_space": change(width=neps.Integer(1, 8, default=2))}, ["width", "default"]),
    "a constant": ({"pipeline_space": change(fixed=neps.Constant(4))}, ["fixed", "4"]),
    "a parameter more": ({"pipeline_space": change(extra=neps.Float(0, 1))}, ["extra"]),
    "a parameter less": ({"pipeline_space": change(kind=None)}, ["kind"]),
    "another searcher": ({"searcher": "sobol"}, ["random_search", "sobol"]),
    "a searcher's setting": ({"use_priors": True}, ["use_priors"]),
    "the seed": ({"seed": 2}, ["seed", "1", "2"]),
    "the lease": ({"lease_seconds": 60}, ["lease_seconds", "120", "60"]),
    "two things": ({"seed": 2, "pipeline_space": change(width=neps.Integer(1, 9))}, ["seed", "width", "9"]),
}


@pytest.mark.parametrize(("changes", "named"), MISMATCHES.values(), ids=MISMATCHES)
def test_another_definition(tmp_path: Path, changes: dict[str, Any], named: list[str]) -> None:
    root = tmp_path / "root"
    run(root)
    before = tree(root)
    with pytest.raises(DefinitionMismatchError) as caught:
        run(root, max_evaluations_total=5, **changes)
    for name in [*named, str(root)]:
        assert name in str(caught.value)
    assert tree(root) == before


def test_none_and_default_join_whatever_is_published(tmp_path: Path) -> None:
    root = tmp_path / "root"
    run(root, lease_seconds=7.0, use_priors=False)
    definition = (root / "neps.yaml").read_bytes()
    assert len(run(root, max_evaluations_total=5, seed=None, searcher="default").succeeded) == 5
    assert (root / "neps.yaml").read_bytes() == definition


# A wrong argument → what the message must name.
WRONG: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no function": ({"run_pipeline": 3}, ["run_pipeline", "3"]),
    "a function that lacks a parameter": ({"run_pipeline": lambda lr: lr}, ["width"]),
    "a function that wants more": ({"run_pipeline": lambda more, **config: (more, config)}, ["more"]),
    "an empty space": ({"pipeline_space": {}}, ["space"]),
    "a space that is none": ({"pipeline_space": 3}, ["3"]),
    "a parameter that is none": ({"pipeline_space": {"lr": 0.5}}, ["lr", "0.5"]),
    "an unknown searcher": ({"searcher": "random_serch"}, ["random_serch", "random_search"]),
    "a searcher that is none": ({"searcher": 3}, ["3"]),
    "an unknown keyword": ({"use_prior": True}, ["use_prior", "use_priors"]),
    "another searcher's keyword": ({"steps_per_parameter": 3}, ["steps_per_parameter"]),
    "a searcher's setting": ({"searcher": "grid_search", "steps_per_parameter": 0}, ["steps_per_parameter", "0"]),
    "no evaluations": ({"max_evaluations_total": 0}, ["max_evaluations_total", "0"]),
    "half an evaluation": ({"max_evaluations_total": 2.5}, ["max_evaluations_total", "2.5"]),
    "True evaluations": ({"max_evaluations_total": True}, ["max_evaluations_total", "True"]),
    "no evaluations per run": ({"max_evaluations_per_run": 0}, ["max_evaluations_per_run", "0"]),
    "no cost": ({"max_cost_total": 0}, ["max_cost_total", "0"]),
    "an infinite cost": ({"max_cost_total": float("inf")}, ["max_cost_total", "inf"]),
    "a cost as text": ({"max_cost_total": "10"}, ["max_cost_total", "10"]),
    "no fidelity": ({"max_fidelity_total": 0}, ["max_fidelity_total", "0"]),
    "a fidelity budget without a fidelity": ({"max_fidelity_total": 10}, ["max_fidelity_total", "is_fidelity=True"]),
    "no seconds": ({"max_seconds_per_run": -1}, ["max_seconds_per_run", "-1"]),
    "an expected cost below zero": ({"expected_cost": -1}, ["expected_cost", "-1"]),
    "a negative seed": ({"seed": -1}, ["seed", "-1"]),
    "a seed that is a float": ({"seed": 1.0}, ["seed", "1.0"]),
    "a flag that is none": ({"ignore_errors": "yes"}, ["ignore_errors", "yes"]),
    "another flag": ({"continue_until_max_evaluation_completed": 1}, ["continue_until_max_evaluation_completed"]),
    "overwriting": ({"overwrite_working_directory": None}, ["overwrite_working_directory", "None"]),
    "the summary": ({"post_run_summary": 0}, ["post_run_summary", "0"]),
    "the progress": ({"progress": "maybe"}, ["progress", "maybe"]),
    "a loss on errors": ({"loss_value_on_error": "high"}, ["loss_value_on_error", "high"]),
    "a negative cost on errors": ({"cost_value_on_error": -1}, ["cost_value_on_error", "-1"]),
    "no attempts": ({"max_attempts": 0}, ["max_attempts", "0"]),
    "no lease": ({"lease_seconds": 0}, ["lease_seconds", "0"]),
    "errors without a cost": ({"max_cost_total": 5, "ignore_errors": True}, ["cost_value_on_error"]),
    "a task id": ({"task_id": "a/b"}, ["task_id", "a/b"]),
    "a stage id": ({"development_stage_id": ""}, ["development_stage_id"]),
    "hooks": ({"pre_load_hooks": [3]}, ["pre_load_hooks", "3"]),
    "hooks that are none": ({"pre_load_hooks": 3}, ["pre_load_hooks", "3"]),
    "an array": ({"max_cost_total": np.zeros(2)}, ["max_cost_total"]),
}


@pytest.mark.parametrize("there", [False, True], ids=["new root", "old root"])
@pytest.mark.parametrize(("changes", "named"), WRONG.values(), ids=WRONG)
def test_a_wrong_argument(
    tmp_path: Path,
    changes: dict[str, Any],
    named: list[str],
    there: bool,  # noqa: FBT001
) -> None:
    root = tmp_path / "folder" / "root"
    if there:
        run(root)
    before = tree(tmp_path)
    with pytest.raises(ArgumentError) as caught:
        run(root, **changes)
    for name in named:
        assert name in str(caught.value)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("root", [None, 3, "", b"bytes"])
def test_a_root_that_is_no_path(tmp_path: Path, root: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArgumentError, match="root_directory"):
        run(root)
    assert tree(tmp_path) == {}


def test_a_root_that_is_a_file_or_below_one(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"mine")
    for root in (file, file / "root"):
        with pytest.raises(NepsError, match="file"):
            run(root)
    assert tree(tmp_path) == {"file": tree(tmp_path)["file"]}
    assert file.read_bytes() == b"mine"
