"""Old runs are moved aside whole, once, never under live workers, and whoever dies on the way is helped."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from neps._ledger import documents, exclusive, liveness, overwriting
from neps._ledger.definition import Definition, find_definition
from neps._ledger.heartbeat import Heartbeat
from neps._ledger.identity import Identity
from neps._ledger.launches import launch_token
from neps._ledger.layout import Layout
from neps._ledger.opening import open_run
from neps._ledger.overwriting import finish_moves, is_moved, keep_running, move_aside
from neps.errors import DirectoryError
from rigs.faultfs import Mount, Rule
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


def move(scene: Scene, name: str = "") -> Path:
    return Path(scene.layout.launches, f"move_{OLD}", name)


def without_signs(files: dict[str, bytes]) -> dict[str, bytes]:
    """The user's and the run's files, less what is hidden or says that there was a move."""
    return {
        path: content
        for path, content in files.items()
        if not path.rpartition("/")[2].startswith((".", "intent_", "verdict_", "moved", "launch_"))
    }


def assert_moved(scene: Scene, before: dict[str, bytes]) -> None:
    files = without_signs(scene.snapshot())
    assert files.pop("notes.txt") == b"the user's"
    del before["notes.txt"]
    assert files == {f"overwritten/{OLD}/{path}": content for path, content in before.items()}
    assert (moved(scene, "config_3")).is_dir()
    assert [path.name for path in scene.root.glob("config_*")] == []
    assert list(scene.root.rglob(".neps*")) == [scene.root / ".neps"] * (scene.root / ".neps").exists()


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
            Scene(old.root, NEW).define()
            finish_moves(str(old.root), here("fourth"))
            assert move(old, "moved.yaml").exists()
            assert definition(old).run == NEW
            step += 1
        assert step > 15

    def test_two_movers_in_processes(self, old: Scene, fleet: Fleet) -> None:
        before = without_signs(old.snapshot())
        program = (
            "import sys\n"
            "from neps._ledger.definition import find_definition\n"
            "from neps._ledger.identity import Identity\n"
            "from neps._ledger.overwriting import finish_moves, move_aside\n"
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

    def test_other_files_in_launches(self, old: Scene) -> None:
        launches = Path(old.layout.launches)
        (launches / "move_folder").mkdir(parents=True)
        (launches / "folder").mkdir()
        (launches / "move_file").touch()
        finish_moves(str(old.root), ME)
        assert definition(old).run == OLD

    @pytest.mark.parametrize(
        "fields",
        [
            {"verdict": "move"},
            {"verdict": "move", "numbers": [1, 2]},
            {"verdict": "move", "token": "../../../elsewhere"},
            {"verdict": "move", "token": 1},
            {"verdict": ["move"], "token": "0" * 32},
        ],
        ids=str,
    )
    def test_a_verdict_that_is_none_moves_nothing(
        self, old: Scene, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        move(old).mkdir(parents=True)
        move(old, "verdict_1.yaml").write_bytes(documents.encode(fields))
        before = old.snapshot()
        finish_moves(str(old.root), ME)
        assert old.snapshot() == before
        monkeypatch.setattr(overwriting, "_PATIENCE", 0.05)
        move(old, "intent_1.yaml").touch()
        with pytest.raises(DirectoryError, match=r"verdict_1.yaml can't be read.*Restore the file"):
            keep_running(str(old.root), OLD, ME)

    @pytest.mark.parametrize("name", ["overwritten", "launches"])
    @pytest.mark.parametrize("kind", ["file", "dangling link"])
    def test_what_stands_in_the_place_of_a_folder_is_refused_before_anything_is_changed(
        self, old: Scene, name: str, kind: str
    ) -> None:
        path = old.root / name
        path.touch() if kind == "file" else path.symlink_to("absent")
        before = without_signs(old.snapshot())
        with pytest.raises(DirectoryError, match=rf"/{name}\S* can't be used.*move that away"):
            move_aside(str(old.root), definition(old), ME)
        assert without_signs(old.snapshot()) == before
        assert keep_running(str(old.root), OLD, ME)

    def test_another_filesystem_is_refused_before_anything_is_changed(self, old: Scene) -> None:
        (old.root / "overwritten").symlink_to("/proc")
        before = without_signs(old.snapshot())
        with pytest.raises(DirectoryError, match="lies on another filesystem"):
            move_aside(str(old.root), definition(old), ME)
        assert without_signs(old.snapshot()) == before

    @pytest.mark.parametrize("kind", ["file", "dangling link", "full folder"])
    def test_a_name_that_is_taken_in_overwritten(self, old: Scene, kind: str) -> None:
        moved(old).parent.mkdir()
        if kind == "full folder":
            moved(old).mkdir()
            moved(old, "mine").touch()
        else:
            moved(old).touch() if kind == "file" else moved(old).symlink_to("absent")
        assert move_aside(str(old.root), definition(old), ME)
        assert find_definition(f"{moved(old)}_2") is not None
        assert moved(old, "mine").exists() or moved(old).is_file() or moved(old).is_symlink()

    def test_whatever_has_a_trials_name_goes_along(self, old: Scene) -> None:
        """Another run's folder, a torn one, a file, a dangling link: they were this run's damaged trials."""
        Scene(old.root, "other").claim(4)
        old.spoil(5, "trial.yaml")
        old.path(6).touch()
        old.path(7).symlink_to("absent")
        assert move_aside(str(old.root), definition(old), ME)
        assert sorted(path.name for path in moved(old).glob("config_*")) == [f"config_{n}" for n in range(1, 8)]
        assert find_definition(str(old.root)) is None

    def test_neps_yaml_that_cannot_be_read_stops_a_move(self, old: Scene) -> None:
        with crash_at(14), contextlib.suppress(Crash):
            move_aside(str(old.root), definition(old), ME)
        path = old.root / "neps.yaml"
        content = path.read_bytes()
        path.write_bytes(content[:-4])
        before = old.snapshot()
        finish_moves(str(old.root), here("second"))
        assert old.snapshot() == before
        path.write_bytes(content)
        finish_moves(str(old.root), here("second"))
        assert move(old, "moved.yaml").exists()

    def test_a_worker_that_was_silent_learns_of_a_move_that_is_under_way(self, old: Scene) -> None:
        assert not is_moved(str(old.root), OLD)
        with crash_at(13), contextlib.suppress(Crash):
            move_aside(str(old.root), definition(old), ME)
        assert definition(old).run == OLD
        assert is_moved(str(old.root), OLD)

    @pytest.mark.parametrize("step", [13, 15])
    def test_a_neps_yaml_that_is_not_seen_proves_nothing(
        self, old: Scene, step: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A client that caches absence comes between two renames: the rest follows once it is seen."""
        with crash_at(step), contextlib.suppress(Crash):
            move_aside(str(old.root), definition(old), ME)
        look, path = overwriting._run_of, old.layout.definition
        monkeypatch.setattr(overwriting, "_run_of", lambda at: None if at == path else look(at))
        before = old.snapshot()
        finish_moves(str(old.root), here("second"))
        assert old.snapshot() == before
        monkeypatch.undo()
        finish_moves(str(old.root), here("third"))
        assert find_definition(str(moved(old))) is not None
        assert sorted(path.name for path in moved(old).glob("config_*")) == ["config_1", "config_2", "config_3"]

    def test_neps_yaml_is_looked_at_before_each_rename(self, old: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        """Should another's ever be published too early, for a client that doesn't see the move."""
        rename = os.rename

        def replacing(source: str, target: str) -> None:
            rename(source, target)
            if source.endswith("config_1"):
                Path(old.layout.definition).unlink()
                Scene(old.root, NEW).define()

        monkeypatch.setattr(os, "rename", replacing)
        move_aside(str(old.root), definition(old), ME)
        assert definition(old).run == NEW
        assert sorted(path.name for path in old.root.glob("config_*")) == ["config_2", "config_3"]

    @pytest.mark.parametrize("name", ["config_1", "neps.yaml"])
    def test_a_mover_that_stops_inside_of_a_rename_takes_nothing_of_the_next_run(
        self, old: Scene, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It has found the folder to rename to, and waits for its turn: the kernel locks only then."""
        rename, before = os.rename, without_signs(old.snapshot())

        def stopping(source: str, target: str) -> None:
            if Path(source).name != name:
                rename(source, target)
                return
            monkeypatch.undo()
            found = os.open(Path(target).parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                finish_moves(str(old.root), here("second"))
                Scene(old.root, NEW).define()
                Scene(old.root, NEW).claim(1)
                rename(source, Path(target).name, dst_dir_fd=found)
            finally:
                os.close(found)

        monkeypatch.setattr(os, "rename", stopping)
        move_aside(str(old.root), definition(old), ME)
        assert definition(old).run == NEW
        shutil.rmtree(old.path(1))
        Path(old.layout.definition).unlink()
        assert_moved(old, before)

    def test_a_mover_that_makes_a_folder_again_while_the_run_is_handed_over(
        self, old: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rmdir, before = os.rmdir, without_signs(old.snapshot())

        def late(path: str) -> None:
            monkeypatch.undo()
            Path(path, "known").mkdir()
            rmdir(path)

        monkeypatch.setattr(os, "rmdir", late)
        move_aside(str(old.root), definition(old), ME)
        assert move(old, "moved.yaml").exists()
        shutil.rmtree(moved(old, "known"))
        assert_moved(old, before)

    def test_a_move_that_a_version_before_has_decided(self, old: Scene) -> None:
        """It made one folder, and no other one to hand over."""
        with crash_at(14), contextlib.suppress(Crash):
            move_aside(str(old.root), definition(old), ME)
        (whole,) = move(old).glob("*.whole")
        whole.rmdir()
        finish_moves(str(old.root), here("second"))
        assert find_definition(str(moved(old))) is not None

    def test_the_folder_of_a_move_is_gone(self, old: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nobody may delete it, so whoever comes next says what to do, and nothing else is touched."""
        with crash_at(14), contextlib.suppress(Crash):
            move_aside(str(old.root), definition(old), ME)
        (there,) = (path for path in move(old).iterdir() if path.is_dir() and not path.suffix)
        shutil.rmtree(there)
        monkeypatch.setattr(overwriting, "_PATIENCE", 0.05)
        with pytest.raises(DirectoryError, match=rf"can't be moved to {there}.*Restore that folder"):
            finish_moves(str(old.root), ME)
        assert definition(old).run == OLD
        there.mkdir()
        finish_moves(str(old.root), ME)
        assert find_definition(str(moved(old))) is not None


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
        assert "waiting up to 0.2 s (lease_seconds) to see whether worker is still alive" in caplog.text

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

        def race(folder: str, attempt: int, me: Identity, token: str | None = None) -> overwriting._Verdict:
            if me == ME and joiner_first:
                kept.append(self.joiner_is_kept(old))
            decided = decide(folder, attempt, me, token)
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
        with crash_at(7), contextlib.suppress(Crash):
            move_aside(str(old.root), definition(old), ME)
        assert move(old, "intent_1.yaml").exists()
        assert not move(old, "verdict_1.yaml").exists()
        finish_moves(str(old.root), here("joiner"))
        assert self.joiner_is_kept(old)
        assert definition(old).run == OLD
        assert move_aside(str(old.root), definition(old), ME)
        assert move(old, "intent_2.yaml").exists()


class TestOpenRun:
    def test_a_filesystem_that_fails_is_an_error_that_says_what_to_do(self, faulty: Mount) -> None:
        self.open(faulty.path / "run")
        faulty.rules([Rule("create", "run/launches/move_*", "EINVAL")])  # no outage, whose end it would wait for
        with pytest.raises(DirectoryError, match=r"can't be used: .* Nothing is lost\. Start again later"):
            self.open(faulty.path / "run", overwrite=True)
        assert faulty.faults()

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
        assert find_definition(str(moved(old))) is not None
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
        assert "has a live worker. So this launch joins its run and moves nothing" in caplog.text

    def test_the_next_run_begins_only_once_the_old_is_in_overwritten(
        self, old: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its worker has looked for moves; then a mover comes, takes neps.yaml away, and dies."""
        from neps._ledger import opening

        def die_before_the_last_rename(root: str, me: Identity) -> None:
            finish_moves(root, me)
            monkeypatch.setattr(opening, "finish_moves", finish_moves)
            with monkeypatch.context() as patch, contextlib.suppress(Crash):
                patch.setattr(overwriting, "_hand_over", crash)
                move_aside(root, definition(old), here("mover"))

        def crash(*_: object) -> None:
            raise Crash

        monkeypatch.setattr(opening, "finish_moves", die_before_the_last_rename)
        assert self.open(old.root) != OLD
        assert find_definition(str(moved(old))) is not None

    def test_moved_while_it_joins(self, old: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        """It starts over, and comes out in the new run."""
        from neps._ledger import opening

        def lose(root: str, run: str, me: Identity) -> bool:
            if run == OLD:
                shutil.rmtree(Layout(root, run).hidden)  # as a mover sees it who looked before
                move_aside(root, definition(old), here("mover"))
            return keep_running(root, run, me)

        monkeypatch.setattr(opening, "keep_running", lose)
        assert self.open(old.root) != OLD

    def test_a_new_run_shows_its_worker_before_it_can_be_seen(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A task of another launch comes at the very moment in which neps.yaml appears."""
        root, stays = tmp_path / "run", list[bool]()

        def published(*args: Any) -> bool:
            won = exclusive.publish(*args)
            monkeypatch.undo()
            found = find_definition(str(root))
            assert found is not None
            stays.append(not move_aside(str(root), found, here("else"), "another launch"))
            return won

        monkeypatch.setattr("neps._ledger.definition.publish", published)
        self.open(root)
        assert stays == [True]
        assert list((root / "overwritten").iterdir()) == []

    def test_who_loses_the_race_to_publish_leaves_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        root = tmp_path / "run"

        def late(*args: Any) -> bool:
            Scene(root, NEW).define()
            return exclusive.publish(*args)

        monkeypatch.setattr("neps._ledger.definition.publish", late)
        assert self.open(root) == NEW
        assert [path.name for path in (root / ".neps").iterdir()] == [NEW]

    def test_who_is_interrupted_before_the_run_is_published_leaves_no_presence(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        appear = Heartbeat._appear

        def interrupted(heartbeat: Heartbeat) -> None:
            appear(heartbeat)
            raise KeyboardInterrupt

        monkeypatch.setattr(Heartbeat, "_appear", interrupted)
        with pytest.raises(KeyboardInterrupt):
            self.open(tmp_path / "run")
        assert [path for path in (tmp_path / "run").rglob("*") if path.name != ".neps"] == []
