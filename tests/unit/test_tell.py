"""`neps.PENDING` and `neps.tell`: what is recorded, what is refused, and what everybody says of it meanwhile."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import pickle
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import neps
from neps._api import told as api_told
from neps._cli import main
from neps._ledger.layout import Layout
from neps._ledger.news import News
from neps._ledger.pending_mark import PendingMark, mark_pending
from neps._ledger.reading import read_definition
from neps._ledger.records import End, result_fields
from neps._ledger.trial_folder import TrialFolder
from neps._outcome import Result
from neps._views.details import details
from neps._worker import untold
from neps._worker.resuming import resume
from neps.callbacks import RunningTrial, TrialEnd
from neps.errors import ArgumentError, EvaluationError, NotPendingError
from rigs.faultfs import Mount, Rule
from rigs.waiting import wait_until
from unit.ledger_scene import Scene, dead, here, somewhere

SPACE = {"x": neps.Float(0, 1)}
QUIET: dict[str, Any] = {"searcher": "sobol", "seed": 1, "progress": False, "post_run_summary": False}


def pending(**_: Any) -> Any:
    return neps.PENDING


def run(root: Path, run_pipeline: Callable[..., Any] = pending, most: int = 2, **arguments: Any) -> neps.History:
    return neps.run(run_pipeline, root, SPACE, **(QUIET | {"max_evaluations_total": most} | arguments))


def named(names: list[str]) -> Callable[..., Any]:
    """Returns PENDING, and notes the name of each attempt."""

    def run_pipeline(**_: Any) -> Any:
        names.append(os.environ["NEPS_ATTEMPT"])
        return neps.PENDING

    return run_pipeline


def files(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits here for a worker to return PENDING."""
    monkeypatch.setattr(untold, "_PATIENCE", 0.0)


@contextlib.contextmanager
def refused(root: Path, why: str) -> Any:
    """Nothing is written, and the error says why."""
    before = files(root)
    with pytest.raises(NotPendingError, match=why) as error:
        yield
    assert files(root) == before
    assert str(error.value).startswith("Nothing was told of trial ")
    assert str(root) in str(error.value)


class TestPending:
    def test_worker_goes_on_with_the_next_trial_and_leaves_as_if_another_ran_them(self, tmp_path: Path) -> None:
        history = run(tmp_path, most=3)
        assert repr(history) == "<History: 3 trials: 3 waiting for neps.tell; best: none yet>"
        assert [(str(trial.status), trial.awaits_tell) for trial in history.pending] == [("running", True)] * 3
        assert [trial.get("awaits_tell") for trial in history.to_dict()["trials"]] == [True] * 3
        assert run(tmp_path, most=3).by_number[1].attempts == 1

    def test_nobody_takes_it_over_for_silence_though_its_worker_has_ended(self, tmp_path: Path) -> None:
        scene = Scene(tmp_path)
        for number, who in ((1, dead()), (2, somewhere())):
            mark_pending(scene.claim(number, who), PendingMark(attempt=1, worker=who.worker), who)
        view = scene.view(lease=0.0)
        for _ in range(5):
            view.update_all()
        assert view.update_some() == []
        assert view.untold == [1, 2]

    def test_who_takes_over_for_the_dead_looks_for_the_mark_last(self, tmp_path: Path) -> None:
        scene = Scene(tmp_path)
        folder, me = scene.claim(1, who := dead()), here()
        view = scene.view(me)
        assert view.pending[1].is_resumable(60.0, me)
        mark_pending(folder, PendingMark(attempt=1, worker=who.worker), who)  # the last thing it did
        context: Any = SimpleNamespace(view=view, me=me, lease=60.0, tenure=SimpleNamespace(check=lambda: None))
        assert resume(view.pending[1], context) is None
        assert folder.end(1) is None

    def test_an_end_outweighs_the_mark(self, tmp_path: Path) -> None:
        scene = Scene(tmp_path)
        folder = scene.claim(1, who := somewhere())
        mark_pending(folder, PendingMark(attempt=1, worker=who.worker), who)
        (view := scene.view()).update(1)
        assert view.untold == [1]
        scene.take_over(1, 1, who)
        view.update(1)
        assert view.untold == scene.view().untold == []
        folder.end_attempt(2, End.LEFT, who)
        assert [each.waits for each in scene.view().pending.values()] == [True]

    def test_mark_that_can_not_be_read_is_looked_at_again_and_damaged_after_a_lease(self, tmp_path: Path) -> None:
        scene = Scene(tmp_path)
        scene.claim(1, somewhere())
        scene.spoil(1, "attempt_1.pending.yaml")
        view = scene.view(lease=60.0)
        assert (view.untold, list(view.numbers.reserved)) == ([], [1])
        scene.spoil(1, "attempt_1.pending.yaml", b"format_version: 2\n...\n")
        result = scene.view().trials[1].result
        assert result is not None
        assert result.origin.damaged

    def test_of_an_attempt_that_another_worker_has_ended_it_marks_nothing(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A worker that was frozen meanwhile: another one has the result of the next attempt."""

        def run_pipeline(**_: Any) -> Any:
            folder, other = TrialFolder(Layout(tmp_path, read_definition(tmp_path).run), 1), somewhere("other")
            folder.end_attempt(1, End.DIED, other, "silent for longer than lease_seconds")
            folder.open_attempt(2, other, "died")
            result = Result.of(success=True, loss=0.7, worker=other.worker, attempt=2)
            folder.end_with_result(2, result_fields(result), other)
            return neps.PENDING

        caplog.set_level("INFO", "neps.worker")
        history = run(tmp_path, run_pipeline, most=1)
        assert (history.trials[0].loss, history.trials[0].worker) == (0.7, somewhere("other").worker)
        assert "what is told of this attempt will be refused" in caplog.text
        assert "goes on elsewhere" not in caplog.text

    def test_is_one_object_wherever_it_is_sent(self) -> None:
        assert pickle.loads(pickle.dumps(neps.PENDING)) is neps.PENDING  # noqa: S301
        assert repr(neps.PENDING) == "neps.PENDING"

    def test_budgets_count_it(self, tmp_path: Path) -> None:
        run(tmp_path, most=9, max_evaluations_per_run=2)
        begun: list[float] = []
        costs = {"max_cost_total": 2, "expected_cost": 1, "max_seconds_per_run": 0.05}
        assert len(run(tmp_path / "costs", most=9, max_evaluations_per_run=2, max_cost_total=2, expected_cost=1)) == 2
        run(tmp_path / "costs", lambda **config: begun.append(config["x"]), most=9, **costs)
        assert (len(neps.load(tmp_path)), begun) == (2, [])

    def test_a_signal_that_came_before_it_was_returned_loses_nothing(self, tmp_path: Path) -> None:
        def interrupted(**_: Any) -> Any:
            with contextlib.suppress(KeyboardInterrupt):
                os.kill(os.getpid(), 2)
            return neps.PENDING

        with contextlib.suppress(KeyboardInterrupt):
            run(tmp_path, interrupted)
        assert repr(neps.load(tmp_path)) == "<History: 1 trial: 1 waiting for neps.tell; best: none yet>"

    def test_checkpoints_of_it_are_kept(self, tmp_path: Path) -> None:
        def run_pipeline(x: float, pipeline_directory: Path) -> Any:
            neps.checkpoint.save(pipeline_directory, {"x": x})
            number = int(pipeline_directory.name[-1])
            return neps.PENDING if number == 2 else number

        run(tmp_path, run_pipeline, most=4, keep_checkpoints="best")
        kept = sorted(path.parent.name for path in tmp_path.glob("config_*/checkpoint*"))
        assert kept == ["config_1", "config_2"]
        neps.tell(tmp_path, 2, 0.5)
        run(tmp_path, run_pipeline, most=4, keep_checkpoints="best")
        assert sorted(path.parent.name for path in tmp_path.glob("config_*/checkpoint*")) == ["config_2"]

    def test_callbacks_hear_that_it_is_pending_and_no_more(self, tmp_path: Path) -> None:
        heard: list[str] = []

        class Hearing(neps.Callback):
            def on_trial_end(self, trial: RunningTrial, end: TrialEnd) -> None:
                heard.append(f"{trial.number} {end.status} {end.final} {end.loss}")

        run(tmp_path, most=1, callbacks=[Hearing()])
        neps.tell(tmp_path, 1, 0.5)
        run(tmp_path, most=1, callbacks=[Hearing()])
        assert heard == ["1 pending False None"]

    def test_views_say_so(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        run(tmp_path, most=2, max_evaluations_per_run=1)
        run(tmp_path, most=2, progress=True)
        assert "joins the run in" in (err := capsys.readouterr().err)
        assert "0 of 2 trials ended, 1 waiting for neps.tell" in err
        assert "0 of 2 trials ended, 2 waiting for neps.tell; no best yet" in err
        neps.status(tmp_path)
        out = capsys.readouterr().out
        assert "2 running (2 waiting for neps.tell), 0 waiting" in out
        assert len(re.findall(r"waits for neps\.tell, since \d+ s", out)) == 2
        assert main(["status", "--json", str(tmp_path)]) == 0
        fields = json.loads(capsys.readouterr().out)
        assert (fields["trials"]["running"], fields["trials"]["untold"], fields["trials"]["dead"]) == (2, 2, 0)
        assert [each["sign"] for each in fields["running"]] == ["pending"] * 2
        text = details(tmp_path, 1)
        assert text.startswith("trial 1: running, waits for neps.tell\n")
        assert re.search(r"\n  1 .* pending\n", text)

    def test_worker_that_stays_says_what_it_waits_for_until_it_is_told(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO, "neps.worker")
        waiting = f"to resume them if their workers die; waiting for neps.tell: config_1 in {tmp_path}; for 0 s so far"

        def tell() -> None:
            wait_until(lambda: waiting in caplog.text, 60, "the worker that waits")
            neps.tell(tmp_path, 1, 0.5)

        teller = threading.Thread(target=tell)
        teller.start()
        history = run(tmp_path, most=1, continue_until_max_evaluation_completed=True)
        teller.join()
        assert repr(history) == "<History: 1 trial: 1 succeeded; best: trial 1, loss 0.5>"
        news = News(Layout(tmp_path, read_definition(tmp_path).run))
        assert [number for number, _ in news.read_on()] == [1]

    def test_a_run_of_pending_trials_is_no_live_run(self, tmp_path: Path) -> None:
        names: list[str] = []
        run(tmp_path, named(names), most=1, lease_seconds=1e6)
        run(tmp_path, named(names), most=1, overwrite_working_directory=True)
        assert len(list((tmp_path / "overwritten").iterdir())) == 1
        with refused(tmp_path, "attempt 1, of which this is told, was opened by worker .* belongs to another run"):
            neps.tell(tmp_path, 1, 0.5, attempt=names[0])
        assert neps.tell(tmp_path, 1, 0.5, attempt=names[1]).succeeded


class TestTold:
    @pytest.mark.parametrize(
        ("result", "told"),
        [
            (0.25, {"loss": 0.25}),
            (float("nan"), {}),
            ({"loss": 0.25, "cost": 3, "note": "a"}, {"loss": 0.25, "cost": 3.0, "info_dict": {"note": "a"}}),
            ({"loss": 0.25, "learning_curve": [2, 0.25]}, {"learning_curve": ((1.0, 2.0), (2.0, 0.25))}),
            (ValueError("no good"), {"error": "ValueError: no good\n\nValueError: no good\n"}),
            ("out of memory", {"error": "out of memory", "loss": None}),
        ],
        ids=str,
    )
    def test_whatever_run_pipeline_may_come_to(self, tmp_path: Path, result: Any, told: dict[str, Any]) -> None:
        run(tmp_path, most=1)
        trial = neps.tell(tmp_path, 1, result)
        (read,) = neps.load(tmp_path).trials
        assert repr(read) == repr(trial)
        assert trial.succeeded is not isinstance(result, Exception | str)
        assert {name: getattr(read, name) for name in told} == told
        assert read.started is not None
        assert read.finished is not None
        assert read.duration == pytest.approx((read.finished - read.started).total_seconds(), abs=0.1)
        assert not read.awaits_tell

    def test_what_was_reported_is_the_curve(self, tmp_path: Path) -> None:
        names: list[str] = []

        def run_pipeline(**_: Any) -> Any:
            neps.report(1, 4)
            return named(names)()

        run(tmp_path, run_pipeline, most=1)
        code = "import neps, sys; neps.report(2, 3); neps.tell(sys.argv[1], 'config_1', 2)"
        environment = os.environ | {"NEPS_ATTEMPT": names[0]}
        subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, env=environment)
        assert neps.load(tmp_path).trials[0].learning_curve == ((1.0, 4.0), (2.0, 3.0))

    def test_needs_neither_the_space_s_objects_nor_torch(self, tmp_path: Path) -> None:
        run(tmp_path, most=1)
        heavy = "torch", "scipy", "pandas", "rich", "click"
        code = f"import neps, sys; neps.tell(sys.argv[1], 1, 2); print([n for n in {heavy} if n in sys.modules])"
        done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True, text=True)
        assert done.stdout == "[]\n"

    def test_by_the_arguments_of_the_run(self, tmp_path: Path) -> None:
        run(tmp_path, most=3, loss_value_on_error=9, cost_value_on_error=4)
        failed = neps.tell(tmp_path, 1, "no"), neps.tell(tmp_path, 2, "no", loss_value_on_error=8)
        assert [(trial.loss, trial.cost) for trial in failed] == [(9.0, 4.0), (8.0, 4.0)]
        assert neps.tell(tmp_path, 3, 1).cost is None
        run(tmp_path / "timed", most=1, cost="duration", max_cost_total=1e6)
        trial = neps.tell(tmp_path / "timed", 1, 1)
        assert trial.cost == trial.duration

    def test_without_a_cost_that_a_budget_needs_its_loss_is_kept(self, tmp_path: Path) -> None:
        run(tmp_path, most=1, max_cost_total=9, expected_cost=1)
        with pytest.raises(EvaluationError, match=r"returned the loss .*, but no cost, which max_cost_total=9"):
            neps.tell(tmp_path, 1, 0.5)
        assert neps.load(tmp_path).trials[0].loss == 0.5

    def test_search_goes_on_with_it(self, tmp_path: Path) -> None:
        run(tmp_path, most=1)
        neps.tell(tmp_path, 1, 0.25)
        history = run(tmp_path, lambda x: 1 + x, most=3)
        assert history.best is not None
        assert (len(history.succeeded), history.best.number) == (3, 1)


class TestRefused:
    @pytest.mark.parametrize(
        ("arguments", "why"),
        [
            ({"result": True}, "Nothing was told of trial 1: run_pipeline returned True"),
            ({"result": None}, "None"),
            ({"result": {"cost": 1}}, "its loss must be under 'loss'"),
            ({"result": neps.PENDING}, "neps.PENDING says that there is no result yet"),
            ({"result": "0.5"}, "the result is the text '0.5'.*tell it as a number"),
            ({"result": " "}, "the result is an empty text"),
            ({"number": 0}, "number is 0; it must be the number of a trial"),
            ({"number": "config_x"}, "number is 'config_x'"),
            ({"number": True}, "number is True"),
            ({"attempt": "no"}, "attempt is 'no'; it must be what NEPS_ATTEMPT is"),
            ({"attempt": 0}, "attempt is 0"),
            ({"attempt": "1 worker /root/config_2"}, "an attempt at trial 2, but number is 1"),
            ({"cost_value_on_error": -1}, "cost_value_on_error is -1"),
        ],
        ids=str,
    )
    def test_a_wrong_argument(self, tmp_path: Path, arguments: dict[str, Any], why: str) -> None:
        run(tmp_path, most=1)
        before = files(tmp_path)
        with pytest.raises(ArgumentError, match=why):
            neps.tell(tmp_path, **({"number": 1, "result": 0.5} | arguments))
        assert files(tmp_path) == before

    def test_no_such_trial_and_one_that_has_ended(self, tmp_path: Path) -> None:
        run(tmp_path, lambda **_: 0.75, most=1)
        run(tmp_path, most=2)
        neps.tell(tmp_path, 2, 0.5)
        for number, why in ((3, "there is no such trial"), (1, "success, loss 0.75"), (2, "success, loss 0.5")):
            with refused(tmp_path, why):
                neps.tell(tmp_path, number, 0.25)

    def test_held_by_a_live_worker(self, tmp_path: Path) -> None:
        def run_pipeline(**_: Any) -> float:
            with refused(tmp_path, r"worker \S+ evaluates it, and its run_pipeline has not returned neps.PENDING"):
                neps.tell(tmp_path, 1, 0.25)
            return 0.5

        assert run(tmp_path, run_pipeline, most=1).trials[0].loss == 0.5

    def test_its_worker_died_before_it_could_mark_it(self, tmp_path: Path) -> None:
        scene = Scene(tmp_path)
        scene.define()
        scene.claim(1, who := dead())
        with refused(tmp_path, "died before it could mark it as pending.*pass attempt=…"):
            neps.tell(tmp_path, 1, 0.25)
        assert neps.tell(tmp_path, 1, 0.25, attempt=f"1 {who.worker} {tmp_path}/config_1").loss == 0.25

    def test_a_job_waits_for_its_worker_to_mark_the_attempt(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scene = Scene(tmp_path)
        scene.define()
        folder = scene.claim(1, who := somewhere())
        looked: list[float] = []

        def sleep(seconds: float) -> None:
            looked.append(seconds)
            if len(looked) == 3:
                mark_pending(folder, PendingMark(attempt=1, worker=who.worker), who)

        monkeypatch.setattr(time, "sleep", sleep)
        assert neps.tell(tmp_path, 1, 0.25, attempt=f"1 {who.worker} /elsewhere/config_1").loss == 0.25
        assert len(looked) == 3

    def test_a_run_that_takes_its_place_between_looking_and_publishing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run(tmp_path, most=1)
        publish = TrialFolder.end_with_result

        def late(self: TrialFolder, *arguments: Any) -> bool:
            neps.run(pending, tmp_path, SPACE, **QUIET, max_evaluations_total=1, overwrite_working_directory=True)
            return publish(self, *arguments)

        monkeypatch.setattr(TrialFolder, "end_with_result", late)
        assert neps.tell(tmp_path, 1, 0.25).loss == 0.25
        (earlier,) = (tmp_path / "overwritten").iterdir()
        assert neps.load(earlier).trials[0].loss == 0.25
        assert neps.load(tmp_path).trials[0].awaits_tell

    def test_a_later_attempt(self, tmp_path: Path) -> None:
        names: list[str] = []
        run(tmp_path, named(names), most=1)
        assert neps.retry(tmp_path, 1) == (1,)
        assert str(neps.load(tmp_path).trials[0].status) == "waiting"
        with refused(tmp_path, r"attempt 1 has ended \(left\), and any worker may evaluate it again"):
            neps.tell(tmp_path, 1, 0.5, attempt=names[0])
        run(tmp_path, named(names), most=1)
        with refused(tmp_path, "told of attempt 1, and it is in attempt 2 by now"):
            neps.tell(tmp_path, 1, 0.5, attempt=names[0])
        with refused(tmp_path, "it is in attempt 2, after a takeover or a retry: say which attempt"):
            neps.tell(tmp_path, 1, 0.5)
        trial = neps.tell(tmp_path, 1, 0.5, attempt=2)
        assert (trial.attempts, trial.loss) == (2, 0.5)

    def test_the_environment_says_which_attempt(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        names: list[str] = []
        run(tmp_path, named(names), most=2)
        neps.retry(tmp_path, 1)
        run(tmp_path, named(names), most=2)
        monkeypatch.setenv("NEPS_ATTEMPT", names[0])
        with refused(tmp_path, "told of attempt 1"):
            neps.tell(tmp_path, 1, 0.5)
        assert neps.tell(tmp_path, 2, 0.5).succeeded, "the name is another trial's"
        monkeypatch.setenv("NEPS_ATTEMPT", names[-1].replace(str(tmp_path), "/as/seen/elsewhere"))
        assert neps.tell(tmp_path, 1, 0.5).succeeded

    def test_a_failure_that_was_told_can_be_retried(self, tmp_path: Path) -> None:
        run(tmp_path, most=1)
        neps.tell(tmp_path, 1, "the job died")
        assert neps.retry(tmp_path, failed=True) == (1,)
        assert run(tmp_path, lambda **_: 0.5, most=1).trials[0].loss == 0.5

    def test_retry_of_what_a_worker_holds_stays_refused(self, tmp_path: Path) -> None:
        def run_pipeline(**_: Any) -> float:
            with pytest.raises(ArgumentError, match="it has not failed: its status is running"):
                neps.retry(tmp_path, 1)
            return 0.5

        assert run(tmp_path, run_pipeline, most=1).trials[0].attempts == 1


class TestCommand:
    def told(self, root: Path, *options: str) -> int:
        return main(["tell", str(root), *options])

    def test_tells(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        run(tmp_path, most=4)
        assert self.told(tmp_path, "1", "--loss", "0.5", "--cost", "2") == 0
        assert self.told(tmp_path, "config_2", "--failed", "the job died", "--attempt", "1") == 0
        assert self.told(tmp_path, "3", "--json", '{"loss": 0.25, "note": [1]}') == 0
        assert capsys.readouterr().out == "trial 1: success, loss 0.5\ntrial 2: failed\ntrial 3: success, loss 0.25\n"
        assert self.told(tmp_path, "1", "--loss", "0.5") == 1
        assert "Nothing was told of trial 1: it has ended: success, loss 0.5." in capsys.readouterr().err
        first, second, third, _ = neps.load(tmp_path).trials
        assert (first.cost, second.error, third.info_dict) == (2.0, "the job died", {"note": [1]})

    @pytest.mark.parametrize(
        "options",
        [[], ["--loss", "1", "--failed", "no"], ["--cost", "1"], ["--json", "{"], ["--json", '"no"'], ["--json", "-"]],
        ids=str,
    )
    def test_a_wrong_call(self, tmp_path: Path, options: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO(""))
        run(tmp_path, most=1)
        assert self.told(tmp_path, "1", *options) == 2
        assert neps.load(tmp_path).trials[0].awaits_tell


def test_the_text_of_a_failure_is_bounded(tmp_path: Path) -> None:
    run(tmp_path, most=1)
    error = neps.tell(tmp_path, 1, "no " * 100_000).error
    assert error is not None
    assert len(error) <= api_told._LONGEST_ERROR + 100


@pytest.mark.parametrize(
    "rule",
    [
        Rule("fsync", "root/config_1/.attempt_1.end.yaml.*", "ENOSPC", times=1),
        Rule("link", "root/config_1/result.yaml", "ESTALE", times=1),
        Rule("fsyncdir", "root", "EIO", times=1),
    ],
    ids=lambda rule: rule.operations,
)
def test_a_result_is_told_though_a_call_fails(faulty: Mount, rule: Rule) -> None:
    """Its job may have taken hours, and nobody tells again."""
    root = faulty.path / "root"
    run(root, most=1)
    faulty.rules([rule])
    assert neps.tell(root, 1, 0.25).loss == 0.25
    assert faulty.faults()
    assert (faulty.backing / "root" / "config_1" / "result.yaml").exists()
