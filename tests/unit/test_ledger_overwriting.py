"""Old runs are moved aside whole, once, never under live workers, and whoever dies on the way is helped."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from neps.ledger import liveness, overwriting
from neps.ledger.definition import Definition, find_definition
from neps.ledger.heartbeat import Heartbeat
from neps.ledger.identity import Identity
from neps.ledger.layout import Layout
from neps.ledger.opening import launch_token, open_run
from neps.ledger.overwriting import finish_moves, keep_running, move_aside
from rigs.processes import Fleet
from unit.ledger_scene import SPACE, Scene, dead, here, somewhere

ME = here("me")
OLD, NEW = "old0", "new0"
STEPS = ("mkdir", "link", "unlink", "rename", "open")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "_POLL", 0.02)


@pytest.fixture
def old(tmp_path: Path) -> Scene:
    """A run of three trials, the last a half claim, all of whose workers have ended."""
    scene = Scene(tmp_path / "run", OLD)
    scene.define(lease_seconds=0.2)
    scene.claim(1, dead())
    scene.end(1)
    scene.claim(2, dead())
    scene.folder(3).reserve()
    (scene.root / "notes.txt").write_text("the user's")
    return scene


def definition(scene: Scene) -> Definition:
    found = find_definition(str(scene.root))
    assert found is not None
    return found


def moved(scene: Scene, name: str = "") -> Path:
    return Path(scene.layout.overwritten, OLD, name)


def without_signs(files: dict[str, bytes]) -> dict[str, bytes]:
    """The user's and the run's files, less what is hidden or says that there was a move."""
    return {
        path: content
        for path, content in files.items()
        if not path.rpartition("/")[2].startswith((".", "intent_", "verdict_", "moved"))
    }


def assert_moved(scene: Scene, before: dict[str, bytes]) -> None:
    files = without_signs(scene.snapshot())
    assert files.pop("notes.txt") == b"the user's"
    del before["notes.txt"]
    assert files == {f"overwritten/{OLD}/{path}": content for path, content in before.items()}
    assert (moved(scene, "config_3")).is_dir()
    assert moved(scene, "moved.yaml").exists()
    assert [path.name for path in scene.root.glob("config_*")] == []
    assert [path.name for path in moved(scene).glob(".neps*")] == []


class Crash(BaseException):
    """The process ends here."""


@contextlib.contextmanager
def crash_at(step: int) -> Iterator[list[str]]:
    """End at the n-th call that changes something; the calls so far."""
    calls: list[str] = []

    def crashing(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if name != "open" or (len(args) > 1 and args[1] & os.O_CREAT):
                calls.append(name)
                if len(calls) >= step:
                    raise Crash
            return function(*args, **kwargs)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in STEPS:
            patch.setattr(os, name, crashing(name, getattr(os, name)))
        yield calls


class TestMove:
    def test_all_of_it(self, old: Scene) -> None:
        before = without_signs(old.snapshot())
        assert move_aside(str(old.root), definition(old), ME)
        assert_moved(old, before)
        assert find_definition(str(old.root)) is None

    def test_moved_run_can_be_read(self, old: Scene) -> None:
        move_aside(str(old.root), definition(old), ME)
        found = find_definition(str(moved(old)))
        assert found is not None
        assert found.run == OLD

    def test_crash_at_each_step_is_finished_by_the_next(self, old: Scene, tmp_path: Path) -> None:
        """Also where a third comes after the new run has begun."""
        template, step = tmp_path / "template", 1
        shutil.copytree(old.root, template)
        while True:
            shutil.rmtree(old.root)
            shutil.copytree(template, old.root)
            before = without_signs(old.snapshot())
            with crash_at(step), contextlib.suppress(Crash):
                move_aside(str(old.root), definition(old), ME)
                break
            finish_moves(str(old.root), here("second"))
            if (found := find_definition(str(old.root))) is not None:  # it wasn't decided yet
                assert without_signs(old.snapshot()) == before
                assert move_aside(str(old.root), found, here("third"))
            assert_moved(old, before)
            step += 1
        assert step > 15

    def test_second_mover_leaves_the_next_run_alone(self, old: Scene) -> None:
        """It was frozen since before the first had finished, and the new run has more trials than the old."""
        root = str(old.root)
        move_aside(root, definition(old), ME)
        new = Scene(old.root, NEW)
        new.define()
        for number in range(1, 7):
            new.claim(number)
        new.folder(7).reserve()
        before = without_signs(old.snapshot())
        moved(old, "moved.yaml").unlink()  # as it was when the second mover looked
        finish_moves(root, here("second"))
        assert without_signs(old.snapshot()) == before
        assert definition(old).run == NEW

    def test_next_run_in_place_of_a_number_that_the_old_had_not(self, old: Scene) -> None:
        shutil.rmtree(old.path(2))
        root = str(old.root)
        move_aside(root, definition(old), ME)
        new = Scene(old.root, NEW)
        new.define()
        new.claim(2)
        moved(old, "moved.yaml").unlink()
        finish_moves(root, here("second"))
        assert new.path(2, "trial.yaml").exists()

    def test_new_trial_does_not_replace_an_old_half_claim(self, old: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        """The second mover was frozen between its look at the target and its rename."""
        move_aside(str(old.root), definition(old), ME)
        new = Scene(old.root, NEW)
        new.define()
        new.claim(3)
        moved(old, "moved.yaml").unlink()
        exists = os.path.lexists
        monkeypatch.setattr(os.path, "lexists", lambda path: str(path) != str(moved(old, "config_3")) and exists(path))
        finish_moves(str(old.root), here("second"))
        assert new.path(3, "trial.yaml").exists()

    def test_two_definitions_are_not_mixed_up(self, old: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        """The slow mover takes away the neps.yaml that was published since it had looked."""
        root, look = str(old.root), overwriting._run_of
        move_aside(root, definition(old), ME)
        Scene(old.root, NEW).define()
        moved(old, "moved.yaml").unlink()
        answers = [OLD]
        monkeypatch.setattr(overwriting, "_run_of", lambda path: answers.pop() if answers else look(path))
        finish_moves(root, here("second"))
        assert definition(old).run == NEW
        assert [path.name for path in moved(old).glob(".neps*")] == []

    def test_two_movers_in_processes(self, old: Scene, fleet: Fleet) -> None:
        before = without_signs(old.snapshot())
        program = (
            "import sys\n"
            "from neps.ledger.definition import find_definition\n"
            "from neps.ledger.identity import Identity\n"
            "from neps.ledger.overwriting import finish_moves, move_aside\n"
            "from rigs.barrier import await_start\n"
            "root, me = sys.argv[1], Identity.mine()\n"
            "found = find_definition(root)\n"
            "await_start()\n"
            "print(move_aside(root, found, me))\n"
            "finish_moves(root, me)\n"
        )
        for _ in range(4):
            fleet.start(program, old.root)
        fleet.release()
        assert fleet.wait_all(60) == [0, 0, 0, 0], [worker.stderr for worker in fleet.workers]
        assert {worker.stdout for worker in fleet.workers} == {"True\n"}
        assert_moved(old, before)

    def test_other_files_in_overwritten(self, old: Scene) -> None:
        overwritten = Path(old.layout.overwritten)
        (overwritten / "folder").mkdir(parents=True)
        (overwritten / "file").touch()
        finish_moves(str(old.root), ME)
        assert definition(old).run == OLD


class TestAlive:
    def test_present_worker_on_this_host(self, old: Scene) -> None:
        heartbeat = Heartbeat(old.layout, here("worker"), 3600.0)
        heartbeat.begin()
        before = without_signs(old.snapshot())
        assert not move_aside(str(old.root), definition(old), ME)
        assert without_signs(old.snapshot()) == before
        heartbeat.stop()
        assert move_aside(str(old.root), definition(old), ME)

    def test_worker_on_this_host_whose_presence_was_deleted(self, old: Scene) -> None:
        old.claim(4, here("worker"))
        assert not move_aside(str(old.root), definition(old), ME)

    def test_beating_worker_elsewhere(self, old: Scene) -> None:
        heartbeat = Heartbeat(old.layout, somewhere("worker"), 0.03)
        heartbeat.begin()
        assert not move_aside(str(old.root), definition(old), ME)
        heartbeat.stop()

    def test_silent_worker_elsewhere(self, old: Scene, caplog: pytest.LogCaptureFixture) -> None:
        old.claim(4, somewhere("worker"))
        assert move_aside(str(old.root), definition(old), ME)
        assert "waiting up to 0.2 s (lease_seconds) to see whether worker still lives" in caplog.text

    def test_torn_presence_is_nobody(self, old: Scene) -> None:
        presence = Path(old.layout.presence)
        presence.mkdir(parents=True)
        (presence / "a.yaml").write_bytes(b"format_ver")
        assert move_aside(str(old.root), definition(old), ME)


class TestKeepRunning:
    def joiner_is_kept(self, scene: Scene) -> bool:
        return keep_running(str(scene.root), OLD, here("joiner"))

    def test_nobody_moves(self, old: Scene) -> None:
        assert self.joiner_is_kept(old)
        assert not Path(old.layout.overwritten).exists()

    @pytest.mark.parametrize("joiner_first", [True, False])
    def test_one_of_both_has_its_way(self, old: Scene, monkeypatch: pytest.MonkeyPatch, joiner_first: bool) -> None:  # noqa: FBT001
        """The joiner shows up just after the mover has looked for workers."""
        kept: list[bool] = []
        decide = overwriting._decide

        def race(folder: str, attempt: int, me: Identity, numbers: list[int] | None) -> list[int] | None:
            if me == ME and joiner_first:
                kept.append(self.joiner_is_kept(old))
            decided = decide(folder, attempt, me, numbers)
            if me == ME and not joiner_first:
                kept.append(self.joiner_is_kept(old))
            return decided

        monkeypatch.setattr(overwriting, "_decide", race)
        assert move_aside(str(old.root), definition(old), ME) is not joiner_first
        assert kept == [joiner_first]

    def test_after_the_move(self, old: Scene) -> None:
        move_aside(str(old.root), definition(old), ME)
        assert not self.joiner_is_kept(old)

    def test_intent_of_somebody_who_has_given_up(self, old: Scene) -> None:
        """Who started with overwrite, thought better of it, and started again without: the run stays."""
        with crash_at(5), contextlib.suppress(Crash):
            move_aside(str(old.root), definition(old), ME)
        assert moved(old, "intent_1.yaml").exists()
        finish_moves(str(old.root), here("joiner"))
        assert self.joiner_is_kept(old)
        assert definition(old).run == OLD
        assert move_aside(str(old.root), definition(old), ME)
        assert moved(old, "intent_2.yaml").exists()


class TestOpenRun:
    def open(self, root: Path, *, overwrite: bool = False, name: str = "me") -> str:
        def define(found: Definition | None) -> Definition:
            return found or Definition(
                space=SPACE, searcher={"name": "random_search"}, seed=2, lease_seconds=0.2, launch=launch_token()
            )

        opened = open_run(str(root), here(name), define, overwrite=overwrite)
        opened.heartbeat.stop()
        return opened.definition.run

    @pytest.fixture(autouse=True)
    def _no_launch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for variable in ("NEPS_RUN_TOKEN", "SLURM_ARRAY_JOB_ID", "SLURM_JOB_ID"):
            monkeypatch.delenv(variable, raising=False)

    def test_new(self, tmp_path: Path) -> None:
        run = self.open(tmp_path / "new")
        assert self.open(tmp_path / "new") == run

    def test_joins(self, old: Scene) -> None:
        assert self.open(old.root) == OLD

    def test_overwrites(self, old: Scene) -> None:
        run = self.open(old.root, overwrite=True)
        assert run != OLD
        assert moved(old, "moved.yaml").exists()
        assert self.open(old.root) == run

    def test_once_for_a_launch(self, old: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NEPS_RUN_TOKEN", "launch-1")
        run = self.open(old.root, overwrite=True)
        assert self.open(old.root, overwrite=True) == run
        monkeypatch.setenv("NEPS_RUN_TOKEN", "launch-2")
        assert self.open(old.root, overwrite=True) != run

    def test_without_a_token_each_time(self, old: Scene) -> None:
        assert len({self.open(old.root, overwrite=True) for _ in range(3)}) == 3
        assert len(list(Path(old.layout.overwritten).iterdir())) == 3

    def test_live_worker_is_joined_with_a_warning(self, old: Scene, caplog: pytest.LogCaptureFixture) -> None:
        heartbeat = Heartbeat(old.layout, here("worker"), 3600.0)
        heartbeat.begin()
        assert self.open(old.root, overwrite=True) == OLD
        heartbeat.stop()
        assert "has a live worker, so its run is joined and nothing is moved" in caplog.text

    def test_moved_while_it_joins(self, old: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        """It starts over, and comes out in the new run."""
        from neps.ledger import opening

        def lose(root: str, run: str, me: Identity) -> bool:
            if run == OLD:
                shutil.rmtree(Layout(root, run).hidden)  # as a mover sees it who looked before
                move_aside(root, definition(old), here("mover"))
            return keep_running(root, run, me)

        monkeypatch.setattr(opening, "keep_running", lose)
        assert self.open(old.root) != OLD

    @pytest.mark.parametrize(
        ("variables", "token"),
        [
            ({}, None),
            ({"SLURM_JOB_ID": "7"}, "SLURM_JOB_ID=7"),
            ({"SLURM_JOB_ID": "7", "SLURM_ARRAY_JOB_ID": "5"}, "SLURM_ARRAY_JOB_ID=5"),
            ({"SLURM_JOB_ID": "7", "NEPS_RUN_TOKEN": "a"}, "NEPS_RUN_TOKEN=a"),
        ],
    )
    def test_launch_token(self, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], token: str | None) -> None:
        for variable, value in variables.items():
            monkeypatch.setenv(variable, value)
        assert launch_token() == token
