"""A checkpoint is replaced only by the attempt that is the open one: `save` inside and outside of evaluations."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import neps
from neps._evaluation import Fence, Fenced
from neps._ledger.claims import Hold
from neps._ledger.records import End
from neps.checkpoint import load, save
from neps.checkpoint._attempts import open_attempt
from neps.errors import CheckpointError
from unit.ledger_scene import Scene, here, somewhere

ME = here("me")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "run")


def test_while_it_is_the_open_one(scene: Scene) -> None:
    folder = scene.claim(1, ME)
    with open_attempt(Hold(folder, 1, ME.worker), pytest.fail):
        save(folder.directory, "mine")
    assert load(folder.directory) == "mine"


def test_what_has_to_be_written_before_it_is(scene: Scene) -> None:
    folder, seen = scene.claim(1, ME), []
    with open_attempt(Hold(folder, 1, ME.worker), pytest.fail, lambda: seen.append(load(folder.directory))):
        save(folder.directory, "first")
        save(folder.directory, "second")
    save(folder.directory, "third")
    assert seen == [None, "first"]


@pytest.mark.parametrize("below", ["", "models"])
def test_one_that_was_taken_over_replaces_nothing(scene: Scene, below: str) -> None:
    folder, asked = scene.claim(1, ME), []
    place = folder.directory / below
    place.mkdir(exist_ok=True)
    with open_attempt(Hold(folder, 1, ME.worker), lambda: asked.append("interrupt")):
        scene.take_over(1, 1, somewhere())
        before = scene.snapshot()
        with pytest.raises(CheckpointError, match=r"another worker has taken it over.*longer lease_seconds"):
            save(place, "zombie")
    assert asked == ["interrupt"]
    assert scene.snapshot() == before


def test_its_end_alone_is_enough(scene: Scene) -> None:
    folder = scene.claim(1, ME)
    with open_attempt(Hold(folder, 1, ME.worker), lambda: None):
        folder.end_attempt(1, End.DIED, somewhere())
        with pytest.raises(CheckpointError):
            save(folder.directory, "zombie")


def test_a_later_attempt(scene: Scene) -> None:
    folder = scene.claim(1, somewhere())
    scene.take_over(1, 1, ME)
    with open_attempt(Hold(folder, 2, ME.worker), pytest.fail):
        save(folder.directory, "mine")
    assert load(folder.directory) == "mine"


def test_a_folder_that_is_another_runs_by_now(scene: Scene) -> None:
    folder = scene.claim(1, ME)
    with open_attempt(Hold(folder, 1, ME.worker), lambda: None):
        shutil.rmtree(folder.path)
        Scene(scene.root, "run1").claim(1, somewhere())
        with pytest.raises(CheckpointError):
            save(folder.directory, "zombie")
    assert not (folder.directory / "checkpoint.pt").exists()


def test_elsewhere_and_afterwards_it_just_saves(scene: Scene, tmp_path: Path) -> None:
    folder = scene.claim(1, ME)
    (tmp_path / "run" / "config_11").mkdir()
    with open_attempt(Hold(folder, 1, ME.worker), pytest.fail):
        scene.end(1, who=ME)
        save(tmp_path, "elsewhere")
        save(tmp_path / "run" / "config_11", "elsewhere")
    save(folder.directory, "afterwards")
    assert load(folder.directory) == "afterwards"


@pytest.mark.parametrize("evaluated", ["run", "link"])
def test_through_another_path_to_the_same_folder(scene: Scene, tmp_path: Path, evaluated: str) -> None:
    scene.claim(1, ME)
    (tmp_path / "link").symlink_to(scene.root)
    with open_attempt(Hold(Scene(tmp_path / evaluated).folder(1), 1, ME.worker), lambda: None):
        scene.take_over(1, 1, somewhere())
        for path in ("run", "link"):
            with pytest.raises(CheckpointError):
                save(tmp_path / path / "config_1", "zombie")


def test_in_a_thread_and_in_a_forked_child(scene: Scene) -> None:
    folder, told = scene.claim(1, ME), []

    def attempt() -> None:
        try:
            save(folder.directory, "zombie")
        except CheckpointError:
            told.append(True)

    with open_attempt(Hold(folder, 1, ME.worker), lambda: None):
        scene.take_over(1, 1, somewhere())
        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join()
        assert told == [True]
        child = os.fork()
        if child == 0:
            attempt()
            os._exit(len(told))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2


def test_it_interrupts_the_evaluation(scene: Scene) -> None:
    """Whatever run_pipeline does about errors."""
    folder, fence, went_on = scene.claim(1, ME), Fence(), []

    def run_pipeline() -> None:
        scene.take_over(1, 1, somewhere())
        try:
            save(folder.directory, "zombie")
        except Exception:  # noqa: BLE001
            went_on.append(True)
        went_on.append(True)

    with open_attempt(Hold(folder, 1, ME.worker), fence.interrupt), pytest.raises(Fenced):
        fence.call(run_pipeline)
    assert fence.broken
    assert went_on == []


@pytest.mark.parametrize("use", [load, lambda folder: save(folder, "zombie")], ids=["load", "save"])
def test_both_interrupt_an_evaluation_that_is_known_to_be_taken_over(scene: Scene, use: Callable[[Path], Any]) -> None:
    """Wherever they load and save."""
    folder, fence, used = scene.claim(1, ME), Fence(), list[str]()

    def run_pipeline() -> None:
        save(folder.directory, "mine")
        fence.interrupt()
        for _ in range(2):
            try:
                use(folder.directory.parent)
            except Fenced:
                used.append("interrupted")

    with open_attempt(Hold(folder, 1, ME.worker), fence.interrupt):
        fence.call(run_pipeline)
    assert used == ["interrupted", "interrupted"]
    assert not (folder.directory.parent / "checkpoint.pt").exists()


def test_neps_run_enters_its_attempts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A zombie that its heartbeat has not told yet: its checkpoint and its result come to nothing."""
    zombies: list[float] = []

    def run_pipeline(pipeline_directory: Path, x: float) -> float:
        trial = pipeline_directory / "trial.yaml"
        if not zombies:
            zombies.append(x)
            save(pipeline_directory, "first")
            scene = Scene(pipeline_directory.parent, _field(trial, "run"))
            scene.folder(1).end_attempt(1, End.DIED, somewhere())
            save(pipeline_directory, "zombie")
            zombies.append(x)
        assert load(pipeline_directory) in ("first", None)
        return x

    history = neps.run(
        run_pipeline, tmp_path, {"x": neps.Float(0, 1)}, searcher="random_search", max_evaluations_total=2
    )
    assert len(zombies) == 1
    assert [(trial.attempts, trial.succeeded) for trial in history.trials] == [(2, True), (1, True)]
    assert load(tmp_path / "config_1") == "first"
    assert "Trial 1 was interrupted: another worker has taken it over" in caplog.text


def test_neps_run_discards_what_a_killed_worker_was_writing(tmp_path: Path) -> None:
    unfinished = ".checkpoint.pt.neps-" + 32 * "a"

    def run_pipeline(pipeline_directory: Path, x: float) -> float:
        if not (pipeline_directory / "seen").exists():
            (pipeline_directory / "seen").touch()
            (pipeline_directory / unfinished).touch()
            raise KeyboardInterrupt
        assert not (pipeline_directory / unfinished).exists()
        return x

    def start() -> neps.History:
        space = {"x": neps.Float(0, 1)}
        return neps.run(run_pipeline, tmp_path, space, searcher="random_search", max_evaluations_total=1)

    with pytest.raises(KeyboardInterrupt):
        start()
    assert start().succeeded


def _field(path: Path, name: str) -> str:
    lines = dict(line.split(": ", 1) for line in path.read_text().splitlines() if ": " in line)
    return lines[name].strip("'\"")
