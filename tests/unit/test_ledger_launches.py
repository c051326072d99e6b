"""Which launch a worker is of: told by what SLURM says of its job, and remembered for ever."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from neps._ledger import launches, liveness, opening
from neps._ledger.definition import Definition, find_definition
from neps._ledger.heartbeat import Heartbeat
from neps._ledger.identity import Identity
from neps._ledger.launches import has_had_run, launch_token, remember
from neps._ledger.opening import open_run
from neps._ledger.overwriting import move_aside
from neps.errors import DirectoryError
from unit.ledger_scene import SPACE, Scene, here
from unit.slurm_environments import ENVIRONMENTS, LAUNCHES, SQUEUE

Setter = Callable[[dict[str, str]], None]


@pytest.fixture(autouse=True)
def _no_launch(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in os.environ:
        if variable.startswith(("SLURM_", "NEPS_RUN_TOKEN")):
            monkeypatch.delenv(variable)
    monkeypatch.setattr(liveness, "_POLL", 0.02)
    launches._is_task_of.cache_clear()


@pytest.fixture
def set_all(monkeypatch: pytest.MonkeyPatch) -> Setter:
    def setter(variables: dict[str, str]) -> None:
        for variable, value in variables.items():
            monkeypatch.setenv(variable, value)

    return setter


@pytest.fixture
def squeue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of that name that answers as SLURM's; what it was asked lies beside it."""
    program = tmp_path / "bin" / "squeue"
    program.parent.mkdir()
    answers = "".join(
        f"--noheader:--jobs={job}:--format=%F) printf '{answer}\\n';;\n" for job, answer in SQUEUE.items()
    )
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {program}.asked\n[ -z "$SQUEUE_STATES" ] || exit 0\ncase "$1:$2:$3" in\n{answers}'
        "*) echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1;; esac\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    return program


class TestToken:
    @pytest.mark.usefixtures("squeue")
    @pytest.mark.parametrize("case", ENVIRONMENTS)
    def test_as_observed(self, case: str, set_all: Setter) -> None:
        set_all(ENVIRONMENTS[case])
        assert launch_token() == LAUNCHES[case]

    def test_squeue_is_asked_once_and_only_where_the_variables_do_not_tell(self, squeue: Path, set_all: Setter) -> None:
        asked = squeue.with_name("squeue.asked")
        for case in ("single", "task 1 of 2", "task 1 of an array from task 1", "salloc"):
            set_all({"SLURM_ARRAY_JOB_ID": ""} | ENVIRONMENTS[case])
            launch_token()
        assert not asked.exists()
        set_all(ENVIRONMENTS["task 0 of 2"])
        assert {launch_token() for _ in range(3)} == {"SLURM_ARRAY_JOB_ID=2"}
        assert asked.read_text() == "--noheader --jobs=5 --format=%F\n"

    @pytest.mark.usefixtures("squeue")
    def test_settings_of_squeue_do_not_matter(self, set_all: Setter) -> None:
        set_all({**ENVIRONMENTS["single from task 1"], "SQUEUE_STATES": "PENDING"})
        assert launch_token() == "SLURM_JOB_ID=8"

    @pytest.mark.parametrize("answer", ["exit 1", "exit 0", "echo nonsense", "exec sleep 60", None])
    def test_in_doubt_it_is_a_task(
        self,
        answer: str | None,
        squeue: Path,
        set_all: Setter,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """Tasks of one array would otherwise be of two launches, and one would move the other's run aside."""
        monkeypatch.setattr(launches, "_PATIENCE", 0.3)
        squeue.write_text(f"#!/bin/sh\n{answer}\n")
        if answer is None:
            monkeypatch.setenv("PATH", "")
        set_all(ENVIRONMENTS["task 0 of 2"])
        with caplog.at_level(logging.INFO):
            assert launch_token() == "SLURM_ARRAY_JOB_ID=2"
        if answer not in {"exit 0", "echo nonsense"}:
            assert "should start its own search, set NEPS_RUN_TOKEN for it" in caplog.text

    def test_users_own_comes_first(self, squeue: Path, set_all: Setter) -> None:
        set_all({**ENVIRONMENTS["single from task 1"], "NEPS_RUN_TOKEN": "a b/ü"})
        assert launch_token() == "NEPS_RUN_TOKEN=a b/ü"
        set_all({"NEPS_RUN_TOKEN": "\udce4"})  # a byte that is no UTF-8: it has to stand in neps.yaml
        assert launch_token() == "NEPS_RUN_TOKEN=\\udce4"
        assert not squeue.with_name("squeue.asked").exists()

    def test_none(self) -> None:
        assert launch_token() is None


class TestMemory:
    @pytest.mark.parametrize("launch", ["SLURM_JOB_ID=7", "NEPS_RUN_TOKEN=../../x\n"])
    def test_of_any_token(self, tmp_path: Path, launch: str) -> None:
        root = str(tmp_path)
        assert not has_had_run(root, launch)
        remember(root, launch, "run0", here())
        remember(root, launch, "run1", here("another"))
        assert has_had_run(root, launch)
        assert not has_had_run(root, "NEPS_RUN_TOKEN=b")
        assert [path.parent for path in tmp_path.rglob("*.yaml")] == [tmp_path / "launches"]

    def test_where_it_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "launches").touch()
        with pytest.raises(
            DirectoryError, match=r"launches can't be used.*must be a folder that this user may write to"
        ):
            remember(str(tmp_path), "NEPS_RUN_TOKEN=a", "run0", here())


class Searches:
    """Tasks of launches that start a search each, in one root."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self._patch = root, monkeypatch

    def task(self, launch: str | None, *, overwrite: bool = True, most: int | None = None) -> str:
        """The run that a task of that launch comes to; it ends at once."""

        def define(found: Definition | None) -> Definition:
            searcher = {"name": "random_search"}
            return found or Definition(space=SPACE, searcher=searcher, seed=1, lease_seconds=0.2, launch=launch_token())

        self._patch.setenv("NEPS_RUN_TOKEN", launch or "")
        opened = open_run(str(self.root), here(f"of-{launch}"), define, overwrite=overwrite, most=most)
        opened.heartbeat.stop()
        return opened.definition.run

    def clear(self) -> None:
        """All that users may delete."""
        for name in (".neps", "overwritten", "summary"):
            shutil.rmtree(self.root / name, ignore_errors=True)


@pytest.fixture
def searches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Searches:
    return Searches(tmp_path / "root", monkeypatch)


class TestLaunches:
    @pytest.mark.parametrize("cleared", [False, True])
    def test_one_that_has_joined_a_live_run_never_moves_it(
        self,
        searches: Searches,
        cleared: bool,  # noqa: FBT001
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        run = searches.task("A")
        worker = Heartbeat(Scene(searches.root, run).layout, here("worker"), 3600.0)
        worker.begin()
        assert searches.task("B") == run
        assert (
            "has a live worker. So this launch joins its run and moves nothing aside, now and in its later tasks"
            in caplog.text
        )
        worker.stop()
        if cleared:
            searches.clear()
        assert searches.task("B") == run
        assert "this launch (NEPS_RUN_TOKEN=B) has already started or joined a run in" in caplog.text
        assert searches.task("A") == run
        assert searches.task("C") != run

    @pytest.mark.parametrize("cleared", [False, True])
    def test_one_whose_run_was_moved_aside_never_moves_a_later_one(
        self,
        searches: Searches,
        cleared: bool,  # noqa: FBT001
    ) -> None:
        """A task that SLURM starts again."""
        first, second = searches.task("A"), searches.task("B")
        assert first != second
        if cleared:
            searches.clear()
        assert [searches.task(launch) for launch in "ABA"] == [second] * 3
        third = searches.task("C")
        assert third not in {first, second}
        if cleared:
            searches.clear()
        assert [searches.task(launch) for launch in "ABC"] == [third] * 3

    @pytest.mark.parametrize(("most", "level"), [(None, "INFO"), (2, "INFO"), (1, "WARNING")])
    def test_a_second_start_of_one_says_that_it_joins(
        self, searches: Searches, caplog: pytest.LogCaptureFixture, most: int | None, level: str
    ) -> None:
        """In the shell of a SLURM job, say: else what was to be a new search does nothing and says nothing."""
        with caplog.at_level("INFO", "neps"):
            run = searches.task("A", most=most)
            assert "is joined" not in caplog.text
            Scene(searches.root, run).claim(1)
            assert searches.task("A", most=most) == run
        said = [
            record for record in caplog.records if "was started by this launch (NEPS_RUN_TOKEN=A)" in record.message
        ]
        assert [record.levelname for record in said] == [level]
        assert "set the environment variable NEPS_RUN_TOKEN to a new name" in said[0].message
        assert ("nothing is left to start" in said[0].message) is (level == "WARNING")

    def test_without_a_token_each_start_is_one(self, searches: Searches) -> None:
        first = searches.task("A")
        runs = {searches.task(None) for _ in range(3)}
        assert len(runs - {first}) == 3
        assert searches.task("A") in runs

    def test_nothing_is_written_where_nothing_is_moved_or_joined(self, searches: Searches) -> None:
        for launch, overwrite in [("A", True), ("A", True), ("B", False), (None, False)]:
            searches.task(launch, overwrite=overwrite)
        assert sorted(path.name for path in searches.root.iterdir()) == [".neps", "neps.yaml"]

    def test_a_task_that_has_come_and_gone_since_the_mover_looked_is_seen(
        self, searches: Searches, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Both are of launch B: one has looked for a record, then the other joins, works and ends."""
        run = searches.task("A")
        worker = Heartbeat(Scene(searches.root, run).layout, here("worker"), 3600.0)

        def slow(root: str, old: Definition, me: Identity, launch: str | None) -> bool:
            monkeypatch.setattr(opening, "move_aside", move_aside)
            worker.begin()
            assert searches.task("B") == run
            worker.stop()
            return move_aside(root, old, me, launch)

        monkeypatch.setattr(opening, "move_aside", slow)
        assert searches.task("B") == run

    def test_a_crash_before_it_has_joined_leaves_it_free(
        self, searches: Searches, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = searches.task("A")
        monkeypatch.setattr(opening, "keep_running", lambda *_: 1 / 0)
        worker = Heartbeat(Scene(searches.root, run).layout, here("worker"), 3600.0)
        worker.begin()
        with pytest.raises(ZeroDivisionError):
            searches.task("B")
        assert [p.stem for p in Path(Scene(searches.root, run).layout.presence).iterdir()] == ["worker"]
        worker.stop()
        monkeypatch.undo()
        found = find_definition(str(searches.root))
        assert found is not None
        assert found.run == run
        assert not has_had_run(str(searches.root), "NEPS_RUN_TOKEN=B")
