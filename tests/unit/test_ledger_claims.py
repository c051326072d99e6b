"""A claim is won once, proves in any process that it is still held, and ends its attempt in one way."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from neps._ledger.claims import Claim, Hold
from neps._ledger.records import End, result_fields
from neps._trial import Decision, Result
from unit.ledger_scene import Scene, here, somewhere

ME, OTHER = here("me"), somewhere("other")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "run")


def committed(scene: Scene) -> Claim:
    folder = scene.folder(1)
    folder.reserve()
    claim = Claim.commit(folder, Decision(number=1, config={"x": 0.5}, worker="me"), ME)
    assert claim is not None
    return claim


def test_one_commits_and_knows_what_it_holds(scene: Scene) -> None:
    claim = committed(scene)
    assert Claim.commit(scene.folder(1), Decision(number=1, config={"x": 0.25}), OTHER) is None
    assert (claim.number, claim.attempt, claim.decision.config) == (1, 1, {"x": 0.5})
    assert (claim.hold.attempt, claim.hold.worker) == (1, "me")
    assert not claim.hold.is_lost()
    assert claim.state == scene.view().pending[1].state


def test_one_resumes_what_was_left(scene: Scene) -> None:
    committed(scene).leave("interrupted")
    left = scene.view().pending[1].state
    claim = Claim.resume(scene.folder(1), left, OTHER)
    assert claim is not None
    assert (claim.attempt, claim.state.start.after, claim.hold.worker) == (2, "left", "other")
    assert Claim.resume(scene.folder(1), left, ME) is None


@pytest.mark.parametrize("end", ["publish", "leave", "leave hastily", "die"])
def test_an_attempt_ends_once(scene: Scene, end: str) -> None:
    claim = committed(scene)
    ends = {
        "publish": lambda: claim.publish(result_fields(Result.of(success=True, loss=0.5, worker="me", attempt=1))),
        "leave": lambda: claim.leave("room", needs_bytes=100),
        "leave hastily": lambda: claim.leave_hastily("a second signal"),
        "die": lambda: claim.die("sys.exit"),
    }
    expected = {"publish": End.RESULT, "leave": End.LEFT, "leave hastily": End.LEFT, "die": End.DIED}
    assert ends[end]()
    ended = scene.folder(1).end(1)
    assert ended is not None
    assert (ended.end, ended.needs_bytes) == (expected[end], 100 if end == "leave" else None)
    assert scene.folder(1).has_result() == (end == "publish")
    assert claim.hold.is_lost()
    again = ends["leave" if end == "die" else "die"]()
    assert not again


def test_a_hold_is_lost_to_a_successor_and_to_another_run(scene: Scene) -> None:
    hold = committed(scene).hold
    scene.take_over(1, 1, OTHER)
    assert hold.is_lost()
    assert hold.is_own(), "the attempt is over, but nobody else has opened it"
    shutil.rmtree(scene.path(1))
    Scene(scene.root, "run1").claim(1, OTHER)
    assert not hold.is_own()
    assert hold.is_lost()
    assert Hold(scene.folder(1), 1, "other").is_own()
