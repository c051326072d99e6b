"""A job that is too short for a trial doesn't hand it back for ever, and one that gets somewhere may do so for ever."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import neps
from neps._ledger import documents
from neps._worker import anew
from unit.test_worker_time_left import Job

Work = Callable[[Path, int], object]


def search(root: Path, run_pipeline: Callable[..., Any], most: int) -> neps.History:
    usual: dict[str, Any] = {"searcher": "random_search", "seed": 1, "post_run_summary": False, "progress": False}
    return neps.run(run_pipeline, root, {"x": neps.Float(0, 1)}, max_evaluations_total=most, **usual)


class Jobs:
    """One job after the other: each has one worker, whose evaluation goes on until it is told to stop."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self._monkeypatch = root, monkeypatch
        self.had = 0

    def run(self, work: Work = lambda *_: None, left: float = 1000.0, whole: float | None = None) -> neps.Trial:
        """A job of so many seconds, of which so many are left when its worker begins."""
        job = Job(left, left if whole is None else whole)
        self._monkeypatch.setattr("neps._worker.session.WALLTIME", job)
        self.had += 1

        def run_pipeline(x: float, pipeline_directory: Path) -> float:
            assert left <= 60 or not neps.current_trial().should_stop()
            work(pipeline_directory, self.had)
            job.says = min(left, 59.0)
            assert neps.current_trial().should_stop()
            return x

        search(self.root, run_pipeline, 1)
        return self.trial

    @property
    def trial(self) -> neps.Trial:
        (trial,) = neps.load(self.root).trials
        return trial

    def end(self, attempt: int) -> dict[str, Any]:
        end = documents.load(str(self.root / "config_1" / f"attempt_{attempt}.end.yaml"))
        assert end is not None
        return dict(end)


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    return Jobs(tmp_path, monkeypatch)


def test_one_that_is_shorter_than_the_margin_ends_by_an_error(jobs: Jobs) -> None:
    for _ in range(4):
        with pytest.raises(neps.errors.LaunchError) as raised:
            jobs.run(left=50.0)
    said = str(raised.value)
    assert said.startswith("this job is too short: 50 s of its walltime were left when its first evaluation began")
    assert "should_stop(margin=60)" in said
    assert "Give the jobs more time (sbatch --time)" in said
    assert jobs.trial.status == "waiting", "that isn't the trial's fault"
    assert "job_too_short" not in jobs.end(4)


def test_a_trial_that_no_job_has_time_for_fails_in_the_end(jobs: Jobs, caplog: pytest.LogCaptureFixture) -> None:
    for attempt in (1, 2):
        assert jobs.run().status == "waiting"
        assert jobs.end(attempt)["job_too_short"] is True
        assert (
            "The job was too short for trial 1: it had 1000 s of walltime, and the trial made no progress"
            in caplog.text
        )
        assert f"such attempts; so far: {attempt}." in caplog.text
    with pytest.raises(neps.errors.EvaluationError, match="given up after 3 attempts whose jobs were too short"):
        jobs.run()
    assert jobs.trial.status == "failed"
    assert "Give the jobs more time (sbatch --time), or save and report more often." in str(jobs.trial.error)
    neps.retry(jobs.root, 1)
    assert jobs.run().status == "waiting", "they are counted anew"


@pytest.mark.parametrize("margin", [60.0, 2000.0])
def test_it_is_the_same_where_a_child_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, margin: float) -> None:
    monkeypatch.setattr("neps._worker.session.WALLTIME", Job(1000.0))

    def run_pipeline(x: float) -> float:
        ask = f"import neps; assert neps.current_trial().should_stop(margin={margin})"
        environment = {**os.environ, "NEPS_JOB_END_TIME": str(time.time() + 50)}
        subprocess.run([sys.executable, "-c", ask], env=environment, check=True, timeout=120)
        return x

    if margin > 1000:
        with pytest.raises(neps.errors.LaunchError, match="this job is too short"):
            search(tmp_path, run_pipeline, 1)
    else:
        search(tmp_path, run_pipeline, 1)
    end = (tmp_path / "config_1" / "attempt_1.end.yaml").read_text()
    assert ("job_too_short: true" in end) is (margin < 1000)


def save(folder: Path, job: int) -> None:
    if job > 1:
        neps.checkpoint.load(folder, name="state", read=lambda file: file.read())
    neps.checkpoint.save(folder, b"%d" % job, "state", write=lambda state, file: file.write(state))


def write_own_file(folder: Path, job: int) -> None:
    inside = folder / "models"
    inside.mkdir(exist_ok=True)
    (inside / "state").write_text(str(job))


PROGRESS: dict[str, Work] = {
    "checkpoint": save,
    "report": lambda _, job: neps.report(job, 0.5),
    "file of the user's own": write_own_file,
}


@pytest.mark.parametrize("work", PROGRESS.values(), ids=PROGRESS)
@pytest.mark.parametrize("left", [1000.0, 50.0])
def test_one_that_gets_somewhere_goes_on_for_as_many_jobs_as_it_needs(jobs: Jobs, work: Work, left: float) -> None:
    for _ in range(5):
        assert jobs.run(work, left).status == "waiting"
        assert "job_too_short" not in jobs.end(jobs.had)
    assert jobs.trial.attempts == jobs.had


def test_progress_in_between_counts(jobs: Jobs) -> None:
    for _ in range(2):
        jobs.run()
        jobs.run()
        assert jobs.run(save).status == "waiting"


@pytest.mark.parametrize("left", [499.0, 50.0])
def test_who_begins_late_in_a_job_shows_nothing(jobs: Jobs, left: float) -> None:
    for _ in range(4):
        assert jobs.run(left=left, whole=1000.0).status == "waiting"
        assert "job_too_short" not in jobs.end(jobs.had)


def test_nor_does_a_worker_that_was_restarted_in_its_job(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anew, "restarted", lambda: True)
    for left in (1000.0, 1000.0, 1000.0, 50.0):
        assert jobs.run(left=left).status == "waiting"


def test_nor_does_a_later_evaluation_of_a_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run_pipeline(x: float) -> float:
        trial = neps.current_trial()
        if trial.number == 2:
            job.says = 40.0
            assert trial.should_stop()
        return x

    job = Job(1000.0)
    monkeypatch.setattr("neps._worker.session.WALLTIME", job)
    assert [trial.status for trial in search(tmp_path, run_pipeline, 2).trials] == ["success", "waiting"]
    assert "job_too_short" not in (tmp_path / "config_2" / "attempt_1.end.yaml").read_text()
