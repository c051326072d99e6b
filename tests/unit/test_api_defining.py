"""Joining a run that an earlier version has begun: what its definition doesn't say yet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import neps
from neps.errors import DefinitionMismatchError

SPACE = {"x": neps.Float(0, 1, default=0.5), "epochs": neps.Integer(1, 9, is_fidelity=True)}


def search(root: Path, searcher: str, trials: int, seed: int = 1, **settings: Any) -> int:
    def evaluate(x: float, epochs: int) -> float:
        return x / epochs

    history = neps.run(
        evaluate,
        root,
        SPACE,
        searcher=searcher,
        max_evaluations_total=trials,
        seed=seed,
        post_run_summary=False,
        **settings,
    )
    return len(history.trials)


def begun_by_an_earlier_version(root: Path, searcher: str) -> None:
    search(root, searcher, 1)
    definition = root / "neps.yaml"
    text = definition.read_text()
    assert "    sample_default_at_target: false\n" in text
    definition.write_text(text.replace("    sample_default_at_target: false\n", ""))


@pytest.mark.parametrize("searcher", ["hyperband", "asha_prior", "priorband"])
def test_a_setting_that_was_not_there_yet_stands_at_its_default(tmp_path: Path, searcher: str) -> None:
    begun_by_an_earlier_version(tmp_path, searcher)
    assert search(tmp_path, searcher, 2) == 2
    assert search(tmp_path, "default", 3) == 3
    with pytest.raises(
        DefinitionMismatchError, match="sample_default_at_target is False in the run and True in this call"
    ):
        search(tmp_path, searcher, 4, sample_default_first=True, sample_default_at_target=True)


def test_what_this_version_does_not_know_is_no_default(tmp_path: Path) -> None:
    search(tmp_path, "hyperband", 1)
    definition = tmp_path / "neps.yaml"
    definition.write_text(definition.read_text().replace("    eta: 3.0\n", "    eta: 3.0\n    novel: 7\n"))
    with pytest.raises(DefinitionMismatchError, match="novel is 7 in the run and None in this call"):
        search(tmp_path, "hyperband", 2)


def test_another_searcher_may_learn_from_the_run(tmp_path: Path) -> None:
    search(tmp_path / "old", "hyperband", 3)
    with pytest.raises(DefinitionMismatchError) as refused:
        search(tmp_path / "old", "freeze_thaw", 4)
    assert "searcher is 'hyperband' in the run and 'freeze_thaw' in this call" in str(refused.value)
    learning = f"start_from={str(tmp_path / 'old')!r}"
    assert f"choose another root_directory, with {learning} to learn from this run, or" in str(refused.value)
    assert search(tmp_path / "new", "freeze_thaw", 2, start_from=tmp_path / "old") == 2


def test_another_seed_is_no_other_search(tmp_path: Path) -> None:
    search(tmp_path, "hyperband", 1, seed=1)
    with pytest.raises(DefinitionMismatchError, match="choose another root_directory, or pass"):
        search(tmp_path, "hyperband", 2, seed=2)
