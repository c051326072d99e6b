"""A second trainer of one attempt doesn't go on from where the first has ended, without a word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import neps
from neps.errors import ArgumentError, EvaluationError
from neps.integrations._own_file import OwnFile

SPACE: dict[str, neps.Parameter] = {"x": neps.Float(0, 1)}


def search(root: Path, train: Callable[[Path], object], **more: Any) -> neps.History:
    def run_pipeline(pipeline_directory: Path, x: float) -> float:
        train(pipeline_directory)
        return x

    usual: dict[str, Any] = {"max_evaluations_total": 2, "progress": False, "post_run_summary": False}
    return neps.run(run_pipeline, root, SPACE, searcher="random_search", **(usual | more))


def take(*files: OwnFile) -> None:
    for file in files:
        file.take()


def test_two_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError) as raised:
        search(tmp_path, lambda folder: take(OwnFile(folder, "a.ckpt"), OwnFile(str(folder), "a.ckpt")))
    cause = raised.value.__cause__
    assert isinstance(cause, ArgumentError)
    assert "in 'a.ckpt'" in str(cause)
    assert "name='a_2.ckpt'" in str(cause)


def test_other_names_folders_trials_and_the_same_callback_are_not(tmp_path: Path) -> None:
    def train(folder: Path) -> None:
        one = OwnFile(folder, "a.ckpt")
        take(one, OwnFile(folder, "b.ckpt"), OwnFile(folder / "fold_2", "a.ckpt"), one)

    assert len(search(tmp_path, train).succeeded) == 2


def test_the_next_attempt_at_a_trial_begins_anew(tmp_path: Path) -> None:
    attempts = []

    def train(folder: Path) -> None:
        take(OwnFile(folder, "a.ckpt"))
        attempts.append(folder)
        if len(attempts) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, train, max_evaluations_total=1)
    assert len(search(tmp_path, train, max_evaluations_total=1).succeeded) == 1
    assert len(set(attempts)) == 1


def test_outside_of_a_search_a_cell_may_run_again(tmp_path: Path) -> None:
    take(OwnFile(tmp_path, "a.ckpt"), OwnFile(tmp_path, "a.ckpt"))
