"""Requests to leave: whom they are for, whatever the clocks and caches say, and what a torn or killed one does."""

from __future__ import annotations

import errno
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import neps
from neps._cli import main
from neps._ledger import documents, stopping
from neps._ledger.earlier import delete
from neps._ledger.exclusive import publish
from neps._ledger.heartbeat import Heartbeat
from neps._ledger.layout import stop_name
from neps._ledger.liveness import workers_there
from neps._ledger.stopping import Asked, Stops, latest_stop, request_stop
from neps._views.leaving import who_leaves
from neps.errors import ArgumentError, DirectoryError
from stress.sabotage import CHANGES
from unit.ledger_scene import RUN, TORN, Scene, dead, here, somewhere

LEASE = 60.0


class Clock:
    """A clock that a test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(stopping, "time", SimpleNamespace(monotonic=lambda: self.now))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    scene = Scene(tmp_path / "root")
    scene.define(lease_seconds=LEASE)
    return scene


def joined(scene: Scene, worker: str = "me") -> Stops:
    stops = Stops(scene.layout, worker, LEASE)
    stops.join()
    return stops


def ask(scene: Scene, *workers: str, after_trial: bool = False) -> int:
    return request_stop(scene.layout, workers, here(), after_trial=after_trial).number


def hide(scene: Scene) -> Callable[[], None]:
    """Have a client see no requests, neither by name nor in a listing, until what is returned is called."""
    patched = pytest.MonkeyPatch()

    def absent(path: Any, *arguments: Any, **keywords: Any) -> Any:
        if str(path).startswith(scene.layout.stops):
            raise FileNotFoundError(errno.ENOENT, "cached", path)
        return true(path, *arguments, **keywords)

    true = os.lstat
    patched.setattr(os, "lstat", absent)
    patched.setattr(os, "listdir", lambda _: [])
    return patched.undo


def test_a_request_that_was_there_is_not_for_who_begins_later(scene: Scene) -> None:
    assert ask(scene, "me", "other") == 1
    later = joined(scene, "later")
    assert later.look() is Asked.NOTHING
    assert ask(scene, "later") == 2
    assert later.look() is Asked.NOW


def test_who_was_seen_leaves_though_it_had_not_looked_yet(scene: Scene) -> None:
    ask(scene, "me", "other")
    ask(scene, "me", after_trial=True)
    assert joined(scene).look() is Asked.NOW


def test_a_later_request_asks_for_more_and_never_for_less(scene: Scene) -> None:
    stops = joined(scene)
    ask(scene, "me", after_trial=True)
    assert stops.look() is Asked.AFTER_TRIAL
    ask(scene, "me")
    assert stops.look() is Asked.NOW
    ask(scene, "me", after_trial=True)
    assert stops.look() is Asked.NOW


def test_a_request_older_than_its_worker_that_turns_up_late_is_not_heeded(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """A client may cache that a name is absent: for a third of the lease at most, as leases are chosen."""
    ask(scene, "earlier")
    show = hide(scene)
    stops = joined(scene)
    clock.now += LEASE / 3
    assert stops.look() is Asked.NOTHING
    show()
    clock.now += 2 * LEASE  # frozen meanwhile: no look has shown since that the name is absent
    assert stops.look() is Asked.NOTHING
    assert stops.known == 1
    ask(scene)  # which was not there when it looked
    assert stops.look() is Asked.NOW


def test_who_has_worked_for_a_lease_leaves_though_nobody_saw_it(scene: Scene, clock: Clock) -> None:
    """Its presence may be gone, with all of .neps."""
    stops = joined(scene)
    clock.now += LEASE
    assert stops.look() is Asked.NOTHING
    ask(scene)
    assert stops.look() is Asked.NOW


def test_a_listing_or_a_name_may_be_stale_where_the_other_is_not(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(scene)
    ask(scene)
    with monkeypatch.context() as patched:
        patched.setattr(os, "listdir", lambda _: [])
        assert joined(scene).known == 2
    with monkeypatch.context() as patched:
        patched.setattr(os, "listdir", lambda _: ["stop_2.yaml", ".stop_9.yaml.somebody", "mine"])
        Path(scene.layout.stops, stop_name(1)).unlink()
        assert joined(scene).known == 2


def test_two_who_ask_at_once_have_a_number_each(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who saw no request at first finds its number taken."""
    ask(scene, "me")
    stops = joined(scene, "other")
    show = hide(scene)
    assert ask(scene, "other") == 2
    show()
    assert stops.look() is Asked.NOW
    request = latest_stop(scene.layout)
    assert request is not None
    assert (request.number, request.workers) == (2, ("other",))


@pytest.mark.parametrize("content", [TORN, b"", b"format_version: 1\nnumber: 7\n...\n"])
def test_one_that_can_not_be_read_is_waited_for_and_passed_over(scene: Scene, clock: Clock, content: bytes) -> None:
    stops = joined(scene)
    Path(scene.layout.stops).mkdir(parents=True)
    torn = Path(scene.layout.stops, stop_name(1))
    torn.write_bytes(content)
    assert stops.look() is Asked.NOTHING
    assert stops.known == 0
    clock.now += LEASE
    assert stops.look() is Asked.NOTHING
    assert stops.known == 1
    assert ask(scene, "me") == 2
    assert stops.look() is Asked.NOW


def test_one_that_is_whole_a_moment_later_counts(scene: Scene, clock: Clock) -> None:
    stops = joined(scene)
    ask(scene, "me")
    path = Path(scene.layout.stops, stop_name(1))
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    assert stops.look() is Asked.NOTHING
    clock.now += 1
    path.write_bytes(whole)
    assert stops.look() is Asked.NOW


def test_one_of_a_later_version_or_in_a_wrong_place_is_passed_over_at_once(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    stops = joined(scene)
    Path(scene.layout.stops, stop_name(2)).mkdir(parents=True)
    Path(scene.layout.stops, stop_name(1)).write_bytes(b"format_version: 2\n...\n")
    assert stops.look() is Asked.NOTHING
    assert stops.known == 2
    assert caplog.text.count("is passed over") == 2
    ask(scene, "me")
    assert stops.look() is Asked.NOW


def test_fields_of_later_versions_are_ignored(scene: Scene) -> None:
    stops = joined(scene)
    Path(scene.layout.stops).mkdir(parents=True)
    content = documents.encode({"number": 1, "workers": ["me"], "beauty": 3})
    assert publish(scene.layout.stops, stop_name(1), content, "somebody")
    assert stops.look() is Asked.NOW


def test_where_the_filesystem_fails_nobody_knows(scene: Scene, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    """An error is no absence: it must not make a worker certain."""
    stops = joined(scene)
    clock.now += LEASE
    with monkeypatch.context() as patched:
        patched.setattr(os, "lstat", lambda _: (_ for _ in ()).throw(OSError(errno.EIO, "away")))
        with pytest.raises(OSError, match="away"):
            stops.look()
    ask(scene)
    assert stops.look() is Asked.NOTHING


def test_a_process_that_is_restarted_is_no_later_start(scene: Scene) -> None:
    ask(scene)
    stops = joined(scene, "before")
    assert stops.before_asked == 1
    ask(scene, "before", after_trial=True)
    stops.look()
    again = Stops(scene.layout, "after", LEASE, known=stops.before_asked)
    again.join()
    assert again.look() is Asked.AFTER_TRIAL


def test_a_look_is_one_system_call(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    stops, calls = joined(scene), list[str]()

    def absent(name: str) -> Callable[..., None]:
        def call(*_: object) -> None:
            calls.append(name)
            raise FileNotFoundError

        return call

    with monkeypatch.context() as patched:
        for name in ("lstat", "stat", "listdir", "open", "scandir"):
            patched.setattr(os, name, absent(name))
        stops.look()
    assert calls == ["lstat"]


# Who is asked, and who has not left


def test_whom_a_request_names(scene: Scene) -> None:
    """Who shows that it is there, or holds a trial, and is not proven dead."""
    heartbeat = Heartbeat(scene.layout, here("idle"), LEASE)
    heartbeat.begin()
    scene.claim(1, somewhere("far"))
    scene.claim(2, dead())
    scene.claim(3, here("done"))
    scene.end(3)
    assert neps.stop(scene.root) == ("far", "idle")
    heartbeat.stop()
    assert neps.stop(scene.root) == ("far",)


def test_status_shows_who_has_not_left(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    assert who_leaves(str(scene.root), RUN, scene.reader()) is None
    assert neps.stop(scene.root) == ()
    assert who_leaves(str(scene.root), RUN, scene.reader()) is None  # nobody was asked
    heartbeat = Heartbeat(scene.layout, here("idle"), LEASE)
    heartbeat.begin()
    scene.claim(1, somewhere("far"))
    neps.stop(scene.root)
    neps.status(scene.root)
    shown = capsys.readouterr().out
    assert "stop      2 workers asked 0 s ago to leave now; 0 of 2 have left" in shown
    assert [line.split()[0] for line in shown.partition("not left yet:\n")[2].splitlines()[1:3]] == ["far", "idle"]
    heartbeat.stop()
    assert main(["status", str(scene.root), "--json"]) == 0
    assert '"asked": 2, "staying": [{"worker": "far", "host": "elsewhere"' in capsys.readouterr().out
    scene.end(1)
    neps.status(scene.root)
    assert "2 of 2 have left" in capsys.readouterr().out
    newcomer = Heartbeat(scene.layout, here("newcomer"), LEASE)
    newcomer.begin()
    neps.status(scene.root)
    assert "stop " not in capsys.readouterr().out
    newcomer.stop()


def test_the_command(scene: Scene, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    root = str(scene.root)
    assert main(["stop", root]) == 0
    assert "no worker shows that it runs" in capsys.readouterr().out
    scene.claim(1, somewhere())
    assert main(["stop", root, "--after-trial"]) == 0
    now = f"To make them leave now, run `neps stop {root}`."
    assert capsys.readouterr().out == f"{root}: 1 worker asked to leave, each after its trial. {now}\n"
    assert main(["stop", root, str(tmp_path / "none")]) == 1
    said, seen = capsys.readouterr(), "Who evaluates sees it within 20 s, and hands its trial back."
    assert said.out == f"{root}: 1 worker asked to leave now. {seen}\n"
    assert "none" in said.err
    requests = [latest_stop(scene.layout)]
    assert [(request.number, request.after_trial) for request in requests if request] == [(3, False)]


def test_the_command_says_that_nobody_is_asked_for_less(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    root = str(scene.root)
    scene.claim(1, somewhere())
    assert main(["stop", root]) == main(["stop", root, "--after-trial"]) == main(["stop", root, "--after-trial"]) == 0
    said = capsys.readouterr().out.splitlines()[1:]
    assert len(said) == 2  # each time
    for line in said:
        assert "each after its trial, but 1 of them had been asked to leave now. That holds" in line


def test_what_can_not_be_asked(scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="after_trial is 'no'"):
        neps.stop(scene.root, after_trial="no")  # type: ignore[arg-type]
    with pytest.raises(DirectoryError, match="none"):
        neps.stop(tmp_path / "none")
    (scene.root / "stops").write_text("")
    with pytest.raises(DirectoryError, match=r"can't be written to .*stops/run0: .* Nobody may have seen it"):
        neps.stop(scene.root)


def test_another_run_in_the_root_knows_nothing_of_it(scene: Scene) -> None:
    ask(scene, "me")
    another = Scene(scene.root, "run1")
    assert joined(another).known == 0
    assert ask(another) == 1


def test_requests_go_with_the_run_that_is_deleted(scene: Scene) -> None:
    ask(scene, "me")
    aside = scene.root / "overwritten" / RUN
    aside.mkdir(parents=True)
    (scene.root / "neps.yaml").rename(aside / "neps.yaml")
    assert delete(str(scene.root), str(aside))
    assert not Path(scene.layout.stops).exists()


# Killed anywhere

KILLED = """
import sys
from stress import sabotage
import neps
from neps._api import stopping  # what is imported when it is first used is no call of the request
from neps._ledger import liveness, reading
sabotage.strike({points!r}, {nth}, {signum})
neps.stop(sys.argv[1])
"""


def test_killed_before_any_call_it_does_no_harm(scene: Scene, tmp_path: Path) -> None:
    """After each death the request is there, whole, or it is not; and the next one works."""
    stops, made = joined(scene), 0
    points = [*(set(CHANGES) - {"open"}), "fsync"]
    for nth in range(1, 20):
        program = KILLED.format(points=points, nth=nth, signum=int(signal.SIGKILL))
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        done = subprocess.run([sys.executable, "-c", program, str(scene.root)], env=environment, check=False)
        request = latest_stop(scene.layout)
        number = 0 if request is None else request.number
        assert number - made in (0, 1)
        assert (stops.look(), stops.known) == (Asked.NOTHING, number)
        made = number
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL
    assert nth > 4
    assert made >= 2
    assert ask(scene, "me") == made + 1
    assert stops.look() is Asked.NOW


def test_the_worker_says_why_it_does_not_heed(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    stops = joined(scene)
    ask(scene)
    with caplog.at_level(logging.INFO, "neps.ledger"):
        stops.look()
    assert "does not name this worker, and may be older than it" in caplog.text
    assert workers_there(scene.layout, scene.reader()) == {}
