"""`neps.AskAndTell`: what is asked and told in which order, and what is refused."""

from __future__ import annotations

import copy
import math
import threading
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC
from pathlib import Path
from typing import Any, ClassVar

import pytest

import neps
from neps.errors import ArgumentError, NotPendingError, SamplerError
from neps.samplers import RandomSearch, Sampler
from neps.samplers._protocol import Wait

SPACE = {"x": neps.Float(0, 1)}
EPOCHS = {"x": neps.Float(0, 1), "epochs": neps.Integer(1, 9, is_fidelity=True)}
FIRST_COST = "trial 1 to return the first cost (expected_cost=… avoids this wait)"
ASK: Any = neps.AskAndTell  # untyped, so that it can be called wrongly


def search(**more: Any) -> neps.AskAndTell:
    arguments: dict[str, Any] = {"searcher": "random_search", "seed": 1}
    return neps.AskAndTell(SPACE, **arguments | more)


def asked(running: neps.AskAndTell) -> neps.Trial:
    trial = running.ask()
    assert trial is not None
    return trial


# In which order


def test_results_are_told_in_any_order_by_trial_or_by_number() -> None:
    running = search()
    first, second, third = asked(running), asked(running), asked(running)
    assert [trial.number for trial in (first, second, third)] == [1, 2, 3]
    running.tell(third, 0.3)
    running.tell(1, 0.1)
    running.tell(second.number, {"loss": 0.2})
    assert [trial.loss for trial in running.history] == [0.1, 0.2, 0.3]
    assert running.history.best_config == first.config


def test_none_says_that_a_result_is_needed_or_that_it_is_over() -> None:
    running = search(max_cost_total=2)
    first = asked(running)
    assert running.ask() is None
    assert not running.done
    assert running.reason == FIRST_COST
    running.tell(first, {"loss": 0.5, "cost": 1.5})
    second = asked(running)
    assert running.reason is None
    running.tell(second, {"loss": 0.5, "cost": 1.5})
    assert running.ask() is None
    assert running.done
    assert running.reason == "max_cost_total=2 is spent (3)"


def test_a_pool_of_threads_shares_one() -> None:
    """The loop of docs/ask-and-tell.md: never more than four at once, and each number once."""
    running, most = search(max_evaluations_total=40), threading.Semaphore(4)

    def train(x: Any) -> Any:
        assert most.acquire(blocking=False)
        most.release()
        return x

    futures: dict[Future[Any], neps.Trial] = {}
    with ThreadPoolExecutor(4) as pool:
        while True:
            while len(futures) < 4 and (trial := running.ask()) is not None:
                futures[pool.submit(train, **trial.config)] = trial
            if not futures:
                break
            for future in wait(futures, return_when=FIRST_COMPLETED).done:
                running.tell(futures.pop(future), future.result())
    assert [trial.number for trial in running.history.succeeded] == list(range(1, 41))


def test_threads_that_ask_and_tell_get_each_number_once() -> None:
    running = search(max_evaluations_total=200)

    def work() -> list[int]:
        numbers = []
        while (trial := running.ask()) is not None:
            running.tell(trial, trial.config["x"])
            numbers.append(trial.number)
        return numbers

    with ThreadPoolExecutor(4) as pool:
        parts = [pool.submit(work) for _ in range(4)]
        numbers = [number for part in parts for number in part.result()]
    assert sorted(numbers) == list(range(1, 201))


# What is asked


def test_a_promoted_trial_names_the_one_that_it_continues() -> None:
    running = neps.AskAndTell(EPOCHS, searcher="asha", seed=1)
    for _ in range(30):
        trial = asked(running)
        if trial.previous is not None:
            break
        running.tell(trial, trial.config["x"])
    before = running.history.by_number[trial.previous or 0]
    assert trial.config == dict(before.config) | {"epochs": trial.fidelity}
    assert (trial.fidelity or 0) > (before.fidelity or 0)


def test_what_is_done_to_a_configuration_changes_nothing() -> None:
    running = search()
    trial = asked(running)
    mine: Any = trial.config
    mine.pop("x")
    running.tell(trial, 0.5)
    assert running.history.trials[0].config.keys() == {"x"}


def test_the_same_seed_asks_the_same_and_a_drawn_one_is_told() -> None:
    assert asked(search()).config == asked(search()).config
    drawn = search(seed=None)
    assert asked(search(seed=drawn.history.seed)).config == asked(drawn).config


def test_settings_and_samplers_are_those_of_run() -> None:
    assert asked(neps.AskAndTell(SPACE, searcher=RandomSearch(), seed=1)).config == asked(search()).config
    grid = neps.AskAndTell(SPACE, searcher="grid_search", steps_per_parameter=3)
    assert [asked(grid).config["x"] for _ in range(3)] == [0.5, 0.0, 1.0]
    assert grid.ask() is None
    assert grid.done


def test_a_sampler_that_waits_for_nothing_is_an_error() -> None:
    class Waiting(Sampler):
        def settings(self) -> dict[str, Any]:
            return {}

        def decide(self, *_: object) -> Wait:
            return Wait("a miracle")

    with pytest.raises(SamplerError, match="nothing is pending at number 1: a miracle"):
        search(searcher=Waiting()).ask()


# What is told


def test_a_result_is_read_as_of_run_pipeline() -> None:
    running = neps.AskAndTell(EPOCHS, searcher="random_search", seed=1)
    trial = asked(running)
    told = running.tell(trial, {"loss": math.nan, "cost": 2, "learning_curve": [3, 2], "accuracy": 0.5})
    assert (told.succeeded, told.cost, dict(told.info_dict)) == (True, 2.0, {"accuracy": 0.5})
    assert [loss for _, loss in told.learning_curve] == [3.0, 2.0]
    assert told == running.history.trials[0]
    assert running.history.total_cost == 2
    assert told.claimed is not None
    assert told.claimed.tzinfo is UTC
    assert told.duration is not None
    assert told.duration >= 0
    assert running.history.to_dict()["trials"][0]["status"] == "success"


def test_a_failure_is_told_and_stops_nothing() -> None:
    running = search(loss_value_on_error=9.0, cost_value_on_error=0.5)
    try:
        int("memory")
    except ValueError as error:
        told = running.tell(asked(running), error)
    assert (told.succeeded, told.loss, told.cost) == (False, 9.0, 0.5)
    assert "ValueError: invalid literal for int()" in str(told.error)
    assert "test_api_asking" in str(told.error)
    assert asked(running).number == 2


@pytest.mark.parametrize("result", [None, "0.5", True, {"lost": 0.5}, {"loss": 0.5, "cost": -1}, ValueError])
def test_what_holds_no_loss_is_refused_and_can_be_told_again(result: Any) -> None:
    running = search()
    trial = asked(running)
    with pytest.raises(ArgumentError, match=r"Nothing was told of trial 1: (run_pipeline ret|the result is the text)"):
        running.tell(trial, result)
    assert not running.history.trials[0].ended
    assert running.tell(trial, 0.5).loss == 0.5


def test_a_missing_cost_is_refused_unless_it_was_said_what_it_counts() -> None:
    running = search(max_cost_total=3)
    trial = asked(running)
    with pytest.raises(ArgumentError, match="no cost, which max_cost_total=3 needs"):
        running.tell(trial, 0.5)
    assert running.tell(trial, {"loss": 0.5, "account_for_cost": False}).cost is None
    assert running.tell(asked(running), {"loss": 0.5, "cost": 9, "account_for_cost": False}).cost == 9
    assert running.history.total_cost == 0
    assert running.ask() is not None
    running = search(max_cost_total=3, cost_value_on_error=1)
    assert [running.tell(asked(running), 0.5).cost for _ in range(3)] == [1.0] * 3
    assert running.ask() is None


def test_a_result_is_told_once() -> None:
    running = search()
    trial = asked(running)
    running.tell(trial, 0.5)
    with pytest.raises(NotPendingError, match="trial 1 was told already, and stays as it is: <Trial 1: success"):
        running.tell(trial, 0.4)
    assert running.history.trials[0].loss == 0.5


def test_what_was_never_asked_for_is_refused() -> None:
    running = search()
    with pytest.raises(NotPendingError, match="trial 1 was never asked for; no trial is pending"):
        running.tell(1, 0.5)
    for _ in range(7):
        asked(running)
    with pytest.raises(NotPendingError, match=r"trial 8 was never .* trials are 1, 2, 3, 4, 5, …\. Ask first\."):
        running.tell(8, 0.5)
    for wrong in ("1", 1.0, None, {"x": 0.5}):
        with pytest.raises(ArgumentError, match="it must be a trial that ask returned, or its number"):
            running.tell(wrong, 0.5)  # type: ignore[arg-type]


def test_a_trial_of_another_search_is_refused() -> None:
    mine, other = search(), search(seed=2)
    asked(mine)
    with pytest.raises(NotPendingError, match="of another search"):
        mine.tell(asked(other), 0.5)
    mine.tell(copy.deepcopy(mine.history.trials[0]), 0.5)


# What it is made with


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n_trials": 3}, r"neps\.AskAndTell has no argument 'n_trials'\. Write max_evaluations_total=…"),
        ({"max_evaluation_total": 3}, "Did you mean 'max_evaluations_total'"),
        ({"searcher": "asha"}, "fidelity"),
        ({"searcher": "cost_cooling"}, "needs max_cost_total"),
        ({"max_fidelity_total": 3}, "max_fidelity_total is 3"),
        ({"max_cost_total": 0}, "max_cost_total is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"expected_cost": -1}, "expected_cost is -1"),
        ({"eta": 3}, r"neps\.AskAndTell has no argument 'eta' with the searcher 'random_search'"),
    ],
)
def test_a_wrong_argument_is_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        search(**arguments)
    with pytest.raises(ArgumentError, match=r"neps\.AskAndTell needs pipeline_space\."):
        ASK()


def test_its_own_repr_is_short() -> None:
    running = search()
    asked(running)
    assert repr(running) == "<AskAndTell: 1 trials, 1 pending>"
    assert "1 running" in str(running.history)


class TestNamedObjects:
    SPACE: ClassVar[dict[str, neps.Parameter]] = {"net": neps.Categorical({"small": list, "large": dict})}

    @pytest.mark.parametrize("with_root", [False, True])
    def test_the_loop_gets_objects_and_the_history_names(self, with_root: bool, tmp_path: Path) -> None:  # noqa: FBT001
        search = neps.AskAndTell(
            self.SPACE, root_directory=tmp_path if with_root else None, searcher="grid_search", seed=1
        )
        trial = search.ask()
        assert trial is not None
        net: Any = trial.config["net"]
        assert net in {list, dict}
        assert search.pending[0].config == trial.config
        search.tell(trial, 0.5)
        assert search.history.trials[0].config["net"] in {"small", "large"}
