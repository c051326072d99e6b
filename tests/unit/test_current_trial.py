"""`neps.current_trial()`: what it says in an evaluation, in its threads and children, and elsewhere."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import neps
from neps._children import ATTEMPT, announced
from neps._evaluation.walltime import Walltime
from neps._ledger.claims import Hold
from unit.ledger_scene import Scene, here, somewhere

CHILD = """
import json, sys, neps
trial = neps.current_trial()
stop = trial.should_stop(*map(float, sys.argv[1:]))
directories = [each and str(each) for each in (trial.pipeline_directory, trial.previous_pipeline_directory)]
what = [trial.number, trial.attempt, trial.seed, dict(trial.config), directories, trial.seconds_left, stop]
print(json.dumps(what))
"""


def search(root: Path, run_pipeline: Any, **more: Any) -> neps.History:
    usual: dict[str, Any] = {"searcher": "random_search", "seed": 1, "post_run_summary": False, "progress": False}
    usual |= {"max_evaluations_total": 1}
    return neps.run(run_pipeline, root, {"x": neps.Float(0, 1)}, **(usual | more))


def as_told(trial: neps.CurrentTrial) -> tuple[object, ...]:
    return trial.number, trial.attempt, trial.seed, dict(trial.config), trial.pipeline_directory


def child(*arguments: object) -> Any:
    command = [sys.executable, "-c", CHILD, *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    return json.loads(done.stdout)


def job(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """This process's job, and that of its children, ends in so many seconds."""
    monkeypatch.setenv("NEPS_JOB_END_TIME", str(time.time() + seconds))
    monkeypatch.setattr("neps._worker.session.WALLTIME", Walltime(os.environ))


def test_it_says_what_is_evaluated(tmp_path: Path) -> None:
    seen: list[neps.CurrentTrial] = []

    def run_pipeline(pipeline_directory: Path, x: float) -> float:
        seen.append(neps.current_trial())
        assert as_told(seen[-1]) == (len(seen), 1, seen[-1].seed, {"x": x}, pipeline_directory)
        assert neps.current_trial() is seen[-1]
        assert seen[-1]
        assert not seen[-1].should_stop()
        assert seen[-1].seconds_left is None
        return x

    search(tmp_path, run_pipeline, max_evaluations_total=3)
    assert len({trial.seed for trial in seen}) == 3
    assert all(0 <= trial.seed < 2**32 for trial in seen)
    assert not neps.current_trial()


def test_the_seed_follows_from_the_run_and_the_number_alone(tmp_path: Path) -> None:
    seeds: dict[str, list[int]] = {"first": [], "second": []}
    for name, seen in seeds.items():
        failing = [name == "second"]

        def run_pipeline(x: float, seen: list[int] = seen, failing: list[bool] = failing) -> float:
            seen.append(neps.current_trial().seed)
            if failing.pop() if failing else False:
                raise KeyboardInterrupt
            return x

        if failing[0]:
            with pytest.raises(KeyboardInterrupt):
                search(tmp_path / name, run_pipeline)
        search(tmp_path / name, run_pipeline, max_evaluations_total=2)
    first, other = seeds["first"]
    assert seeds["second"] == [first, first, other], "the same in each attempt, and in each run with this seed"


def test_it_says_which_trial_is_continued(tmp_path: Path) -> None:
    seen: list[tuple[Path | None, Path | None]] = []

    def run_pipeline(x: float, epochs: int, previous_pipeline_directory: Path | None) -> float:
        seen.append((previous_pipeline_directory, neps.current_trial().previous_pipeline_directory))
        if previous_pipeline_directory is not None:
            assert child()[4][1] == str(previous_pipeline_directory)
        return x

    space = {"x": neps.Float(0, 1), "epochs": neps.Integer(1, 3, is_fidelity=True)}
    neps.run(run_pipeline, tmp_path, space, searcher="successive_halving", max_evaluations_total=4, seed=1, eta=3)
    assert all(given == said for given, said in seen)
    assert any(given is not None for given, _ in seen)


def test_other_threads_are_told_the_same(tmp_path: Path) -> None:
    def run_pipeline(x: float) -> float:
        seen: list[neps.CurrentTrial] = []
        thread = threading.Thread(target=lambda: seen.append(neps.current_trial()))
        thread.start()
        thread.join()
        assert seen == [neps.current_trial()]
        return x

    assert search(tmp_path, run_pipeline).trials[0].succeeded


def test_two_evaluations_at_once_are_not_mixed_up(tmp_path: Path) -> None:
    both, seen = threading.Barrier(2), dict[str, Any]()

    def run_pipeline(x: float, pipeline_directory: Path) -> float:
        both.wait(120)
        seen[str(pipeline_directory)] = neps.current_trial().pipeline_directory
        alone: list[bool] = []
        thread = threading.Thread(target=lambda: alone.append(bool(neps.current_trial())))
        thread.start()
        thread.join()
        assert alone == [False], "whose thread it is, nobody knows"
        both.wait(120)
        return x

    roots = [tmp_path / "one", tmp_path / "two"]
    threads = [threading.Thread(target=search, args=(root, run_pipeline)) for root in roots]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {str(root / "config_1"): root / "config_1" for root in roots}


def test_a_run_inside_of_run_pipeline_has_its_own(tmp_path: Path) -> None:
    def outer(x: float) -> float:
        mine = neps.current_trial()

        def inner(x: float) -> float:
            assert neps.current_trial().pipeline_directory == tmp_path / "inner" / "config_1"
            return x

        assert search(tmp_path / "inner", inner).trials[0].succeeded
        assert neps.current_trial() is mine
        return x

    assert search(tmp_path / "outer", outer).trials[0].succeeded


class TestChildren:
    def test_are_told_the_same(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        job(monkeypatch, 1000)

        def run_pipeline(x: float) -> float:
            trial = neps.current_trial()
            number, attempt, seed, config, directories, left, stop = child()
            assert (number, attempt, seed, config, Path(directories[0])) == as_told(trial)
            assert directories[1] is None
            assert trial.seconds_left is not None
            assert 0 < left < trial.seconds_left + 60
            assert left <= 1000
            assert not stop
            return x

        assert search(tmp_path, run_pipeline, max_seconds_per_trial=5000).trials[0].error is None

    def test_know_the_time_of_the_trial(self, tmp_path: Path) -> None:
        def run_pipeline(x: float) -> float:
            assert 1000 < child()[5] <= 5000
            return x

        assert search(tmp_path, run_pipeline, max_seconds_per_trial=5000).trials[0].error is None

    def test_may_be_forked(self, tmp_path: Path) -> None:
        def run_pipeline(x: float) -> float:
            seed = neps.current_trial().seed
            pid = os.fork()
            if pid == 0:
                os._exit(0 if neps.current_trial().seed == seed else 1)
            assert os.waitpid(pid, 0)[1] == 0
            return x

        assert search(tmp_path, run_pipeline).trials[0].error is None

    def test_that_are_told_of_the_walltime_have_no_result(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        job(monkeypatch, 1000)

        def run_pipeline(x: float) -> float:
            neps.report(1, x)
            assert child(2000)[6]
            return x  # of a training that is not over

        with caplog.at_level("INFO"):
            (trial,) = search(tmp_path, run_pipeline).trials
        assert (trial.status, trial.attempts) == ("waiting", 1)
        assert "leaves: the walltime of the job is nearly over" in caplog.text
        monkeypatch.setattr("neps._worker.session.WALLTIME", Walltime({}))
        assert search(tmp_path, lambda x: x).trials[0].attempts == 2

    def test_stop_where_the_attempt_was_lost(self, tmp_path: Path) -> None:
        scene, me = Scene(tmp_path / "run"), here("this-one")
        scene.define()
        folder = scene.claim(1, me)
        with announced(Hold(folder, 1, me.worker)):
            assert not child()[6]
            scene.take_over(1, 1, somewhere())
            assert child()[6]

    def test_end_by_themselves_where_the_time_is_over(self, tmp_path: Path) -> None:
        save = "neps.checkpoint.save(sys.argv[1], b'1', 'state', write=lambda state, file: file.write(state))"
        programs = ["neps.report(1, 0.5)", save, "neps.checkpoint.load(sys.argv[1])"]

        def run_pipeline(x: float, pipeline_directory: Path) -> float:
            for program in programs:
                code = ["-c", f"import sys, neps; {program}", str(pipeline_directory)]
                done = subprocess.run([sys.executable, *code], check=False, capture_output=True, text=True, timeout=120)
                assert "TimeLimitError: max_seconds_per_trial is over for trial 1" in done.stderr
            raise RuntimeError("they have ended with status 1")

        (trial,) = search(tmp_path, run_pipeline, max_seconds_per_trial=1e-6).trials
        assert str(trial.error).startswith("TimeLimitError")
        assert "they have ended with status 1" in str(trial.error)

    def test_of_a_trial_that_is_gone_say_so(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(ATTEMPT, f"1 worker {tmp_path}/config_7")
        with pytest.raises(neps.errors.DirectoryError, match="trial 7, for which this process was started, is gone"):
            neps.current_trial()

    def test_have_the_variables_that_they_had_before(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NEPS_TRIAL_END_TIME", "7")
        search(tmp_path, lambda x: x, max_seconds_per_trial=5000)
        assert os.environ["NEPS_TRIAL_END_TIME"] == "7"


class TestAlone:
    def test_a_script_runs_without_a_second_version(self) -> None:
        trial = neps.current_trial()
        assert not trial
        assert as_told(trial) == (0, 0, 0, {}, None)
        assert trial.previous_pipeline_directory is None
        assert trial.seconds_left is None
        assert not trial.should_stop()

    def test_it_still_knows_when_its_job_ends(self, monkeypatch: pytest.MonkeyPatch) -> None:
        walltime = Walltime({"NEPS_JOB_END_TIME": str(time.time() + 1000)})
        monkeypatch.setattr("neps._evaluation.current.WALLTIME", walltime)
        trial = neps.current_trial()
        assert trial.seconds_left is not None
        assert 0 < trial.seconds_left <= 1000
        assert not trial.should_stop()
        assert trial.should_stop(margin=1000)

    def test_ask_and_tell_has_none(self) -> None:
        ask = neps.AskAndTell({"x": neps.Float(0, 1)}, searcher="random_search")
        trial = ask.ask()
        assert trial is not None
        assert not neps.current_trial()
        ask.tell(trial, 0.5)


@pytest.mark.parametrize("margin", [-1, float("nan"), float("inf"), "60", None])
def test_a_margin_is_seconds(margin: Any) -> None:
    with pytest.raises(neps.errors.ArgumentError, match="margin is "):
        neps.current_trial().should_stop(margin)


class TestShouldStop:
    def test_is_no_condition_without_a_call(self, tmp_path: Path) -> None:
        def run_pipeline(x: float) -> float:
            return x if neps.current_trial().should_stop else 0.0

        (trial,) = search(tmp_path, run_pipeline, ignore_errors=True).trials
        assert "ArgumentError: trial.should_stop was used as a condition without being called" in str(trial.error)
        assert "Write trial.should_stop()" in str(trial.error)

    def test_is_a_method_in_all_other_respects(self) -> None:
        trial = neps.current_trial()
        ask = trial.should_stop
        assert not ask()
        assert not ask(margin=0)
        assert callable(ask)
        assert list(inspect.signature(ask).parameters) == ["margin"]
        assert ask.__doc__ == neps.CurrentTrial.should_stop.__doc__
