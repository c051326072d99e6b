"""A neps.run inside of run_pipeline, with real processes: what cuts it short leaves no result of what is around it."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

import neps
from neps._ledger import documents
from rigs.processes import Fleet, Worker
from rigs.waiting import wait_until
from stress.team import END

SCRIPT = """
import logging, subprocess, sys, time
from pathlib import Path
import neps

root, signs = map(Path, sys.argv[1:3])
options = dict(searcher="random_search", seed=1, post_run_summary=False, lease_seconds=1.5)

def inner(x):
    trial, began = neps.current_trial(), time.monotonic()
    (signs / f"inner_{trial.number}").touch()
    while not (signs / f"go_{trial.number}").exists() and not UNTIL:
        time.sleep(0.01)
    return x

def search_inside(folder):
    return neps.run(inner, folder / "inner", dict(x=neps.Float(0, 1)), max_evaluations_total=3, **options)

def outer(y, pipeline_directory):
    try:
        CALL
    except BaseException:
        if not SWALLOWS:
            raise
    history = neps.load(pipeline_directory / "inner")
    (signs / "outer_returns").touch()
    return len(history.succeeded)

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    if len(sys.argv) > 3:
        search_inside(Path(sys.argv[3]))
    else:
        neps.run(outer, root, dict(y=neps.Float(0, 1)), max_evaluations_total=1, **options)
        print("returned", flush=True)
"""
ASKED = "trial.should_stop(margin=1000)"
MOST_IS_OVER = "trial.seconds_left < time.monotonic() - began"
HERE = "search_inside(pipeline_directory)"
IN_A_CHILD = "subprocess.run([sys.executable, __file__, root, signs, pipeline_directory], check=True)"


class Scene:
    """Workers whose inner trials end when a test says so."""

    def __init__(self, fleet: Fleet, folder: Path) -> None:
        self._fleet, self.root, self.signs = fleet, folder / "root", folder / "signs"
        self._script = folder / "search.py"
        self.signs.mkdir()

    def start(
        self, call: str = HERE, *, until: str = ASKED, swallows: bool = False, walltime: float | None = None
    ) -> Worker:
        """A worker whose inner trials end once they may go, or `until` is true."""
        program = SCRIPT.replace("CALL", call).replace("UNTIL", until).replace("SWALLOWS", str(swallows))
        self._script.write_text(program)
        ends = "never" if walltime is None else str(time.time() + walltime)
        return self._fleet.start(self._script, str(self.root), str(self.signs), environment={"NEPS_JOB_END_TIME": ends})

    @property
    def inner(self) -> Path:
        return self.root / "config_1" / "inner"

    def await_sign(self, sign: str) -> None:
        wait_until((self.signs / sign).exists, END, sign)

    def let_go(self, *trials: int) -> None:
        for number in trials:
            (self.signs / f"go_{number}").touch()

    def assert_handed_back(self, by: str) -> None:
        (outer,) = neps.load(self.root).trials
        assert (outer.status, outer.attempts, outer.loss) == ("waiting", 1, None)
        end = documents.load(str(self.root / "config_1" / "attempt_1.end.yaml"))
        assert end is not None
        assert (end["end"], end["why"]) == ("left", by)

    def assert_goes_on(self) -> None:
        """The next worker finishes both; each inner trial that had succeeded is kept, and none comes twice."""
        before = {trial.number: trial.loss for trial in neps.load(self.inner).succeeded}
        self.let_go(1, 2, 3)
        worker = self.start()
        assert worker.wait(END) == 0, worker.stderr
        (outer,) = neps.load(self.root).trials
        assert (outer.status, outer.attempts, outer.loss) == ("success", 2, 3.0)
        after = neps.load(self.inner).trials
        assert [trial.status for trial in after] == ["success"] * 3
        assert before.items() <= {trial.number: trial.loss for trial in after}.items()


@pytest.fixture
def scene(fleet: Fleet, tmp_path: Path) -> Scene:
    return Scene(fleet, tmp_path)


@pytest.mark.parametrize("call", [HERE, IN_A_CHILD], ids=["here", "in a child"])
def test_one_that_leaves_by_the_walltime_leaves_the_outer_trial_as_well(scene: Scene, call: str) -> None:
    worker = scene.start(call, walltime=100)
    scene.let_go(1)
    assert worker.wait(END) == 0, worker.stderr
    assert (scene.signs / "outer_returns").exists()
    assert "leaves: the walltime of the job is nearly over" in worker.stderr
    scene.assert_handed_back("interrupted by the end of the job's walltime, which is near")
    scene.assert_goes_on()


def test_one_that_begins_nothing_which_does_not_fit_leaves_the_outer_trial_as_well(scene: Scene) -> None:
    worker = scene.start(until=MOST_IS_OVER, walltime=10)
    assert worker.wait(END) == 0, worker.stderr
    assert not (scene.signs / "inner_2").exists()
    assert "of the job's walltime are left, and a trial like the next one takes" in worker.stderr
    scene.assert_handed_back("interrupted by the end of the job's walltime, which is near")
    scene.assert_goes_on()


@pytest.mark.parametrize("until", [ASKED, "False"], ids=["asks", "never asks"])
def test_a_stop_of_the_outer_run_cuts_both_short(scene: Scene, until: str) -> None:
    worker = scene.start(until=until)
    scene.await_sign("inner_1")
    assert len(neps.stop(scene.root)) == 1
    assert worker.wait(END) == 0, worker.stderr
    assert "returned" in worker.stdout
    scene.assert_handed_back("interrupted by neps stop")
    scene.assert_goes_on()


@pytest.mark.parametrize("after_trial", [True, False])
def test_a_stop_of_the_inner_run_leaves_no_result_of_the_outer_trial(scene: Scene, *, after_trial: bool) -> None:
    worker = scene.start()
    scene.await_sign("inner_1")
    assert len(neps.stop(scene.inner, after_trial=after_trial)) == 1
    if after_trial:
        scene.let_go(1)
    assert worker.wait(END) == 0, worker.stderr
    assert "leaves: neps stop asks a run inside of its trial to leave" in worker.stderr
    scene.assert_handed_back("interrupted by neps stop")
    scene.assert_goes_on()


@pytest.mark.parametrize("swallows", [True, False], ids=["swallowed", "passed on"])
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_both_even_where_run_pipeline_swallows_it(scene: Scene, signum: int, *, swallows: bool) -> None:
    worker = scene.start(until="False", swallows=swallows)
    scene.await_sign("inner_1")
    worker.signal(signum)
    assert worker.wait(END) == -signum, worker.stderr
    scene.assert_handed_back(f"interrupted by {signal.Signals(signum).name}")
    end = documents.load(str(scene.inner / "config_1" / "attempt_1.end.yaml"))
    assert end is not None
    assert end["end"] == "left"
    scene.assert_goes_on()
