"""`neps.checkpoint.save` where the storage fails: in an evaluation it tries again; and which saves are progress."""

from __future__ import annotations

import contextlib
import errno
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
import torch

from neps._ledger.claims import Hold
from neps.checkpoint import _files as files
from neps.checkpoint import _saving as saving
from neps.checkpoint import load, save
from neps.checkpoint._attempts import Evaluation, open_attempt
from neps.errors import CheckpointError, StorageError
from rigs.faultfs import Mount, Rule
from unit.ledger_scene import Scene, here, somewhere

ME = here("me")
STATE = {"epoch": 1, "weights": torch.zeros(20_000)}


@contextlib.contextmanager
def evaluating(root: Path, patience: float = 60.0) -> Iterator[tuple[Evaluation, Path]]:
    folder = Scene(root).claim(1, ME)
    with open_attempt(Hold(folder, 1, ME.worker), lambda: None, patience=patience) as attempt:
        yield attempt, folder.directory


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != "trial.yaml")


class Naps:
    """Takes the place of the pauses between two tries, and looks around in each."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, look: Callable[[], object] = lambda: None) -> None:
        self.count = 0
        self._look = look
        monkeypatch.setattr(saving, "_sleep", self._nap)

    def _nap(self, _: float) -> None:
        self.count += 1
        self._look()


@pytest.mark.parametrize("error", ["EIO", "EDQUOT", "ENOSPC", "EROFS", "EACCES", "ETIMEDOUT"])
@pytest.mark.parametrize("operation", ["create", "write", "fsync", "rename"])
def test_one_failure_costs_nothing(
    faulty: Mount, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, operation: str, error: str
) -> None:
    """Torch says of a write that failed: "unexpected pos 704 vs 598"."""
    with evaluating(faulty.path / "run") as (attempt, folder):
        save(folder, {"epoch": 0})
        naps = Naps(monkeypatch, lambda: looked.append(names(folder)))
        looked: list[list[str]] = []
        faulty.rules([Rule(operation, "run/config_1/.checkpoint.pt.neps-*", error, times=1)])
        save(folder, STATE)
        assert load(folder)["epoch"] == 1
        assert naps.count == len(faulty.faults()) == 1
        assert looked == [[".checkpoint.pt.neps", "attempt_1.saved", "checkpoint.pt"]]
        assert attempt.stalled is None
    assert f"{folder}/checkpoint.pt can't be saved: [Errno {getattr(errno, error)}]" in caplog.text
    assert "Trying again until" in caplog.text


@pytest.mark.parametrize("error", ["EINTR", "after:EIO", "after:ENOENT"])
def test_a_rename_that_is_interrupted_or_whose_reply_is_lost_costs_nothing(
    faulty: Mount, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    """A network filesystem that sends the rename again is told that the file isn't there (any more)."""
    with evaluating(faulty.path / "run") as (_, folder):
        save(folder, {"epoch": 0})
        naps = Naps(monkeypatch)
        faulty.rules([Rule("rename", "run/config_1/.checkpoint.pt.neps-*", error, times=1)])
        save(folder, STATE)
        assert load(folder)["epoch"] == 1
        assert faulty.faults()
        assert naps.count == (error == "EINTR")
        assert names(folder) == [".checkpoint.pt.neps", "attempt_1.saved", "checkpoint.pt"]


WRITERS: dict[str, Callable[[Any, IO[bytes]], object]] = {
    "torch": torch.save,
    "torch by name": lambda state, file: torch.save(state, file.name),
    "plain": lambda _, file: file.write(bytes(80_000)),
    "small pieces": lambda _, file: [file.write(bytes(100)) for _ in range(800)],
    "numpy": lambda _, file: np.save(file, np.zeros(10_000)),
    "zip": lambda _, file: zip_up(file),
    "hidden": lambda _, file: hide(lambda: file.write(bytes(80_000))),
    "hidden by name": lambda _, file: hide(lambda: Path(file.name).write_bytes(bytes(80_000))),
}


def zip_up(file: IO[bytes]) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("zeros", bytes(80_000))


def hide(write: Callable[[], object]) -> None:
    try:
        write()
    except OSError:
        message = "it did not work"
    else:
        return
    raise RuntimeError(message)


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_full_disk_whoever_writes(
    small: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Any, IO[bytes]], object]
) -> None:
    with evaluating(small / "run") as (_, folder):
        room = os.statvfs(small)
        ballast = small / "ballast"
        with contextlib.suppress(OSError):
            ballast.write_bytes(bytes(room.f_bfree * room.f_frsize - 50_000))
        naps = Naps(monkeypatch, lambda: ballast.unlink(missing_ok=True))
        save(folder, STATE, "state", write=write)
        assert naps.count == 1
        assert names(folder) == [".state.neps", "attempt_1.saved", "state"]
        assert (folder / "state").stat().st_size >= 79_000


def test_patience_ends(faulty: Mount) -> None:
    with evaluating(faulty.path / "run", patience=0.5) as (attempt, folder):
        save(folder, {"epoch": 0, "zeros": torch.zeros(20_000)})
        before = (folder / "checkpoint.pt").read_bytes()
        faulty.rules([Rule("write", "run/config_1/.checkpoint.pt.neps-*", "EDQUOT")])
        with pytest.raises(StorageError, match=r"Disk quota exceeded.*The last checkpoint is still there.*`quota -s`"):
            save(folder, STATE)
        assert len(faulty.faults()) > 3
        assert attempt.stalled == attempt.hold.stalled() == len(before)
        assert (folder / "checkpoint.pt").read_bytes() == before
        given = len(faulty.faults())
        with pytest.raises(StorageError):  # who goes on training is not kept waiting again
            save(folder, STATE)
        assert len(faulty.faults()) <= given + 2
        faulty.rules([])
        save(folder, STATE)
        assert attempt.stalled is None
        assert attempt.hold.stalled() is None


def test_outside_of_an_evaluation_it_says_so_at_once(faulty: Mount) -> None:
    faulty.rules([Rule("fsync", "*", "ENOSPC", times=1)])
    with pytest.raises(StorageError, match=r"No space left on device.*`df -h`"):
        save(faulty.path, STATE)
    assert list(faulty.backing.iterdir()) == []
    save(faulty.path, STATE)


def test_an_error_of_the_state_is_no_failure_of_the_storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    naps = Naps(monkeypatch)
    with evaluating(tmp_path / "run") as (_, folder):
        with pytest.raises(CheckpointError, match="pickle") as caught:
            save(folder, lambda: 3)
        assert not isinstance(caught.value, StorageError)
        with pytest.raises(CheckpointError, match="no folder"):
            save(folder / "absent", STATE)
    assert naps.count == 0


def test_who_is_taken_over_meanwhile_ends_at_once(faulty: Mount, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(faulty.path / "run")
    folder, asked = scene.claim(1, ME), []
    naps = Naps(monkeypatch, lambda: scene.take_over(1, 1, somewhere()))
    faulty.rules([Rule("write", "run/config_1/.checkpoint.pt.neps-*", "ENOSPC")])
    taken = pytest.raises(CheckpointError, match="another worker has taken it over")
    with open_attempt(Hold(folder, 1, ME.worker), lambda: asked.append(1), patience=60.0), taken:
        save(folder.directory, STATE)
    assert (naps.count, asked) == (1, [1])


class Interruption(BaseException):
    pass


def interrupt() -> None:
    raise Interruption


def test_an_interruption_ends_the_wait(faulty: Mount, monkeypatch: pytest.MonkeyPatch) -> None:
    Naps(monkeypatch, interrupt)
    with evaluating(faulty.path / "run") as (_, folder):
        faulty.rules([Rule("write", "run/config_1/.checkpoint.pt.neps-*", "ENOSPC")])
        with pytest.raises(Interruption):
            save(folder, STATE)
        assert names(folder) == []


def test_on_the_way_out_it_does_not_wait(faulty: Mount, monkeypatch: pytest.MonkeyPatch) -> None:
    naps = Naps(monkeypatch)
    with evaluating(faulty.path / "run") as (_, folder):
        faulty.rules([Rule("write", "run/config_1/.checkpoint.pt.neps-*", "ENOSPC")])
        try:
            interrupt()
        except Interruption:
            with pytest.raises(StorageError):
                save(folder, STATE)
    assert naps.count == 0


def test_an_interruption_that_a_library_hides_is_raised(tmp_path: Path) -> None:
    """As torch does, where a signal strikes while it writes: what it says is "unexpected pos 704 vs 598"."""

    def write(_: Any, file: IO[bytes]) -> None:
        try:
            raise Interruption
        finally:
            raise RuntimeError("unexpected pos")

    with evaluating(tmp_path / "run") as (_, folder), pytest.raises(Interruption):
        save(folder, STATE, write=write)


class TestProgress:
    def saved(self, folder: Path) -> bool:
        return (folder / "attempt_1.saved").exists()

    def test_the_first_checkpoint_is(self, tmp_path: Path) -> None:
        with evaluating(tmp_path / "run") as (_, folder):
            assert not self.saved(folder)
            save(folder, STATE)
            assert self.saved(folder)

    def test_one_that_goes_on_from_the_last_is(self, tmp_path: Path) -> None:
        with evaluating(tmp_path / "run") as (attempt, folder):
            earlier(folder)
            state = load(folder)
            assert not self.saved(folder)
            save(folder, state)  # what was loaded: nobody got any further
            assert not self.saved(folder)
            save(folder, {"epoch": 2})
            assert self.saved(folder)
            assert attempt.advanced

    def test_one_of_a_training_that_begins_anew_is_not(self, tmp_path: Path) -> None:
        """It may die at the same place for ever."""
        with evaluating(tmp_path / "run") as (_, folder):
            earlier(folder)
            save(folder, {"epoch": 2})
            assert not self.saved(folder)
            save(folder, {"epoch": 2}, "epoch_2.pt")  # no attempt before had come to this
            assert self.saved(folder)

    def test_a_sign_that_cannot_be_made_costs_nothing(self, faulty: Mount) -> None:
        with evaluating(faulty.path / "run") as (attempt, folder):
            faulty.rules([Rule("create", "*.saved", "ENOSPC", times=1)])
            save(folder, STATE)
            assert not attempt.advanced
            assert len(faulty.faults()) == 1

    def test_outside_of_an_evaluation_there_is_no_sign(self, tmp_path: Path) -> None:
        save(tmp_path, STATE)
        assert names(tmp_path) == [".checkpoint.pt.neps", "checkpoint.pt"]


def earlier(folder: Path) -> None:
    """The checkpoint of an earlier attempt."""
    files.replace_checkpoint(str(folder), "checkpoint.pt", lambda file: torch.save({"epoch": 1}, file), lambda: None)
