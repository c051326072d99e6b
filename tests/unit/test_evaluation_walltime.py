"""When the job ends: by a variable, by SLURM's, or by what `scontrol` says; and what says nothing at all."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from neps._evaluation.walltime import Walltime
from rigs.waiting import wait_until


def in_seconds(seconds: float) -> str:
    return str(int(time.time() + seconds))


def about(seconds: float | None, expected: float) -> bool:
    """Whether so much is left; the machine may be slow, and times are whole seconds."""
    return seconds is not None and expected - 60 < seconds <= expected + 1


@pytest.fixture
def controller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Stands for `scontrol`: it says what it is given, and notes each call in the file that this returns."""
    calls = tmp_path / "calls"

    def says(what: str) -> Path:
        program = tmp_path / "bin" / "scontrol"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\necho "$@" "$SLURM_TIME_FORMAT" >> {calls}\n{what}\n')
        program.chmod(0o755)
        calls.touch()
        return calls

    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return says


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"NEPS_JOB_END_TIME": "never"},
        {"NEPS_JOB_END_TIME": "never", "SLURM_JOB_ID": "7", "SLURM_JOB_END_TIME": in_seconds(900)},
        {"NEPS_JOB_END_TIME": "inf"},
        {"NEPS_JOB_END_TIME": in_seconds(-5)},  # of another job, which has ended
        {"SLURM_JOB_END_TIME": in_seconds(900)},  # of no job at all
    ],
)
def test_no_end_is_known(environment: Mapping[str, str]) -> None:
    walltime = Walltime(environment)
    assert walltime.left() is walltime.latest() is walltime.known is None
    assert not walltime.may_end


@pytest.mark.parametrize(
    "environment",
    [
        {"NEPS_JOB_END_TIME": 1800},
        {"NEPS_JOB_END_TIME": 1800, "SLURM_JOB_ID": 7, "SLURM_JOB_END_TIME": 900},
        {"SLURM_JOB_ID": 7, "SLURM_JOB_END_TIME": 1800},
    ],
)
def test_a_variable_says_it_and_nobody_is_asked(
    environment: Mapping[str, int], controller: Callable[[str], Path]
) -> None:
    calls = controller("exit 1")
    walltime = Walltime(
        {name: in_seconds(value) if name.endswith("TIME") else str(value) for name, value in environment.items()}
    )
    assert about(walltime.left(), 1800)
    assert about(walltime.latest(), 1800)
    assert walltime.may_end
    assert calls.read_text() == ""


def test_the_whole_job_begins_where_slurm_says() -> None:
    times = {"SLURM_JOB_START_TIME": in_seconds(-3600), "SLURM_JOB_END_TIME": in_seconds(1800)}
    assert about(Walltime({"SLURM_JOB_ID": "7"} | times).whole, 5400)
    assert about(Walltime({"NEPS_JOB_END_TIME": in_seconds(1800)}).whole, 1800)


@pytest.mark.parametrize("written", ["%s", "%Y-%m-%dT%H:%M:%S"], ids=["Unix seconds", "as older versions write it"])
def test_the_controller_says_it_where_no_variable_does(controller: Callable[[str], Path], written: str) -> None:
    start, end = (time.strftime(written, time.localtime(time.time() + seconds)) for seconds in (-100, 1800))
    calls = controller(f"echo JobId=7 StartTime={start} EndTime={end} Deadline=N/A")
    walltime = Walltime({"SLURM_JOB_ID": "7"})
    assert walltime.may_end
    wait_until(lambda: walltime.left() is not None, 60, "its answer")
    assert about(walltime.left(), 1800)
    assert about(walltime.whole, 1900)
    assert calls.read_text() == "--oneliner show job 7 %s\n", "asked once"


def test_who_asks_for_the_latest_waits_for_an_answer_that_is_under_way(controller: Callable[[str], Path]) -> None:
    calls = controller(f"sleep 0.2; echo JobId=7 EndTime={in_seconds(1800)}")
    walltime = Walltime({"SLURM_JOB_ID": "7"})
    assert walltime.left() is None
    assert about(walltime.latest(), 1800)
    assert len(calls.read_text().splitlines()) == 1


@pytest.mark.parametrize("what", ["exit 1", "echo JobId=7 EndTime=Unknown", "printf '\\377'", "exec sleep 60"])
def test_a_controller_that_says_nothing_is_left_alone(
    controller: Callable[[str], Path], what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neps._evaluation.walltime._SECONDS_TO_ANSWER", 0.5)
    calls = controller(what)
    walltime = Walltime({"SLURM_JOB_ID": "7"})
    assert walltime.latest() is None
    assert walltime.latest() is walltime.left() is None
    assert len(calls.read_text().splitlines()) <= 1


def test_near_its_end_a_job_may_have_been_given_more(
    controller: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neps._evaluation.walltime._LOOK_AGAIN", 0.0)
    calls = controller(f"echo JobId=7 EndTime={in_seconds(7200)}")
    walltime = Walltime({"SLURM_JOB_ID": "7", "SLURM_JOB_END_TIME": in_seconds(300)})
    wait_until(lambda: about(walltime.left(), 7200), 60, "its answer")
    asked = calls.read_text()
    assert about(walltime.left(), 7200)
    assert calls.read_text() == asked, "there is plenty of time again"


def test_without_slurms_programs_nothing_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Walltime({"SLURM_JOB_ID": "7"}).latest() is None


def test_a_clock_that_jumps_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    walltime = Walltime({"NEPS_JOB_END_TIME": in_seconds(1800)})
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert about(walltime.left(), 1800)


@pytest.mark.parametrize("said", ["4:00:00", "soon", "-5", "12"])
def test_an_end_that_is_none_is_named(said: str, caplog: pytest.LogCaptureFixture) -> None:
    assert Walltime({"NEPS_JOB_END_TIME": said}).left() is None
    assert f"NEPS_JOB_END_TIME={said} is ignored" in caplog.text
    caplog.clear()
    assert Walltime({"NEPS_JOB_END_TIME": "never"}).left() is None
    assert not caplog.text
