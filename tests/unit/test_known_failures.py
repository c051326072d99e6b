"""What users say of trials, while the filesystem fails, the run is moved aside, or is deleted: all of it or none."""

from __future__ import annotations

import errno
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import neps
from neps._api import enqueuing, importing
from neps._cli import main
from neps._ledger import numbered, opening
from neps._ledger.definition import publish_definition
from neps._ledger.exclusive import sync_folder
from neps._ledger.heartbeat import Heartbeat
from neps._ledger.layout import Layout
from neps._ledger.reading import read_definition
from neps._views.status_json import read_fields
from neps.errors import DirectoryError
from unit.ledger_scene import failing, here
from unit.removing_scene import killed, quick

__all__ = ["quick"]

LINE = {"x": neps.Float(0, 1)}
BESIDE = ("stops", "endings", "known", "confirmations", ".neps")


def begun(root: Path, total: int = 1, **arguments: Any) -> neps.History:
    usual: dict[str, Any] = {"searcher": "random_search", "seed": 1, "progress": False, "post_run_summary": False}
    return neps.run(lambda x: x, root, LINE, max_evaluations_total=total, **(usual | arguments))


def full_root(root: Path) -> str:
    """A run with all that lies beside trials; its identifier."""
    begun(root)
    neps.enqueue(root, [{"x": 0.5}])
    neps.import_trials(root, [{"config": {"x": 0.25}, "loss": 0.25}])
    begun(root, 2, target_loss=1.0)
    neps.confirm(lambda x: x, root, top=1, seeds=1, progress=False, post_run_summary=False)
    neps.stop(root)
    return read_definition(root).run


def moved(root: Path) -> str:
    """A run with all that, moved aside; its identifier."""
    run = full_root(root)
    begun(root, overwrite_working_directory=True)
    return run


# Failing filesystems


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_what_is_there_was_enqueued_though_its_folder_can_not_be_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    """Who is told that it failed enqueues it again, and has it twice."""
    begun(tmp_path)
    monkeypatch.setattr(numbered, "sync_folder", failing(sync_folder, number, done=False))
    with caplog.at_level(logging.WARNING):
        assert neps.enqueue(tmp_path, [{"x": 0.5}]) == 1
    assert "may not survive a power loss" in caplog.text
    assert read_fields(tmp_path)["queue"]["enqueued"] == 1


def test_start_from_proposes_one_run_however_often_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk, each try would else leave a copy of all earlier results."""
    begun(tmp_path / "old", 3)
    failed = failing(publish_definition, errno.ENOSPC, done=False, times=3)
    proposals = []

    def publish(*arguments: Any) -> Any:
        proposals.append([path.name for path in (tmp_path / "new" / "known").iterdir()])
        return failed(*arguments)

    monkeypatch.setattr(opening, "publish_definition", publish)
    assert len(begun(tmp_path / "new", start_from=tmp_path / "old").earlier) == 3
    assert proposals == [[read_definition(tmp_path / "new").run]] * 4


def test_start_from_goes_with_the_run_that_began_though_an_error_was_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(tmp_path / "old", 3)
    failed = failing(publish_definition, errno.EIO, done=True)
    monkeypatch.setattr(opening, "publish_definition", failed)
    assert len(begun(tmp_path / "new", start_from=tmp_path / "old").earlier) == 3


# A run that is moved aside


def import_one(root: Path) -> int:
    return neps.import_trials(root, [{"config": {"x": 0.5}, "loss": 0.5}])


def enqueue_one(root: Path) -> int:
    return neps.enqueue(root, [{"x": 0.5}])


@pytest.mark.parametrize(
    ("say", "module", "name"), [(import_one, importing, "publish_results"), (enqueue_one, enqueuing, "publish")]
)
def test_what_is_said_while_the_run_is_moved_aside_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, say: Callable[[Path], int], module: ModuleType, name: str
) -> None:
    published: Callable[..., Any] = getattr(module, name)

    def after_the_move(*arguments: Any) -> Any:
        begun(tmp_path, overwrite_working_directory=True)
        return published(*arguments)

    begun(tmp_path)
    monkeypatch.setattr(module, name, after_the_move)
    with pytest.raises(DirectoryError, match="was moved aside at this moment"):
        say(tmp_path)


def test_a_run_takes_along_what_is_known_of_it_and_the_next_one_sees_nothing_of_it(tmp_path: Path) -> None:
    run = moved(tmp_path)
    aside, present = neps.load(tmp_path / "overwritten" / run), neps.load(tmp_path)
    assert ([trial.loss for trial in aside.imported], aside.ended_by is None) == ([0.25], False)
    assert (present.imported, present.ended_by, read_fields(tmp_path)["queue"]["enqueued"]) == ((), None, 0)
    found = begun(tmp_path / "next", start_from=tmp_path / "overwritten" / run)
    assert sorted(float(trial.loss or 0) for trial in found.earlier) == pytest.approx([0.25, *losses(aside)])


def losses(history: neps.History) -> list[float]:
    return sorted(float(trial.loss or 0) for trial in history)


# A run that is deleted


def test_whoever_is_killed_while_it_cleans_leaves_nothing_that_the_next_one_does_not_delete(tmp_path: Path) -> None:
    """Before one of its file operations, for every fifth."""
    nth, deaths = 1, 0
    run = moved(tmp_path / "prepared")
    while True:
        root = shutil.copytree(tmp_path / "prepared", tmp_path / f"root_{nth}")
        if not killed(nth, lambda root=root: main(["clean", str(root)])):  # type: ignore[misc]
            break
        deaths += 1
        assert main(["clean", str(root)]) == 0
        left = [str(path) for name in BESIDE for path in (root / name).glob(f"*{run}*")]
        assert left == [], f"killed before operation {nth}"
        assert list((root / "overwritten").iterdir()) == []
        assert neps.load(root).trials
        nth += 5
    assert deaths > 3


def test_nobody_deletes_what_is_just_being_confirmed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = moved(tmp_path)
    place = Layout(tmp_path, run).confirmation
    heartbeat = Heartbeat(Layout(place, read_definition(place).run), here("w"), 60.0)
    heartbeat.begin()
    try:
        assert main(["clean", str(tmp_path)]) == 1
    finally:
        heartbeat.stop()
    assert "worker w confirms its best trials" in capsys.readouterr().err
    assert neps.load(place).trials
    assert (tmp_path / "overwritten" / run).exists()
    assert main(["clean", str(tmp_path)]) == 0
    assert not Path(place).exists()


def test_an_entry_whose_decision_nobody_can_read_any_more_is_taken_once_more(tmp_path: Path) -> None:
    begun(tmp_path, lease_seconds=0.2)
    neps.enqueue(tmp_path, [{"x": 0.5}])
    begun(tmp_path, 2)
    (tmp_path / "config_2" / "trial.yaml").unlink()
    assert [trial.enqueued for trial in begun(tmp_path, 3)] == [False, True, False]  # the results cache knows it
    shutil.rmtree(tmp_path / ".neps")
    history = begun(tmp_path, 5)
    assert [trial.damaged for trial in history] == [False, True, False, False, False]
    assert (history.trials[3].config, history.trials[3].enqueued) == ({"x": 0.5}, True)
    assert [trial.number for trial in history if trial.enqueued] == [4]
