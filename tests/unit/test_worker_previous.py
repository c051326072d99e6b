"""What `previous_pipeline_directory` is, where somebody has moved the trial away that is continued."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import neps
from neps._cli import main
from neps._trial import Place
from neps.samplers import Done, Sampler, Suggestion

SPACE = {"x": neps.Float(0, 1), "epochs": neps.Integer(1, 3, is_fidelity=True)}


class Continuing(Sampler):
    """A configuration at 1 epoch; then the same at 3, or with another x too."""

    def __init__(self, x: float, *, rungs: bool = True, drift: float = 0.0) -> None:
        self._x, self._rungs, self._drift = x, rungs, drift

    def decide(self, history: neps.History, number: int, *_: Any) -> Suggestion | Done:
        place = Place(number - 1) if self._rungs else None
        if number == 1:
            return Suggestion(config={"x": self._x, "epochs": 1}, place=place)
        if number > 2:
            return Done("two are enough")
        before = history.by_number[1].config["x"]
        assert isinstance(before, float)
        return Suggestion(config={"x": before + self._drift, "epochs": 3}, previous=1, place=place)

    def settings(self) -> dict[str, Any]:
        return {}


def search(root: Path, sampler: Sampler, *, fails: bool = False) -> list[Path | None]:
    """What trials at 3 epochs were given."""
    given = []

    def run_pipeline(x: float, epochs: int, previous_pipeline_directory: Path | None) -> float:
        if epochs == 3:
            given.append(previous_pipeline_directory)
            if fails:
                raise RuntimeError
        return x

    neps.run(run_pipeline, root, SPACE, searcher=sampler, ignore_errors=True)
    return given


def failed_and_moved_away(root: Path) -> None:
    assert search(root, Continuing(0.25), fails=True) == [root / "config_1"]
    shutil.rmtree(root / "config_1")


def retry(root: Path) -> None:
    assert main(["retry", str(root), "--trial", "2"]) == 0


@pytest.mark.parametrize("same", [False, True])
def test_a_checkpoint_of_another_configuration_is_not_given(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, *, same: bool
) -> None:
    failed_and_moved_away(tmp_path)
    sampler = Continuing(0.25 if same else 0.75)
    assert search(tmp_path, sampler) == [], "number 1 is decided anew"
    retry(tmp_path)
    assert search(tmp_path, sampler) == [tmp_path / "config_1" if same else None]
    assert ("was moved away" in caplog.text) != same


def test_a_folder_that_is_gone_is_not_given(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    failed_and_moved_away(tmp_path)
    retry(tmp_path)
    assert search(tmp_path, Continuing(0.25)) == [None]
    assert f"Trial 2 continues a trial whose folder {tmp_path / 'config_1'} was moved away" in caplog.text


def test_who_cannot_continue_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    neps.run(lambda x, epochs: x / epochs, tmp_path / "a", SPACE, searcher="hyperband", max_evaluations_total=20)
    assert caplog.text.count("but run_pipeline doesn't take previous_pipeline_directory") == 1
    caplog.clear()
    search(tmp_path / "b", Continuing(0.25))
    assert "previous_pipeline_directory" not in caplog.text


def test_a_sampler_without_rungs_may_change_the_configuration(tmp_path: Path) -> None:
    """As population based training does."""
    assert search(tmp_path, Continuing(0.25, rungs=False, drift=0.1)) == [tmp_path / "config_1"]
