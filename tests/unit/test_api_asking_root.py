"""`neps.AskAndTell` on a root directory: claimed as a worker claims, shared with workers, told after a restart."""

from __future__ import annotations

import gc
import math
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import neps
from neps._api import in_root
from neps.errors import ArgumentError, DefinitionMismatchError, DirectoryError, NotPendingError

SPACE = {"x": neps.Float(0, 1), "epochs": neps.Integer(1, 9, is_fidelity=True)}
QUIET: dict[str, Any] = {"progress": False, "post_run_summary": False}


def loss(x: float, epochs: int) -> float:
    return (x - 0.3) ** 2 + 1 / epochs


def search(root: Path, **arguments: Any) -> neps.AskAndTell:
    usual: dict[str, Any] = {"searcher": "sobol", "seed": 1}
    return neps.AskAndTell(SPACE, root_directory=root, **(usual | arguments))


def run(root: Path, **arguments: Any) -> neps.History:
    return neps.run(loss, root, SPACE, **(QUIET | {"searcher": "sobol", "seed": 1} | arguments))


def asked(running: neps.AskAndTell) -> neps.Trial:
    trial = running.ask()
    assert trial is not None
    return trial


@pytest.mark.parametrize("searcher", ["random_search", "hyperband", "freeze_thaw"])
def test_asks_what_one_worker_evaluates(tmp_path: Path, searcher: str) -> None:
    running = search(tmp_path / "asked", searcher=searcher, max_evaluations_total=8)
    while (trial := running.ask()) is not None:
        running.tell(trial, loss(**trial.config))  # type: ignore[arg-type]
    assert running.done
    workers = run(tmp_path / "run", searcher=searcher, max_evaluations_total=8)
    assert [trial.config for trial in running.history] == [trial.config for trial in workers]
    assert [trial.loss for trial in running.history] == [trial.loss for trial in workers]
    assert (tmp_path / "asked" / "config_8" / "config.yaml").exists()


def test_shares_the_root_with_workers_and_others_who_ask(tmp_path: Path) -> None:
    first, second = search(tmp_path, max_evaluations_total=5), search(tmp_path, max_evaluations_total=5)
    mine, others = asked(first), asked(second)
    assert (mine.number, others.number) == (1, 2)
    history = run(tmp_path, max_evaluations_total=4)
    assert repr(history).startswith("<History: 4 trials: 2 succeeded, 2 waiting for neps.tell")
    assert asked(first).number == 5
    assert first.ask() is None
    assert (first.done, first.reason) == (True, "max_evaluations_total=5 is reached")
    assert [trial.number for trial in second.pending] == [1, 2, 5]
    assert second.tell(5, 0.5).loss == 0.5, "whoever has asked for it"
    with pytest.raises(NotPendingError, match="trial 5 was told already"):
        first.tell(5, 0.25)
    neps.tell(tmp_path, 1, 0.125)
    with pytest.raises(NotPendingError, match="trial 1 was told already"):
        first.tell(mine, 0.25)
    assert first.history.best is not None
    assert first.history.best.number in {1, 3, 4}


def test_outlives_its_process(tmp_path: Path) -> None:
    code = (
        "import neps, os, signal, sys\n"
        "space = {'x': neps.Float(0, 1), 'epochs': neps.Integer(1, 9, is_fidelity=True)}\n"
        "search = neps.AskAndTell(space, root_directory=sys.argv[1], searcher='sobol', seed=1)\n"
        "search.ask(), search.ask(), search.tell(1, 0.5)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == -signal.SIGKILL
    assert run(tmp_path, max_evaluations_total=3).by_number[2].awaits_tell, "no worker takes it over"
    again = search(tmp_path, searcher="default", seed=None)
    (untold,) = again.pending
    assert untold.number == 2
    assert again.tell(untold, "lost").error == "lost"
    assert asked(again).number == 4


def test_a_run_that_is_defined_otherwise(tmp_path: Path) -> None:
    search(tmp_path)
    with pytest.raises(DefinitionMismatchError, match="seed is 1 in the run and 2 in this call"):
        search(tmp_path, seed=2)
    with pytest.raises(ArgumentError, match="root_directory is 3"):
        neps.AskAndTell(SPACE, root_directory=3)  # type: ignore[arg-type]


def test_costs(tmp_path: Path) -> None:
    running = search(tmp_path, max_cost_total=4)
    trial = asked(running)
    assert running.ask() is None
    assert not running.done
    with pytest.raises(ArgumentError, match=r"which is still pending: trial 1 returned the loss 0\.5, but no cost"):
        running.tell(trial, 0.5)
    assert running.tell(trial, {"loss": 0.5, "cost": 2}).cost == 2
    assert running.tell(asked(running), {"loss": 0.5, "cost": 2}).cost == 2
    assert running.ask() is None
    assert running.done


def test_while_it_lives_the_run_is_not_moved_aside(tmp_path: Path) -> None:
    running = search(tmp_path)
    asked(running)
    assert len(run(tmp_path, max_evaluations_total=2, overwrite_working_directory=True)) == 2
    del running
    gc.collect()
    assert len(run(tmp_path, max_evaluations_total=1, overwrite_working_directory=True)) == 1
    assert len(list((tmp_path / "overwritten").iterdir())) == 1


def test_a_run_that_was_moved_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = search(tmp_path)
    asked(running)
    running._trials._opened.heartbeat.stop()  # type: ignore[attr-defined]
    run(tmp_path, max_evaluations_total=1, overwrite_working_directory=True)
    monkeypatch.setattr(running._trials._context.tenure, "_period", 0.0)  # type: ignore[attr-defined]
    with pytest.raises(DirectoryError, match="was moved to"):
        running.ask()
    with pytest.raises(DirectoryError, match="was moved to"):
        running.tell(1, 0.5)
    assert repr(running) == "<AskAndTell>"
    assert neps.load(tmp_path).trials[0].loss != 0.5


def test_what_can_not_be_marked_is_left_to_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    running = search(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(in_root, "mark_pending", full)
        with pytest.raises(OSError, match="No space"):
            running.ask()
    assert running.pending == ()
    assert asked(running).number == 2, "it resumes nothing by itself"
    assert run(tmp_path, max_evaluations_total=2).by_number[1].loss is not None


def test_a_trial_is_told_of_the_attempt_in_which_it_was_asked_for(tmp_path: Path) -> None:
    """It was retried, and a worker has returned neps.PENDING in the next attempt."""
    running = search(tmp_path, max_evaluations_total=1)
    first = asked(running)
    neps.retry(tmp_path, 1)
    neps.run(lambda **_: neps.PENDING, tmp_path, SPACE, **QUIET, max_evaluations_per_run=1)
    for _ in range(2):
        with pytest.raises(NotPendingError, match="trial 1 was asked for in attempt 1, and is in attempt 2 since"):
            running.tell(first, 0.5)
    assert [trial.attempts for trial in running.pending] == [2]
    assert running.tell(running.pending[0], 0.25).loss == 0.25


def test_pending_ones_are_those_that_wait_now(tmp_path: Path) -> None:
    running = search(tmp_path, max_evaluations_total=3)
    for _ in range(3):
        asked(running)
    neps.retry(tmp_path, 1)
    shutil.rmtree(tmp_path / "config_3")
    assert [trial.number for trial in running.pending] == [2]
    with pytest.raises(NotPendingError, match="trial 1 doesn't wait to be told: <Trial 1: waiting"):
        running.tell(1, 0.5)


def test_what_is_there_now_is_not_judged_by_a_run_that_was_moved_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = search(tmp_path / "root", max_evaluations_total=2)
    asked(running)
    shutil.rmtree(tmp_path / "root" / ".neps")
    monkeypatch.setattr("neps._worker.tenure.is_moved", lambda *_: True)
    monkeypatch.setattr(running._trials._context.tenure, "_looked", -math.inf)  # type: ignore[attr-defined]
    for use in (lambda: running.pending, running.ask, lambda: running.tell(1, 0.5)):
        with pytest.raises(DirectoryError, match="was moved to"):
            use()
    assert not (tmp_path / "root/config_1/attempt_1.end.yaml").exists()
