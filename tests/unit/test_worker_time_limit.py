"""max_seconds_per_trial, through neps.run: what a trial comes to, and that the worker goes on."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import neps
from neps._ledger import documents
from neps._ledger.handed_back import HandedBack
from neps._ledger.layout import Layout
from neps._ledger.trial_folder import TrialFolder

LIMIT = 0.05


def search(root: Path, run_pipeline: Any, **more: Any) -> neps.History:
    usual: dict[str, Any] = {"searcher": "random_search", "seed": 1, "post_run_summary": False, "progress": False}
    usual |= {"max_evaluations_total": 2, "max_seconds_per_trial": LIMIT}
    return neps.run(run_pipeline, root, {"x": neps.Float(0, 1)}, **(usual | more))


def never_ending(x: float) -> float:
    for step in itertools.count(1):
        neps.report(step, x / step)
        time.sleep(0.001)
    return x


def polite(x: float) -> float:
    for step in itertools.count(1):
        neps.report(step, 1 / step)
        if neps.current_trial().should_stop():
            return 1 / step
    return x


def test_it_fails_at_its_next_report_and_the_worker_goes_on(tmp_path: Path) -> None:
    history = search(tmp_path, never_ending)
    assert [trial.status for trial in history.trials] == ["failed", "failed"]
    for trial in history.trials:
        said = "TimeLimitError: the evaluation took longer than max_seconds_per_trial=0.05"
        assert str(trial.error).startswith(said)
        assert "in never_ending" in str(trial.error)
        assert trial.duration is not None
        assert trial.duration >= LIMIT
        assert trial.learning_curve[0][0] == 1.0


def test_values_on_errors_are_recorded(tmp_path: Path) -> None:
    values = {"loss_value_on_error": 9.0, "cost_value_on_error": 3.0}
    history = search(tmp_path, never_ending, max_evaluations_total=None, max_cost_total=6, **values)
    assert [(trial.status, trial.loss, trial.cost) for trial in history.trials] == [("failed", 9.0, 3.0)] * 2


def test_a_budget_of_costs_needs_to_know_theirs(tmp_path: Path) -> None:
    with pytest.raises(neps.errors.ArgumentError, match="max_seconds_per_trial with max_cost_total needs"):
        search(tmp_path, never_ending, max_cost_total=6)
    search(tmp_path, lambda x: {"loss": x, "cost": 1}, max_cost_total=6, cost="duration")


def test_it_may_end_at_its_last_report(tmp_path: Path) -> None:
    history = search(tmp_path, never_ending, on_time_limit="last_report")
    for trial in history.trials:
        assert trial.succeeded
        step, loss = trial.learning_curve[-1]
        assert trial.loss == loss == trial.config["x"] / step  # type: ignore[operator]
        assert trial.info_dict == {"max_seconds_per_trial": LIMIT, "last_step": step}
        assert trial.error is None
    assert neps.load(tmp_path).best_config is not None


@pytest.mark.parametrize("on_time_limit", ["fail", "last_report"])
def test_without_a_report_it_fails_in_any_case(tmp_path: Path, on_time_limit: str) -> None:
    def run_pipeline(x: float, pipeline_directory: Path) -> float:
        while True:
            neps.checkpoint.load(pipeline_directory)
            time.sleep(0.001)

    (trial,) = search(tmp_path, run_pipeline, max_evaluations_total=1, on_time_limit=on_time_limit).trials
    assert (trial.status, trial.loss) == ("failed", None)


@pytest.mark.parametrize("on_time_limit", ["fail", "last_report"])
def test_what_it_returns_after_it_was_told_is_its_result(tmp_path: Path, on_time_limit: str) -> None:
    history = search(tmp_path, polite, on_time_limit=on_time_limit)
    for trial in history.trials:
        assert trial.succeeded
        assert trial.loss == trial.learning_curve[-1][1]
        assert trial.info_dict == {}


def test_other_errors_still_stop_the_worker(tmp_path: Path) -> None:
    def run_pipeline(x: float) -> float:
        raise ValueError("a bug")

    with pytest.raises(neps.errors.EvaluationError, match="a bug"):
        search(tmp_path, run_pipeline, max_seconds_per_trial=5000)


def test_the_time_of_attempts_that_were_handed_back_counts(tmp_path: Path) -> None:
    left: list[float] = []

    def run_pipeline(x: float) -> float:
        left.append(neps.current_trial().seconds_left or 0.0)
        if len(left) == 1:
            time.sleep(0.1)
            raise KeyboardInterrupt
        return x

    one = {"max_seconds_per_trial": 5000, "max_evaluations_total": 1}
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, run_pipeline, **one)
    end = documents.load(str(tmp_path / "config_1" / "attempt_1.end.yaml"))
    assert end is not None
    assert end["seconds"] >= 0.1
    search(tmp_path, run_pipeline, **one)
    assert left[1] <= 5000 - end["seconds"]


def test_a_retry_has_all_of_it_again(tmp_path: Path) -> None:
    left: list[float] = []

    def run_pipeline(x: float) -> float:
        left.append(neps.current_trial().seconds_left or 0.0)
        if len(left) == 1:
            raise KeyboardInterrupt
        if len(left) == 2:
            raise ValueError("a bug")
        return x

    one = {"max_seconds_per_trial": 5000, "max_evaluations_total": 1}
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, run_pipeline, **one)
    path = tmp_path / "config_1" / "attempt_1.end.yaml"
    path.write_text(path.read_text().replace("seconds: ", "seconds: 3000\nmeasured: "))
    with pytest.raises(neps.errors.EvaluationError):
        search(tmp_path, run_pipeline, **one)
    neps.retry(tmp_path, failed=True)
    search(tmp_path, run_pipeline, **one)
    assert left[1] < 2000
    assert min(left[0], left[2]) > 4000


CHILD = """
import sys, neps
neps.checkpoint.load(sys.argv[1])
neps.report(1, 0.5)
neps.checkpoint.save(sys.argv[1], b"1", "state", write=lambda state, file: file.write(state))
assert neps.current_trial().should_stop()
"""


def hand_back(root: Path, used: float, **more: Any) -> None:
    """A trial that was handed back, and has used so many seconds."""

    def interrupted(x: float) -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(root, interrupted, max_evaluations_total=1, **more)
    path = root / "config_1" / "attempt_1.end.yaml"
    path.write_text(path.read_text().replace("seconds: ", f"seconds: {used}\nmeasured: "))


@pytest.mark.parametrize("where", ["here", "in a child"])
@pytest.mark.parametrize("used", [4999.999, 9000.0], ids=["little left", "nothing left"])
def test_a_resumed_trial_may_ask_before_it_fails(tmp_path: Path, used: float, where: str) -> None:
    def run_pipeline(x: float, pipeline_directory: Path) -> float:
        if where == "in a child":
            subprocess.run([sys.executable, "-c", CHILD, pipeline_directory], check=True, timeout=120)
            return x
        neps.checkpoint.load(pipeline_directory)
        time.sleep(0.002)  # an epoch
        neps.checkpoint.save(pipeline_directory, b"1", "state", write=lambda state, file: file.write(state))
        neps.report(1, x)
        assert neps.current_trial().should_stop()
        return x

    hand_back(tmp_path, used, max_seconds_per_trial=5000)
    (trial,) = search(tmp_path, run_pipeline, max_evaluations_total=1, max_seconds_per_trial=5000).trials
    assert (trial.error, trial.attempts, trial.loss) == (None, 2, trial.config["x"])


@pytest.mark.parametrize("asks", [True, False])
def test_a_resumed_trial_that_goes_on_all_the_same_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, asks: bool
) -> None:
    monkeypatch.setattr("neps._evaluation.stopping.MARGIN", 0.05)

    def run_pipeline(x: float) -> float:
        for step in itertools.count(1):
            neps.report(step, x)
            if asks:
                neps.current_trial().should_stop(margin=0.05)
            time.sleep(0.001)
        return x

    hand_back(tmp_path, 9000.0, max_seconds_per_trial=5000)
    (trial,) = search(tmp_path, run_pipeline, max_evaluations_total=1, max_seconds_per_trial=5000).trials
    assert (trial.status, trial.attempts) == ("failed", 2)
    said = "max_seconds_per_trial=5000, with the earlier attempts that were handed back"
    assert str(trial.error).startswith(f"TimeLimitError: the evaluation took longer than {said}")


def test_how_often_it_asks_is_handed_on(tmp_path: Path) -> None:
    def run_pipeline(x: float) -> float:
        neps.current_trial().should_stop(margin=7000)
        neps.current_trial().should_stop(margin=7000)
        raise KeyboardInterrupt

    one = {"max_evaluations_total": 1, "max_seconds_per_trial": 5000}
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, run_pipeline, **one)
    end = documents.load(str(tmp_path / "config_1" / "attempt_1.end.yaml"))
    assert end is not None
    assert 7000 <= end["asks_within"] < 7100
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, run_pipeline, **one)
    earlier = HandedBack.before(TrialFolder(Layout(str(tmp_path)), 1), 2)
    assert earlier == HandedBack(end["seconds"], end["asks_within"])


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"max_seconds_per_trial": 0}, "max_seconds_per_trial is 0"),
        ({"on_time_limit": "stop"}, "on_time_limit is 'stop'"),
        (
            {"on_time_limit": "last_report", "max_seconds_per_trial": None},
            "on_time_limit is 'last_report', but no max_seconds_per_trial is given",
        ),
    ],
)
def test_arguments_are_checked_before_anything_is_written(tmp_path: Path, more: dict[str, Any], said: str) -> None:
    with pytest.raises(neps.errors.ArgumentError, match=said):
        search(tmp_path / "root", polite, **more)
    assert not (tmp_path / "root").exists()


def test_all_ranks_have_to_be_called_with_the_same_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[dict[str, str]] = []
    monkeypatch.setattr("neps._distributed.following.follow", lambda _group, arguments, *_: called.append(arguments))
    rank = {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}
    for name, value in (rank | {"TORCHELASTIC_RUN_ID": "run"}).items():
        monkeypatch.setenv(name, value)
    for more in ({}, {"max_seconds_per_trial": 7.0}, {"on_time_limit": "last_report"}):
        search(tmp_path, polite, **more)
    usual, longer, other = called
    unlike = [{name for name in usual if usual[name] != each[name]} for each in (longer, other)]
    assert unlike == [{"max_seconds_per_trial"}, {"on_time_limit"}]
