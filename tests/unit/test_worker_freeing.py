"""`keep_checkpoints`: which checkpoints are deleted, by hand-made histories and by `neps.run`; and what stays."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

import neps
from neps._cli import main
from neps._history import History
from neps._trial import Decision, Place, Result, Status, Trial
from neps._worker.checkpoint_retention import deletable
from neps._worker.settings import Keep
from neps._worker.tenure import Tenure
from neps.checkpoint import load, save
from neps.errors import ArgumentError, DirectoryError, EvaluationError
from neps.samplers._multi_fidelity.asha import ASHA
from neps.samplers._multi_fidelity.hyperband import SuccessiveHalving

EPOCHS = neps.SearchSpace({"x": neps.Float(0, 1), "epochs": neps.Integer(1, 9, is_fidelity=True)})
PLAIN = neps.SearchSpace({"x": neps.Float(0, 1)})
NAN, INF = float("nan"), float("inf")


def trial(number: int, epochs: int | None, loss: float | str | None, previous: int | None = None) -> Trial:
    """With a loss: a success; None: failed; "runs" or "waits"; "damaged"."""
    rung = {1: 0, 3: 1, 9: 2}.get(epochs or 0)
    place = None if rung is None else Place(rung, 0, number)
    decision = Decision(number=number, config={"x": 0.5}, fidelity=epochs, previous=previous, place=place)
    if isinstance(loss, str) and loss != "damaged":
        return Trial(number=number, decision=decision, status=Status.RUNNING if loss == "runs" else Status.WAITING)
    if isinstance(loss, str):
        return Trial(number=number, decision=decision, result=Result.of(success=False, damaged=True))
    success = loss is not None
    return Trial(number=number, decision=decision, result=Result.of(success=success, loss=loss), status=Status.SUCCESS)


def freed(keep: str, *trials: Trial, space: neps.SearchSpace = EPOCHS, sampler: neps.Sampler | None = None) -> set[int]:
    history = History(space, MappingProxyType({trial.number: trial for trial in trials}))
    return deletable(history, (sampler or ASHA()).continuable(history), Keep(keep))


class TestWhich:
    def test_all_keeps_all(self) -> None:
        assert freed("all", trial(1, 9, 0.1), trial(2, 9, 0.2), trial(3, 1, NAN)) == set()

    def test_finished_models(self) -> None:
        trials = (trial(1, 9, 0.2), trial(2, 9, 0.1), trial(3, 9, 0.3), trial(4, 9, NAN))
        assert freed("promotable", *trials) == {4}
        assert freed("best", *trials) == {1, 3, 4}

    def test_a_success_below_the_top_may_be_promoted(self) -> None:
        trials = (trial(1, 1, 0.2), trial(2, 3, 0.1), trial(3, 9, 0.3), trial(4, 3, NAN), trial(5, 1, INF))
        assert freed("promotable", *trials) == freed("best", *trials) == {4, 5}

    @pytest.mark.parametrize(
        ("loss", "expected"), [(0.1, {1}), (NAN, {1}), ("runs", set()), ("waits", set()), (None, set())]
    )
    def test_one_that_was_promoted_is_needed_until_that_has_succeeded(self, loss: Any, expected: set[int]) -> None:
        """A trial that failed may be retried; whatever the sampler has given up."""
        trials = {1: trial(1, 1, 0.1), 2: trial(2, 3, loss, previous=1), 3: trial(3, 9, 0.1)}
        assert freed("promotable", *trials.values()) - {2} == expected
        assert deletable(History(EPOCHS, MappingProxyType(trials)), (), Keep.PROMOTABLE) - {2} == expected

    def test_one_that_a_damaged_trial_continues_is_kept(self) -> None:
        assert freed("best", trial(1, 1, 0.1), trial(2, 3, "damaged", previous=1)) == set()

    def test_what_runs_or_failed_keeps_its_own(self) -> None:
        assert freed("best", trial(1, 9, 0.1), trial(2, 9, None), trial(3, 9, "runs"), trial(4, 9, "waits")) == set()

    def test_the_incumbent_below_the_top(self) -> None:
        assert freed("best", trial(1, 1, 0.1), trial(2, 3, 0.2, previous=1), trial(3, 1, NAN)) == {1, 3}
        assert freed("best", trial(1, 3, NAN)) == {1}, "a loss that is not finite is never the best"

    @pytest.mark.parametrize("loss", [NAN, INF, -INF])
    def test_one_that_diverged_is_no_incumbent_while_another_is_well(self, loss: float) -> None:
        """The best model that there is stays, though what continues it has ended, at the highest fidelity."""
        assert freed("best", trial(1, 1, 0.2), trial(2, 3, 0.1, previous=1), trial(3, 9, loss, previous=2)) == {1, 3}

    def test_without_a_fidelity_each_is_a_finished_model(self) -> None:
        trials = (trial(1, None, 0.2), trial(2, None, 0.1), trial(3, None, NAN), trial(4, None, None))
        assert freed("promotable", *trials, space=PLAIN) == {3}
        assert freed("best", *trials, space=PLAIN) == {1, 3}

    def test_a_synchronous_rung_is_left_behind_once_the_next_is_full_and_ended(self) -> None:
        """9, 3 and 1 trials."""
        base = [trial(number, 1, 0.1 * number) for number in range(1, 10)]
        promoted = [trial(number, 3, 0.1, previous=number - 9) for number in (10, 11, 12)]
        halving = SuccessiveHalving()
        assert freed("best", *base, *promoted[:2], sampler=halving) == {1, 2}
        running = trial(12, 3, "runs", previous=3)
        assert freed("best", *base, *promoted[:2], running, sampler=halving) == {1, 2}
        damaged = trial(12, 3, "damaged", previous=3)
        assert freed("best", *base, *promoted[:2], damaged, sampler=halving) == {1, 2}
        failed = trial(12, 3, None, previous=3)
        assert freed("best", *base, *promoted[:2], failed, sampler=halving) == set(range(1, 10)) - {3}
        assert freed("best", *base, *promoted, sampler=halving) == set(range(1, 10))
        assert freed("best", *base, *promoted, sampler=ASHA()) == {1, 2, 3}


def evaluate(pipeline_directory: Path, previous_pipeline_directory: Path | None, x: float, epochs: int) -> float:
    done = load(pipeline_directory, previous_pipeline_directory, default=0)
    assert (done > 0) == (previous_pipeline_directory is not None)
    (pipeline_directory / "log.txt").write_text("the user's")
    save(pipeline_directory, epochs)
    return x / epochs


def run(root: Path, **more: Any) -> neps.History:
    usual: dict[str, Any] = {"searcher": "hyperband", "max_evaluations_total": 13, "seed": 1, "post_run_summary": False}
    return neps.run(evaluate, root, EPOCHS, **(usual | more))


def kept(root: Path) -> set[int]:
    return {int(path.parent.name.removeprefix("config_")) for path in root.glob("config_*/checkpoint.pt")}


@pytest.mark.parametrize(("keep", "expected"), [("all", set(range(1, 14))), ("promotable", {13}), ("best", {13})])
def test_neps_run_leaves_what_may_be_needed(tmp_path: Path, keep: str, expected: set[int]) -> None:
    history = run(tmp_path, keep_checkpoints=keep)
    assert len(history.succeeded) == 13
    assert kept(tmp_path) == expected
    assert len(list(tmp_path.glob("config_*/log.txt"))) == 13


def test_it_is_deleted_as_soon_as_nobody_needs_it(tmp_path: Path) -> None:
    """In the evaluation of the last trial, which continues one of the second rung."""
    seen: list[set[int]] = []

    def look(pipeline_directory: Path, previous_pipeline_directory: Path | None, **config: Any) -> float:
        seen.append(kept(tmp_path))
        return evaluate(pipeline_directory, previous_pipeline_directory, **config)

    neps.run(look, tmp_path, EPOCHS, searcher="hyperband", max_evaluations_total=13, seed=1, keep_checkpoints="best")
    assert seen[9] == set(range(1, 10))
    assert len(seen[11]) == 9 + 2 - 2
    assert seen[12] == {10, 11, 12}


def test_a_full_disk_is_freed_before_anything_is_evaluated(tmp_path: Path) -> None:
    run(tmp_path, lease_seconds=3.0)  # a worker that met a full disk waits for a part of it

    def save_on_a_full_disk(x: float, epochs: int) -> float:
        raise OSError(28, "No space left on device")

    with pytest.raises(EvaluationError, match="trial 14 failed"):
        neps.run(
            save_on_a_full_disk,
            tmp_path,
            EPOCHS,
            searcher="hyperband",
            max_evaluations_total=14,
            seed=1,
            keep_checkpoints="best",
        )
    assert kept(tmp_path) == {13}


def test_it_says_what_it_has_deleted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "neps")
    run(tmp_path, max_evaluations_total=10)
    size = os.path.getsize(tmp_path / "config_1" / "checkpoint.pt")  # noqa: PTH202
    before = kept(tmp_path)
    caplog.clear()
    run(tmp_path, max_evaluations_total=10, keep_checkpoints="best")  # it evaluates nothing, and frees what others left
    (freed,) = before - kept(tmp_path)
    assert neps.load(tmp_path).by_number[10].previous == freed
    where = f"deleted checkpoint.pt in {tmp_path}/config_{freed}, {size} bytes"
    message = f"Nobody needs the checkpoints of trial {freed} any more: {where}"
    assert [text for text in caplog.messages if "deleted" in text] == [message]


@pytest.mark.parametrize("searcher", ["random_search", "bayesian_optimization"])
def test_searchers_that_continue_nothing(tmp_path: Path, searcher: str) -> None:
    """Also those whose workers otherwise don't read what others found."""
    run(tmp_path, searcher=searcher, max_evaluations_total=4)
    history = run(tmp_path, searcher=searcher, max_evaluations_total=6, keep_checkpoints="best")
    assert history.best is not None
    assert kept(tmp_path) == {history.best.number}


def test_a_failed_trial_can_be_retried_with_all_that_it_needs(tmp_path: Path) -> None:
    broken = True

    def fail_at_the_top(pipeline_directory: Path, previous_pipeline_directory: Path | None, **config: Any) -> float:
        if broken and config["epochs"] == 9:
            raise ValueError("broken")
        return evaluate(pipeline_directory, previous_pipeline_directory, **config)

    arguments: dict[str, Any] = {"seed": 1, "ignore_errors": True, "keep_checkpoints": "best"}
    history = neps.run(fail_at_the_top, tmp_path, EPOCHS, searcher="hyperband", max_evaluations_total=13, **arguments)
    assert history.by_number[13].previous in kept(tmp_path)
    assert main(["retry", str(tmp_path), "--failed"]) == 0
    broken = False
    history = neps.run(fail_at_the_top, tmp_path, EPOCHS, searcher="hyperband", max_evaluations_total=13, **arguments)
    assert len(history.succeeded) == 13
    assert kept(tmp_path) == {13}


def test_what_can_not_be_deleted_is_said_and_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(path: str, **_: Any) -> None:
        raise PermissionError(13, "Permission denied", path)

    with monkeypatch.context() as patch:
        patch.setattr("neps.checkpoint._files.delete", refuse)
        assert len(run(tmp_path, keep_checkpoints="best").succeeded) == 13
    assert kept(tmp_path) == set(range(1, 14))
    warnings = [text for text in caplog.messages if "can't be deleted" in text]
    assert len(warnings) == 12  # once each
    assert f"See {tmp_path}/config_1" in "".join(warnings)


def test_nothing_is_deleted_in_a_run_that_took_the_folders_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that slept through the move of its run, and wakes after the last evaluation."""
    run(tmp_path)

    def moved(tenure: Tenure) -> None:
        if sys._getframe(1).f_code.co_name == "_delete":
            raise DirectoryError("the run was moved")

    monkeypatch.setattr(Tenure, "check", moved)
    with pytest.raises(DirectoryError, match="the run was moved"):
        run(tmp_path, keep_checkpoints="best")
    assert kept(tmp_path) == set(range(1, 14))


@pytest.mark.parametrize("value", ["promoteable", "", None, True, 3])
def test_another_word_is_refused_before_anything_is_written(tmp_path: Path, value: Any) -> None:
    with pytest.raises(ArgumentError, match="must be 'all', 'promotable' or 'best'") as raised:
        run(tmp_path / "root", keep_checkpoints=value)
    assert ("Did you mean 'promotable'?" in str(raised.value)) == (value == "promoteable")
    assert not (tmp_path / "root").exists()
