"""The process beside a worker: started once, told what is held, started anew when it ends, and never left behind."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from neps._ledger import touching
from neps._ledger.claims import Hold
from neps._ledger.records import End
from neps._ledger.stand_in import StandIn
from rigs.descendants import stand_ins
from rigs.waiting import wait_until
from unit.ledger_scene import Scene, here

ME = here("this-one")
PERIOD = 0.1
LONG = 3600.0
OVERDUE = 0.0
"""When the worker has touched last: long ago."""


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "run")


@pytest.fixture
def process() -> Iterator[StandIn]:
    process = StandIn(PERIOD)
    yield process
    process.stop()


def names(folder: str) -> set[str]:
    return {path.name for path in Path(folder).iterdir()}


def pid() -> int:
    wait_until(lambda: len(stand_ins(os.getpid())) == 1, 20, "the process")
    return stand_ins(os.getpid())[0]


def beats(path: Path, count: int = 2) -> None:
    seen = {0}

    def enough() -> bool:
        if path.exists():
            seen.add(path.stat().st_mtime_ns)
        return len(seen) > count

    wait_until(enough, 20, f"{count} beats of {path}")


def hold(process: StandIn, scene: Scene, number: int = 1) -> Path:
    folder = scene.claim(number, ME)
    process.show(Hold(folder, 1, ME.worker).lock(), OVERDUE)
    return Path(folder.lock_path(1))


def test_touches_while_the_thread_does_not(scene: Scene, process: StandIn) -> None:
    beats(hold(process, scene))


def test_touches_what_is_held_now(scene: Scene, process: StandIn) -> None:
    first = hold(process, scene)
    beats(first)
    second = hold(process, scene, 2)
    beats(second)
    last = first.stat().st_mtime_ns
    beats(second)
    assert first.stat().st_mtime_ns == last


def test_starts_before_anything_is_held(scene: Scene, process: StandIn) -> None:
    process.begin()
    early = pid()
    beats(hold(process, scene))
    assert pid() == early


def children() -> set[int]:
    """The pids of this process's children, zombies included; other tests may have left some."""
    found = set[int]()
    for path in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):  # the thread has ended
            found.update(map(int, path.read_text().split()))
    return found


def test_is_stopped_while_it_starts() -> None:
    before = children()
    for _ in range(5):
        process = StandIn(LONG)
        process.begin()
        process.stop()
        assert children() <= before


def test_leaves_it_to_a_thread_that_is_in_time(scene: Scene) -> None:
    process, folder = StandIn(LONG), scene.claim(1, ME)
    process.show(Hold(folder, 1, ME.worker).lock(), time.monotonic())
    pid()
    process.stop()
    assert not Path(folder.lock_path(1)).exists()


def test_nothing_after_hide(scene: Scene, process: StandIn) -> None:
    lock = hold(process, scene)
    beats(lock)
    process.hide()
    hold(process, scene, 2)
    process.hide()
    now = hold(process, scene, 3)
    beats(now)
    lock.unlink()
    beats(now)
    assert not lock.exists()


def test_nothing_after_the_attempts_end(scene: Scene, process: StandIn) -> None:
    lock = hold(process, scene)
    beats(lock)
    scene.folder(1).end_attempt(1, End.DIED, here("another-one"))
    old = pid()
    os.kill(old, signal.SIGKILL)
    await_another(old)
    lock.unlink()
    with pytest.raises(AssertionError):
        wait_until(lock.exists, 5 * PERIOD, "a touch")


def await_another(old: int) -> int:
    wait_until(lambda: [p for p in stand_ins(os.getpid()) if p != old], 20, "another process")
    return pid()


def test_is_started_anew_and_leaves_no_zombie(scene: Scene, process: StandIn) -> None:
    lock, old = hold(process, scene), pid()
    os.kill(old, signal.SIGKILL)
    assert await_another(old) != old
    wait_until(lambda: not Path(f"/proc/{old}").exists(), 20, "the old one to be reaped")
    lock.unlink(missing_ok=True)
    beats(lock)


def test_is_started_anew_where_user_code_has_reaped_it(scene: Scene, process: StandIn) -> None:
    lock, old = hold(process, scene), pid()
    os.kill(old, signal.SIGSTOP)
    os.kill(old, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):  # its own thread was faster
        os.waitpid(old, 0)
    await_another(old)
    beats(lock)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGTSTP])
def test_bears_what_its_worker_is_sent(scene: Scene, process: StandIn, signum: int) -> None:
    lock, old = hold(process, scene), pid()
    os.kill(old, signum)
    lock.unlink(missing_ok=True)
    beats(lock)
    assert pid() == old
    assert os.getpgid(old) != os.getpgid(0)


def test_is_reaped_at_the_end(scene: Scene) -> None:
    process, threads = StandIn(PERIOD), threading.active_count()
    descriptors = names("/proc/self/fd")
    hold(process, scene)
    old = pid()
    process.stop()
    assert not Path(f"/proc/{old}").exists()
    assert names("/proc/self/fd") == descriptors
    assert threading.active_count() == threads


def test_is_not_started_before_something_is_held() -> None:
    process = StandIn(PERIOD)
    process.hide()
    assert stand_ins(os.getpid()) == []
    process.stop()


def test_a_descriptor_that_is_another_files_by_now_is_not_written_to(scene: Scene, process: StandIn) -> None:
    lock, old = hold(process, scene), pid()
    descriptor = process._shown._descriptor
    os.close(descriptor)
    mine = os.open(scene.root / "mine", os.O_CREAT | os.O_RDWR)
    os.dup2(mine, descriptor)
    os.close(mine)
    process.hide()
    await_another(old)
    assert (scene.root / "mine").stat().st_size == 0
    lock = hold(process, scene, 2)
    beats(lock)
    process.stop()
    assert os.fstat(descriptor).st_size == 0  # still open
    os.close(descriptor)


class TestUnfit:
    @pytest.mark.parametrize("interpreter", ["", None, "python3", "/usr/bin/uwsgi", "/no/such/python"])
    def test_interpreter(
        self,
        scene: Scene,
        process: StandIn,
        interpreter: str | None,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setattr(sys, "executable", interpreter)
        self.assert_says_so_once(scene, process, caplog)

    def test_frozen(
        self, scene: Scene, process: StandIn, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(sys, "frozen", True, raising=False)
        self.assert_says_so_once(scene, process, caplog)

    def test_without_proc(
        self, scene: Scene, process: StandIn, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(touching, "LOADER", f"raise SystemExit({touching.UNFIT})")
        self.assert_says_so_once(scene, process, caplog)

    def test_no_process_to_be_had(
        self, scene: Scene, process: StandIn, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def spawn(*_: object, **__: object) -> int:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(os, "posix_spawn", spawn)
            self.assert_says_so_once(scene, process, caplog)
        pid()  # as soon as there is one

    @pytest.mark.parametrize(("code", "program"), [(41, "raise SystemExit(41)"), (-9, "posix.kill(posix.getpid(), 9)")])
    def test_one_that_ends_at_once(
        self,
        code: int,
        program: str,
        scene: Scene,
        process: StandIn,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(touching, "LOADER", f"import posix; {program}")
            self.assert_says_so_once(scene, process, caplog)
        assert f"it ended with exit status {code}; it is tried again" in caplog.messages[0]
        pid()  # as soon as one runs

    def test_no_threads_left(
        self, scene: Scene, process: StandIn, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def start(_: object) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", start)
        self.assert_says_so_once(scene, process, caplog)

    @staticmethod
    def assert_says_so_once(scene: Scene, process: StandIn, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.WARNING, "neps"):
            hold(process, scene)
            wait_until(lambda: caplog.messages, 20, "the line")
            hold(process, scene, 2)
            process.hide()
        assert len(caplog.messages) == 1
        assert "No helper process for this worker's heartbeat" in caplog.messages[0]
        assert "lease_seconds (0.3 s)" in caplog.messages[0]
        assert stand_ins(os.getpid()) == []
