"""The best of a run, followed in the results cache: bounded looks, each line once, and nothing odd believed."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from neps._ledger import incumbent as module
from neps._ledger.incumbent import Incumbent
from neps._ledger.layout import Layout
from neps._ledger.results_cache import ResultsCache, _checksum
from neps._trial import Decision, Result, Status, Trial


def success(number: int, loss: float, fidelity: float | None = None) -> Trial:
    decision = Decision(number=number, config={"x": 0.5}, fidelity=fidelity)
    return Trial(number=number, decision=decision, result=Result.of(success=True, loss=loss), status=Status.SUCCESS)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path, "run")


def test_the_best_of_all_workers(layout: Layout) -> None:
    incumbent = Incumbent(layout)
    incumbent.read_on()
    assert incumbent.complete
    assert incumbent.best is None
    for number, loss in enumerate([0.5, math.nan, 0.25, math.inf, 0.25], start=1):
        ResultsCache(layout, f"worker{number % 2}").append(success(number, loss))
    incumbent.read_on()
    assert incumbent.best == success(3, 0.25)
    assert incumbent.without_loss == {2, 4}
    ResultsCache(layout, "worker0").append(success(6, 0.125))
    incumbent.read_on()
    assert incumbent.best == success(6, 0.125)


def test_the_best_is_of_the_highest_fidelity(layout: Layout) -> None:
    for trial in (success(1, 0.1, fidelity=1), success(2, 0.5, fidelity=9), success(3, 0.2, fidelity=3)):
        ResultsCache(layout, "worker").append(trial)
    incumbent = Incumbent(layout)
    incumbent.read_on()
    assert incumbent.best == success(2, 0.5, fidelity=9)


def test_a_look_is_bounded_and_goes_on_where_the_last_one_ended(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of 20,000 trials: nobody reads ten megabytes at a time beside an evaluation."""
    for number in range(1, 101):
        ResultsCache(layout, f"worker{number % 3}").append(success(number, 1 / number))
    size = sum(path.stat().st_size for path in Path(layout.results_cache).iterdir())
    monkeypatch.setattr(module, "_PIECE", size // 8)
    incumbent, looks = Incumbent(layout), 0
    while not incumbent.complete:
        incumbent.read_on()
        looks += 1
    assert 8 <= looks <= 10
    assert incumbent.best == success(100, 0.01)


def test_what_is_odd_is_passed_over(layout: Layout) -> None:
    cache = ResultsCache(layout, "worker")
    cache.append(success(1, 0.5))
    ResultsCache(Layout(layout.root, "another"), "another").append(success(2, 0.1))
    path = Path(layout.results_cache) / "worker.jsonl"
    whole = path.read_bytes()
    torn = whole.replace(b" 1 {", b" 3 {")[:-1]
    path.write_bytes(b"{}\n" + whole + torn)
    (path.parent / "folder").mkdir()
    incumbent = Incumbent(layout)
    incumbent.read_on()
    assert incumbent.best == success(1, 0.5)
    path.write_bytes(path.read_bytes()[: -len(torn)])
    cache.append(success(4, 0.25))
    incumbent.read_on()
    assert incumbent.best == success(4, 0.25)


@pytest.mark.parametrize("payload", [[], {"result": {"loss": None}, "decision": {}}, {"result": {"loss": -1}}, 5])
def test_a_payload_that_is_no_trial_is_no_best(layout: Layout, payload: object) -> None:
    incumbent = Incumbent(layout)
    odd = [json.dumps(payload).encode(), b"[" * 100_000, json.dumps({"result": {"loss": 1}, "decision": {}}).encode()]
    lines = [b"%d %s" % (number, content) for number, content in enumerate(odd, start=1)]
    Path(layout.results_cache).mkdir(parents=True)
    Path(layout.results_cache, "odd.jsonl").write_bytes(b"".join(b"%s %s\n" % (_checksum("run", x), x) for x in lines))
    incumbent.read_on()
    assert incumbent.complete
    assert incumbent.best is None
    assert 3 in incumbent.succeeded
