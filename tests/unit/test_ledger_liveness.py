from __future__ import annotations

import dataclasses
import errno
import os
from pathlib import Path

import pytest

from neps._ledger import documents, liveness
from neps._ledger.identity import Identity
from neps._ledger.layout import Layout
from neps._ledger.liveness import live_worker
from unit.ledger_scene import Scene

LEASE = 0.3
ELSEWHERE = Identity("elsewhere-1-abc", "elsewhere", "another-boot", "pid:[1]", 1, 1)


@pytest.fixture
def presence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a worker on another host, of which nobody here can know more than what it touches."""
    monkeypatch.setattr(liveness, "_POLL", 0.01)
    path = Path(Layout(tmp_path, "run").presence) / "elsewhere.yaml"
    path.parent.mkdir(parents=True)
    path.write_bytes(documents.encode(ELSEWHERE.to_document()))
    return path


def asked(tmp_path: Path) -> Identity | None:
    return live_worker(Layout(tmp_path, "run"), Identity.mine(), LEASE)


def act_at_look(number: int, action: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do something in the middle: before the look of that number."""
    look, looks = liveness._time_of_change, []

    def counting(path: str) -> int | None:
        looks.append(path)
        if len(looks) == number and callable(action):
            action()
        return look(path)

    monkeypatch.setattr(liveness, "_time_of_change", counting)


def test_nobody(tmp_path: Path) -> None:
    assert asked(tmp_path) is None


def test_silence_for_a_lease(tmp_path: Path, presence: Path) -> None:
    assert presence.exists()
    assert asked(tmp_path) is None


def test_a_touched_presence(tmp_path: Path, presence: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    act_at_look(5, lambda: os.utime(presence, ns=(1, 1)), monkeypatch)
    assert asked(tmp_path) == ELSEWHERE


def test_a_presence_that_goes_away_is_no_sign_of_life(
    tmp_path: Path, presence: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    act_at_look(5, presence.unlink, monkeypatch)
    assert asked(tmp_path) is None


@pytest.mark.parametrize("call", ["open", "lstat"])
def test_a_filesystem_that_fails_says_of_nobody_that_he_is_dead(
    tmp_path: Path, presence: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Neither when one looks who is there, nor later: else an outage would move a run away from live workers."""
    real = getattr(os, call)

    def failing(path: object, *args: object, **keywords: object) -> object:
        if str(path) == str(presence):
            raise OSError(errno.EIO, "as a test has it", path)
        return real(path, *args, **keywords)

    monkeypatch.setattr(os, call, failing)
    with pytest.raises(OSError, match="as a test has it"):
        asked(tmp_path)


def test_a_presence_at_which_this_user_may_not_look_tells_nothing(
    tmp_path: Path, presence: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: str) -> int | None:
        raise PermissionError(errno.EACCES, "as a test has it", path)

    assert presence.exists()
    monkeypatch.setattr(liveness, "change_mark", refused)
    assert asked(tmp_path) is None


def test_an_attempt_that_cant_be_read_for_a_moment_is_not_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker lives, and has no presence: somebody has deleted `.neps`."""
    monkeypatch.setattr(liveness, "_POLL", 0.01)
    scene = Scene(tmp_path / "root")
    scene.define(lease_seconds=LEASE)
    scene.claim(1, dataclasses.replace(Identity.mine(), worker="alive"))
    real, failures = os.open, [errno.EIO, errno.EIO]

    def failing(path: object, *args: object, **keywords: object) -> object:
        if str(path).endswith("config_1/trial.yaml") and failures:
            raise OSError(failures.pop(), "as a test has it", path)
        return real(path, *args, **keywords)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", failing)
    alive = live_worker(scene.layout, Identity.mine(), LEASE)
    assert alive is not None
    assert alive.worker == "alive"
    assert not failures


def test_a_presence_that_cant_be_read_is_somebodys(
    tmp_path: Path, presence: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    presence.write_bytes(b"format_version: 1\nwor")
    act_at_look(5, lambda: os.utime(presence, ns=(1, 1)), monkeypatch)
    alive = asked(tmp_path)
    assert alive is not None
    assert alive.worker == "elsewhere"


def test_a_presence_that_is_just_being_written_is_read_once_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is opened first, and empty for a moment: that is no reason to wait for a lease."""
    me = Identity.mine()
    path = Path(Layout(tmp_path, "run").presence) / f"{me.worker}.yaml"
    path.parent.mkdir(parents=True)
    path.touch()
    monkeypatch.setattr("time.sleep", lambda _: path.write_bytes(documents.encode(me.to_document())))
    assert live_worker(Layout(tmp_path, "run"), dataclasses.replace(me, worker="another"), 600.0) == me
