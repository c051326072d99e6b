"""Callbacks of neps.run: what they are told of trials of every kind, and that they cost nothing when they fail."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import neps
from neps._ledger.layout import Layout
from neps._ledger.records import End
from neps._ledger.trial_folder import TrialFolder
from neps.callbacks import Ending, RunningTrial, TrialEnd
from neps.errors import ArgumentError, EvaluationError
from rigs.waiting import wait_until
from unit.ledger_scene import here

SPACE: dict[str, neps.Parameter] = {"x": neps.Float(0, 1)}
SECONDS = 120


class Recording(neps.Callback):
    """Keeps all that it is told."""

    def __init__(self) -> None:
        self.trials: list[RunningTrial] = []
        self.reports: list[tuple[int, float, float]] = []
        self.ends: list[TrialEnd] = []
        self.threads: set[int] = set()

    def on_trial_start(self, trial: RunningTrial) -> None:
        self.trials.append(trial)

    def on_report(self, trial: RunningTrial, step: float, loss: float) -> None:
        self.reports.append((trial.attempt, step, loss))
        self.threads.add(threading.get_ident())

    def on_trial_end(self, trial: RunningTrial, end: TrialEnd) -> None:
        assert trial is self.trials[-1]
        self.ends.append(end)


def work(root: Path, run_pipeline: Callable[..., Any], *callbacks: Any, **more: Any) -> neps.History:
    usual: dict[str, Any] = {"max_evaluations_total": 1, "seed": 1, "post_run_summary": False, "progress": False}
    space = more.pop("space", SPACE)
    return neps.run(run_pipeline, root, space, searcher="random_search", callbacks=callbacks, **(usual | more))


def reporting(*points: tuple[float, float], end: Callable[[], Any] = lambda: 0.5) -> Callable[..., Any]:
    def run_pipeline(**config: Any) -> Any:
        for step, loss in points:
            neps.report(step, loss)
        return end()

    return run_pipeline


def failing(error: BaseException) -> Callable[[], Any]:
    def fail() -> None:
        raise error

    return fail


class TestWhatIsTold:
    def test_of_a_success(self, tmp_path: Path) -> None:
        told = Recording()
        end = lambda: {"loss": 0.25, "cost": 2, "accuracy": 0.75}  # noqa: E731
        space = SPACE | {"epochs": neps.Integer(1, 3, is_fidelity=True), "kind": neps.Constant("a")}
        history = work(tmp_path, reporting((1, 0.5), (3, 0.25), end=end), told, space=space)
        (trial,), (ended,) = told.trials, told.ends
        assert (trial.number, trial.attempt, trial.previous, trial.resumed, trial.reported) == (1, 1, None, False, {})
        assert (trial.config, trial.fidelity) == (history.trials[0].config, 3)
        assert (trial.root, trial.directory) == (tmp_path, tmp_path / "config_1")
        assert trial.id == f"{trial.run}-1"
        assert f"run: {trial.run}\n" in (tmp_path / "neps.yaml").read_text()
        assert told.reports == [(1, 1, 0.5), (1, 3, 0.25)]
        assert (ended.status, ended.loss, ended.cost, ended.error) == ("success", 0.25, 2, None)
        assert (ended.info_dict, ended.learning_curve) == ({"accuracy": 0.75}, ((1, 0.5), (3, 0.25)))
        assert ended.final
        assert ended.duration == history.trials[0].duration

    def test_of_a_failure_before_it_is_raised(self, tmp_path: Path) -> None:
        told = Recording()
        with pytest.raises(EvaluationError, match="out of memory"):
            work(tmp_path, reporting(end=failing(RuntimeError("out of memory"))), told, cost_value_on_error=3)
        (ended,) = told.ends
        assert (ended.status, ended.loss, ended.cost, ended.final) == ("failed", None, 3, True)
        assert ended.error is not None
        assert ended.error.startswith("RuntimeError: out of memory\n")
        assert "neps/_worker" not in ended.error

    @pytest.mark.parametrize(
        ("raised", "status"), [(KeyboardInterrupt(), Ending.LEFT), (SystemExit(1), Ending.DIED)], ids=["Ctrl-C", "exit"]
    )
    def test_of_an_interruption(self, tmp_path: Path, raised: BaseException, status: Ending) -> None:
        told = Recording()
        with pytest.raises(type(raised)):
            work(tmp_path, reporting((1, 0.5), end=failing(raised)), told)
        (ended,) = told.ends
        assert (ended.status, ended.final, ended.loss) == (status, False, None)
        assert ended.error is not None
        assert type(raised).__name__ in ended.error
        assert told.reports == [(1, 1, 0.5)]

    def test_of_a_signal_once_the_trial_is_handed_back(self, tmp_path: Path) -> None:
        told = Recording()

        class Looking(neps.Callback):
            def on_trial_end(self, trial: RunningTrial, end: TrialEnd) -> None:
                assert (trial.directory / "attempt_1.end.yaml").exists()
                told.ends.append(end)

        with pytest.raises(KeyboardInterrupt):
            work(tmp_path, reporting(end=lambda: os.kill(os.getpid(), signal.SIGINT)), Looking())
        assert [ended.status for ended in told.ends] == ["left"]

    def test_of_a_later_attempt_without_what_was_reported_already(self, tmp_path: Path) -> None:
        told = Recording()
        with pytest.raises(KeyboardInterrupt):
            work(tmp_path, reporting((1, 0.75), (2, 0.5), end=failing(KeyboardInterrupt())), told)
        work(tmp_path, reporting((2, 0.5), (3, 0.25)), told)
        first, second = told.trials
        assert first.id == second.id
        assert (second.attempt, second.resumed, second.reported) == (2, True, {1: 0.75, 2: 0.5})
        assert told.reports == [(1, 1, 0.75), (1, 2, 0.5), (2, 3, 0.25)]
        assert told.ends[1].learning_curve == ((1, 0.75), (2, 0.5), (3, 0.25))

    def test_of_what_another_worker_has_taken_over(self, tmp_path: Path) -> None:
        told = Recording()

        def run_pipeline(x: float, pipeline_directory: Path) -> float:
            take_over(tmp_path)
            neps.checkpoint.save(pipeline_directory, {})
            raise AssertionError

        work(tmp_path, run_pipeline, told, max_evaluations_per_run=1)
        assert [ended.status for ended in told.ends] == ["dropped"]

    def test_of_a_result_that_comes_too_late(self, tmp_path: Path) -> None:
        told = Recording()
        work(tmp_path, reporting(end=lambda: take_over(tmp_path)), told, max_evaluations_per_run=1)
        assert [(ended.status, ended.loss, ended.final) for ended in told.ends] == [("dropped", None, False)]

    def test_of_a_result_that_has_no_place(self, tmp_path: Path) -> None:
        told = Recording()

        def run_pipeline(x: float, pipeline_directory: Path) -> float:
            for path in pipeline_directory.iterdir():
                path.unlink()
            pipeline_directory.rmdir()
            return x

        with pytest.raises(neps.errors.DirectoryError, match="is gone"):
            work(tmp_path, run_pipeline, told)
        assert [ended.status for ended in told.ends] == ["left"]

    def test_reports_of_other_threads_come_in_those(self, tmp_path: Path) -> None:
        told = Recording()

        def run_pipeline(x: float) -> float:
            thread = threading.Thread(target=neps.report, args=(1, x))
            thread.start()
            thread.join()
            return x

        work(tmp_path, run_pipeline, told)
        assert len(told.reports) == 1
        assert threading.get_ident() not in told.threads

    def test_reports_of_children_come_at_the_end(self, tmp_path: Path) -> None:
        told = Recording()

        def run_pipeline(x: float) -> float:
            neps.report(2, 0.5)
            program = "import neps; neps.report(1, 0.75); neps.report(2, 7); neps.report(3, 0.25)"
            subprocess.run([sys.executable, "-c", program], check=True)
            return x

        work(tmp_path, run_pipeline, told)
        assert told.reports == [(1, 2, 0.5), (1, 1, 0.75), (1, 3, 0.25)]


def take_over(root: Path) -> float:
    folder = TrialFolder(Layout(root), 1)
    folder.end_attempt(1, End.DIED, here("other"), "it seemed dead")
    folder.open_attempt(2, here("other"), "died")
    return 0.5


class Broken(neps.Callback):
    def on_trial_start(self, *_: Any) -> None:
        raise ValueError("no such project")

    def on_report(self, *_: Any) -> None:
        raise neps.errors.NepsError("of neps itself")

    def on_trial_end(self, *_: Any) -> None:
        raise OSError("offline")


class TestErrors:
    def test_are_logged_once_each_and_cost_nothing(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        told = Recording()
        caplog.set_level(logging.WARNING, "neps")
        history = work(tmp_path, reporting((1, 0.5), (2, 0.25)), Broken(), told, max_evaluations_total=3)
        assert [trial.status for trial in history.trials] == ["success"] * 3
        assert len(told.ends) == 3
        assert [record.getMessage() for record in caplog.records] == [
            f"{method} of the callback Broken raised {error} at trial 1. The trial goes on. Further such errors are "
            "not logged."
            for method, error in (
                ("on_trial_start", "ValueError: no such project"),
                ("on_report", "neps.errors.NepsError: of neps itself"),
                ("on_trial_end", "OSError: offline"),
            )
        ]
        assert all("Traceback" in (record.exc_text or "") for record in caplog.records)

    @pytest.mark.parametrize("method", ["on_trial_start", "on_report", "on_trial_end"])
    def test_an_interruption_passes_through(self, tmp_path: Path, method: str) -> None:
        def interrupt(*_: Any) -> None:
            raise KeyboardInterrupt

        callback = type("Interrupting", (neps.Callback,), {method: interrupt})()
        with pytest.raises(KeyboardInterrupt):
            work(tmp_path, reporting((1, 0.5)), callback)
        ended = method == "on_trial_end"
        assert [trial.status for trial in neps.load(tmp_path).trials] == ["success" if ended else "waiting"]

    @pytest.mark.parametrize(
        ("method", "raised", "status"),
        [
            ("on_trial_start", EvaluationError, "failed"),
            ("on_report", EvaluationError, "failed"),
            ("on_trial_end", asyncio.CancelledError, "success"),
        ],
    )
    def test_what_is_no_exception_passes_through_as_if_run_pipeline_had_raised_it(
        self, tmp_path: Path, method: str, raised: type[BaseException], status: str
    ) -> None:
        def cancel(*_: Any) -> None:
            raise asyncio.CancelledError

        with pytest.raises(raised):
            work(tmp_path, reporting((1, 0.5)), type("Cancelled", (neps.Callback,), {method: cancel})())
        assert [trial.status for trial in neps.load(tmp_path).trials] == [status]

    def test_a_signal_interrupts_a_callback_that_takes_long_after_the_result(self, tmp_path: Path) -> None:
        class Hanging(neps.Callback):
            def on_trial_end(self, *_: Any) -> None:
                os.kill(os.getpid(), signal.SIGINT)
                raise AssertionError("it was not interrupted")

        with pytest.raises(KeyboardInterrupt):
            work(tmp_path, lambda x: x, Hanging())
        assert neps.load(tmp_path).trials[0].status == "success"

    def test_the_heart_beats_while_a_callback_takes_long(self, tmp_path: Path) -> None:
        class Slow(neps.Callback):
            def on_trial_start(self, trial: RunningTrial) -> None:
                lock = trial.directory / "attempt_1.lock"
                wait_until(lock.exists, SECONDS, "the first heartbeat")
                first = lock.stat().st_mtime_ns
                wait_until(lambda: lock.stat().st_mtime_ns > first, SECONDS, "the next heartbeat")

        told = Recording()
        work(tmp_path, lambda x: x, Slow(), told, lease_seconds=0.9)
        assert [ended.status for ended in told.ends] == ["success"]


class Slow(neps.Callback):
    """Each call fails after 30 s, by a clock that goes on only here, but for those that are to be quick."""

    def __init__(self, clock: list[float], *, quick: tuple[str, ...] = (), seconds: float = 30) -> None:
        self.clock, self.quick, self.seconds = clock, quick, seconds
        self.calls: list[tuple[str, int]] = []

    def on_trial_start(self, trial: RunningTrial) -> None:
        self.called("start", trial)

    def on_report(self, trial: RunningTrial, *_: Any) -> None:
        self.called("report", trial)

    def on_trial_end(self, trial: RunningTrial, *_: Any) -> None:
        self.called("end", trial)

    def called(self, method: str, trial: RunningTrial) -> None:
        self.calls.append((method, trial.number))
        if method not in self.quick:
            self.clock[0] += self.seconds
            raise ConnectionError("refused")


class TestOneThatIsLongInFailing:
    @pytest.fixture
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        now = [1000.0]
        monkeypatch.setattr("neps._worker.notifying.time", SimpleNamespace(monotonic=lambda: now[0]))
        return now

    def test_is_skipped_for_ten_times_as_long_and_that_is_said_once(
        self, tmp_path: Path, clock: list[float], caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.WARNING, "neps")
        slow, told = Slow(clock, quick=("end",)), Recording()

        def run_pipeline(x: float) -> float:
            neps.report(1, x)
            clock[0] += 100
            return x

        work(tmp_path, run_pipeline, slow, told, max_evaluations_total=5)
        assert slow.calls == [("start", 1), ("end", 1), ("start", 4), ("end", 4)]
        assert len(told.ends) == len(told.reports) == 5
        assert clock[0] == 1000 + 2 * 30 + 5 * 100
        (said,) = [record.getMessage() for record in caplog.records if "skipped" in record.getMessage()]
        assert said.startswith("The callback Slow took 30 s to fail, so it is skipped for 300 s: ")

    def test_learns_of_the_end_of_what_it_has_begun(self, tmp_path: Path, clock: list[float]) -> None:
        slow = Slow(clock, quick=("start", "end"))
        work(tmp_path, reporting((1, 0.5), (2, 0.5)), slow, max_evaluations_total=2)
        assert slow.calls == [("start", 1), ("report", 1), ("end", 1)]

    def test_learns_nothing_of_a_trial_whose_start_it_has_missed(self, tmp_path: Path, clock: list[float]) -> None:
        slow = Slow(clock, quick=("report",))

        def run_pipeline(x: float) -> float:
            clock[0] += 1000
            neps.report(1, x)
            return x

        work(tmp_path, run_pipeline, slow, max_evaluations_total=3)
        assert slow.calls == [(method, number) for number in (1, 3) for method in ("start", "report", "end")]

    def test_is_called_on_where_it_fails_within_seconds(self, tmp_path: Path, clock: list[float]) -> None:
        slow = Slow(clock, seconds=5)
        work(tmp_path, reporting((1, 0.5)), slow, max_evaluations_total=2)
        assert slow.calls == [(method, number) for number in (1, 2) for method in ("start", "report", "end")]


class Misspelt(neps.Callback):
    def on_trial_begin(self, trial: RunningTrial) -> None:
        pass


class Short(neps.Callback):
    def on_report(self, step: float, loss: float) -> None:  # type: ignore[override]
        pass


class Asynchronous(neps.Callback):
    async def on_trial_end(self, trial: RunningTrial, end: TrialEnd) -> None:  # type: ignore[override]
        pass


@pytest.mark.parametrize(
    ("callbacks", "message"),
    [
        (Recording(), "callbacks is <.*Recording.*>; it must be a list of neps.Callback"),
        (5, "callbacks is 5; it must be a list"),
        ([Recording], r"callbacks has the class Recording; pass an instance: callbacks=\[Recording\(…\)\]"),
        ([print], r"callbacks has <built-in function print>, of type builtin_.*; each must be an instance"),
        ("tensorboard", "callbacks has 't', of type str"),
        ([Misspelt()], r"a method 'on_trial_begin', which is never called"),
        ([Short()], r"Short can't be called as on_report\(trial, step, loss\): too many positional arguments"),
        ([Asynchronous()], "on_trial_end of the callback Asynchronous is asynchronous"),
    ],
)
def test_wrong_ones_are_refused_before_anything_is_written(tmp_path: Path, callbacks: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        neps.run(lambda x: x, tmp_path / "root", SPACE, callbacks=callbacks, max_evaluations_total=1)
    assert not (tmp_path / "root").exists()


def test_they_are_no_part_of_the_runs_definition(tmp_path: Path) -> None:
    work(tmp_path, lambda x: x, Recording())
    before = (tmp_path / "neps.yaml").read_bytes()
    work(tmp_path, lambda x: x, max_evaluations_total=2)
    assert (tmp_path / "neps.yaml").read_bytes() == before
    assert b"callback" not in before
