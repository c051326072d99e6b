"""`neps status --watch`: what is new is seen, what is known is not read again, and pauses grow."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import neps
from neps._ledger.following import Follower
from neps._ledger.records import End
from neps._ledger.results_cache import ResultsCache
from neps._ledger.trial_folder import TrialFolder
from neps._trial import Status
from neps._views.watching import Watched, watch
from rigs.waiting import wait_until
from unit.ledger_scene import Scene, dead, here

SPACE = {"x": neps.Float(0, 1)}


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    scene = Scene(tmp_path / "run")
    scene.define(lease_seconds=60.0)
    return scene


def remember(scene: Scene, watched: Watched, number: int) -> None:
    """As the worker that has published it does."""
    trial = Watched(str(scene.root)).overview().history.by_number[number]
    ResultsCache(scene.layout, "worker").append(trial)


def test_it_sees_all_that_can_happen(scene: Scene) -> None:
    watched = Watched(str(scene.root))
    assert len(watched.overview().history) == 0
    scene.claim(1)
    assert [each.number for each in watched.overview().running] == [1]
    scene.end(1, loss=3.0)
    run = watched.overview()
    assert (run.running_count, [trial.loss for trial in run.history]) == (0, [3.0])
    scene.claim(2, dead())
    assert watched.overview().dead_count == 1
    scene.folder(2).end_attempt(1, End.LEFT, here())
    wait_until(lambda: watched.overview().resumable == 1, 60, "the next close look, which is not due at once")
    scene.claim(4)  # 3 is reserved by nobody as yet
    for _ in range(10):
        run = watched.overview()
    assert [each.number for each in run.running] == [4], "a listing shows what lies behind a gap"


def test_a_success_is_read_from_the_results_cache_alone(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(str(scene.root))
    watched.overview()
    for number in (1, 2):
        scene.claim(number)
        scene.end(number, loss=float(number))
        remember(scene, watched, number)
    with monkeypatch.context() as patch:
        patch.setattr(TrialFolder, "decision", lambda _: pytest.fail("a folder was read"))
        run = watched.overview()
    assert [trial.loss for trial in run.history] == [1.0, 2.0]
    scene.claim(3)
    assert watched.overview().running_count == 1
    scene.end(3, loss=0.5)
    remember(scene, watched, 3)
    with monkeypatch.context() as patch:
        patch.setattr(TrialFolder, "result", lambda _: pytest.fail("a folder was read"))
        run = watched.overview()
    assert (run.running_count, run.history.best_config) == (0, dict(run.history.by_number[3].config))
    assert watched._follower.view.ended == 3


def test_a_failed_trial_that_is_retried_and_succeeds(scene: Scene) -> None:
    scene.claim(1)
    scene.fail(1)
    watched = Watched(str(scene.root))
    assert len(watched.overview().failed) == 1
    assert scene.folder(1).open_attempt(2, here(), "retry")
    scene.folder(1).set_result_aside(1)
    scene.end(1, 2, loss=0.5)
    remember(scene, watched, 1)
    run = watched.overview()
    assert ([trial.status for trial in run.history], len(run.failed)) == ([Status.SUCCESS], 0)
    view = watched._follower.view
    assert (view.ended, view.failures) == (1, 0)


def test_each_state_is_shown_once_where_there_is_no_terminal(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    looks = iter(range(5))

    def pause(seconds: float) -> None:
        assert seconds >= 1.0
        match next(looks):
            case 1:
                scene.claim(1)
            case 3:
                scene.end(1, loss=0.25)
            case 4:
                raise KeyboardInterrupt

    watch([str(scene.root)], as_json=True, sleep=pause)
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(each["trials"]["running"], each["trials"]["succeeded"]) for each in shown] == [(0, 0), (1, 0), (0, 1)]


def test_what_is_enqueued_imported_confirmed_and_that_it_ends_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def loss(x: float) -> float:
        return 1.0

    def searched(**more: Any) -> None:
        neps.run(loss, tmp_path, SPACE, searcher="sobol", progress=False, post_run_summary=False, **more)

    happens: list[Callable[[], object]] = [
        lambda: neps.enqueue(tmp_path, [{"x": 0.5}]),
        lambda: neps.import_trials(tmp_path, [{"config": {"x": 0.25}, "loss": 2.0}]),
        lambda: searched(patience=1),  # nothing is evaluated: that it has ended is all that is new
        lambda: neps.confirm(loss, tmp_path, top=1, seeds=2, progress=False, post_run_summary=False),
        lambda: None,
    ]

    def pause(_: float) -> None:
        if not happens:
            raise KeyboardInterrupt
        happens.pop(0)()

    searched(max_evaluations_total=3)
    watch([str(tmp_path)], as_json=True, sleep=pause)
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["trials"]["total"] for each in shown] == [3] * 5
    assert [each["queue"]["waiting"] for each in shown] == [0, 1, 1, 1, 1]
    assert [each["imported"] for each in shown] == [0, 0, 1, 1, 1]
    assert [each["ended"] is not None for each in shown] == [False, False, False, True, True]
    assert [each["confirmed"] is not None for each in shown] == [False] * 4 + [True]


def test_where_the_next_run_can_not_be_read_yet_it_stays_with_what_it_knows(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.claim(1)
    follower = Follower(str(scene.root))
    view, definition = follower.view, follower.definition
    monkeypatch.setattr(follower, "_is_another", lambda: True)
    monkeypatch.setattr("neps._ledger.following.read_view", lambda *_: (_ for _ in ()).throw(OSError("an outage")))
    with pytest.raises(OSError, match="an outage"):
        follower.update()
    assert (follower.view, follower.definition) == (view, definition)
    monkeypatch.undo()
    monkeypatch.setattr(follower, "_is_another", lambda: True)
    follower.update()
    assert follower.view is not view
