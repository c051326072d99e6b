"""The best of a run, followed in the accelerator: bounded looks, every line once, and nothing that is odd believed."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from neps.ledger import following
from neps.ledger.accelerator import Accelerator
from neps.ledger.following import Follower
from neps.ledger.layout import Layout
from neps.trial import Decision, Result, Status, Trial


def success(number: int, loss: float, fidelity: float | None = None) -> Trial:
    decision = Decision(number=number, config={"x": 0.5}, fidelity=fidelity)
    return Trial(number=number, decision=decision, result=Result.of(success=True, loss=loss), status=Status.SUCCESS)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path, "run")


def test_the_best_of_all_workers(layout: Layout) -> None:
    follower = Follower(layout)
    follower.look()
    assert follower.complete
    assert follower.best is None
    for number, loss in enumerate([0.5, math.nan, 0.25, math.inf, 0.25], start=1):
        Accelerator(layout, f"worker{number % 2}").append(success(number, loss))
    follower.look()
    assert follower.best == success(3, 0.25)
    assert follower.without_loss == {2, 4}
    Accelerator(layout, "worker0").append(success(6, 0.125))
    follower.look()
    assert follower.best == success(6, 0.125)


def test_the_best_is_of_the_highest_fidelity(layout: Layout) -> None:
    for trial in (success(1, 0.1, fidelity=1), success(2, 0.5, fidelity=9), success(3, 0.2, fidelity=3)):
        Accelerator(layout, "worker").append(trial)
    follower = Follower(layout)
    follower.look()
    assert follower.best == success(2, 0.5, fidelity=9)


def test_a_look_is_bounded_and_goes_on_where_the_last_one_ended(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of 20,000 trials: nobody reads ten megabytes at a time beside an evaluation."""
    for number in range(1, 101):
        Accelerator(layout, f"worker{number % 3}").append(success(number, 1 / number))
    size = sum(path.stat().st_size for path in Path(layout.accelerator).iterdir())
    monkeypatch.setattr(following, "_PIECE", size // 8)
    follower, looks = Follower(layout), 0
    while not follower.complete:
        follower.look()
        looks += 1
    assert 8 <= looks <= 10
    assert follower.best == success(100, 0.01)


def test_what_is_odd_is_passed_over(layout: Layout) -> None:
    accelerator = Accelerator(layout, "worker")
    accelerator.append(success(1, 0.5))
    Accelerator(Layout(layout.root, "another"), "another").append(success(2, 0.1))
    path = Path(layout.accelerator) / "worker.jsonl"
    whole = path.read_bytes()
    torn = whole.replace(b" 1 {", b" 3 {")[:-1]
    path.write_bytes(b"{}\n" + whole + torn)
    (path.parent / "folder").mkdir()
    follower = Follower(layout)
    follower.look()
    assert follower.best == success(1, 0.5)
    path.write_bytes(path.read_bytes()[: -len(torn)])
    accelerator.append(success(4, 0.25))
    follower.look()
    assert follower.best == success(4, 0.25)


@pytest.mark.parametrize("payload", [[], {"result": {"loss": None}, "decision": {}}, {"result": {"loss": -1}}, 5])
def test_a_payload_that_is_no_trial_is_no_best(layout: Layout, payload: object) -> None:
    follower = Follower(layout)
    follower._see(1, json.dumps(payload).encode())
    follower._see(2, b"[" * 100_000)
    follower._see(3, json.dumps({"result": {"loss": 1}, "decision": {}}).encode())
    assert follower.best is None
