"""A worker whose evaluations fail since the storage does: trials are left, not failed, and none is begun meanwhile."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import neps
from neps._ledger import storage
from neps._ledger.records import End
from neps._worker import shortage
from neps._worker.room import guess
from neps.checkpoint import _files as files
from neps.checkpoint._attempts import attempt_in
from neps.errors import EvaluationError, StorageError
from rigs.faultfs import Mount, Rule
from unit.ledger_scene import Scene, dead

LEASE = 0.3
FULL = OSError(errno.ENOSPC, "No space left on device")

searchers = pytest.mark.parametrize("searcher", ["random_search", "bayesian_optimization"])


def work(root: Path, call: Callable[..., Any], total: int = 3, searcher: str = "random_search", **more: Any) -> Any:
    usual = {"seed": 1, "lease_seconds": LEASE, "max_seconds_per_run": 20.0, "post_run_summary": False}
    space = {"x": neps.Float(0, 1)}
    return neps.run(call, root, space, searcher=searcher, max_evaluations_total=total, **(usual | more))


def end(root: Path, number: int, attempt: int) -> dict[str, Any]:
    fields: dict[str, Any] = yaml.safe_load((root / f"config_{number}/attempt_{attempt}.end.yaml").read_text())
    return fields


def raising(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def wrapping() -> None:
    try:
        raise FULL
    except OSError as error:
        raise ValueError("mine") from error


def swallowing() -> None:
    try:
        raise FULL
    except OSError:
        raise ValueError("mine") from None


FAILURES: dict[str, Callable[[], None]] = {
    "ENOSPC": raising(FULL),
    "EDQUOT": raising(OSError(errno.EDQUOT, "Disk quota exceeded")),
    "EIO": raising(OSError(errno.EIO, "Input/output error")),
    "EROFS": raising(OSError(errno.EROFS, "Read-only file system")),
    "wrapped": wrapping,
    "swallowed": swallowing,
    "of a child": raising(StorageError("pickled on its way")),
    "torch": raising(RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 704 vs 598")),
    "numpy": raising(OSError("1000 requested and 598 written")),
}


@pytest.mark.parametrize("fail", FAILURES.values(), ids=FAILURES)
def test_what_fails_since_the_storage_does_is_left_and_resumed(tmp_path: Path, fail: Callable[[], None]) -> None:
    calls: list[str] = []

    def run_pipeline(pipeline_directory: Path, x: float) -> float:
        calls.append(pipeline_directory.name)
        if calls == ["config_1", "config_2"]:
            fail()
        return x

    history = work(tmp_path, run_pipeline)
    assert [str(trial.status) for trial in history.trials] == ["success"] * 3
    assert calls == ["config_1", "config_2", "config_2", "config_3"]
    here = fail in (FAILURES["torch"], FAILURES["numpy"])  # which write files, where the others may be another disk's
    assert (end(tmp_path, 2, 1)["end"], end(tmp_path, 2, 1)["needs_bytes"]) == ("left", 1 << (24 if here else 16))
    assert end(tmp_path, 2, 1)["why"].startswith("the storage failed: ")


@pytest.mark.parametrize(
    "error",
    [ValueError("a bug"), FileNotFoundError(errno.ENOENT, "gone"), OSError(errno.ECONNRESET, "of a socket")],
    ids=str,
)
def test_other_failures_are_failures(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(EvaluationError):
        work(tmp_path, lambda **_: raising(error)())
    assert end(tmp_path, 1, 1)["status"] == "failed"


def test_one_that_always_fails_so_is_failed_in_the_end(tmp_path: Path) -> None:
    """A configuration whose checkpoints are too large for any disk."""

    def run_pipeline(pipeline_directory: Path, x: float) -> float:
        if pipeline_directory.name == "config_1":
            raise FULL
        return x

    history = work(tmp_path, run_pipeline, ignore_errors=True)
    assert [str(trial.status) for trial in history.trials] == ["failed", "success", "success"]
    assert [end(tmp_path, 1, attempt)["end"] for attempt in (1, 2, 3)] == ["left", "left", "result"]
    told = str(history.trials[0].error).splitlines()
    assert "OSError: [Errno 28] No space left on device" in told[1:], "where the user's own code was stays"
    assert told[0] == (
        "given up after 3 attempts in a row whose storage failed, without progress (max_attempts=3); the last: "
        "[Errno 28] No space left on device"
    )


def test_the_error_of_a_save_does_not_promise_what_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That its trial will be resumed, say: it's true of all but the last."""

    def unable(*_: object, **__: object) -> bool:
        raise files.WriteError(FULL, 1000)

    def run_pipeline(pipeline_directory: Path, x: float) -> float:
        monkeypatch.setattr(files, "replace_checkpoint", unable)
        neps.checkpoint.save(pipeline_directory, {"weights": x})
        return x

    history = work(tmp_path, run_pipeline, 1, ignore_errors=True, max_attempts=2, lease_seconds=0.05)
    assert history.trials[0].error == (
        "given up after 2 attempts in a row whose storage failed, without progress (max_attempts=2); the last: "
        "[Errno 28] No space left on device"
    )


def test_one_that_gets_further_each_time_is_not(tmp_path: Path) -> None:
    def run_pipeline(pipeline_directory: Path, x: float) -> float:
        state = neps.checkpoint.load(pipeline_directory) or {"epoch": 0}
        if state["epoch"] < 4:
            neps.checkpoint.save(pipeline_directory, {"epoch": state["epoch"] + 1})
            raise FULL
        return x

    history = work(tmp_path, run_pipeline, 1)
    assert (str(history.trials[0].status), history.trials[0].attempts) == ("success", 5)


@searchers
def test_nothing_is_begun_meanwhile(faulty: Mount, caplog: pytest.LogCaptureFixture, searcher: str) -> None:
    """Documents fit, checkpoints don't; the worker that failed waits, and so does one that comes later."""
    root, failed = faulty.path / "root", list[int]()
    full = Rule("write,fsync", "*neps-*", "EDQUOT")  # checkpoints, and tries to write

    def run_pipeline(pipeline_directory: Path, x: float) -> float:
        if pipeline_directory.name == "config_3" and not failed:
            failed.append(1)
            faulty.rules([full])
        neps.checkpoint.save(pipeline_directory, {"weights": x})
        return x

    history = work(root, run_pipeline, 9, searcher, ignore_errors=True, max_seconds_per_run=5.0, lease_seconds=0.1)
    assert [str(trial.status) for trial in history.trials] == ["success", "success", "waiting"]
    assert end(faulty.backing / "root", 3, 1)["needs_bytes"] > 1000
    assert "KiB that trial 3 needs (estimated) can't be written to" in caplog.text
    assert "`quota -s`" in caplog.text
    assert len(work(root, run_pipeline, 9, searcher, max_seconds_per_run=1.0, lease_seconds=0.1).trials) == 3
    faulty.rules([])
    history = work(root, run_pipeline, 9, searcher, lease_seconds=0.1)
    assert [str(trial.status) for trial in history.trials] == ["success"] * 9
    assert [trial.attempts for trial in history.trials] == [1, 1, 2, *[1] * 6]


def test_no_room_for_a_document_ends_no_worker(faulty: Mount, caplog: pytest.LogCaptureFixture) -> None:
    """For longer than an outage is borne."""
    root, over = faulty.path / "root", time.monotonic() + 14 * LEASE
    assert len(work(root, lambda x: x, 1).trials) == 1
    faulty.rules([Rule("mkdir,create,write", "*", "ENOSPC")])
    real = storage.try_to_write

    def trying(*args: Any) -> OSError | None:
        if time.monotonic() > over:
            faulty.rules([])
        return real(*args)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(shortage, "try_to_write", trying)
        assert len(work(root, lambda x: x).succeeded) == 3
    assert "No trial can be started in" in caplog.text
    assert "has room again" in caplog.text


def test_a_trial_that_cannot_even_be_left_is_held(faulty: Mount, caplog: pytest.LogCaptureFixture) -> None:
    root, failed = faulty.path / "root", list[int]()
    full = Rule("write", "*.attempt_1.end.yaml.*", "ENOSPC", times=5)

    def run_pipeline(x: float) -> float:
        if not failed:
            failed.append(1)
            faulty.rules([full])
            raise FULL
        return x

    assert [str(trial.status) for trial in work(root, run_pipeline).trials] == ["success"] * 3
    assert len(faulty.faults()) == 5
    assert "The end of an attempt at trial 1 can't be written to" in caplog.text


def test_a_trial_of_a_worker_that_is_gone_waits_for_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What its files say is enough."""
    work(tmp_path, lambda x: x, 1, max_seconds_per_run=1e-9)
    scene, gone = Scene(tmp_path, yaml.safe_load((tmp_path / "neps.yaml").read_text())["run"]), dead()
    scene.claim(1, gone).end_attempt(1, End.LEFT, gone, needs_bytes=12_345_678)
    asked: list[int] = []

    def refusing(folder: str, size: int, until: object = None) -> OSError | None:
        asked.append(size)
        return FULL if len(asked) < 3 else None

    monkeypatch.setattr(shortage, "try_to_write", refusing)
    assert len(work(tmp_path, lambda x: x).succeeded) == 3
    assert asked == [12_345_678] * 3


def test_a_trial_that_is_handed_back_says_so_once_and_shortly(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    calls: list[float] = []

    def run_pipeline(pipeline_directory: Path, x: float) -> float:
        calls.append(x)
        if len(calls) == 1:
            (pipeline_directory / "model").write_bytes(b"")
            os.truncate(pipeline_directory / "model", 1 << 24)
            raise OSError(errno.ENOSPC, "No space left on device", str(pipeline_directory / "model.tmp"))
        return x

    work(tmp_path, run_pipeline, 1)
    assert (
        "Trial 1 is handed back, to be resumed by any worker: [Errno 28] No space left on device: "
        f"'{tmp_path}/config_1/model.tmp'. No trial is started until 16.0 MiB can be written to {tmp_path}."
    ) in caplog.messages


def room_needed(root: Path, fail: Callable[[Path], object], **more: Any) -> int:
    """What an evaluation needs that fails so; the trial's folder has a file of 300,000 bytes."""

    def run_pipeline(pipeline_directory: Path, x: float) -> float:
        if not (pipeline_directory / "model").exists():
            (pipeline_directory / "model").write_bytes(bytes(300_000))
            fail(pipeline_directory)
        return x

    work(root, run_pipeline, 1, **more)
    needed: int = end(root, 1, 1)["needs_bytes"]
    return needed


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device", "/scratch/part"),
        FULL,
        RuntimeError("unable to write to file </torch_123_456>: No space left on device (28)"),
    ],
    ids=["a path elsewhere", "no path", "of a DataLoader"],
)
def test_another_disk_needs_no_room_here(tmp_path: Path, error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """Shared memory, say: as much as the largest file of the trial may never be free on the root's."""
    assert room_needed(tmp_path, lambda _: raising(error)()) == 1 << 16
    assert (
        f"s for the storage that failed (not that of {tmp_path}, but perhaps /tmp or /dev/shm) to have" in caplog.text
    )


def test_a_file_that_could_not_be_made_here_needs_as_much_as_the_largest(tmp_path: Path) -> None:
    named = OSError(errno.EDQUOT, "Disk quota exceeded", str(tmp_path / "config_1/model.tmp"))
    free = shutil.disk_usage(tmp_path).free
    assert room_needed(tmp_path, lambda _: raising(named)()) == min(1 << 24, free + (1 << 16))
    assert guess(OSError(errno.EIO, "Input/output error"), str(tmp_path), [str(tmp_path)], 0) == 1 << 16
    (tmp_path / "large").write_bytes(b"")
    os.truncate(tmp_path / "large", 1 << 25)
    assert [guess(named, str(tmp_path), [str(tmp_path)], stalls) for stalls in (0, 1)] == [1 << 25, 1 << 26]


def test_who_writes_beside_and_renames_waits_for_more_room_than_there_was(small: Path) -> None:
    """What it had half written is removed on the way out, so that little would seem to be missing."""
    calls = list[int]()

    def run_pipeline(pipeline_directory: Path, x: float) -> float:
        calls.append(1)
        part, model = pipeline_directory / "part", pipeline_directory / "model"
        try:
            with part.open("wb") as file:
                file.write(bytes(700_000))
            part.replace(model)
        finally:
            part.unlink(missing_ok=True)
        model.unlink()
        return x

    ballast, root = small / "ballast", small / "root"
    ballast.write_bytes(bytes(500_000))
    work(root, run_pipeline, 2, ignore_errors=True, max_seconds_per_run=2.0, lease_seconds=0.1)
    assert (calls, end(root, 1, 1)["end"]) == ([1], "left")
    assert 400_000 < end(root, 1, 1)["needs_bytes"] < 700_000
    ballast.unlink()
    assert len(work(root, run_pipeline, 2, lease_seconds=0.1).succeeded) == 2


EXITS: dict[str, Callable[[], object]] = {
    "raises": raising(RuntimeError("training ended with status 1")),
    "exits": lambda: sys.exit(1),
    "returns nothing": lambda: None,
}


@pytest.mark.parametrize("leave", EXITS.values(), ids=EXITS)
def test_a_child_that_could_not_save_says_so_by_a_sign(tmp_path: Path, leave: Callable[[], object]) -> None:
    """Its parent sees no more than a status."""
    calls = list[int]()

    def run_pipeline(pipeline_directory: Path, x: float) -> float:
        calls.append(1)
        if len(calls) == 1:
            child = os.fork()
            if child == 0:
                attempt = attempt_in(str(pipeline_directory))
                if attempt is not None:
                    attempt.stall(5_000)
                    attempt.stall(70_000)
                os._exit(1)
            os.waitpid(child, 0)
            return leave()  # type: ignore[return-value]
        return x

    assert len(work(tmp_path, run_pipeline, 1).succeeded) == 1
    assert (end(tmp_path, 1, 1)["end"], end(tmp_path, 1, 1)["needs_bytes"]) == ("left", 70_000)
    assert [path.name for path in (tmp_path / "config_1").glob("*.stalled*")] == ["attempt_1.stalled_70000"]


def test_a_trial_that_is_given_up_leaves_no_half_checkpoint(tmp_path: Path) -> None:
    work(tmp_path, lambda x: x, 1, max_seconds_per_run=1e-9)
    scene, gone = Scene(tmp_path, yaml.safe_load((tmp_path / "neps.yaml").read_text())["run"]), dead()
    folder = scene.claim(1, gone)
    folder.end_attempt(1, End.DIED, gone)
    half = folder.directory / f".checkpoint.pt.neps-{'0' * 32}"
    half.write_bytes(b"half")
    assert (
        work(tmp_path, lambda x: x, 1, max_attempts=1)
        .trials[0]
        .error.startswith("given up after a death of its worker")
    )
    assert not half.exists()
