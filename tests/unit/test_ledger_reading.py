"""Reading needs no permission to write, and changes nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from neps._ledger.reading import read_definition, read_trials
from neps._ledger.records import End
from neps._trial import Status
from neps.errors import DirectoryError
from unit.ledger_scene import Scene, dead, here, somewhere


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """Whatever a writer would complete: an end without its result, a void result, a dead worker, a half claim."""
    scene = Scene(tmp_path / "run")
    scene.define()
    scene.claim(1)
    scene.end(1)
    scene.path(1, "result.yaml").unlink()
    scene.claim(2)
    scene.fail(2)
    scene.folder(2).open_attempt(2, somewhere(), "retry")
    scene.claim(3, dead())
    scene.folder(4).reserve()
    scene.claim(5).end_attempt(1, End.LEFT, here())
    scene.spoil(6, "trial.yaml")
    return scene


def test_what_is_there(scene: Scene) -> None:
    trials = read_trials(scene.root, read_definition(scene.root))
    assert {number: str(trial.status) for number, trial in trials.items()} == {
        1: "success",
        2: "running",
        3: "running",
        4: "waiting",
        5: "waiting",
        6: "waiting",
    }
    assert (trials[4].decision, trials[4].attempts) == (None, 0)
    assert trials[5].decision is not None
    assert list(trials) == sorted(trials)


def test_nothing_is_written(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        pytest.fail("a reader wrote")

    original = os.open

    def open_to_read(path: str, flags: int, *args: int, **kwargs: int) -> int:
        assert not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        return original(path, flags, *args, **kwargs)

    before = scene.snapshot()
    for name in ("mkdir", "link", "rename", "unlink", "utime", "makedirs"):
        monkeypatch.setattr(os, name, refuse)
    monkeypatch.setattr(os, "open", open_to_read)
    read_trials(scene.root, read_definition(scene.root))
    monkeypatch.undo()
    assert scene.snapshot() == before


def test_damage_is_said_once_however_often_it_looks(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.claim(7)
    scene.spoil(7, "trial.yaml", b"format_version: 99\n...\n")
    read_trials(scene.root, read_definition(scene.root))  # for a while: trial 6 may be only seen in part
    said = [record.getMessage() for record in caplog.records if "is damaged" in record.getMessage()]
    assert [message.partition(" is damaged")[0] for message in said] == ["Trial 7"]


def test_relative_path(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(scene.root.parent)
    assert read_trials("run", read_definition("run"))[1].status is Status.SUCCESS


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent", r"absent does not exist\. Give the root_dir"),
        (".", r"holds no run: there is no neps\.yaml in it\. Give"),
    ],
)
def test_no_run(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(DirectoryError, match=message):
        read_definition(tmp_path / name)
