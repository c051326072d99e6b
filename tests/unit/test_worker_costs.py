"""Costs that a budget needs: one that is missing loses no loss, and seconds may be the cost."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

import neps
from neps._budget import Budget
from neps._fidelity import Brackets
from neps._history import History
from neps._trial import Decision, Result, Status, Trial
from neps.errors import ArgumentError, EvaluationError
from neps.samplers._single_fidelity.cost_cooling import _cooled
from neps.space import SearchSpace
from rigs.waiting import wait_until

SPACE = {"x": neps.Float(0, 1)}
FOREVER = 60.0


def search(root: Path, run_pipeline: Any, **more: Any) -> neps.History:
    arguments: dict[str, Any] = {
        "searcher": "random_search",
        "seed": 1,
        "max_cost_total": 10,
        "post_run_summary": False,
    } | more
    return neps.run(run_pipeline, root, SPACE, **arguments)


def without(x: float) -> dict[str, float]:
    return {"loss": x, "accuracy": 1 - x}


def costly(x: float) -> dict[str, float]:
    return {"loss": x, "cost": 2}


def missing(root: Path, **more: Any) -> str:
    with pytest.raises(EvaluationError) as raised:
        search(root, without, max_evaluations_total=9, **more)
    return str(raised.value)


def test_a_missing_cost_is_met_at_the_first_evaluation_and_its_loss_is_kept(tmp_path: Path) -> None:
    message = missing(tmp_path)
    for part in ("trial 1 returned the loss", "max_cost_total=10", 'cost="duration"', "cost_value_on_error=…"):
        assert part in message
    history = neps.load(tmp_path)
    (trial,) = history.trials
    assert (trial.status, trial.cost, trial.attempts) == (Status.SUCCESS, None, 1)
    assert trial.loss == trial.config["x"]
    assert trial.info_dict == {"accuracy": 1 - float(trial.config["x"] or 0)}
    assert history.best is trial
    result = yaml.safe_load((tmp_path / "config_1/result.yaml").read_bytes())
    assert (result["status"], result["loss"]) == ("success", trial.loss)
    assert not {"cost", "error"} & result.keys()


def test_it_counts_at_cost_value_on_error_once_that_is_given(tmp_path: Path) -> None:
    missing(tmp_path)
    missing(tmp_path)
    history = search(tmp_path, without, cost_value_on_error=2.5)
    assert [trial.cost for trial in history.trials] == [None, None, 2.5, 2.5]
    assert all(trial.succeeded for trial in history.trials)
    assert len(search(tmp_path, costly, cost_value_on_error=2.5, max_cost_total=14).trials) == 6


def test_it_counts_nothing_once_costs_are_returned(tmp_path: Path) -> None:
    missing(tmp_path)
    assert [trial.cost for trial in search(tmp_path, costly).trials] == [None, 2, 2, 2, 2, 2]


def test_a_trial_that_failed_without_a_cost_stays_so(tmp_path: Path) -> None:
    def fail(x: float) -> float:
        raise ValueError(x)

    with pytest.raises(EvaluationError, match="trial 1 failed"):
        search(tmp_path, fail)
    assert [trial.cost for trial in search(tmp_path, costly, cost_value_on_error=7).trials] == [None, 2, 2, 2, 2, 2]


def test_a_cost_that_does_not_count_may_be_missing(tmp_path: Path) -> None:
    def free(x: float) -> dict[str, Any]:
        return {"loss": x, "account_for_cost": False}

    assert len(search(tmp_path, free, max_evaluations_total=3).succeeded) == 3


def test_a_worker_that_waited_for_the_first_cost_does_not_lose_an_evaluation_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "neps")
    both = threading.Event()
    errors: list[BaseException] = []

    def first(x: float) -> float:
        assert both.wait(FOREVER)
        return x

    def start() -> None:
        try:
            search(tmp_path, first)
        except EvaluationError as error:
            errors.append(error)

    def second(x: float) -> float:
        pytest.fail("it was evaluated")

    one = threading.Thread(target=start)
    one.start()
    wait_until((tmp_path / "config_1/trial.yaml").exists, FOREVER, "a claim")
    two = threading.Thread(target=search, args=(tmp_path, second))
    two.start()
    wait_until(lambda: "trial 1 to return the first cost" in caplog.text, FOREVER, "its wait")
    both.set()
    for thread in (one, two):
        thread.join(FOREVER)
        assert not thread.is_alive()
    assert len(errors) == 1
    assert len(neps.load(tmp_path).trials) == 1
    assert "leaves: trial 1 returned no cost, which max_cost_total=10 needs" in caplog.text


# Seconds


def test_seconds_are_the_cost(tmp_path: Path) -> None:
    history = search(tmp_path, costly, cost="duration", max_evaluations_total=2)
    for trial in history.trials:
        assert trial.cost == trial.duration
        assert trial.info_dict == {"cost": 2}
    assert history.total_cost == pytest.approx(sum(trial.duration or 0 for trial in history.trials))


def test_a_failure_costs_its_seconds_too(tmp_path: Path) -> None:
    def fail(x: float) -> float:
        raise ValueError(x)

    history = search(tmp_path, fail, cost="duration", ignore_errors=True, max_evaluations_total=2)
    assert [trial.status for trial in history.trials] == [Status.FAILED] * 2
    assert all(trial.cost == trial.duration for trial in history.trials)
    tolerated = search(tmp_path, fail, cost="duration", loss_value_on_error=9, max_evaluations_total=3).trials[-1]
    assert (tolerated.loss, tolerated.cost) == (9, tolerated.duration)


def test_a_budget_of_seconds_ends_a_run(tmp_path: Path) -> None:
    history = search(tmp_path, lambda x: x, cost="duration", max_cost_total=1e-6, max_evaluations_total=50)
    assert 1 <= len(history.trials) < 50


@pytest.mark.parametrize("value", ["seconds", "durations", None, True])
def test_another_cost_is_refused(tmp_path: Path, value: Any) -> None:
    with pytest.raises(ArgumentError, match=r"cost is .*; it must be 'returned' or 'duration'"):
        search(tmp_path / "a", costly, cost=value)


def test_cost_cooling_counts_what_is_missing() -> None:
    decision = Decision(number=1, config={"x": 0.5}, metadata={"by": "model"})
    trial = Trial(number=1, decision=decision, result=Result.of(success=True, loss=0.5), status=Status.SUCCESS)
    history = History(SearchSpace(SPACE), {1: trial}, 0, Brackets())
    assert _cooled(history, Budget(max_cost_total=10)) == 1.0
    assert _cooled(history, Budget(max_cost_total=10, cost_if_missing=4)) == pytest.approx(0.6)
