"""A filesystem that fails once: a look that did not succeed says nothing, and nothing that was opened is forgotten."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from neps._budget import Budget
from neps._ledger.claims import Claim
from neps._ledger.heartbeat import Heartbeat
from neps._ledger.opening import OpenedRun
from neps._ledger.pending import Pending
from neps._ledger.records import AttemptStart, End
from neps._ledger.trial_state import TrialState
from neps._trial import Result
from neps._worker.context import Context
from neps._worker.resuming import resume
from neps._worker.session import prepare
from neps._worker.settings import Settings
from neps.samplers import RandomSearch
from neps.space import Float, SearchSpace
from unit.ledger_scene import Clock, Scene, dead, here, somewhere


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "root")


def failing_once(call: Callable[..., Any], part: str) -> Callable[..., Any]:
    left = [OSError(errno.EIO, "as a test has it")]

    def once(path: str, *args: Any, **kwargs: Any) -> Any:
        if left and part in str(path):
            raise left.pop()
        return call(path, *args, **kwargs)

    return once


def context_of(scene: Scene, name: str) -> Context:
    me, definition = here(name), scene.define()
    run = OpenedRun(scene.layout, me, definition, Heartbeat(scene.layout, me, 60.0), new=True)
    return prepare(run, SearchSpace({"x": Float(0, 1)}), RandomSearch(), Settings(budget=Budget()))


@pytest.mark.parametrize("details", [True, False])
@pytest.mark.parametrize("call", ["stat", "open"])
def test_one_failed_look_damages_nothing(
    scene: Scene,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    details: bool,  # noqa: FBT001
) -> None:
    scene.claim(1)
    scene.end(1)
    monkeypatch.setattr(os, call, failing_once(getattr(os, call), "config_1"))
    view = scene.view(details=details)
    view.refresh()
    assert (view.ended, view.failures, view.numbers.reserved) == (1, 0, {})


def test_a_worker_goes_on_with_what_it_has_opened_without_learning_it(scene: Scene) -> None:
    context = context_of(scene, "me")
    scene.claim(1, context.me)
    context.view.join()
    assert [p.folder.number for p in context.view.update_some()] == [1]
    held = resume(context.view.pending[1], context)
    assert isinstance(held, Claim)
    assert held.state.start == AttemptStart(1, context.me)
    assert held.folder.end(1) is None


def test_it_does_not_go_on_where_somebody_has_taken_over(scene: Scene) -> None:
    context = context_of(scene, "me")
    scene.claim(1, context.me)
    context.view.join()
    scene.take_over(1, 1, here("other"))
    assert resume(context.view.pending[1], context) is None


def test_who_takes_over_for_the_dead_leaves_alone_who_was_quicker(scene: Scene) -> None:
    """By its last look, another worker evaluates the next attempt already."""
    context = context_of(scene, "me")
    scene.claim(1, dead())
    context.view.join()
    scene.take_over(1, 1, here("quicker"))
    assert resume(context.view.pending[1], context) is None
    assert scene.folder(1).end(2) is None


def test_who_takes_over_for_the_silent_leaves_alone_who_is_back(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have been a while ago that a worker which evaluates saw the last of its heartbeats."""
    clock, context = Clock(monkeypatch), context_of(scene, "me")
    folder = scene.claim(1, somewhere())
    context.view.join()
    for _ in range(8):
        clock.now += context.lease / 3
        context.view.check_heartbeats()
    pending = context.view.pending[1]
    assert pending.is_dead(context.lease)
    Path(folder.lock_path(1)).touch()
    assert resume(pending, context) is None
    assert folder.end(1) is None
    for _ in range(8):
        clock.now += context.lease / 3
        context.view.check_heartbeats()
    assert isinstance(resume(pending, context), Claim)


def test_what_is_published_is_known_though_nothing_can_be_read_then(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = here("me")
    scene.claim(1)
    scene.fail(1, cost=4.0)
    scene.folder(1).open_attempt(2, here("retry"), "retry")
    scene.folder(1).end_attempt(2, End.LEFT, here("retry"))
    view = scene.view(me)
    assert isinstance(view.pending[1], Pending)
    scene.folder(1).open_attempt(3, me, "left")
    state = TrialState(view.pending[1].state.decision, AttemptStart(3, me, "left"))
    monkeypatch.setattr(os, "open", lambda path, *_: pytest.fail(f"{path} is opened"))
    view.begun(scene.folder(1), state)
    monkeypatch.undo()
    assert scene.end(1, 3, me, cost=1.5)
    monkeypatch.setattr("neps._ledger.exclusive.read", lambda path: pytest.fail(f"{path} is read"))
    result = Result.of(success=True, loss=1.0, cost=1.5, attempt=3)
    trial = view.finished(scene.folder(1), TrialState(state.decision, state.start, End.RESULT, result))
    assert trial.spent == 5.5


def test_a_trial_may_end_while_the_heartbeat_looks_at_the_others(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A heartbeat's thread looks, and may hang at one; the worker itself learns of ends meanwhile."""
    view = context_of(scene, "me").view
    for number in range(1, 5):
        scene.claim(number, somewhere())
    view.join()
    looked = []

    def look(pending: Pending, _: float) -> None:
        looked.append(pending.folder.number)
        for number in set(view.pending) - {pending.folder.number}:
            del view.pending[number]

    monkeypatch.setattr(Pending, "observe_heartbeat", look)
    view.check_heartbeats()
    assert len(looked) > 1
