"""What a worker looks at that waits: so much in each turn, first what is likely, and all in the end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from neps._ledger.identity import Identity
from neps._ledger.pending_mark import PendingMark, mark_pending
from neps._ledger.records import End
from neps._ledger.retrying import reopen
from neps._ledger.view import View
from unit.ledger_scene import Clock, Scene, here, somewhere

LEASE = 60.0
POLL = 5.0
MOST = 13
"""System calls of a turn: what is decided next, a presence, seven others, and a close look that begins within these."""


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "run")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def crowd(scene: Scene, count: int) -> dict[int, Identity]:
    """So many trials that run, each on a host of its own."""
    workers = {number: somewhere(f"worker{number}") for number in range(1, count + 1)}
    for number, who in workers.items():
        scene.claim(number, who)
    return workers


def waiting(scene: Scene, who: Identity | None = None) -> View:
    view = View(scene.layout, who or here(), lease=LEASE, poll=POLL)
    view.join()
    return view


def turn(view: View, clock: Clock | None = None, *, brief: bool = False) -> list[int]:
    """One turn, and the pause after it; what may be resumed."""
    found = view.look_while_waiting(in_turn=True, brief=brief)
    if clock is not None:
        clock.now += POLL
    return [pending.folder.number for pending in found]


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names that are looked at, opened, or listed."""
    names: list[str] = []
    with monkeypatch.context() as patch:
        for function in ("open", "stat", "lstat", "listdir"):
            original = getattr(os, function)

            def spy(path: object, *args: object, _original: object = original, **kwargs: object) -> object:
                names.append(str(path))
                return _original(path, *args, **kwargs)  # type: ignore[operator]

            patch.setattr(os, function, spy)
        yield names


def touch(scene: Scene, number: int, at: float) -> None:
    lock = Path(scene.folder(number).lock_path(1))
    lock.touch()
    os.utime(lock, ns=(int(at * 1e9), int(at * 1e9)))


def presence(scene: Scene, worker: str) -> Path:
    path = Path(scene.layout.presence, f"{worker}.yaml")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@pytest.mark.parametrize("running", [1, 10, 100, 400])
def test_a_turn_looks_at_so_many_names_however_many_trials_run(
    scene: Scene, clock: Clock, monkeypatch: pytest.MonkeyPatch, running: int
) -> None:
    crowd(scene, running)
    for number in range(running + 1, running + 31):
        scene.claim(number)
        scene.fail(number)
    view = waiting(scene)
    for _ in range(40):
        with counted(monkeypatch) as names:
            assert not turn(view, clock) or clock.now > 1000.0 + LEASE
        assert len(names) <= MOST


def test_a_brief_turn_looks_at_what_is_decided_next_alone(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    crowd(scene, 40)
    for number in range(41, 60):
        scene.folder(number).reserve()
    view = waiting(scene)
    with counted(monkeypatch) as names:
        turn(view, brief=True)
    looked = {name.removeprefix(f"{scene.root}/").partition("/")[0] for name in names}
    assert "config_41" in looked
    assert len(looked) <= 3


def test_a_gap_of_half_claims_is_closed_in_one_turn(scene: Scene) -> None:
    for number in range(1, 20):
        scene.folder(number).reserve()
    view = waiting(scene)
    for number in range(1, 20):
        scene.claim(number)
    turn(view)
    assert view.numbers.lowest == 20


def test_all_ends_are_seen_in_one_turn(scene: Scene, clock: Clock) -> None:
    """So a worker that waits for all leaves as soon as the last has ended."""
    crowd(scene, 50)
    view = waiting(scene)
    for _ in range(3):
        turn(view, clock)
    for number in range(1, 51):
        scene.end(number)
    turn(view)
    assert not view.pending


def test_each_end_is_seen_in_its_turn(scene: Scene, clock: Clock) -> None:
    crowd(scene, 50)
    view = waiting(scene)
    scene.end(17)
    scene.folder(31).end_attempt(1, End.LEFT, somewhere())
    resumable = [turn(view, clock) for _ in range(50)]
    assert 17 in view.trials
    assert any(31 in numbers for numbers in resumable)


def test_each_worker_has_an_order_of_its_own(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    crowd(scene, 50)
    looked = []
    for name in ("one", "another"):
        view = waiting(scene, here(name))
        with counted(monkeypatch) as names:
            turn(view)
        looked.append({name for name in names if name.endswith(("end.yaml", ".lock"))})
    assert looked[0] != looked[1]


def test_whose_worker_has_begun_another_trial_comes_first(scene: Scene, clock: Clock) -> None:
    workers = crowd(scene, 100)
    view = waiting(scene)
    for number, following in ((37, 101), (73, 102)):
        turn(view, clock)
        scene.end(number)
        scene.claim(following, workers[number])
        turn(view, clock)
        assert number in view.trials
        assert following in view.pending


def test_a_mark_is_seen_once_its_worker_goes_on(scene: Scene, clock: Clock) -> None:
    workers = crowd(scene, 100)
    view = waiting(scene)
    turn(view, clock)
    mark_pending(scene.folder(37), PendingMark(attempt=1, worker="worker37"), workers[37])
    scene.claim(101, workers[37])
    turn(view, clock)
    assert view.untold == [37]


def test_whose_worker_has_left_comes_first(scene: Scene, clock: Clock) -> None:
    crowd(scene, 100)
    for number in range(1, 101):
        presence(scene, f"worker{number}").touch()
    view = waiting(scene)
    turn(view, clock)
    scene.end(37)
    scene.folder(73).end_attempt(1, End.LEFT, somewhere())
    for number in (37, 73):
        presence(scene, f"worker{number}").unlink()
    assert turn(view, clock) == [73]
    assert 37 in view.trials


def test_without_presences_nothing_is_known_of_who_leaves(scene: Scene, clock: Clock) -> None:
    crowd(scene, 3)
    view = waiting(scene)
    turn(view, clock)
    presence(scene, "worker1").touch()
    turn(view, clock)
    Path(scene.layout.presence, "worker1.yaml").unlink()
    Path(scene.layout.presence).rmdir()
    turn(view, clock)
    assert set(view.pending) == {1, 2, 3}


@pytest.mark.parametrize("running", [1, 10, 100, 300])
def test_a_silent_worker_counts_as_dead_whatever_runs_beside_it(scene: Scene, clock: Clock, running: int) -> None:
    crowd(scene, running)
    view, silent, began = waiting(scene), running // 2 + 1, clock.now
    dead: list[int] = []
    while not dead:
        for number in range(1, running + 1):
            if number != silent:
                touch(scene, number, clock.now)
        dead = turn(view, clock)
        assert clock.now - began < LEASE + 4 * POLL + POLL * running, "two looks at each, four in a turn; then a lease"
    assert dead == [silent]
    assert clock.now - began > LEASE


def test_heartbeats_keep_a_trial_alive(scene: Scene, clock: Clock) -> None:
    crowd(scene, 5)
    view = waiting(scene)
    for _ in range(100):
        if clock.now % (LEASE / 3) == 0:
            for number in range(1, 6):
                touch(scene, number, clock.now)
        assert turn(view, clock) == []


def test_a_retried_trial_is_seen(scene: Scene, clock: Clock) -> None:
    definition = scene.define()
    for number in range(1, 11):
        scene.claim(number)
        scene.fail(number)
    view = waiting(scene)
    assert reopen(str(scene.root), definition, view.trials[7])
    assert [7] in [turn(view, clock) for _ in range(5)]


def test_who_is_free_resumes_whom_it_has_watched_die_among_many(scene: Scene, clock: Clock) -> None:
    """A few are looked at in turn; who was silent while this worker evaluated is known without a look."""
    crowd(scene, 4)
    view = waiting(scene)
    for _ in range(6):
        clock.now += LEASE / 3
        view.check_heartbeats()
    for number in range(5, 105):
        scene.claim(number, somewhere(f"worker{number}"))
    view.refresh()
    view.update_some()
    view.update_some()
    assert {pending.folder.number for pending in view.update_some()} == {1, 2, 3, 4}


def test_ends_that_cannot_be_read_yet_are_looked_at_a_few_at_a_time(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd(scene, 50)
    view = waiting(scene)
    for number in range(1, 51):
        scene.spoil(number, "attempt_1.end.yaml")
    with counted(monkeypatch) as names:
        turn(view)
    ends = {name for name in names if name.endswith("attempt_1.end.yaml")}
    assert 0 < len(ends) <= 2
