"""A study that stays open while the run goes on: what runs, ends, fails and is retried, is damaged, or moved aside."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

import neps
from neps._ledger import documents
from neps._ledger.records import End
from rigs.mounts import read_only
from rigs.waiting import wait_until
from unit.ledger_scene import TORN, Scene, dead, here, somewhere

SPACE = {"x": neps.Float(0, 1)}
HALF = {"x": 0.5}


def states(study: optuna.Study) -> list[str]:
    return [trial.state.name for trial in study.trials]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    scene = Scene(tmp_path / "root")
    scene.define()
    return scene


def test_trials_appear_run_and_end(scene: Scene) -> None:
    study = neps.to_optuna(scene.root)
    assert states(study) == []
    folder = scene.claim(1)
    (running,) = study.trials
    assert (running.state, running.params, running.intermediate_values) == (TrialState.RUNNING, {"x": 0.1}, {})
    folder.curve(1).append([(1.0, 0.5), (2.0, 0.25)])
    assert study.trials[0].intermediate_values == {1: 0.5, 2: 0.25}
    scene.end(1, loss=0.25, learning_curve=[0.5, 0.25], learning_curve_steps=[1.0, 2.0])
    scene.claim(2)
    assert states(study) == ["COMPLETE", "RUNNING"]
    assert study.best_value == 0.25
    scene.end(2, loss=0.125)
    assert study.best_value == 0.125


def test_what_nobody_holds_waits_and_numbers_have_no_gaps(scene: Scene) -> None:
    study = neps.to_optuna(scene.root)
    scene.claim(5)
    scene.end(5)
    scene.folder(2).reserve()
    scene.claim(4).end_attempt(1, End.LEFT, here())
    assert states(study) == ["WAITING", "WAITING", "WAITING", "WAITING", "COMPLETE"]
    assert [trial.number for trial in study.trials] == [0, 1, 2, 3, 4]
    assert [trial.user_attrs.get("config") for trial in study.trials[:2]] == [None, "config_2"]
    scene.folder(4).open_attempt(2, here(), "left")
    scene.claim(1)
    assert states(study) == ["RUNNING", "WAITING", "WAITING", "RUNNING", "COMPLETE"]
    assert study.trials[3].user_attrs["attempts"] == 2


def test_a_trial_that_is_retried_runs_again(scene: Scene) -> None:
    study = neps.to_optuna(scene.root)
    for number in range(1, 41):  # more than a worker looks at in a second
        scene.claim(number, config=HALF)
        scene.fail(number)
    assert set(states(study)) == {"FAIL"}
    for number in range(1, 41):
        scene.folder(number).open_attempt(2, here(), "retry")
    assert set(states(study)) == {"RUNNING"}
    scene.end(1, 2, loss=0.5)
    assert states(study)[:2] == ["COMPLETE", "RUNNING"]
    assert study.get_trials(deepcopy=False)[0].user_attrs["attempts"] == 2
    assert "error" not in study.trials[0].user_attrs


def test_neps_retry_and_a_worker_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, seen = tmp_path / "root", []

    def broken(x: float) -> float:
        raise ValueError("no good")

    def mended(x: float) -> float:
        seen.extend(states(study))
        return x

    neps.run(broken, root, SPACE, searcher="random_search", max_evaluations_total=1, seed=1, ignore_errors=True)
    study = neps.to_optuna(root)
    assert states(study) == ["FAIL"]
    assert neps.retry(root, 1)
    neps.run(mended, root, SPACE, searcher="random_search", max_evaluations_total=1, seed=1)
    assert seen == ["RUNNING"]
    assert states(study) == ["COMPLETE"]


def test_the_reports_of_a_worker_show_while_it_runs(tmp_path: Path) -> None:
    root = tmp_path / "root"

    def train(x: float) -> float:
        study = neps.to_optuna(root)
        neps.report(1, 0.75)
        wait_until(lambda: study.trials[0].intermediate_values == {1: 0.75}, 30, "the report")
        return 0.5

    neps.run(train, root, SPACE, searcher="random_search", max_evaluations_total=1, seed=1)
    (trial,) = neps.to_optuna(root).trials
    assert (trial.state, trial.intermediate_values) == (TrialState.COMPLETE, {1: 0.75})


def test_once_a_higher_fidelity_is_reached_what_stopped_below_is_pruned(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "root")
    space = {"x": neps.Float(0, 1), "epochs": neps.Integer(1, 9, is_fidelity=True)}
    scene.define(space=neps.SearchSpace(space).definition())
    study = neps.to_optuna(scene.root)
    for number, (epochs, loss) in enumerate([(1, 0.5), (3, float("nan")), (3, 0.75)], start=1):
        scene.claim(number, config={"x": 0.5, "epochs": epochs}, fidelity=epochs, previous=number - 1 or None)
        scene.end(number, loss=loss)
        expected = [["COMPLETE"], ["COMPLETE", "FAIL"], ["PRUNED", "FAIL", "COMPLETE"]][number - 1]
        assert states(study) == expected
    assert study.best_value == 0.75
    assert study.trials[2].intermediate_values == {1: 0.5, 3: 0.75}


def test_a_damaged_trial_fails_and_says_why(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    study = neps.to_optuna(scene.root)
    scene.spoil(1, "trial.yaml", b"format_version: 99\n...\n")
    scene.claim(2)
    scene.end(2)
    for _ in range(2):
        assert states(study) == ["FAIL", "COMPLETE"]
    assert "config_1/trial.yaml" in study.trials[0].user_attrs["error"]
    assert caplog.text.count("Trial 1 is damaged") == 1
    assert study.trials[0].params == {}
    optuna.create_study().add_trials(study.trials)  # checks each: Optuna wants times that a damaged trial can't tell


def test_what_is_torn_waits(scene: Scene) -> None:
    scene.claim(1)
    scene.spoil(1, "trial.yaml", TORN)
    assert states(neps.to_optuna(scene.root)) == ["WAITING"]


def test_the_dead_still_run_until_somebody_takes_over(scene: Scene) -> None:
    scene.claim(1, dead())
    study = neps.to_optuna(scene.root)
    assert states(study) == ["RUNNING"]
    scene.take_over(1, 1, somewhere())
    assert states(study) == ["RUNNING"]
    assert study.trials[0].user_attrs["attempts"] == 2


def test_a_folder_that_is_removed_is_forgotten(scene: Scene) -> None:
    scene.claim(1)
    scene.end(1)
    scene.claim(2)
    study = neps.to_optuna(scene.root)
    assert states(study) == ["COMPLETE", "RUNNING"]
    for path in scene.path(2).iterdir():
        path.unlink()
    scene.path(2).rmdir()
    assert states(study) == ["COMPLETE"]


def test_the_run_that_takes_its_place_is_shown(tmp_path: Path) -> None:
    root = tmp_path / "root"
    neps.run(lambda **_: 3.0, root, SPACE, searcher="random_search", max_evaluations_total=2, seed=1)
    study = neps.to_optuna(root)
    assert [trial.value for trial in study.trials] == [3.0, 3.0]
    before = study.user_attrs
    space = {"y": neps.Integer(1, 3)}
    neps.run(
        lambda **_: 1.0,
        root,
        space,
        searcher="random_search",
        max_evaluations_total=2,
        seed=2,
        overwrite_working_directory=True,
    )
    assert [(trial.value, set(trial.params)) for trial in study.trials] == [(1.0, {"y"}), (1.0, {"y"})]
    assert (before["seed"], study.user_attrs["seed"]) == ("1", "2")
    assert before["run"] != study.user_attrs["run"]


def test_while_it_cannot_be_read_it_stands_as_it_stood(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.claim(1)
    scene.end(1)
    study = neps.to_optuna(scene.root)
    assert states(study) == ["COMPLETE"]
    scene.root.rename(elsewhere := scene.root.with_name("elsewhere"))
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert states(study) == ["COMPLETE"]
    (record,) = caplog.records
    message = f"{scene.root} can't be read now, and is shown as it was: there is no neps.yaml in it"
    assert record.getMessage() == message
    elsewhere.rename(scene.root)
    scene.claim(2)
    assert states(study) == ["COMPLETE", "RUNNING"]


def test_a_look_costs_what_is_new(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(1, 21):
        scene.claim(number, config=HALF)
        scene.end(number)
    study = neps.to_optuna(scene.root)
    first = study.get_trials(deepcopy=False)
    read, load = [], documents.load

    def noted(path: str) -> dict[str, Any] | None:
        read.append(path)
        return load(path)

    monkeypatch.setattr(documents, "load", noted)
    assert [a is b for a, b in zip(first, study.get_trials(deepcopy=False), strict=True)] == [True] * 20
    assert read == []
    scene.claim(21, config=HALF)
    scene.end(21)
    read.clear()
    assert states(study) == ["COMPLETE"] * 21
    assert {Path(path).parent.name for path in read} == {"config_21"}


def test_threads_may_share_it(scene: Scene) -> None:
    study, failures = neps.to_optuna(scene.root), []

    def look() -> None:
        try:
            while len(found := study.get_trials(deepcopy=False)) < 30:
                assert [trial.number for trial in found] == list(range(len(found)))
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is a failure
            failures.append(error)

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(1, 31):
        scene.claim(number, config=HALF)
        scene.end(number)
    for thread in threads:
        thread.join(60)
    assert not failures
    assert not any(thread.is_alive() for thread in threads)


def test_a_read_only_root(scene: Scene, tmp_path: Path) -> None:
    scene.claim(1)
    scene.end(1)
    scene.claim(2)
    with read_only(scene.root, tmp_path / "seen") as root:
        with pytest.raises(OSError, match=r"Read-only|Permission"):
            (root / "file").touch()
        assert states(neps.to_optuna(root)) == ["COMPLETE", "RUNNING"]
