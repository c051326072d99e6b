"""Touching a lock: only of an open attempt, of the worker that opened it, in the folder that was looked at."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from neps._ledger import touching
from neps._ledger.claims import Hold
from neps._ledger.records import End
from neps._ledger.touching import touch
from unit.ledger_scene import Scene, here, somewhere

ME = here("this-one")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "run")


def test_makes_the_lock_and_then_touches_it(scene: Scene) -> None:
    folder = scene.claim(1, ME)
    lock = Hold(folder, 1, ME.worker).lock()
    assert touch(lock)
    path = Path(folder.lock_path(1))
    assert path.read_bytes() == b""
    os.utime(path, (1, 1))
    assert touch(lock)
    assert path.stat().st_mtime > 1


@pytest.mark.parametrize(
    "lose",
    [
        lambda scene: scene.folder(1).end_attempt(1, End.DIED, somewhere()),
        lambda scene: scene.folder(1).open_attempt(2, somewhere(), "died"),
    ],
    ids=["an end", "a successor"],
)
def test_not_of_an_attempt_that_is_over(scene: Scene, lose: Callable[[Scene], object]) -> None:
    folder = scene.claim(1, ME)
    lose(scene)
    assert not touch(Hold(folder, 1, ME.worker).lock())
    assert not Path(folder.lock_path(1)).exists()


def test_not_in_a_folder_that_another_worker_has_opened(scene: Scene) -> None:
    """Where a run was moved aside while this worker was frozen, the next one has a folder of the same name."""
    folder = scene.claim(1, somewhere("another-one"))
    assert not touch(Hold(folder, 1, ME.worker).lock())
    assert not Path(folder.lock_path(1)).exists()


def test_a_start_that_is_not_seen_whole_as_yet_tells_nothing(scene: Scene) -> None:
    folder = scene.claim(1, ME)
    Path(folder.path, "trial.yaml").write_bytes(b"format_version: 1\n")
    assert touch(Hold(folder, 1, ME.worker).lock())


def test_no_folder(scene: Scene) -> None:
    folder = scene.claim(1, ME)
    lock = Hold(folder, 1, ME.worker).lock()
    Path(folder.path).rename(scene.root / "moved")
    with pytest.raises(FileNotFoundError):
        touch(lock)
    assert not Path(folder.path).exists()


def test_no_descriptor_is_left(scene: Scene) -> None:
    folder = scene.claim(1, ME)
    before = [path.name for path in Path("/proc/self/fd").iterdir()]
    touch(Hold(folder, 1, ME.worker).lock())
    folder.end_attempt(1, End.LEFT, ME)
    touch(Hold(folder, 1, ME.worker).lock())
    assert [path.name for path in Path("/proc/self/fd").iterdir()] == before


def test_what_the_worker_writes_is_read_back(scene: Scene) -> None:
    lock = Hold(scene.claim(1, ME), 1, ME.worker).lock()
    content = touching.encode(lock, 12.25) + b"the end of an earlier, longer one"
    read = touching.decode(content)
    assert read is not None
    assert read[1] == 12.25
    assert [getattr(read[0], name) for name in lock.__slots__] == [getattr(lock, name) for name in lock.__slots__]


@pytest.mark.parametrize("content", [b"", touching.NOTHING, touching.NOTHING + b"an earlier one"])
def test_nothing_is_held(content: bytes) -> None:
    assert touching.decode(content) is None
