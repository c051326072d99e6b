"""`neps doctor`: what it finds of this host, what the command says and mends, and that the worker agrees."""

from __future__ import annotations

import functools
import json
import random
import shutil
import time
from pathlib import Path

import pytest

import neps
from neps._cli import main
from neps._doctor import host as host_module
from neps._doctor.examination import examine
from neps._doctor.finding import Kind, Standing
from neps._doctor.meeting import Between, Meeting
from neps._ledger import definition as definition_module
from neps._ledger.identity import Identity
from neps._ledger.layout import Layout
from neps._ledger.view import View
from neps._trial import Decision
from neps.errors import DirectoryError, NepsError
from neps.space import SearchSpace
from neps.testing.filesystem import Finding, Probe
from rigs.hostile import spoil
from rigs.requirements import require
from rigs.smallfs import smallfs, smallfs_available
from rigs.waiting import wait_until
from unit.ledger_scene import Scene, dead
from unit.test_doctor import only

Capture = pytest.CaptureFixture[str]
NEWER = b"format_version: 99\n...\n"


@pytest.fixture(autouse=True)
def _few_races(monkeypatch: pytest.MonkeyPatch) -> None:
    """That the races find what they must is tested where they are."""
    monkeypatch.setattr(host_module, "_ROUNDS", 1)
    monkeypatch.setattr(host_module, "_PROCESSES", 2)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    scene = Scene(tmp_path / "root")
    scene.define()
    return scene


def searched(root: Path) -> Path:
    neps.run(
        lambda x: 1 / (x > 0.2),
        root,
        {"x": neps.Float(0, 1)},
        searcher="random_search",
        max_evaluations_total=5,
        seed=1,
        ignore_errors=True,
        progress=False,
        post_run_summary=False,
        lease_seconds=0.2,
    )
    return root


def contents(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_nothing_is_wrong_with_a_run_as_neps_leaves_it(tmp_path: Path, capsys: Capture) -> None:
    root = searched(tmp_path / "root")
    before = contents(root)
    assert main(["doctor", str(root)]) == 0
    assert capsys.readouterr().out.endswith("\nNothing is wrong.\n")
    assert contents(root) == before


def test_the_command_says_mends_and_exits_by_what_is_left(scene: Scene, capsys: Capture) -> None:
    scene.claim(1, dead())
    scene.spoil(1, "attempt_1.end.yaml", NEWER)
    before = scene.snapshot()
    assert main(["doctor", str(scene.root)]) == 1
    assert "--mend: would retry it" in capsys.readouterr().out
    assert scene.snapshot() == before
    assert main(["doctor", str(scene.root), "--mend"]) == 0
    out = capsys.readouterr().out
    assert "mended: trial 1: is damaged" in out
    assert out.endswith("After that: Nothing is wrong; 1 note.\n")


def test_json_has_all_that_the_text_has(scene: Scene, capsys: Capture) -> None:
    scene.claim(1, dead())
    assert main(["doctor", str(scene.root), "--json"]) == 1
    fields = json.loads(capsys.readouterr().out)
    assert fields["wrong"] == 1
    assert fields["trials"] == {"1": "dead"}
    assert [finding["kind"] for finding in fields["findings"]] == ["stuck"]
    assert fields["host"]["writable"]


def test_together_the_other_host_is_part_of_it(scene: Scene, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    late = {"content": 500.0, "time of change": 50.0}
    monkeypatch.setattr(Meeting, "measure", lambda _: Between("beta", late, 0.5, 0.1, 20, []))
    assert main(["doctor", str(scene.root), "--together"]) == 1
    out = capsys.readouterr().out
    assert "lease_seconds=150" in out
    assert out.endswith("1 thing is wrong.\n")
    assert main(["doctor", str(scene.root), "--together", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["between"]["seen_late"] == late


def test_where_nobody_else_comes_it_says_so(scene: Scene) -> None:
    with Meeting(scene.layout, wait=0.0) as meeting, pytest.raises(DirectoryError, match="No other host has answered"):
        meeting.measure()
    assert not (scene.root / ".neps" / "doctor").exists()


def test_where_there_is_no_run_it_says_so(tmp_path: Path, capsys: Capture) -> None:
    assert main(["doctor", str(tmp_path / "absent")]) == 1
    assert capsys.readouterr().err.startswith(f"neps: {tmp_path}/absent does not exist")


def test_a_full_disk_is_told() -> None:
    require(smallfs_available())
    with smallfs("tmpfs", kibibytes=1024) as place:
        scene = Scene(place / "root")
        scene.define()
        found = only(examine(str(scene.root)), Kind.STORAGE)
        assert "16.0 MiB can't be written" in found.what
        assert found.wrong


def test_little_room_is_told(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_module, "_FEW_BYTES", 1 << 60)
    assert "there is room for" in only(examine(str(scene.root), probe=False), Kind.STORAGE).what


def test_who_may_not_write_is_told(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: str, size: int) -> OSError:
        return PermissionError(13, "Permission denied", folder)

    monkeypatch.setattr(host_module, "try_to_write", refuse)
    monkeypatch.setattr("neps._ledger.storage.try_to_write", refuse)
    report = examine(str(scene.root))
    assert "can't be written by this user" in only(report, Kind.PERMISSION).what
    assert not report.probed


def test_a_clock_that_is_ahead_is_noted(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_module, "_ahead", lambda _: 77.0)
    found = only(examine(str(scene.root), probe=False), Kind.CLOCK)
    assert "77 s ahead" in found.what
    assert not found.wrong


def test_a_filesystem_that_is_not_fit_is_told(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(probe: Probe) -> Finding:
        return Finding("link", {2: 1}, "2 processes succeeded, but exactly 1 must")

    monkeypatch.setattr(host_module, "CHECKS", {"link": fails})
    assert "link: 2 processes" in only(examine(str(scene.root)), Kind.FILESYSTEM).what


FOLLOWS = {
    Standing.SUCCESS: {"success"},
    Standing.FAILED: {"failed"},
    Standing.DAMAGED: {"damaged"},
    Standing.UNREADABLE: {"damaged"},
}
"""What a worker makes of what the doctor says; all else is not ended, for as long as nobody evaluates."""


@pytest.mark.parametrize("seed", range(8))
def test_a_worker_does_what_the_doctor_says(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(definition_module, "_PATIENCE", 0.05)
    root = searched(tmp_path / "root")
    spoil(root, random.Random(seed))
    try:
        report = examine(str(root), probe=False)
    except NepsError:
        pytest.fail("neps.yaml was spoilt: choose seeds that spoil trials")
    hidden = root / ".neps"
    if hidden.is_dir() and not hidden.is_symlink():
        shutil.rmtree(hidden)
    wanted = {number: FOLLOWS.get(standing, {"running", "waiting"}) for number, standing in report.standings.items()}
    space = SearchSpace.from_definition(report.definition.space)
    fits = functools.partial(Decision.check, space=space)
    view = View(Layout(root, report.definition.run), Identity.mine(), lease=0.1, poll=0.05, fits=fits)
    view.join()

    def agrees() -> bool:
        time.sleep(0.04)
        view.refresh()
        view.update_all()
        known = view.everything()
        now = {n: "damaged" if known[n].damaged else str(known[n].status) for n in wanted if n in known}
        return now.keys() == wanted.keys() and all(now[number] in wanted[number] for number in wanted)

    wait_until(agrees, 30, f"a worker that comes to see {report.standings}")
