"""`neps doctor`: each thing that it finds, on a root in which that is so, and what it says that the optimizer does."""

from __future__ import annotations

import errno
import os
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from neps._doctor.examination import Report, examine
from neps._doctor.finding import Finding, Kind, Standing
from neps._ledger.exclusive import move_away
from neps._ledger.heartbeat import Heartbeat
from neps._ledger.identity import Identity
from neps._ledger.layout import Layout
from neps._ledger.pending_mark import PendingMark, mark_pending
from neps._ledger.records import End
from unit.ledger_scene import Scene, dead, failing, here, somewhere


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    scene = Scene(tmp_path / "root")
    scene.define()
    return scene


def looked(scene: Scene) -> Report:
    return examine(str(scene.root), probe=False)


def only(report: Report, kind: Kind) -> Finding:
    """The one thing that was found."""
    assert [finding.kind for finding in report.findings] == [kind], report.findings
    return report.findings[0]


def mended(scene: Scene, finding: Finding) -> Report:
    assert finding.mend is not None
    finding.mend.do()
    return looked(scene)


def present(scene: Scene, who: Identity) -> None:
    Heartbeat(scene.layout, who, 60.0)._appear()


def test_a_torn_result_is_made_up_for_by_its_attempts_end(scene: Scene) -> None:
    scene.claim(1)
    scene.end(1)
    scene.spoil(1, "result.yaml")
    report = looked(scene)
    found = only(report, Kind.TORN)
    assert not found.wrong
    assert "goes by attempt_1.end.yaml" in found.optimizer
    assert report.standings == {1: Standing.SUCCESS}


def test_a_trial_whose_decision_was_removed_is_no_free_number(scene: Scene) -> None:
    scene.claim(1)
    scene.end(1)
    (scene.root / "config_1" / "trial.yaml").unlink()
    report = looked(scene)
    found = only(report, Kind.TORN)
    assert found.wrong
    assert "Its number is used up" in found.optimizer
    assert "restore the file" in found.advice
    assert report.standings == {1: Standing.UNREADABLE}


def test_a_torn_end_is_made_up_for_by_the_result(scene: Scene) -> None:
    scene.claim(1)
    scene.end(1)
    scene.spoil(1, "attempt_1.end.yaml")
    report = looked(scene)
    assert "goes by result.yaml" in only(report, Kind.TORN).optimizer
    assert report.standings == {1: Standing.SUCCESS}


def test_a_torn_decision_makes_a_damaged_trial_after_a_lease(scene: Scene) -> None:
    scene.claim(1)
    scene.spoil(1, "trial.yaml")
    report = looked(scene)
    found = only(report, Kind.TORN)
    assert report.standings == {1: Standing.UNREADABLE}
    assert "lease_seconds=120" in found.optimizer
    assert "start one if none runs" in found.advice
    assert found.mend is None


def test_what_stays_unreadable_is_damaged_at_once_and_can_be_retried(scene: Scene) -> None:
    scene.claim(1, dead())
    scene.spoil(1, "attempt_1.end.yaml", b"format_version: 99\n...\n")
    report = looked(scene)
    found = only(report, Kind.FOREIGN)
    assert report.standings == {1: Standing.DAMAGED}
    assert "counts as failed" in found.optimizer
    after = mended(scene, found)
    assert after.standings == {1: Standing.WAITING}
    assert [path.name.split("-")[0] for path in scene.root.rglob("*.damaged-*")] == ["attempt_1.end.yaml.damaged"]


def test_what_is_no_file_is_foreign_and_nobody_waits_for_it(scene: Scene) -> None:
    scene.claim(1)
    scene.path(1, "trial.yaml").unlink()
    os.mkfifo(scene.path(1, "trial.yaml"))
    found = only(looked(scene), Kind.FOREIGN)
    assert "a named pipe stands in its place" in found.what
    assert "declares it damaged" in found.optimizer


@pytest.mark.parametrize("name", ["attempt_1.lock", "config.yaml", "attempt_1.curve.jsonl", "attempt_1.saved"])
def test_a_pipe_in_the_place_of_anything_holds_nobody_up(scene: Scene, name: str) -> None:
    scene.claim(1)
    scene.end(1)
    os.mkfifo(scene.path(1, name))
    assert "a named pipe" in only(looked(scene), Kind.FOREIGN).what


def test_another_runs_trial_is_foreign(scene: Scene) -> None:
    Scene(scene.root, "other").claim(1)
    assert "belongs to another run" in only(looked(scene), Kind.FOREIGN).what


def test_a_copied_folder_is_a_duplicate(scene: Scene) -> None:
    scene.claim(1)
    scene.end(1)
    shutil.copytree(scene.path(1), scene.path(2))
    report = looked(scene)
    assert [f.trial for f in report.findings if f.kind is Kind.DUPLICATE and f.trial] == [2]
    assert report.standings[2] is Standing.UNREADABLE


def test_a_link_to_another_trial_is_no_folder(scene: Scene) -> None:
    scene.claim(1)
    scene.end(1)
    scene.path(2).symlink_to("config_1")
    report = looked(scene)
    assert "a symbolic link stands in its place" in only(report, Kind.FOREIGN).what
    assert report.standings[2] is Standing.DAMAGED


def test_a_dead_workers_trial_is_stuck_where_nobody_runs(scene: Scene) -> None:
    scene.claim(1, dead())
    found = only(looked(scene), Kind.STUCK)
    assert found.wrong
    assert "at once" in found.optimizer
    assert "Start a worker" in found.advice


def test_a_dead_workers_trial_is_resumed_where_one_runs(scene: Scene) -> None:
    present(scene, here())
    scene.claim(1, dead())
    report = looked(scene)
    assert not only(report, Kind.DEAD).wrong
    assert report.workers == 1


def test_a_silent_worker_elsewhere_is_taken_for_dead_after_a_lease(scene: Scene) -> None:
    scene.claim(1, somewhere())
    assert looked(scene).standings == {1: Standing.RUNNING}
    os.utime(scene.path(1, "trial.yaml"), (0, 0))
    report = looked(scene)
    assert report.standings == {1: Standing.DEAD}
    assert "seen that silence last for lease_seconds=120" in only(report, Kind.STUCK).optimizer


@pytest.mark.parametrize(("end", "wrong"), [(End.LEFT, False), (End.DIED, True)])
def test_a_trial_that_waits_and_nobody_runs_is_said(scene: Scene, end: End, *, wrong: bool) -> None:
    scene.claim(1).end_attempt(1, end, here())
    report = looked(scene)
    assert only(report, Kind.STUCK).wrong is wrong
    assert report.standings == {1: Standing.WAITING}


def test_a_trial_that_waits_for_tell_since_long_is_stuck(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = scene.claim(1)
    long_ago = (datetime.now(UTC) - timedelta(days=3)).isoformat()
    with monkeypatch.context() as patch:
        patch.setattr("neps._ledger.documents.now", lambda: long_ago)
        mark_pending(folder, PendingMark(attempt=1, worker="here"), here())
    report = looked(scene)
    assert "72 h" in only(report, Kind.STUCK).what
    assert report.standings == {1: Standing.UNTOLD}


def test_a_half_claim_is_only_said(scene: Scene) -> None:
    scene.folder(1).reserve()
    report = looked(scene)
    assert not only(report, Kind.STUCK).wrong
    assert report.standings == {1: Standing.RESERVED}


def test_a_missing_result_is_linked(scene: Scene) -> None:
    scene.claim(1)
    scene.end(1)
    scene.path(1, "result.yaml").unlink()
    found = only(looked(scene), Kind.STUCK)
    assert not mended(scene, found).findings
    assert scene.path(1, "result.yaml").samefile(scene.path(1, "attempt_1.end.yaml"))


def test_a_result_that_was_on_its_way_is_put_where_it_belongs(scene: Scene) -> None:
    scene.claim(1)
    scene.fail(1)
    scene.folder(1).open_attempt(2, here(), "retry")
    scene.path(1, "result.yaml").rename(scene.path(1, ".result.yaml." + "a" * 32))
    found = only(looked(scene), Kind.STALE)
    assert not mended(scene, found).findings
    assert scene.path(1, "result_1.yaml").exists()
    assert not scene.path(1, "result.yaml").exists()


def test_a_staged_document_goes_once_its_name_is_taken(scene: Scene) -> None:
    scene.claim(1)
    scene.end(1)
    scene.path(1, ".result.yaml.slow-1-aaaa").write_bytes(b"half")
    found = only(looked(scene), Kind.STALE)
    assert not mended(scene, found).findings


def test_a_staged_document_stays_while_its_author_may_publish_it(scene: Scene) -> None:
    scene.claim(1, somewhere())
    scene.path(1, ".attempt_1.end.yaml.somewhere").write_bytes(b"half")
    assert only(looked(scene), Kind.STALE).mend is None


def test_a_staged_document_of_a_dead_worker_goes(scene: Scene) -> None:
    scene.claim(1, dead("gone"))
    scene.path(1, ".attempt_1.end.yaml.gone").write_bytes(b"half")
    stale = next(finding for finding in looked(scene).findings if finding.kind is Kind.STALE)
    mended(scene, stale)
    assert not scene.path(1, ".attempt_1.end.yaml.gone").exists()


def test_a_dead_workers_presence_is_removed(scene: Scene) -> None:
    present(scene, dead("gone"))
    found = only(looked(scene), Kind.STALE)
    assert not mended(scene, found).findings


def test_what_is_left_of_a_run_that_was_never_published_is_removed(scene: Scene) -> None:
    """Its worker is present before neps.yaml names the run, so that it may die in between."""
    folders = [Path(Layout(str(scene.root), letter * 32).presence) for letter in "bc"]
    for folder in folders:
        Heartbeat(Layout(str(scene.root), folder.parent.name), dead("gone"), 60.0)._appear()
    assert not looked(scene).findings, "their workers may be about to publish them"
    long_ago = time.time() - 1000
    for path in (*(folder / "gone.yaml" for folder in folders), *folders):
        os.utime(path, (long_ago, long_ago))
    found = only(looked(scene), Kind.STALE)
    assert not found.wrong
    assert found.what.startswith(f"2 runs that a worker began and never published, first {folders[0].parent}: ")
    assert not mended(scene, found).findings
    assert not any(folder.parent.exists() for folder in folders)


@pytest.mark.parametrize("kind", ["empty", "a file", "a dangling link"])
def test_an_odd_folder_of_presences_is_no_error(scene: Scene, kind: str) -> None:
    place = Path(Layout(str(scene.root), "b" * 32).presence)
    place.parent.mkdir(parents=True)
    if kind == "empty":
        place.mkdir()
    elif kind == "a file":
        place.touch()
    else:
        place.symlink_to("nowhere")
    assert not looked(scene).findings
    long_ago = time.time() - 1000
    os.utime(place, (long_ago, long_ago), follow_symlinks=False)
    assert not mended(scene, only(looked(scene), Kind.STALE)).findings
    assert not place.parent.exists()


def test_a_worker_that_is_stopped_before_its_run_is_published_still_lives(scene: Scene) -> None:
    """Its process is on this host, and its presence wasn't touched for long."""
    before = Layout(str(scene.root), "b" * 32)
    Heartbeat(before, here(), 60.0)._appear()
    long_ago = time.time() - 1000
    for path in (*Path(before.presence).iterdir(), Path(before.presence)):
        os.utime(path, (long_ago, long_ago))
    assert not looked(scene).findings


def test_a_file_called_overwritten_is_said(scene: Scene) -> None:
    (scene.root / "overwritten").touch()
    found = only(looked(scene), Kind.TORN)
    assert found.path == str(scene.root / "overwritten")


def test_what_an_earlier_run_has_beside_it_is_no_leftover(scene: Scene) -> None:
    moved = Layout(str(scene.root), "b" * 32)
    Heartbeat(moved, dead("gone"), 60.0)._appear()
    folder = Path(moved.overwritten, "renamed")
    folder.mkdir(parents=True)
    own = (scene.root / "neps.yaml").read_text()
    (folder / "neps.yaml").write_text(own.replace(scene.layout.run, moved.run))
    long_ago = time.time() - 1000
    for path in (Path(moved.presence, "gone.yaml"), Path(moved.presence)):
        os.utime(path, (long_ago, long_ago))
    assert not looked(scene).findings


def test_an_unfinished_checkpoint_goes_with_its_trial(scene: Scene) -> None:
    scene.claim(1)
    name = ".model.pt.neps-" + "a" * 32
    scene.path(1, name).write_bytes(b"half")
    assert only(looked(scene), Kind.STALE).mend is None
    scene.end(1)
    assert not mended(scene, only(looked(scene), Kind.STALE)).findings


def test_a_torn_checkpoint_is_said(scene: Scene) -> None:
    scene.claim(1)
    scene.path(1, ".model.pt.neps").touch()
    scene.path(1, "model.pt").write_bytes(b"PK\3\4 and then the power failed")
    found = only(looked(scene), Kind.TORN)
    assert found.wrong
    assert "CheckpointError" in found.optimizer


def test_an_edited_configuration_changes_nothing(scene: Scene) -> None:
    folder = scene.claim(1)
    scene.end(1)
    folder.write_config(scene.decision(1, here()), here())
    assert not looked(scene).findings
    scene.path(1, "config.yaml").write_bytes(b"x: 7.0\n...\n")
    assert "somebody has edited it" in only(looked(scene), Kind.TORN).what


def test_a_cache_that_lies_is_rebuilt(scene: Scene) -> None:
    scene.claim(1)
    scene.end(1, loss=1.0)
    scene.view()
    assert not looked(scene).findings
    scene.path(1, "result.yaml").unlink()
    scene.path(1, "attempt_1.end.yaml").unlink()
    scene.end(1, loss=2.0)
    found = only(looked(scene), Kind.FOREIGN)
    assert "believes it" in found.optimizer
    assert scene.view().known()[1].loss == 1.0
    assert not mended(scene, found).findings
    assert scene.view().known()[1].loss == 2.0


def test_a_rebuilt_cache_keeps_what_no_folder_tells_now(scene: Scene) -> None:
    for number in (1, 2, 3):
        scene.claim(number)
        scene.end(number, loss=float(number))
    scene.view()
    (path,) = scene.root.glob(".neps/*/accelerator/*.jsonl")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\ntorn\n", 1))
    scene.spoil(2, "trial.yaml")
    scene.path(3).rename(scene.root / "away")
    found = next(each for each in looked(scene).findings if each.mend and "rebuild" in each.mend.would)
    assert found.mend
    found.mend.do()
    (scene.root / "away").rename(scene.path(3))
    known = scene.view().known()
    assert [known[number].loss for number in (1, 2, 3)] == [1.0, 2.0, 3.0]
    assert not [each for each in looked(scene).findings if each.mend]


def test_a_cache_that_is_rebuilt_is_never_without_what_it_had(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever fails on the way; and what a worker appends meanwhile is in it."""
    for number in (1, 2):
        scene.claim(number)
        scene.end(number)
    scene.view()
    (path,) = scene.root.glob(".neps/*/accelerator/*.jsonl")
    whole = path.read_bytes()
    path.write_bytes(whole.splitlines(keepends=True)[0] + b"torn\n")
    scene.spoil(1, "trial.yaml")
    scene.spoil(2, "trial.yaml")
    (found,) = (each for each in looked(scene).findings if each.mend and "rebuild" in each.mend.would)
    assert found.mend
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("neps._ledger.results_cache.move_away", failing(move_away, errno.EIO, done=False))
        with pytest.raises(OSError, match="Input/output"):
            found.mend.do()
    assert scene.view().known().keys() == {1}

    def late(*paths: str) -> bool:
        with path.open("ab") as file:
            file.write(whole.splitlines(keepends=True)[1])
        return move_away(*paths)

    monkeypatch.setattr("neps._ledger.results_cache.move_away", late)
    found.mend.do()
    assert scene.view().known().keys() == {1, 2}


def test_a_torn_line_of_the_cache_is_ignored(scene: Scene) -> None:
    scene.claim(1)
    scene.end(1)
    scene.view()
    (path,) = scene.root.glob(".neps/*/accelerator/*.jsonl")
    path.write_bytes(path.read_bytes()[:-9] + b"\n")
    found = only(looked(scene), Kind.TORN)
    assert not found.wrong
    assert not mended(scene, found).findings


def test_configurations_that_are_the_same_are_noted(scene: Scene) -> None:
    for number in (1, 2):
        scene.claim(number, config={"x": 0.5})
        scene.end(number)
    found = only(looked(scene), Kind.DUPLICATE)
    assert found.what.endswith("1, 2")
    assert not found.wrong


def test_a_copied_root_is_noted(scene: Scene, tmp_path: Path) -> None:
    scene.claim(1)
    scene.end(1)
    report = examine(str(shutil.copytree(scene.root, tmp_path / "copy")), probe=False)
    assert "this root was copied" in only(report, Kind.DUPLICATE).what


def test_a_root_copied_by_hard_links_is_noted(scene: Scene, tmp_path: Path) -> None:
    scene.claim(1)
    scene.end(1)
    shutil.copytree(scene.root, tmp_path / "copy", copy_function=os.link)
    assert "another name elsewhere" in only(looked(scene), Kind.DUPLICATE).what


def test_gaps_and_strange_names_are_noted(scene: Scene) -> None:
    scene.claim(3)
    scene.end(3)
    (scene.root / "config_1 (copy)").mkdir()
    found = looked(scene).findings
    assert sorted(finding.kind for finding in found) == [Kind.FOREIGN, Kind.STUCK]
    assert not any(finding.wrong for finding in found)
    (scene.root / "config_100000000000000000").mkdir()
    assert "of 99999999999999998 numbers" in str(looked(scene).findings)


def test_a_move_under_way_is_noted(scene: Scene) -> None:
    folder = scene.root / "launches" / f"move_{scene.layout.run}"
    folder.mkdir(parents=True)
    (folder / "intent_1.yaml").write_bytes(b"format_version: 1\nby: x\n...\n")
    found = only(looked(scene), Kind.STUCK)
    assert found.path == str(folder)
