"""Failed trials are reopened in place, by one, and only failed ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from neps._ledger import documents
from neps._ledger.reading import read_trials
from neps._ledger.retrying import reopen
from neps._ledger.trial_state import read_state
from neps._trial import Status, Trial
from unit.ledger_scene import Scene, here, somewhere


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "run")


def first(scene: Scene) -> Trial:
    return read_trials(scene.root, scene.definition)[1]


def test_failed_trial_waits_for_any_worker(scene: Scene) -> None:
    scene.define()
    scene.claim(1)
    scene.fail(1, cost=2.0)
    assert reopen(str(scene.root), scene.definition, first(scene))
    trial = first(scene)
    assert (trial.status, trial.attempts, trial.spent) == (Status.WAITING, 2, 2.0)
    start = scene.folder(1).start(2)
    assert start is not None
    assert start.after == "retry"
    assert not scene.path(1, "result.yaml").exists()
    assert scene.path(1, "result_1.yaml").exists()


def test_by_one_of_several(scene: Scene) -> None:
    scene.define()
    scene.claim(1)
    scene.fail(1)
    trial = first(scene)
    assert [reopen(str(scene.root), scene.definition, trial) for _ in range(3)] == [True, False, False]
    assert first(scene).attempts == 2


def test_only_failed_ones(scene: Scene) -> None:
    scene.define()
    scene.claim(1, somewhere())
    assert not reopen(str(scene.root), scene.definition, first(scene))
    scene.end(1)
    before = scene.snapshot()
    assert not reopen(str(scene.root), scene.definition, first(scene))
    assert scene.snapshot() == before


def test_damaged_ones_stay_damaged(scene: Scene) -> None:
    scene.define()
    scene.claim(2)
    scene.spoil(1, "trial.yaml", b"format_version: 2\n...\n")
    scene.view()
    before = scene.snapshot()
    assert not reopen(str(scene.root), scene.definition, first(scene))
    assert scene.snapshot() == before


def test_dies_before_it_has_set_the_result_aside(scene: Scene) -> None:
    """Its attempt is then one that died, and the void result goes when somebody looks."""
    scene.define()
    scene.claim(1)
    scene.fail(1)
    scene.folder(1).open_attempt(2, somewhere("retry"), "retry")
    assert first(scene).status is Status.RUNNING
    read_state(scene.folder(1))
    assert scene.path(1, "result_1.yaml").exists()


def test_documents_say_who(scene: Scene) -> None:
    scene.define()
    scene.claim(1)
    scene.fail(1)
    reopen(str(scene.root), scene.definition, first(scene))
    end = documents.load(str(scene.path(1, "attempt_2.end.yaml")))
    assert end is not None
    assert (end["end"], end["why"]) == ("left", "retry")
    assert end["by"] != here().worker
