"""Races of `neps.tell`, in real processes: with another tell, a retry, a takeover, and with its own death anywhere.

Whatever dies and whoever is quicker: one outcome is published, it is that of who was told so, and nothing is lost.
"""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import neps
from neps.errors import NotPendingError
from rigs.processes import Fleet
from stress.evidence import document, leftovers
from stress.team import END

QUIET: dict[str, Any] = {"searcher": "random_search", "seed": 1, "progress": False, "post_run_summary": False}
SPACE = {"x": neps.Float(0, 1)}
TRIALS = 12

RACERS = """
import sys, neps
from neps.errors import ArgumentError
from rigs.barrier import await_start

root, act, trials = sys.argv[1], sys.argv[2], int(sys.argv[3])
won = {"retry": lambda number: neps.retry(root, number) == (number,)}
tell = lambda number: neps.tell(root, number, float(act)).succeeded
neps.tell, neps.retry
await_start()
for number in range(1, trials + 1):
    try:
        print(int(won.get(act, tell)(number)))
    except ArgumentError:
        print(0)
"""

DYING = f"""
import os, signal, sys
import neps
from neps._worker import ending

root, act = sys.argv[1], sys.argv[2]
mark, run, tell, _ = ending.mark_pending, neps.run, neps.tell, neps.AskAndTell
space, arguments = {{"x": neps.Float(0, 1)}}, dict(max_evaluations_total=1, **{QUIET!r})

def dying(function):
    def call(*arguments, **named):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **named)
    return call

def strike():
    for name in ("open", "write", "fsync", "link", "unlink"):
        setattr(os, name, dying(getattr(os, name)))

def marking(*arguments):
    strike()
    mark(*arguments)

for call in range(1, 40):
    left = [call]
    if act == "tell":
        run(lambda x: neps.PENDING, f"{{root}}_{{call}}", space, **arguments)
    child = os.fork()
    if child == 0:
        if act == "tell":
            strike()
            tell(f"{{root}}_{{call}}", 1, 0.5)
        elif act == "ask":
            search = neps.AskAndTell(space, root_directory=f"{{root}}_{{call}}", searcher="random_search", seed=1)
            strike()
            search.ask()
        else:
            ending.mark_pending = marking
            run(lambda x: neps.PENDING, f"{{root}}_{{call}}", space, **arguments)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(code)
    if code != -signal.SIGKILL:
        break
"""

JOBS = f"""
import os, subprocess, sys
import neps

root = sys.argv[1]
JOB = "import neps, sys; print(neps.tell(sys.argv[1], sys.argv[2], float(sys.argv[3])))"

def run_pipeline(x, pipeline_directory):
    job = [sys.executable, "-c", JOB, root, pipeline_directory.name, str(x)]
    with open(pipeline_directory / f"job_{{os.environ['NEPS_ATTEMPT'].split()[0]}}.log", "w") as log:
        subprocess.Popen(job, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    return neps.PENDING

neps.run(run_pipeline, root, {{"x": neps.Float(0, 1)}}, max_evaluations_total={TRIALS}, lease_seconds=1e3,
         max_attempts=1000, continue_until_max_evaluation_completed=True, **{QUIET!r})
"""


def pending(root: Path, trials: int = 1, **arguments: Any) -> neps.History:
    return neps.run(lambda **_: neps.PENDING, root, SPACE, max_evaluations_total=trials, **(QUIET | arguments))


@pytest.mark.parametrize("acts", [("0.25", "0.5"), ("0.25", "retry"), ("0.25", "0.5", "retry")], ids=" ".join)
def test_one_of_those_who_tell_and_retry_is_first(fleet: Fleet, tmp_path: Path, acts: tuple[str, ...]) -> None:
    root = tmp_path / "root"
    pending(root, TRIALS)
    racers = [fleet.start(RACERS, root, act, str(TRIALS)) for act in acts]
    fleet.release()
    assert fleet.wait_all(END) == [0] * len(acts), [racer.stderr for racer in racers]
    won = list(zip(*([int(line) for line in racer.stdout.split()] for racer in racers), strict=True))
    for trial, winners in zip(neps.load(root), won, strict=True):
        assert sum(winners) == 1, (trial, winners)
        first = acts[winners.index(1)]
        assert str(trial.loss) == first if first != "retry" else str(trial.status) == "waiting"
    assert leftovers(root) == []
    print("who was first:", Counter(acts[winners.index(1)] for winners in won))


def deaths(fleet: Fleet, root: Path, act: str) -> list[Path]:
    """The roots in which somebody was killed before the first, second … call of the system; in the last, nobody was."""
    dying = fleet.start(DYING, root, act)
    assert dying.wait(END) == 0, dying.stderr
    codes = [int(line) for line in dying.stdout.split()]
    assert codes == [-signal.SIGKILL] * (len(codes) - 1) + [0], dying.stderr
    return [Path(f"{root}_{call}") for call in range(1, len(codes) + 1)]


def test_tell_that_dies_at_any_call_is_told_or_can_be_told_again(fleet: Fleet, tmp_path: Path) -> None:
    told = []
    for root in deaths(fleet, tmp_path / "root", "tell"):
        try:
            neps.tell(root, 1, 0.25)
        except NotPendingError:
            told.append(True)
        else:
            told.append(False)
        assert neps.load(root).trials[0].loss == (0.5 if told[-1] else 0.25)
        assert document(root / "config_1" / "result.yaml") == document(root / "config_1" / "attempt_1.end.yaml")
    assert told == sorted(told), "once the end is linked, it is told"
    assert told.count(False) > 3
    assert told.count(True) > 3


def test_worker_that_dies_at_any_call_of_its_mark_has_marked_the_attempt_or_died(fleet: Fleet, tmp_path: Path) -> None:
    marked = []
    for root in deaths(fleet, tmp_path / "root", "mark"):
        marked.append((root / "config_1" / "attempt_1.pending.yaml").exists())
        (trial,) = pending(root).trials
        assert trial.awaits_tell
        assert trial.attempts == (1 if marked[-1] else 2), "only without a mark was it taken over"
        assert neps.tell(root, 1, 0.25, attempt=trial.attempts).succeeded
    assert marked == sorted(marked)
    assert marked.count(False) > 1
    assert marked.count(True) > 1


def test_who_asks_and_dies_at_any_call_leaves_a_trial_to_be_told_or_to_workers(fleet: Fleet, tmp_path: Path) -> None:
    asked = []
    for root in deaths(fleet, tmp_path / "root", "ask"):
        if not (root / "config_1" / "trial.yaml").exists():
            continue  # it has decided nothing: workers know half claims
        again = neps.AskAndTell(SPACE, root_directory=root)
        asked.append(len(again.pending))
        assert again.ask() is not None, "the next number"
        history = neps.run(lambda **_: 0.5, root, SPACE, max_evaluations_total=3, **QUIET)
        assert [trial.awaits_tell for trial in history] == [bool(asked[-1]), True, False]
        assert history.trials[0].attempts == (1 if asked[-1] else 2)
        assert sum(again.tell(trial, 0.25).succeeded for trial in again.pending) == asked[-1] + 1
    assert asked == sorted(asked)
    assert asked.count(0) > 1
    assert asked.count(1) > 1


def test_jobs_of_workers_that_are_killed_at_any_moment(fleet: Fleet, tmp_path: Path) -> None:
    """Each trial's loss is its own, whoever told it: the job of an attempt that was marked, or died before that."""
    root = tmp_path / "root"
    for _ in range(2):
        fleet.start(JOBS, root)
    fleet.disturb(
        lambda: all(worker.exit_code is not None for worker in fleet.workers),
        END,
        seconds_between=(0.3, 1.0),
        kinds=("kill",),
    )
    assert {worker.exit_code for worker in fleet.workers} <= {0, -signal.SIGKILL}
    history = neps.load(root)
    assert len(history.succeeded) == TRIALS
    for trial in history:
        assert trial.loss == trial.config["x"]
        ends = [document(path)["end"] for path in sorted((root / f"config_{trial.number}").glob("attempt_*.end.yaml"))]
        assert ends == ["died"] * (trial.attempts - 1) + ["result"]
        logs = [path.read_text() for path in sorted((root / f"config_{trial.number}").glob("job_*.log"))]
        assert sum(f"<Trial {trial.number}: success" in log for log in logs) == 1, logs
