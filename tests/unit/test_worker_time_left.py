"""Nothing is begun for which the job has too little time left, and never is a whole job idle for that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import neps
from neps._evaluation.walltime import Walltime
from neps._outcome import Result
from neps._trial import Decision, Trial
from neps._worker.time_left import TimeLeft


class Job(Walltime):
    """A job of which a test says how much is left."""

    def __init__(self, left: float | None, whole: float = 1000.0, asked_again: float | None = None) -> None:
        super().__init__({})
        self.says, self.of, self.asked_again = left, whole, asked_again

    @property
    def known(self) -> float | None:
        return self.says

    @property
    def whole(self) -> float:
        return self.of

    @property
    def may_end(self) -> bool:
        return True

    def latest(self) -> float | None:
        return self.says if self.asked_again is None else self.asked_again


def decision(number: int, epochs: float | None = None, previous: int | None = None) -> Decision:
    return Decision(number=number, config={}, fidelity=epochs, previous=previous)


def took(seconds: float | None, decided: Decision, *, success: bool = True) -> Trial:
    result = Result.of(success=success, loss=0.5, duration=seconds)
    status = neps.Status.SUCCESS if success else neps.Status.FAILED
    return Trial(number=decided.number, decision=decided, result=result, status=status)


def lacks(
    job: Job, *trials: Trial, begun: bool = True, most: float | None = None, next_: Decision | None = None
) -> bool:
    time_left = TimeLeft(job, most)
    for trial in trials:
        time_left.seen(trial)
        time_left.seen(trial)  # whoever tells may tell it again
    time_left.begun = begun
    return time_left.lacks(next_ or decision(9)) is not None


def test_what_takes_longer_than_is_left_is_not_begun() -> None:
    trials = [took(80, decision(1)), took(120, decision(2))]
    assert lacks(Job(99), *trials)
    assert not lacks(Job(101), *trials)
    said = TimeLeft(Job(99))
    said.begun = True
    said.seen(took(100, decision(1)))
    assert said.lacks(decision(2)) == (
        "99 s of the job's walltime are left, and a trial like the next one takes 100 s on average"
    )


def test_the_same_step_of_fidelity_counts() -> None:
    trials = [took(10, decision(1, 1)), took(20, decision(2, 3, previous=1)), took(270, decision(3, 27))]
    assert not lacks(Job(100), *trials, next_=decision(9, 3, previous=1))
    assert lacks(Job(100), *trials, next_=decision(9, 27))
    assert not lacks(Job(100), *trials, next_=decision(9, 9)), "9 epochs, at 10 s each"
    assert lacks(Job(80), *trials, next_=decision(9, 9))


@pytest.mark.parametrize(
    ("job", "trials", "more"),
    [
        (Job(None), [took(100, decision(1))], {}),
        (Job(1), [took(100, decision(1))], {"begun": False}),
        (Job(1), [], {}),
        (Job(1), [took(None, decision(1)), took(100, decision(2), success=False)], {}),
        (Job(1, whole=99), [took(100, decision(1))], {}),
        (Job(51), [took(100, decision(1))], {"most": 50.0}),
        (Job(1, asked_again=3600), [took(100, decision(1))], {}),
    ],
    ids=[
        "no job",
        "the worker's first",
        "nothing has ended",
        "nobody knows how long they take",
        "longer than any job",
        "no longer than max_seconds_per_trial",
        "the job was given more time",
    ],
)
def test_all_else_is_begun(job: Job, trials: list[Trial], more: dict[str, Any]) -> None:
    assert not lacks(job, *trials, **more)


def search(root: Path, run_pipeline: Any, **more: Any) -> neps.History:
    usual: dict[str, Any] = {"searcher": "random_search", "seed": 1, "post_run_summary": False, "progress": False}
    return neps.run(run_pipeline, root, {"x": neps.Float(0, 1)}, **(usual | {"max_evaluations_total": 5} | more))


@pytest.mark.parametrize("searcher", ["random_search", "bayesian_optimization"])
@pytest.mark.parametrize("stays", [True, False])
def test_a_worker_leaves_cleanly_and_the_next_job_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, searcher: str, *, stays: bool
) -> None:
    job = Job(1000.0)
    monkeypatch.setattr("neps._worker.session.WALLTIME", job)

    def run_pipeline(x: float) -> float:
        if neps.current_trial().number == 3:
            job.says = 0.0
        return x

    more = {"searcher": searcher, "continue_until_max_evaluation_completed": stays}
    with caplog.at_level("INFO"):
        history = search(tmp_path, run_pipeline, **more)
    assert len(history.trials) == 3
    assert "leaves: 0 s of the job's walltime are left, and a trial like the next one takes 0 s" in caplog.text
    assert job.says == 0
    assert len(search(tmp_path, run_pipeline, **more).trials) == 4
    monkeypatch.setattr("neps._worker.session.WALLTIME", Walltime({}))
    assert len(search(tmp_path, run_pipeline, **more).trials) == 5


@pytest.mark.parametrize("more", [{}, {"max_evaluations_total": 2}], ids=["some left", "none left to claim"])
@pytest.mark.parametrize("stays", [True, False])
def test_nor_is_a_trial_resumed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    more: dict[str, Any],
    *,
    stays: bool,
) -> None:
    def left(x: float) -> float:
        if neps.current_trial().number == 1:
            search(tmp_path, left)  # another worker, which claims the second trial
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, left)
    assert [trial.status for trial in neps.load(tmp_path).trials] == ["waiting", "waiting"]
    job = Job(1000.0)
    monkeypatch.setattr("neps._worker.session.WALLTIME", job)
    begun: list[int] = []

    def last(x: float) -> float:
        begun.append(neps.current_trial().number)
        job.says = 0.0
        return x

    with caplog.at_level("INFO"):
        search(tmp_path, last, continue_until_max_evaluation_completed=stays, **more)
    assert begun == [1], "the first is begun in any case, and nothing after it"
    assert "leaves: 0 s of the job's walltime are left" in caplog.text


def test_nothing_that_runs_elsewhere_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    job = Job(1000.0)
    monkeypatch.setattr("neps._worker.session.WALLTIME", job)

    def run_pipeline(x: float) -> object:
        if neps.current_trial().number == 1:
            return neps.PENDING
        job.says = 0.0
        return x

    with caplog.at_level("INFO"):
        search(tmp_path, run_pipeline, continue_until_max_evaluation_completed=True, max_seconds_per_run=60)
    assert "leaves: 0 s of the job's walltime are left" in caplog.text


@pytest.mark.parametrize("told", ["returns", "exits"])
def test_a_trial_that_was_told_to_stop_is_handed_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, told: str
) -> None:
    monkeypatch.setattr("neps._worker.session.WALLTIME", Job(30.0))

    def run_pipeline(x: float) -> float:
        neps.report(1, x)
        assert not neps.current_trial().should_stop(margin=0)
        assert neps.current_trial().should_stop()
        if told == "exits":
            raise SystemExit(3)
        return x

    with caplog.at_level("INFO"):
        if told == "exits":
            with pytest.raises(SystemExit):
                search(tmp_path, run_pipeline)
        else:
            search(tmp_path, run_pipeline)
    (trial,) = neps.load(tmp_path).trials
    assert (trial.status, trial.attempts) == ("waiting", 1)
    assert "handed back, to be resumed by any worker: interrupted by the end of the job's walltime" in caplog.text
    assert "end: left" in (tmp_path / "config_1" / "attempt_1.end.yaml").read_text()
