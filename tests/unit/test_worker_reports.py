"""Learning curves in a run: in results of all kinds, through interruptions and kills, as trials show them."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import neps
from neps._ledger.claims import Claim
from neps._ledger.layout import Layout
from neps._ledger.records import End
from neps._ledger.trial_folder import TrialFolder
from neps._trial import Decision, Result, Trial
from neps._worker import reports as module
from unit.ledger_scene import Scene, dead, here

SPACE: dict[str, neps.Parameter] = {"x": neps.Float(0, 1)}
WITH_FIDELITY = SPACE | {"epochs": neps.Integer(5, 5 + 1, is_fidelity=True)}


def work(root: Path, run_pipeline: Callable[..., Any], **more: Any) -> neps.Trial:
    """Trial 1 after a call of `neps.run`."""
    usual: dict[str, Any] = {"max_evaluations_total": 1, "seed": 1, "post_run_summary": False, "progress": False}
    space = more.pop("space", SPACE)
    return neps.run(run_pipeline, root, space, searcher="random_search", **(usual | more)).trials[0]


def reporting(*points: tuple[float, float], end: Callable[[], Any] = lambda: 0.5) -> Callable[..., Any]:
    def run_pipeline(**config: Any) -> Any:
        for step, loss in points:
            neps.report(step, loss)
        return end()

    return run_pipeline


def killed_after(root: Path, *lines: str) -> None:
    """A worker whose run_pipeline has these lines, and then kills it."""
    body = "".join(f"    {line}\n" for line in (*lines, f"os.kill(os.getpid(), {int(signal.SIGKILL)})"))
    program = (
        f"import os, sys, neps\ndef run_pipeline(x, pipeline_directory):\n{body}"
        "neps.run(run_pipeline, sys.argv[1], {'x': neps.Float(0, 1)}, searcher='random_search', seed=1)\n"
    )
    died = subprocess.run([sys.executable, "-c", program, str(root)], capture_output=True, check=False)
    assert died.returncode == -signal.SIGKILL


def fail() -> None:
    raise RuntimeError("out of memory")


def interrupt() -> None:
    raise KeyboardInterrupt


class TestResult:
    def test_has_what_was_reported_by_step(self, tmp_path: Path) -> None:
        trial = work(tmp_path, reporting((2, math.nan), (1, 0.75), (1, 0.5)))
        assert repr(trial.learning_curve) == "((1.0, 0.5), (2.0, nan))"
        assert repr(neps.load(tmp_path).trials[0].learning_curve) == repr(trial.learning_curve)
        stored = yaml.safe_load((tmp_path / "config_1" / "result.yaml").read_bytes())
        assert (stored["learning_curve_steps"], stored["learning_curve"][0]) == ([1.0, 2.0], 0.5)

    def test_of_a_failure_has_it_too(self, tmp_path: Path) -> None:
        trial = work(tmp_path, reporting((1, 0.75), end=fail), ignore_errors=True)
        assert (trial.status, trial.learning_curve) == ("failed", ((1.0, 0.75),))

    def test_a_returned_curve_wins(self, tmp_path: Path) -> None:
        trial = work(tmp_path, reporting((1, 0.75), end=lambda: {"loss": 0.5, "learning_curve": [3, 2]}))
        assert trial.learning_curve == ((1.0, 3.0), (2.0, 2.0))

    def test_a_returned_curve_ends_at_the_fidelity(self, tmp_path: Path) -> None:
        end: Callable[[], Any] = lambda: {"loss": 0.5, "learning_curve": [3, 2]}  # noqa: E731
        trial = work(tmp_path, reporting(end=end), space=WITH_FIDELITY)
        assert trial.fidelity == 6
        assert trial.learning_curve == ((5.0, 3.0), (6.0, 2.0))

    def test_a_reported_curve_has_its_own_steps(self, tmp_path: Path) -> None:
        assert work(tmp_path, reporting((2, 0.5)), space=WITH_FIDELITY).learning_curve == ((2.0, 0.5),)

    def test_without_any_has_none(self, tmp_path: Path) -> None:
        assert work(tmp_path, reporting()).learning_curve == ()
        assert not list(tmp_path.glob("config_1/*.jsonl"))
        assert neps.load(tmp_path).to_dict()["trials"][0]["learning_curve"] is None

    def test_a_wrong_report_fails_the_trial(self, tmp_path: Path) -> None:
        trial = work(tmp_path, reporting((1, 0.5), (2, True)), ignore_errors=True)
        assert trial.error is not None
        assert "neps.report got the loss True (bool); a loss must be a number" in trial.error
        assert trial.learning_curve == ((1.0, 0.5),)

    def test_of_very_many_points_keeps_some(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_MOST_POINTS", 4)
        trial = work(tmp_path, reporting(*((step, step) for step in range(1, 11))))
        assert [step for step, _ in trial.learning_curve] == [2, 5, 7, 10]

    def test_the_table_has_one_row_a_point(self, tmp_path: Path) -> None:
        work(tmp_path, reporting((1, 0.5), (2, math.inf)), post_run_summary=True, max_evaluations_total=2)
        table = (tmp_path / "summary" / "learning_curves.csv").read_text()
        assert table.split() == ["number,step,loss", "1,1.0,0.5", "1,2.0,inf", "2,1.0,0.5", "2,2.0,inf"]

    def test_to_dict_and_to_pandas_have_pairs(self, tmp_path: Path) -> None:
        work(tmp_path, reporting((1, 0.5)))
        history = neps.load(tmp_path)
        assert history.to_dict()["trials"][0]["learning_curve"] == [[1.0, 0.5]]
        assert history.to_pandas()["learning_curve"][1] == [[1.0, 0.5]]


class TestNextAttempt:
    def test_has_what_an_interrupted_one_reported(self, tmp_path: Path) -> None:
        with pytest.raises(KeyboardInterrupt):
            work(tmp_path, reporting((1, 0.75), (2, 0.5), end=interrupt))
        assert TrialFolder(Layout(tmp_path), 1).last_report(1) == (2.0, 0.5)
        trial = work(tmp_path, reporting((2, 0.25), (3, 0.125)))
        assert (trial.attempts, trial.learning_curve) == (2, ((1.0, 0.75), (2.0, 0.25), (3.0, 0.125)))

    def test_has_what_a_killed_one_had_written(self, tmp_path: Path) -> None:
        killed_after(tmp_path, "neps.report(1, 0.75)")
        assert work(tmp_path, reporting((2, 0.5))).learning_curve == ((1.0, 0.75), (2.0, 0.5))

    def test_has_all_that_the_checkpoint_of_a_killed_one_had_seen(self, tmp_path: Path) -> None:
        """What goes on from epoch 5 never reports epochs 1 to 5 again."""
        killed_after(
            tmp_path,
            "for epoch in range(1, 6): neps.report(epoch, 1 / epoch)",
            "neps.checkpoint.save(pipeline_directory, b'5', 'state', write=lambda state, file: file.write(state))",
        )
        trial = work(tmp_path, reporting((6, 1 / 6)))
        assert [step for step, _ in trial.learning_curve] == [1, 2, 3, 4, 5, 6]

    def test_has_nothing_beyond_where_it_ends_itself(self, tmp_path: Path) -> None:
        """It has begun again after `neps retry`, and the failure that was retried had gone on for longer."""
        work(tmp_path, reporting(*((step, -50.0) for step in range(6)), end=fail), ignore_errors=True)
        neps.retry(tmp_path, 1)
        trial = work(tmp_path, reporting((0, 1.0), (1, 0.75), (2, 0.5)))
        assert trial.learning_curve == ((0.0, 1.0), (1.0, 0.75), (2.0, 0.5))

    def test_may_report_the_first_step_again_and_go_on_from_a_checkpoint(self, tmp_path: Path) -> None:
        for points in (((0, 1.0), (1, 0.75)), ((0, 1.0),)):
            with pytest.raises(KeyboardInterrupt):
                work(tmp_path, reporting(*points, end=interrupt))
        trial = work(tmp_path, reporting((0, 1.0), (2, 0.5)))
        assert trial.learning_curve == ((0.0, 1.0), (1.0, 0.75), (2.0, 0.5))

    def test_a_returned_curve_wins_over_those_of_all_attempts(self, tmp_path: Path) -> None:
        with pytest.raises(KeyboardInterrupt):
            work(tmp_path, reporting((1, 0.75), end=interrupt))
        trial = work(tmp_path, reporting(end=lambda: {"loss": 0.5, "learning_curve": []}))
        assert trial.learning_curve == ()

    def test_a_trial_that_is_given_up_keeps_what_was_reported(self, tmp_path: Path) -> None:
        for _ in range(3):  # the first is progress
            with pytest.raises(SystemExit):
                work(tmp_path, reporting((1, 0.75), (2, 0.75), end=lambda: sys.exit(1)), max_attempts=2)
        trial = work(tmp_path, reporting(), max_attempts=2)
        assert (trial.status, trial.learning_curve) == ("failed", ((1.0, 0.75), (2.0, 0.75)))


class TestWhileItRuns:
    def test_status_shows_the_last_report(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        def run_pipeline(x: float) -> float:
            neps.report(3, 0.123456789)
            neps.status(tmp_path)
            return x

        work(tmp_path, run_pipeline)
        header, row = capsys.readouterr().out.split("running:\n")[1].splitlines()
        assert header.endswith("  last report")
        assert row.endswith("  step 3, loss 0.123457")
        assert row.index("step 3") == header.index("last report")

    def test_the_heartbeat_writes_what_was_reported_in_between(self, tmp_path: Path) -> None:
        folder = TrialFolder(Layout(tmp_path), 1)

        def run_pipeline(x: float) -> float:
            neps.report(1, 0.5)
            neps.report(2, 0.25)
            assert folder.last_report(1) == (1.0, 0.5)
            while folder.last_report(1) == (1.0, 0.5):
                pass
            return x

        assert work(tmp_path, run_pipeline, lease_seconds=0.1).succeeded
        assert folder.last_report(1) == (2.0, 0.25)

    @pytest.mark.parametrize("how", ["run moved", "taken over"])
    def test_a_worker_that_was_replaced_writes_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
    ) -> None:
        """After a silence, by which another goes on with the trial, or the folder is another run's."""
        scene = Scene(tmp_path)
        scene.define()
        folder = scene.claim(1, here())
        state = scene.running(1, dead() if how == "run moved" else here())
        context: Any = type("Context", (), {"lease": 0.3})
        reports = module.reports_of(Claim(folder, state), context)
        reports.add(1, 0.5)
        assert folder.curve(1).points() == {1.0: 0.5}
        now = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: now + 10)
        if how == "taken over":
            folder.end_attempt(1, End.DIED, dead())
        reports.add(2, 0.25)
        reports.flush()
        assert folder.curve(1).points() == {1.0: 0.5}

    def test_a_folder_that_cannot_be_written_to_costs_no_trial(self, tmp_path: Path) -> None:
        def run_pipeline(pipeline_directory: Path, x: float) -> float:
            (pipeline_directory / "attempt_1.curve.jsonl").mkdir()
            neps.report(1, 0.5)
            return x

        assert work(tmp_path, run_pipeline).learning_curve == ((1.0, 0.5),)


def test_a_report_costs_next_to_nothing(tmp_path: Path) -> None:
    """A few microseconds, as is promised; more on slow machines, and while coverage is measured."""

    def run_pipeline(x: float) -> dict[str, Any]:
        began = time.process_time()
        for step in range(10_000):
            neps.report(step, x)
        return {"loss": x, "info_dict": {"seconds": (time.process_time() - began) / 10_000}}

    result = work(tmp_path, run_pipeline).result
    assert result is not None
    assert result.outcome.info_dict["seconds"] < 100e-6


@pytest.mark.parametrize(
    ("fidelity", "result", "curve"),
    [
        (None, Result.of(success=True, learning_curve=[3, 2]), ((1.0, 3.0), (2.0, 2.0))),
        (9, Result.of(success=True, learning_curve=[3, 2]), ((8.0, 3.0), (9.0, 2.0))),
        (2.5, Result.of(success=True, learning_curve=[3, 2]), ((1.5, 3.0), (2.5, 2.0))),
        (9, Result.of(success=True, learning_curve=[3, 2], learning_curve_steps=[1, 4]), ((1.0, 3.0), (4.0, 2.0))),
        (9, Result.of(success=True, learning_curve=[]), ()),
        (9, Result.of(success=True), ()),
        (9, None, ()),
    ],
)
def test_steps_of_a_curve(
    fidelity: float | None, result: Result | None, curve: tuple[tuple[float, float], ...]
) -> None:
    trial = Trial(number=1, decision=Decision(number=1, config={}, fidelity=fidelity), result=result)
    assert trial.learning_curve == curve
    assert all(type(value) is float for point in trial.learning_curve for value in point)


def test_a_damaged_trial_has_numbered_steps() -> None:
    assert Trial(number=1, decision=None, result=Result.of(success=True, learning_curve=[5])).learning_curve == (
        (1.0, 5.0),
    )


def test_as_many_steps_as_losses_or_it_is_not_to_be_trusted(tmp_path: Path) -> None:
    work(tmp_path, reporting((1, 0.5), (2, 0.25)))
    for name in ("result.yaml", "attempt_1.end.yaml"):
        path = tmp_path / "config_1" / name
        content = path.read_bytes().replace(b"- 0.25\n", b"", 1)
        os.unlink(path)  # noqa: PTH108
        path.write_bytes(content)
    (tmp_path / ".neps").rename(tmp_path / "unused")
    assert not neps.load(tmp_path).trials[0].succeeded


@pytest.mark.parametrize("curve", ["5", "[[1.0, 0.5]]", "'12'", "[half]", "{1: 0.5}"])
def test_what_is_no_list_of_numbers_is_not_to_be_trusted(tmp_path: Path, curve: str) -> None:
    work(tmp_path, lambda x: {"loss": x, "learning_curve": [0.5]})
    for name in ("result.yaml", "attempt_1.end.yaml"):
        path = tmp_path / "config_1" / name
        content = path.read_text().replace("learning_curve:\n- 0.5\n", f"learning_curve: {curve}\n")
        assert curve in content
        os.unlink(path)  # noqa: PTH108
        path.write_text(content)
    (tmp_path / ".neps").rename(tmp_path / "unused")
    assert neps.load(tmp_path).to_dict()["trials"][0]["status"] != "success"
