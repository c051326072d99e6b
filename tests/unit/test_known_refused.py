"""What was enqueued, and is forbidden by the time it would be taken: it is passed over, and the rest goes on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import neps
from neps._queue import Queue
from neps._trial import Decision, Entry, Trial
from neps.space import Float, Integer, SearchSpace

Rule = Callable[[dict[str, Any]], bool]


def never(config: dict[str, Any]) -> bool:
    """Nothing is forbidden."""
    return bool(config["x"] < 0)


def halves(config: dict[str, Any]) -> bool:
    """What `never` has become; neps.yaml has the name alone."""
    return bool(config["x"] == 0.5)


halves.__name__ = never.__name__


def run(root: Path, total: int, rule: Rule, searcher: str = "random_search", **arguments: Any) -> neps.History:
    arguments = {"pipeline_space": SearchSpace({"x": Float(0, 1)}, forbid=[rule])} | arguments
    return neps.run(
        lambda x: x,
        root,
        searcher=searcher,
        seed=1,
        max_evaluations_total=total,
        progress=False,
        post_run_summary=False,
        **arguments,
    )


def xs(history: neps.History) -> list[object]:
    return [trial.config["x"] for trial in history]


@pytest.mark.parametrize("searcher", ["random_search", "regularized_evolution"])
def test_one_that_is_forbidden_by_now_is_passed_over_named_and_taken_once_it_is_allowed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, searcher: str
) -> None:
    run(tmp_path, 1, never, searcher)
    neps.enqueue(tmp_path, [{"x": 0.25}, {"x": 0.5}, {"x": 0.75}])
    with caplog.at_level(logging.WARNING):
        history = run(tmp_path, 4, halves, searcher)
    assert xs(history)[1:3] == [0.25, 0.75]
    assert [trial.enqueued for trial in history] == [False, True, True, False]
    said = [record.getMessage() for record in caplog.records if "is passed over" in record.getMessage()]
    assert len(said) == 1
    assert "configs[1] of " in said[0]
    assert "known_1.yaml" in said[0]
    assert "never says so" in said[0]
    assert xs(run(tmp_path, 5, never, searcher))[4] == 0.5


@pytest.mark.parametrize("searcher", ["random_search", "regularized_evolution"])
def test_in_the_place_of_a_first_one_that_is_forbidden_by_now_the_searcher_decides(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, searcher: str
) -> None:
    first = [{"x": 0.125}, {"x": 0.5}, {"x": 0.75}]
    run(tmp_path, 1, never, searcher, first_configs=first)
    with caplog.at_level(logging.WARNING):
        history = run(tmp_path, 6, halves, searcher)
    assert [trial.enqueued for trial in history] == [True, False, True, False, False, False]
    assert "first_configs[1] of the run is passed over" in caplog.text
    assert "Trial 2 evaluates another configuration" in caplog.text
    alone = run(tmp_path / "alone", 4, never, searcher)
    drawn = [trial.config["x"] for trial in history if not trial.enqueued]
    assert len(set(drawn)) == 4
    if searcher == "random_search":
        assert drawn == xs(alone)


def test_a_grid_is_complete_where_a_first_one_was_passed_over(tmp_path: Path) -> None:
    def space(rule: Rule) -> SearchSpace:
        return SearchSpace({"x": Integer(1, 6)}, forbid=[rule])

    def threes(config: Mapping[str, Any]) -> bool:
        return bool(config["x"] == 3)

    threes.__name__ = never.__name__
    neps.AskAndTell(
        space(never),
        root_directory=tmp_path,
        searcher="grid_search",
        seed=1,
        first_configs=[{"x": 3}, {"x": 5}],
    )
    history = run(tmp_path, 20, threes, "grid_search", pipeline_space=space(threes))
    assert xs(history)[1] == 5
    assert sorted(set(xs(history))) == [1, 2, 4, 5, 6]  # type: ignore[type-var]
    assert len(history.trials) == 6


def test_who_is_refused_is_no_longer_awaited_and_nobody_draws_what_stands_in_its_place() -> None:
    queue = Queue([{"x": 1}, {"x": 2}])
    assert queue.waiting == 2
    queue.refuse(Entry(0, 1))
    assert (queue.next(1), queue.index(1)) == (None, 1)
    queue.seen(Trial(number=1, decision=Decision(number=1, config={}, index=1)))
    assert (queue.next(2), queue.waiting) == (Entry(0, 2), 1)
    queue.seen(Trial(number=2, decision=Decision(number=2, config={}, entry=Entry(0, 2))))
    assert (queue.index(3), queue.waiting) == (2, 0)


def test_what_waits_costs_nothing_until_it_is_taken(tmp_path: Path) -> None:
    """A list may have 100,000 configurations, which a worker reads beside its heartbeat."""
    asked = []

    def rule(config: Mapping[str, Any]) -> bool:
        asked.append(config["x"])
        return False

    rule.__name__ = never.__name__
    run(tmp_path, 1, never)
    queued = [(index + 1) / 1000 for index in range(500)]
    neps.enqueue(tmp_path, [{"x": x} for x in queued])
    history = run(tmp_path, 3, rule)
    assert xs(history)[1:] == [0.001, 0.002]
    assert len(set(asked) & set(queued[2:])) < 20
