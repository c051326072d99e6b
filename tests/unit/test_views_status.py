"""`neps.status`: every state that a trial can be in, shown without leaving a trace in the directory."""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import neps
from neps._ledger.definition import Definition, publish_definition
from neps._ledger.identity import Identity
from neps._ledger.layout import Layout
from neps._ledger.records import End, result_fields
from neps._ledger.trial_folder import TrialFolder
from neps._trial import Decision, Result
from neps.errors import DirectoryError
from neps.space import SearchSpace
from rigs.mounts import read_only

HERE = dataclasses.replace(Identity.mine(), worker="here-1-a")
ELSEWHERE = dataclasses.replace(HERE, worker="elsewhere-2-b", host="node7.cluster", boot="another boot")


@dataclasses.dataclass(frozen=True)
class Root:
    """A run whose trials a test writes by hand."""

    path: Path
    definition: Definition

    def folder(self, number: int) -> TrialFolder:
        return TrialFolder(Layout(self.path, self.definition.run), number)

    def commit(self, number: int, me: Identity = HERE) -> TrialFolder:
        folder = self.folder(number)
        assert folder.reserve()
        assert folder.commit(Decision(number=number, config={"rate": number / 64, "kind": "1"}), me)
        return folder

    def end(self, number: int, result: Result) -> None:
        self.commit(number).end_with_result(1, result_fields(result), HERE)

    @property
    def status(self) -> str:
        text = io.StringIO()
        neps.status(self.path, file=text)
        return text.getvalue()

    @property
    def everything(self) -> dict[str, tuple[int, int]]:
        """Each file and folder, with what would tell that it was written."""
        return {
            str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in (self.path, *self.path.rglob("*"))
        }


@pytest.fixture
def root(tmp_path: Path) -> Root:
    space = SearchSpace({"rate": neps.Float(0, 1), "kind": neps.Categorical(["adam", "1", 1])})
    definition = Definition(space=space.definition(), searcher={"name": "random_search"}, seed=7)
    return Root(tmp_path / "root", publish_definition(str(tmp_path / "root"), definition, "token"))


@pytest.fixture
def dead() -> Identity:
    """A worker on this host whose process has ended."""
    program = "from neps._ledger.identity import Identity; print(dict(Identity.mine().to_document()))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return Identity.from_document(eval(done.stdout))  # noqa: S307 - printed by the line above


@pytest.fixture
def every_state(root: Root, dead: Identity) -> Root:
    root.end(1, Result.of(success=True, loss=0.5, cost=2.0))
    root.end(2, Result.of(success=True, loss=0.25, cost=1.5))
    root.end(
        3,
        Result.of(
            success=False, error="ValueError: no good.\n\nTraceback\n  line\nValueError: no good.\nAdd a note", cost=1.0
        ),
    )
    root.commit(4)
    beating = root.commit(5, ELSEWHERE)
    Path(beating.lock_path(1)).touch()
    os.utime(beating.lock_path(1), (0, time.time() - 600))
    root.commit(6, dead)
    root.commit(7).end_attempt(1, End.LEFT, HERE)
    root.folder(8).reserve()
    (root.path / "config_9").write_text("not a folder")
    return root


def test_all_states_are_counted(every_state: Root, caplog: pytest.LogCaptureFixture) -> None:
    every_state.folder(10).reserve()
    (every_state.path / "config_10" / "trial.yaml").write_text("torn: ")
    waiting = "3 waiting (1 to be resumed, 1 not decided yet, 1 not readable now)"
    assert every_state.status.splitlines()[:4] == [
        f"run       {every_state.path}",
        "searcher  random_search, seed 7",
        f"trials    2 succeeded, 2 failed (1 damaged), 3 running (1 dead), {waiting}",
        "cost      4.5",
    ]
    assert "config_9" in caplog.text


def test_it_says_when_the_run_began_and_when_the_last_result_came(root: Root) -> None:
    now = dt.datetime.now(dt.UTC)
    for number, (began, ended) in enumerate([(400, 150), (180, 90), (500, 120)], start=1):
        folder = root.folder(number)
        folder.reserve()
        minutes = dt.timedelta(minutes=1)
        folder.commit(Decision(number=number, config={"rate": 0.0, "kind": "1"}, claimed=now - began * minutes), HERE)
        if number != 3:
            result = Result.of(success=True, loss=0.5, finished=now - ended * minutes)
            folder.end_with_result(1, result_fields(result), HERE)
    assert "\ntime      the first trial began 8 h ago, the last result 90 min ago\n" in root.status


def test_the_incumbent_is_shown_so_that_it_can_be_copied(every_state: Root) -> None:
    expected = f"\nbest: trial 2, loss 0.25\n  rate  0.03125\n  kind  '1'\n  in {every_state.path}/config_2\n\n"
    assert expected in every_state.status


def test_running_trials_show_their_last_sign_of_life_and_the_dead_come_first(every_state: Root, dead: Identity) -> None:
    status = every_state.status
    rows = status[status.index("running:\n") :].split("\n\n")[0].splitlines()[2:]
    assert [row.split(maxsplit=4) for row in rows] == [
        ["6", "1", dead.worker, dead.host, "dead, will be resumed"],
        ["4", "1", "here-1-a", HERE.host, rows[1].split(maxsplit=4)[4]],
        ["5", "1", "elsewhere-2-b", "node7.cluster", "heartbeat 10 min ago, longer than the lease of 120 s"],
    ]
    assert rows[1].split(maxsplit=4)[4] in {f"started {seconds} s ago" for seconds in range(60)}
    assert len({row.index(row.split(maxsplit=4)[4]) for row in rows}) == 1, "columns are aligned"


def test_the_start_of_a_later_attempt_is_its_own(root: Root) -> None:
    folder = root.commit(1)
    folder.end_attempt(1, End.LEFT, HERE)
    folder.open_attempt(2, ELSEWHERE, "left")
    os.utime(f"{folder.path}/trial.yaml", (0, 0))
    os.utime(f"{folder.path}/attempt_2.yaml", (0, time.time() - 100))
    assert "elsewhere-2-b  node7.cluster  started 100 s ago\n" in root.status


def test_failed_trials_show_the_gist_of_their_error_and_their_folder(every_state: Root) -> None:
    assert f"failed:\n  trial 3: ValueError: no good\n    in {every_state.path}/config_3\n" in every_state.status


def test_trials_that_wait_for_storage_are_named_with_what_they_need(root: Root) -> None:
    assert "storage" not in root.status
    for number, needed in enumerate([None, 101_293, 70_000], start=1):
        root.commit(number).end_attempt(1, End.LEFT, HERE, needs_bytes=needed)
    expected = f"waiting for storage: trial 2, trial 3, until 98.9 KiB can be written to {root.path}\n"
    assert root.status.endswith(f"\n\n{expected}")
    for number in range(4, 9):
        root.commit(number).end_attempt(1, End.LEFT, HERE, needs_bytes=1)
    assert "trial 5, trial 6 and 2 more, until 98.9 KiB" in root.status
    assert root.folder(2).open_attempt(2, HERE, "left")
    assert "waiting for storage: trial 3, trial 4," in root.status


def test_only_the_last_failures_are_shown_and_long_lines_are_cut(root: Root) -> None:
    for number in range(1, 8):
        root.end(number, Result.of(success=False, error=f"{number}" * 5000))
    status = root.status
    assert "failed, the last 5 of 7:\n  trial 3: " in status
    assert f"  trial 7: {'7' * 200}...\n" in status
    assert "trial 2:" not in status
    assert "cost" not in status, "none was returned"


def test_only_some_of_many_running_trials_are_shown(root: Root) -> None:
    for number in range(1, 54):
        root.commit(number)
    assert root.status.endswith("  and 3 more\n")


def test_a_run_without_trials(root: Root) -> None:
    assert root.status.splitlines()[2:] == [
        "trials    0 succeeded, 0 failed, 0 running, 0 waiting",
        "",
        "best: no trial has succeeded yet",
    ]


@pytest.mark.filterwarnings("error")
def test_nothing_is_written(every_state: Root) -> None:
    before = every_state.everything
    assert every_state.status
    assert every_state.everything == before


def test_a_read_only_root(every_state: Root, tmp_path: Path) -> None:
    with read_only(every_state.path, tmp_path / "read only") as root:
        with pytest.raises(OSError, match=r"Read-only|Permission"):
            (root / "file").touch()
        text = io.StringIO()
        neps.status(root, file=text)
    assert "trials    2 succeeded, 2 failed (1 damaged), 3 running (1 dead), 2 waiting" in text.getvalue()


def test_standard_output_is_the_default(root: Root, capsys: pytest.CaptureFixture[str]) -> None:
    neps.status(str(root.path))
    assert capsys.readouterr().out == root.status


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent", "absent does not exist. Give the root_directory of a run"),
        ("empty", "empty holds no run: there is no neps.yaml in it"),
        ("file", "file can't be read: .*Not a directory"),
    ],
)
def test_what_is_no_run(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(DirectoryError, match=message):
        neps.status(tmp_path / name)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["empty", "file"]
