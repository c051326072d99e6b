"""Real workers and real signals: who asks `should_stop` saves and returns; who asks no more is interrupted."""

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
import logging, sys, time
from pathlib import Path
import neps
import neps._evaluation.stopping as stopping
stopping._PATIENCE = {patience}
stopping._BEFORE_THE_END = 0.0
signs = Path(sys.argv[2])

def epoch(folder, state):
    (signs / f"epoch_{{state + 1}}").touch()
    while not (signs / f"go_{{state + 1}}").exists():
        time.sleep(0.01)
    neps.checkpoint.save(folder, str(state + 1), "state", write=lambda text, file: file.write(text.encode()))
    neps.report(state + 1, 1 / (state + 1))

def run_pipeline(x, pipeline_directory):
    state = int(neps.checkpoint.load(pipeline_directory, name="state", default=b"0", read=lambda file: file.read()))
    trial = neps.current_trial()
    try:
        while state < 4:
            epoch(pipeline_directory, state)
            state += 1
            if {asks} and trial.should_stop():
                (signs / "told").touch()
                break
    except BaseException as error:
        (signs / "struck").write_text(repr(error))
        raise
    return 1 / state

logging.basicConfig(level=logging.INFO)
neps.run(run_pipeline, sys.argv[1], dict(x=neps.Float(0, 1)), searcher="random_search", max_evaluations_total=1,
         post_run_summary=False, lease_seconds={lease})
print("returned", flush=True)
"""


class Scene:
    """A worker whose epochs end when a test says so."""

    def __init__(self, fleet: Fleet, folder: Path) -> None:
        self._fleet, self.root, self.signs = fleet, folder / "root", folder / "signs"
        self.signs.mkdir()

    def start(
        self, *, asks: str = "True", patience: float = 1000.0, lease: float | None = None, **environment: str
    ) -> Worker:
        script = SCRIPT.format(asks=asks, patience=patience, lease=lease)
        return self._fleet.start(script, str(self.root), str(self.signs), environment=environment)

    def has(self, sign: str) -> bool:
        return (self.signs / sign).exists()

    def await_sign(self, sign: str) -> None:
        wait_until(lambda: self.has(sign), END, sign)

    def let_go(self, *epochs: int) -> None:
        for number in epochs:
            (self.signs / f"go_{number}").touch()

    @property
    def trial(self) -> neps.Trial:
        (trial,) = neps.load(self.root).trials
        return trial

    def end(self, attempt: int) -> str:
        fields = documents.load(str(self.root / "config_1" / f"attempt_{attempt}.end.yaml"))
        assert fields is not None
        return str(fields["end"])


@pytest.fixture
def scene(fleet: Fleet, tmp_path: Path) -> Scene:
    return Scene(fleet, tmp_path)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_a_training_that_asks_loses_no_epoch(scene: Scene, signum: int) -> None:
    worker = scene.start()
    scene.let_go(1)
    scene.await_sign("epoch_2")
    worker.signal(signum)
    wait_until(lambda: "run_pipeline is asked to stop (should_stop)" in worker.stderr, END, "the worker to say so")
    scene.let_go(2, 3)
    assert worker.wait(END) == -signum, worker.stderr
    assert scene.has("told")
    assert not scene.has("struck")
    assert (scene.trial.status, scene.end(1)) == ("waiting", "left")
    (scene.signs / "epoch_1").unlink()
    last = scene.start()
    scene.let_go(4)
    assert last.wait(END) == 0, last.stderr
    assert not scene.has("epoch_1"), "it went on from its checkpoint"
    assert (scene.trial.loss, scene.trial.attempts) == (0.25, 2)
    assert [step for step, _ in scene.trial.learning_curve] == [1, 2, 3, 4]


def test_one_that_never_asks_is_interrupted_at_once(scene: Scene) -> None:
    worker = scene.start(asks="False")
    scene.let_go(1)
    scene.await_sign("epoch_2")
    worker.signal(signal.SIGTERM)
    assert worker.wait(END) == -signal.SIGTERM, worker.stderr
    assert scene.has("struck")
    assert scene.end(1) == "left"


def test_one_that_asks_no_more_is_interrupted_after_a_grace(scene: Scene) -> None:
    worker = scene.start(asks="state == 1", patience=0.5)
    scene.let_go(1)
    scene.await_sign("epoch_2")
    worker.signal(signal.SIGTERM)
    assert worker.wait(END) == -signal.SIGTERM, worker.stderr
    assert "Interruption" in (scene.signs / "struck").read_text()
    assert scene.end(1) == "left"


def test_a_second_signal_interrupts_it(scene: Scene) -> None:
    worker = scene.start()
    scene.let_go(1)
    scene.await_sign("epoch_2")
    worker.signal(signal.SIGUSR1)
    wait_until(lambda: "run_pipeline is asked to stop (should_stop)" in worker.stderr, END, "the first second to pass")
    assert not scene.has("struck")
    worker.signal(signal.SIGTERM)
    assert worker.wait(END) == -signal.SIGUSR1, worker.stderr
    assert scene.has("struck")
    assert scene.end(1) == "left"


def test_what_it_returns_without_having_asked_again_is_its_result(scene: Scene) -> None:
    worker = scene.start(asks="state == 1")
    scene.let_go(1, 2, 3)
    scene.await_sign("epoch_4")
    worker.signal(signal.SIGTERM)
    wait_until(lambda: "run_pipeline is asked to stop (should_stop)" in worker.stderr, END, "the worker to say so")
    scene.let_go(4)
    assert worker.wait(END) == -signal.SIGTERM, worker.stderr
    assert (scene.trial.loss, scene.end(1)) == (0.25, "result")


def test_a_worker_whose_walltime_is_short_leaves_cleanly_and_its_trial_goes_on(scene: Scene) -> None:
    worker = scene.start(NEPS_JOB_END_TIME=str(time.time() + 30))  # the margin is 60 s
    scene.let_go(1, 2, 3, 4)
    assert worker.wait(END) == 0, worker.stderr
    assert "returned" in worker.stdout
    assert "leaves: the walltime of the job is nearly over" in worker.stderr
    assert (scene.trial.status, scene.end(1)) == ("waiting", "left")
    assert scene.start(NEPS_JOB_END_TIME=str(time.time() + 10_000)).wait(END) == 0
    assert scene.trial.loss == 0.25


HANGING = """
import logging, os, sys, time
from pathlib import Path
import neps

def run_pipeline(x, pipeline_directory):
    print("begin", neps.current_trial().number, os.getpid(), flush=True)
    neps.report(1, x)
    while neps.current_trial().number == 2 and not Path(sys.argv[2]).exists():
        time.sleep(0.01)
    return x

logging.basicConfig(level=logging.INFO)
neps.run(run_pipeline, sys.argv[1], dict(x=neps.Float(0, 1)), searcher="random_search", max_evaluations_total=3,
         lease_seconds=0.6, max_seconds_per_trial=0.5, post_run_summary=False, {more})
print("returned", flush=True)
"""


@pytest.mark.parametrize("on_time_limit", ["fail", "last_report"])
def test_one_that_hangs_past_its_time_ends_and_its_process_goes_on(
    fleet: Fleet, tmp_path: Path, on_time_limit: str
) -> None:
    script = tmp_path / "search.py"
    script.write_text(HANGING.format(more=f"on_time_limit={on_time_limit!r}"))
    worker = fleet.start(script, str(tmp_path / "root"), str(tmp_path / "never"))
    assert worker.wait(END) == 0, worker.stderr
    assert "Trial 2 has taken longer than max_seconds_per_trial=0.5" in worker.stderr
    assert "This process restarts" in worker.stderr
    begun = [line.split() for line in worker.stdout.splitlines() if line.startswith("begin")]
    assert [number for _, number, _ in begun] == ["1", "2", "3"]
    assert len({pid for _, _, pid in begun}) == 1
    trials = neps.load(tmp_path / "root").trials
    ended = "failed" if on_time_limit == "fail" else "success"
    assert [(trial.status, trial.attempts) for trial in trials] == [("success", 1), (ended, 1), ("success", 1)]
    if on_time_limit == "fail":
        assert str(trials[1].error).startswith("TimeLimitError")
    else:
        assert trials[1].loss == trials[1].config["x"]


def test_where_that_is_not_safe_it_runs_on_and_its_result_counts(fleet: Fleet, tmp_path: Path) -> None:
    script = tmp_path / "search.py"
    script.write_text(HANGING.format(more="max_evaluations_per_run=9"))
    worker = fleet.start(script, str(tmp_path / "root"), str(tmp_path / "let_go"))
    wait_until(lambda: "It is left to end by itself" in worker.stderr, END, "the worker to say so")
    (tmp_path / "let_go").touch()
    assert worker.wait(END) == 0, worker.stderr
    assert [trial.status for trial in neps.load(tmp_path / "root").trials] == ["success"] * 3


def test_a_stop_is_told_to_who_asks_and_what_it_returns_is_no_result(scene: Scene) -> None:
    worker = scene.start(lease=1.5)
    scene.let_go(1)
    scene.await_sign("epoch_2")
    assert len(neps.stop(scene.root)) == 1
    lock = scene.root / "config_1" / "attempt_1.lock"
    wait_until(lock.exists, END, "the first heartbeat")
    for beat in ("a heartbeat after the stop", "another one, so that the first has looked"):
        before = lock.stat().st_mtime_ns
        wait_until(lambda before=before: lock.stat().st_mtime_ns > before, END, beat)  # type: ignore[misc]
    scene.let_go(2)
    scene.await_sign("told")
    assert worker.wait(END) == 0
    assert "returned" in worker.stdout
    assert not scene.has("struck")
    assert scene.end(1) == "left"
    scene.let_go(3, 4)
    assert scene.start(lease=1.5).wait(END) == 0
    assert scene.trial.succeeded
    assert scene.trial.attempts == 2
