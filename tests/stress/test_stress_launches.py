"""overwrite_working_directory: once for a launch, never under live workers, and finished by the next after a crash."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from rigs.processes import Fleet, Host
from stress.crew import Crew
from stress.evidence import assert_complete, evaluations, numbers, results, tree
from stress.objective import journal, journal_of
from stress.sabotage import CHANGES
from stress.share import Share
from stress.team import END, await_entry, solo

OLD = 5
NEW = 40
TASKS = 8
LEASE = 1.5


@pytest.fixture(autouse=True)
def _no_launch(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NEPS_RUN_TOKEN", "SLURM_ARRAY_JOB_ID", "SLURM_JOB_ID"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A root with an old run, of another seed."""
    root = tmp_path / "root"
    Share(root, {"max_evaluations_total": OLD, "seed": 1, "lease_seconds": LEASE}).work()
    journal_of(root).unlink()
    (root / "config_2" / "model.pt").write_bytes(b"mine")
    (root / "notes.txt").write_bytes(b"mine")
    return root


def launch(root: Path, name: str | None = "launch", size: int = NEW) -> Share:
    environment = {} if name is None else {"NEPS_RUN_TOKEN": name}
    arguments = {"max_evaluations_total": size, "seed": 2, "overwrite_working_directory": True}
    return Share(root, arguments, environment=environment)


def trials(root: Path) -> dict[str, str | None]:
    """What must be moved as it is."""
    names = {"neps.yaml", *(f"config_{number}" for number in numbers(root))}
    return {path: content for path, content in tree(root).items() if path.split("/")[0] in names}


def runs_aside(root: Path) -> list[Path]:
    """The runs that were moved to overwritten/."""
    return sorted(path.parent for path in root.glob("overwritten/*/neps.yaml"))


def assert_moved_once(root: Path, before: dict[str, str | None]) -> None:
    (aside,) = runs_aside(root)
    assert trials(aside) == before
    assert (root / "notes.txt").read_bytes() == b"mine"
    assert not list(root.rglob(".*.yaml.*"))


def assert_all_worked_on_the_new_run(root: Path) -> None:
    assert numbers(root) == list(range(1, NEW + 1))
    assert results(root) == {"success": NEW}
    assert evaluations(root) == dict.fromkeys(range(1, NEW + 1), 1)


@pytest.fixture
def crew(fleet: Fleet, tmp_path: Path) -> Iterator[Crew]:
    with Crew(fleet, tmp_path / "crew", TASKS) as crew:
        yield crew


def test_8_tasks_of_a_launch_at_once(crew: Crew, old: Path, tmp_path: Path) -> None:
    before = trials(old)
    for repetition in range(10):
        root = shutil.copytree(old, tmp_path / f"root_{repetition}")
        assert crew.run([launch(root)] * TASKS) == [None] * TASKS
        assert_moved_once(root, before)
        assert_all_worked_on_the_new_run(root)


def test_a_task_that_comes_after_the_others_have_ended_joins(old: Path) -> None:
    launch(old).work()
    assert_all_worked_on_the_new_run(old)
    launch(old, size=NEW + 1).work()
    assert len(runs_aside(old)) == 1
    assert numbers(old) == list(range(1, NEW + 2))
    launch(old, "the next launch", size=1).work()
    assert len(runs_aside(old)) == 2
    assert numbers(old) == [1]


def test_without_a_token_each_start_is_a_launch(old: Path) -> None:
    for starts in (1, 2):
        launch(old, None, size=3).work()
        assert len(runs_aside(old)) == starts
        assert numbers(old) == [1, 2, 3]


def test_a_crash_at_any_step_of_the_move_is_finished_by_the_next(old: Path, tmp_path: Path) -> None:
    """A fork dies before its n-th change of the filesystem, for each n until it comes through."""
    before = trials(old)
    deaths = 0
    while True:
        root = shutil.copytree(old, tmp_path / f"root_{deaths}")
        if not dies_before_change(deaths + 1, launch(root, size=1)):
            break
        deaths += 1
        launch(root, size=1).work()
        (aside,) = runs_aside(root)
        assert trials(aside) == before, f"died before change {deaths}"
        assert numbers(root) == [1]
        assert results(root) == {"success": 1}
    print(f"{deaths} deaths")
    assert deaths > 4 * OLD


def dies_before_change(nth: int, share: Share) -> bool:
    sabotaged = Share(**{**vars(share), "sabotage": {"points": CHANGES, "nth": nth, "signum": signal.SIGKILL}})
    pid = os.fork()
    if pid == 0:
        try:
            sabotaged.work()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


def test_the_run_of_a_live_worker_is_joined(fleet: Fleet, tmp_path: Path) -> None:
    root = tmp_path / "root"
    arguments = {"max_evaluations_total": NEW, "seed": 2}
    worker = solo(fleet, Share(root, arguments, {"steps": 1, "slow": 3}))
    await_entry(root, "step", 3)
    task = solo(fleet, launch(root))
    assert task.wait(END) == 0
    assert "live worker" in task.stderr
    assert runs_aside(root) == []
    worker.kill()
    launch(root).work()
    assert runs_aside(root) == [], "a later task of a launch that has joined"
    launch(root, "the next launch").work()
    assert len(runs_aside(root)) == 1, "that token isn't the old run's, and nobody lives any more"


@pytest.mark.usefixtures("hosts")
@pytest.mark.parametrize("alive", [True, False])
def test_a_worker_on_another_host(fleet: Fleet, tmp_path: Path, alive: bool) -> None:  # noqa: FBT001
    """Whether it lives is seen by its heartbeat, within a lease."""
    root = tmp_path / "root"
    lease = 3 * LEASE if alive else LEASE  # that a busy machine keeps, too
    arguments = {"max_evaluations_total": NEW, "seed": 2, "lease_seconds": lease}
    worker = solo(fleet, Share(root, arguments, {"steps": 1, "slow": 3}), Host("alpha"))
    await_entry(root, "step", 3)
    if not alive:
        worker.kill()
    task = solo(fleet, launch(root), Host("beta"))
    assert task.wait(END) == 0
    assert len(runs_aside(root)) == (not alive)


def test_movers_and_a_joiner_at_the_same_moment(crew: Crew, tmp_path: Path, rng: random.Random) -> None:
    """Whoever wins, each evaluation has its result, in the run in the root or in one that was moved as a whole."""
    moves, crowds = 0, list[int]()
    for repetition in range(20):
        root = tmp_path / f"root_{repetition}"
        Share(root, {"max_evaluations_total": OLD, "seed": 2}).work()
        joiner = Share(root, {"max_evaluations_total": NEW, "seed": 2}, delay=rng.uniform(0.0, 0.008))
        assert crew.run([joiner, *[launch(root, "a")] * (TASKS - 1)]) == [None] * TASKS
        kept = Counter(number for run in (root, *runs_aside(root)) for number in numbers(run))
        assert Counter(evaluations(root)) == kept
        assert numbers(root) == list(range(1, NEW + 1))
        assert sum((results(run) for run in (root, *runs_aside(root))), Counter()) == {"success": kept.total()}
        crowds.append(len({entry.pid for entry in journal(root)}))
        moves += len(runs_aside(root))
    print(f"{moves} moves in 20 races, in which so many evaluated: {crowds}")
    assert moves
    assert max(crowds) > 1


def removal(root: Path, seconds: float) -> subprocess.Popen[bytes]:
    """Somebody removes the old runs by hand, in a moment: what is big first, then the rest."""
    program = (
        f'sleep {seconds:.4f}; rm -rf "$0"/overwritten/*/moved.yaml "$0"/overwritten/*/config_*; sleep {seconds:.4f}'
    )
    return subprocess.Popen(["sh", "-c", f'{program}; exec rm -rf "$0"/overwritten', root], stderr=subprocess.DEVNULL)


@pytest.mark.parametrize("next_launch", [False, True])
def test_old_runs_are_removed_while_tasks_start(
    crew: Crew,
    old: Path,
    tmp_path: Path,
    rng: random.Random,
    next_launch: bool,  # noqa: FBT001
) -> None:
    """By tasks of the launch whose run it is, or of the next, which moves that aside, too: it gets its own whole."""
    launch(old).work()
    journal_of(old).unlink()
    before = trials(old)
    hits = 0
    for repetition in range(12):
        root = shutil.copytree(old, tmp_path / f"root_{repetition}")
        number = crew.begin([launch(root, "the next launch" if next_launch else "launch")] * TASKS)
        remover = removal(root, rng.uniform(0.0, 0.04))
        assert crew.outcomes(number, TASKS) == [None] * TASKS
        remover.wait(END)
        hits += not list(root.glob("overwritten/*/config_5"))
        if next_launch:
            assert_all_worked_on_the_new_run(root)
        else:
            assert trials(root) == before
            assert evaluations(root) == {}
    print(f"{hits} removals in 12")
    assert hits


def test_a_new_run_needs_no_move(crew: Crew, tmp_path: Path) -> None:
    root = tmp_path / "root"
    assert crew.run([launch(root)] * TASKS) == [None] * TASKS
    assert not (root / "overwritten").exists()
    assert_complete(root, NEW)
