"""What `neps.run` says in any case: what it found, what it leaves, and that it minimises."""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import neps
from neps._worker import anew
from neps.errors import EvaluationError

Capture = pytest.CaptureFixture[str]


def evaluate(root: Path, objective: Callable[..., Any] = lambda x: x, **arguments: Any) -> None:
    usual: dict[str, Any] = {"searcher": "random_search", "max_evaluations_total": 2, "seed": 1}
    neps.run(objective, root, {"x": neps.Float(0, 1)}, **{**usual, **arguments})


def test_a_new_run_and_one_that_has_ended(tmp_path: Path, capsys: Capture) -> None:
    root = tmp_path / "root"
    evaluate(root, lambda **_: 0.5)
    assert capsys.readouterr().err == (
        f"neps: new run in {root}. The loss is minimised by random_search.\n"
        f"neps: leaves {root} (max_evaluations_total=2 is reached): 2 of 2 trials ended; best 0.5 (trial 1).\n"
    )
    evaluate(root, lambda **_: 7.0)
    assert capsys.readouterr().err == (
        f"neps: nothing left to do in {root} (max_evaluations_total=2 is reached): 2 of 2 trials ended; best 0.5 "
        "(trial 1). These are earlier results. To go on, raise max_evaluations_total; to search anew, use another "
        "root_directory, or overwrite_working_directory=True.\n"
    )


def test_who_comes_after_results_have_ended_the_search_is_told_how_to_go_on(tmp_path: Path, capsys: Capture) -> None:
    for _ in range(2):
        evaluate(tmp_path, lambda **_: 0.5, target_loss=0.5, max_evaluations_total=9)
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"neps: nothing left to do in {tmp_path} (target_loss=0.5 was reached by trial 1): 1 of 9 ")
    assert "To go on, pass more patience or a lower target_loss; to search anew, use another" in said


def test_who_evaluates_nothing_while_others_go_on_only_leaves(tmp_path: Path, capsys: Capture) -> None:
    evaluate(tmp_path, lambda **_: neps.PENDING)
    capsys.readouterr()
    evaluate(tmp_path)
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"neps: leaves {tmp_path} (max_evaluations_total=2 is reached): 0 of 2 trials ended, 2 wait")
    assert "earlier results" not in said


def test_what_people_may_not_expect(tmp_path: Path, capsys: Capture) -> None:
    def stop(x: float) -> float:
        raise KeyboardInterrupt

    root = tmp_path / "root"
    with pytest.raises(KeyboardInterrupt):
        evaluate(root, stop, max_evaluations_total=None)
    assert (
        "The loss is minimised by random_search. No budget is given: it runs until you stop it"
        in capsys.readouterr().err
    )
    evaluate(root, overwrite_working_directory=True)
    (moved,) = (root / "overwritten").iterdir()
    said = capsys.readouterr().err
    assert said.startswith(f"neps: new run in {root}. The loss is minimised by random_search. The earlier run was ")
    assert f"moved to {moved} (overwrite" in said


@pytest.mark.parametrize("searcher", ["random_search", "bayesian_optimization"])
def test_a_run_that_is_joined(tmp_path: Path, searcher: str, capsys: Capture) -> None:
    """One that Ctrl-C has left (raised by run_pipeline itself), after a failure."""

    def fail(x: float) -> float:
        raise ValueError("no good")

    def interrupt(x: float) -> float:
        raise KeyboardInterrupt

    with pytest.raises(EvaluationError):
        evaluate(tmp_path, fail, searcher=searcher)
    with pytest.raises(KeyboardInterrupt):
        evaluate(tmp_path, interrupt, searcher=searcher)
    _, joins, left = capsys.readouterr().err.splitlines()
    assert (
        joins
        == f"neps: joins the run in {tmp_path}: 1 of 2 trials ended, 1 failed. The loss is minimised by {searcher}."
    )
    assert left == (
        "neps: interrupted by Ctrl-C. Trial 2 was handed back. To go on, start the same command again (1 of 2 "
        f"trials ended, 1 failed in {tmp_path})."
    )
    evaluate(tmp_path, searcher=searcher, max_evaluations_total=3, max_evaluations_per_run=1)
    joins, leaves = capsys.readouterr().err.splitlines()
    assert joins.startswith(f"neps: joins the run in {tmp_path}: 1 of 3 trials ended, 1 failed, 1 to be resumed. ")
    assert " (max_evaluations_per_run=1 is reached): 2 of 3 trials ended, 1 failed; best " in leaves


def test_an_exit_is_a_death_and_said_so(tmp_path: Path, capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        evaluate(tmp_path, lambda **_: sys.exit(1))
    said = capsys.readouterr().err
    assert (
        "interrupted by SystemExit. Trial 1 will be tried again, until max_attempts of its attempts have ended like "
        "this. " in said
    )


def test_losses_that_are_not_finite_are_no_best(tmp_path: Path, capsys: Capture) -> None:
    evaluate(tmp_path, lambda **_: math.nan)
    assert "2 of 2 trials ended; no best yet: 2 losses are not finite.\n" in capsys.readouterr().err
    neps.status(tmp_path)
    assert "best: none yet: 2 losses are not finite\n" in capsys.readouterr().out
    assert not (tmp_path / "summary/best.yaml").exists()


def test_a_loss_is_one_at_a_fidelity(tmp_path: Path, capsys: Capture) -> None:
    space = {"x": neps.Float(0, 1), "epochs": neps.Integer(3, 3, is_fidelity=True)}
    neps.run(lambda **_: 0.5, tmp_path, space, searcher="random_search", max_evaluations_total=1)
    assert "1 of 1 trial ended; best 0.5 at 3 epochs (trial 1)." in capsys.readouterr().err
    neps.status(tmp_path)
    assert "best: trial 1, loss 0.5 at 3 epochs\n" in capsys.readouterr().out


def test_a_process_that_was_restarted_is_no_new_start(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anew._process, "times", 1)
    evaluate(tmp_path)
    assert capsys.readouterr().err.startswith(f"neps: restarted, and goes on in {tmp_path}. ")


def test_progress_false_silences_it(tmp_path: Path, capsys: Capture) -> None:
    for _ in range(2):
        evaluate(tmp_path, progress=False)
    assert capsys.readouterr().err == ""


def test_a_path_is_named_without_detours(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "a").mkdir()
    evaluate(tmp_path / "a" / ".." / "root")
    assert f"neps: new run in {tmp_path}/root." in capsys.readouterr().err


def test_a_link_stays_as_the_user_wrote_it(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    evaluate(tmp_path / "link")
    assert f"neps: new run in {tmp_path}/link." in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["none", "closed"])
def test_a_stream_that_takes_nothing_fails_nobody(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", None if kind == "none" else closed)
    evaluate(tmp_path)
    assert neps.load(tmp_path).best is not None


def test_a_number_that_nobody_decides_any_more_is_not_to_be_resumed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings: dict[str, Any] = {"searcher": "random_search", "max_cost_total": 1}
    neps.run(lambda x: {"loss": x, "cost": 1}, tmp_path, {"x": neps.Float(0, 1)}, **settings)
    (tmp_path / "config_2").mkdir()
    capsys.readouterr()
    neps.run(lambda x: {"loss": x, "cost": 1}, tmp_path, {"x": neps.Float(0, 1)}, **settings)
    said = capsys.readouterr().err
    assert "1 trial ended, 1 without a decision" in said
    assert "to be resumed" not in said
