"""What run_pipeline starts belongs to its attempt: it reports for it and looks before it saves; nothing else does."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import neps
from neps._children import ATTEMPT, announced, inherited
from neps._ledger.claims import Hold
from neps._ledger.records import End
from unit.ledger_scene import Scene, here, somewhere

ME = here("this-one")
REPORT = "import sys, neps; neps.report(float(sys.argv[1]), float(sys.argv[2]))"
SAVE = "import sys, neps; neps.checkpoint.save(sys.argv[1], b'1', 'state', write=lambda state, file: file.write(state))"


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    scene = Scene(tmp_path / "run")
    scene.define()
    return scene


def python(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def work(root: Path, run_pipeline: Any) -> neps.Trial:
    space = {"x": neps.Float(0, 1)}
    return neps.run(
        run_pipeline, root, space, searcher="random_search", max_evaluations_total=1, seed=1, post_run_summary=False
    ).trials[0]


class TestReports:
    def test_are_in_the_result(self, tmp_path: Path) -> None:
        def run_pipeline(x: float) -> float:
            neps.report(1, 0.9)
            assert python(REPORT, 2, 0.5).returncode == 0
            child = os.fork()
            if child == 0:
                neps.report(3, 0.25)
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
            return x

        trial = work(tmp_path, run_pipeline)
        assert trial.learning_curve == ((1.0, 0.9), (2.0, 0.5), (3.0, 0.25))
        assert neps.load(tmp_path).trials[0].learning_curve == trial.learning_curve

    def test_of_a_child_are_kept_where_its_worker_dies(self, tmp_path: Path) -> None:
        program = f"""
import os, subprocess, sys, neps
def run_pipeline(x):
    subprocess.run([sys.executable, "-c", {REPORT!r}, "4", "0.5"], check=True)
    os.kill(os.getpid(), 9)
neps.run(run_pipeline, sys.argv[1], {{"x": neps.Float(0, 1)}}, searcher="random_search", seed=1)
"""
        assert python(program, tmp_path / "root").returncode == -9
        trial = work(tmp_path / "root", lambda x: x)
        assert (trial.attempts, trial.learning_curve) == (2, ((4.0, 0.5),))

    def test_of_a_child_whose_worker_was_replaced_are_not_written(self, scene: Scene) -> None:
        folder = scene.claim(1, ME)
        with announced(Hold(folder, 1, ME.worker)):
            assert python(REPORT, 1, 0.5).stderr == ""
            scene.take_over(1, 1, somewhere())
            late = python(REPORT, 2, 0.25)
        assert late.returncode == 0
        assert "neps.report does nothing any more" in late.stderr
        assert folder.curve(1).points() == {1.0: 0.5}

    def test_in_the_folder_of_another_run_are_not_written(self, scene: Scene) -> None:
        folder = scene.claim(1, somewhere("another"))
        with announced(Hold(folder, 1, ME.worker)):
            python(REPORT, 1, 0.5)
        assert folder.curve(1).points() == {}

    def test_after_half_a_line_of_a_process_that_was_killed(self, scene: Scene) -> None:
        folder = scene.claim(1, ME)
        with announced(Hold(folder, 1, ME.worker)):
            python(REPORT, 1, 0.5)
            with Path(folder.path, "attempt_1.curve.jsonl").open("a") as file:
                file.write("[2.0, 0.")
            python(REPORT, 3, 0.25)
        assert folder.curve(1).points() == {1.0: 0.5, 3.0: 0.25}

    def test_of_a_search_inside_a_child_are_its_own(self, tmp_path: Path) -> None:
        program = """
import sys, neps
def run_pipeline(x):
    neps.report(1, 0.5)
    return x
inner = neps.run(
    run_pipeline, sys.argv[1], {"x": neps.Float(0, 1)}, searcher="random_search", max_evaluations_total=1
).trials[0]
assert inner.learning_curve == ((1.0, 0.5),), inner
neps.report(7, 0.125)
"""

        def run_pipeline(x: float) -> float:
            assert python(program, tmp_path / "inner").returncode == 0
            return x

        assert work(tmp_path / "outer", run_pipeline).learning_curve == ((7.0, 0.125),)


class TestSave:
    def test_looks_whether_the_attempt_is_open(self, scene: Scene) -> None:
        folder = scene.claim(1, ME)
        with announced(Hold(folder, 1, ME.worker)):
            assert python(SAVE, folder.path).returncode == 0
            assert folder.has_saved(1), "a child's checkpoint is progress, too"
            folder.end_attempt(1, End.DIED, somewhere())
            before = scene.snapshot()
            late = python(SAVE, folder.path)
            assert "attempt 1 of trial 1, to which this process belongs, has ended, or another worker" in late.stderr
            assert scene.snapshot() == before
            assert python(SAVE, scene.root).returncode == 0  # elsewhere
        assert python(SAVE, folder.path).returncode == 0  # not of this evaluation


class TestVariable:
    def test_names_the_attempt_meanwhile(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(ATTEMPT, "an outer one's")
        with announced(Hold(scene.claim(1, ME), 1, ME.worker)):
            assert os.environ[ATTEMPT] == f"1 this-one {scene.root}/config_1"
            with announced(Hold(scene.claim(2, ME), 3, ME.worker)):
                assert os.environ[ATTEMPT] == f"3 this-one {scene.root}/config_2"
            assert os.environ[ATTEMPT] == f"1 this-one {scene.root}/config_1"
            assert inherited() is None
        assert os.environ[ATTEMPT] == "an outer one's"

    def test_is_not_left(self, tmp_path: Path) -> None:
        seen: list[str] = []

        def run_pipeline(x: float) -> float:
            seen.append(os.environ[ATTEMPT])
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            work(tmp_path, run_pipeline)
        assert seen[0].endswith(f" {tmp_path}/config_1")
        assert ATTEMPT not in os.environ

    def test_of_two_evaluations_at_once_nobody_can_tell_whose_a_child_is(self, scene: Scene) -> None:
        inside, leave = threading.Event(), threading.Event()

        def evaluate() -> None:
            with announced(Hold(scene.claim(2, ME), 1, ME.worker)):
                inside.set()
                leave.wait(20)

        thread = threading.Thread(target=evaluate)
        with announced(Hold(scene.claim(1, ME), 1, ME.worker)):
            thread.start()
            inside.wait(20)
            assert ATTEMPT not in os.environ
            leave.set()
            thread.join()
            assert os.environ[ATTEMPT].endswith("config_1")
        assert ATTEMPT not in os.environ

    @pytest.mark.parametrize(
        "value", ["", "1", "1 w", "0 w /r/config_1", "1 w r/config_1", "1 w /r/config_0", "x w /r"]
    )
    def test_what_names_none(self, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
        monkeypatch.setenv(ATTEMPT, value)
        assert inherited() is None
        neps.report(1, 0.5)

    def test_a_root_may_have_any_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(ATTEMPT, "2 w /a b\n/config_3/config_45")
        hold = inherited()
        assert hold is not None
        assert (hold.folder.path, hold.attempt, hold.worker) == ("/a b\n/config_3/config_45", 2, "w")
