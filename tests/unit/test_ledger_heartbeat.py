"""The heartbeat appears when it is due, survives a deleted .neps, and notices a takeover once."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import neps
from neps._ledger.claims import Hold
from neps._ledger.heartbeat import Heartbeat
from neps._ledger.records import End
from rigs.faultfs import Mount, Rule
from rigs.waiting import wait_until
from unit.ledger_scene import Scene, here, somewhere

ME = here("me")
LEASE = 0.3
LONG = 3600.0


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "run")


@pytest.fixture
def heartbeat(scene: Scene) -> Iterator[Heartbeat]:
    heartbeat = Heartbeat(scene.layout, ME, LEASE)
    heartbeat.begin()
    yield heartbeat
    heartbeat.stop()


def presence(scene: Scene) -> Path:
    return Path(scene.layout.presence, "me.yaml")


def modified(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def await_beats(path: Path, count: int = 2) -> None:
    seen: set[int] = set()

    def enough() -> bool:
        seen.add(modified(path))
        return len(seen - {0}) >= count

    wait_until(enough, 20, f"{count} beats of {path}")


def test_nothing_is_said_of_an_attempt_that_has_no_name_yet(
    scene: Scene, heartbeat: Heartbeat, caplog: pytest.LogCaptureFixture
) -> None:
    """Its link may take longer than until the first beat; it is kept alive as soon as it is there."""
    folder = scene.folder(1)
    assert folder.reserve()
    hold = Hold(folder, 1, ME.worker)

    def begin() -> bool:
        await_beats(presence(scene), 4)  # each comes after a beat of the attempt
        return folder.commit(scene.decision(1, ME), ME)

    assert heartbeat.while_opening(hold, begin)
    await_beats(Path(hold.folder.path, "attempt_1.lock"))
    assert not caplog.records


class TestLock:
    def test_appears_when_it_is_first_due_and_is_touched(self, scene: Scene, heartbeat: Heartbeat) -> None:
        folder, began = scene.claim(1, ME), time.monotonic()
        heartbeat.hold(Hold(folder, 1, ME.worker), lambda: None)
        lock = Path(folder.lock_path(1))
        wait_until(lock.exists, 20, "the lock")
        assert time.monotonic() - began >= LEASE / 3
        assert lock.read_bytes() == b""
        await_beats(lock)

    def test_short_trials_need_none(self, scene: Scene) -> None:
        heartbeat = Heartbeat(scene.layout, ME, LONG)
        heartbeat.begin()
        folder = scene.claim(1, ME)
        heartbeat.hold(Hold(folder, 1, ME.worker), lambda: None)
        heartbeat.release()
        heartbeat.stop()
        assert not Path(folder.lock_path(1)).exists()

    def test_is_not_due_with_another_trials_beat(self, scene: Scene) -> None:
        heartbeat = Heartbeat(scene.layout, ME, LONG)
        folder = scene.claim(1, ME)
        heartbeat.hold(Hold(folder, 1, ME.worker), lambda: None)
        assert heartbeat._held is not None
        assert heartbeat._beat_for(heartbeat._held) == heartbeat._held.since + LONG / 3
        assert not Path(folder.lock_path(1)).exists()

    def test_of_the_attempt_that_is_held(self, scene: Scene, heartbeat: Heartbeat) -> None:
        folder = scene.claim(1, somewhere())
        scene.take_over(1, 1, ME)
        heartbeat.hold(Hold(folder, 2, ME.worker), lambda: None)
        await_beats(Path(folder.lock_path(2)))
        assert not Path(folder.lock_path(1)).exists()

    def test_not_touched_after_release(self, scene: Scene, heartbeat: Heartbeat) -> None:
        folder = scene.claim(1, ME)
        heartbeat.hold(Hold(folder, 1, ME.worker), lambda: None)
        await_beats(Path(folder.lock_path(1)))
        heartbeat.release()
        await_beats(presence(scene), 3)
        last = modified(Path(folder.lock_path(1)))
        await_beats(presence(scene), 3)
        assert modified(Path(folder.lock_path(1))) == last

    def test_goes_on_after_an_outage(self, faulty: Mount) -> None:
        scene = Scene(faulty.path / "run")
        folder, heartbeat = scene.claim(1, ME), Heartbeat(scene.layout, ME, LEASE)
        heartbeat.begin()
        faulty.rules([Rule("create,utime", "*.lock", "EIO", times=3)])
        heartbeat.hold(Hold(folder, 1, ME.worker), lambda: None)
        await_beats(faulty.backing / "run/config_1/attempt_1.lock")
        heartbeat.stop()
        assert len(faulty.faults()) == 3


class TestSuperseded:
    @pytest.mark.parametrize("end", [End.DIED, End.LEFT])
    def test_end_by_somebody_else(self, scene: Scene, heartbeat: Heartbeat, end: End) -> None:
        calls: list[int] = []
        folder = scene.claim(1, ME)
        heartbeat.hold(Hold(folder, 1, ME.worker), lambda: calls.append(threading.get_ident()))
        folder.end_attempt(1, end, somewhere())
        wait_until(lambda: calls, 20, "the call")
        await_beats(presence(scene), 4)
        assert len(calls) == 1
        assert calls[0] != threading.get_ident()

    def test_successor_whose_end_is_not_seen(self, scene: Scene, heartbeat: Heartbeat) -> None:
        called = threading.Event()
        folder = scene.claim(1, ME)
        folder.open_attempt(2, somewhere(), "died")
        heartbeat.hold(Hold(folder, 1, ME.worker), called.set)
        assert called.wait(20)

    def test_no_beat_after_it(self, scene: Scene, heartbeat: Heartbeat) -> None:
        called = threading.Event()
        folder = scene.claim(1, ME)
        folder.end_attempt(1, End.DIED, somewhere())
        heartbeat.hold(Hold(folder, 1, ME.worker), called.set)
        assert called.wait(20)
        await_beats(presence(scene), 3)
        assert not Path(folder.lock_path(1)).exists()

    def test_not_called_after_release(self, scene: Scene, heartbeat: Heartbeat) -> None:
        folder = scene.claim(1, ME)
        heartbeat.hold(Hold(folder, 1, ME.worker), lambda: pytest.fail("released"))
        heartbeat.release()
        folder.end_attempt(1, End.DIED, somewhere())
        await_beats(presence(scene), 4)

    def test_one_that_fails_is_no_end_of_the_heartbeat(
        self, scene: Scene, heartbeat: Heartbeat, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail() -> None:
            raise RuntimeError("can't start new thread")

        folder = scene.claim(1, ME)
        heartbeat.hold(Hold(folder, 1, ME.worker), fail)
        folder.end_attempt(1, End.DIED, somewhere())
        wait_until(lambda: "Trying again" in caplog.text, 20, "the line")
        assert "can't start new thread" in caplog.text
        await_beats(presence(scene), 4)

    def test_next_trial_is_watched_too(self, scene: Scene, heartbeat: Heartbeat) -> None:
        for number in (1, 2):
            called = threading.Event()
            folder = scene.claim(number, ME)
            heartbeat.hold(Hold(folder, 1, ME.worker), called.set)
            folder.end_attempt(1, End.DIED, somewhere())
            assert called.wait(20)


class TestPresence:
    def test_from_begin_to_stop(self, scene: Scene) -> None:
        heartbeat = Heartbeat(scene.layout, ME, LONG)
        heartbeat.begin()
        assert b"worker: me\n" in presence(scene).read_bytes()
        heartbeat.stop()
        assert not presence(scene).exists()

    @pytest.mark.usefixtures("heartbeat")
    def test_touched(self, scene: Scene) -> None:
        await_beats(presence(scene), 3)

    @pytest.mark.usefixtures("heartbeat")
    def test_made_again_after_neps_was_deleted(self, scene: Scene) -> None:
        shutil.rmtree(scene.layout.hidden)
        wait_until(lambda: presence(scene).exists() and presence(scene).stat().st_size, 20, "the presence")
        assert presence(scene).read_bytes().endswith(b"\n...\n")

    def test_never_fails_its_worker(self, scene: Scene) -> None:
        Path(scene.layout.hidden).write_text("a file")
        heartbeat = Heartbeat(scene.layout, ME, LEASE)
        heartbeat.begin()
        folder = scene.claim(1, ME)
        heartbeat.hold(Hold(folder, 1, ME.worker), lambda: None)
        await_beats(Path(folder.lock_path(1)))
        heartbeat.stop()

    def test_stop_is_prompt(self, scene: Scene) -> None:
        heartbeat = Heartbeat(scene.layout, ME, LONG)
        heartbeat.begin()
        stopper = threading.Thread(target=heartbeat.stop)
        stopper.start()
        stopper.join(20)
        assert not stopper.is_alive()


@pytest.mark.parametrize("hangs_at", ["trial.yaml", "config.yaml", "attempt_2.yaml"])
def test_a_worker_that_hangs_between_opening_an_attempt_and_evaluating_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hangs_at: str
) -> None:
    """The call is done, and its reply comes no sooner than the attempt's heartbeat has been there."""
    if hangs_at == "attempt_2.yaml":
        with pytest.raises(KeyboardInterrupt):
            neps.run(_interrupted, tmp_path, {"x": neps.Float(0, 1)}, lease_seconds=LEASE, max_evaluations_total=1)
    lock = tmp_path / "config_1" / ("attempt_2.lock" if hangs_at == "attempt_2.yaml" else "attempt_1.lock")
    link, hung = os.link, []

    def hanging(source: str, target: str) -> None:
        link(source, target)
        if target.endswith(f"config_1/{hangs_at}"):
            wait_until(lock.exists, 20, "the heartbeat of an attempt whose worker hangs")
            hung.append(target)

    monkeypatch.setattr(os, "link", hanging)
    history = neps.run(lambda x: x, tmp_path, {"x": neps.Float(0, 1)}, lease_seconds=LEASE, max_evaluations_total=1)
    assert len(hung) == 1
    assert history.by_number[1].succeeded


def _interrupted(x: float) -> float:
    raise KeyboardInterrupt
