"""`neps retry` of what is damaged: what can't be read is taken away, and the trial goes on by the ordinary rules."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

import neps
from neps._api import retrying
from neps._cli import main
from neps._ledger import definition, mending, reading
from neps._ledger.records import End
from neps._trial import Status, Trial
from unit.ledger_scene import Scene, here

LEASE = 0.2


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(reading, "_PATIENCE", 0.01)
    monkeypatch.setattr(definition, "_PATIENCE", 0.05)
    scene = Scene(tmp_path / "run")
    scene.define(lease_seconds=LEASE)
    return scene


def work(scene: Scene, trials: int = 1) -> neps.History:
    return neps.run(
        lambda x: {"loss": x, "cost": 1.0},
        scene.root,
        {"x": neps.Float(0, 1)},
        searcher="random_search",
        max_evaluations_total=trials,
        max_cost_total=100,
        continue_until_max_evaluation_completed=True,
        max_seconds_per_run=30,
        post_run_summary=False,
        progress=False,
    )


def loaded(scene: Scene, number: int = 1) -> Trial:
    return neps.load(scene.root).by_number[number]


def retry(scene: Scene, number: int = 1) -> int:
    return main(["retry", str(scene.root), "--trial", str(number)])


def pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def torn(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.write_bytes(b"format_version: 1\nattem")


spoilings = pytest.mark.parametrize("spoil", [torn, pipe, folder])


@spoilings
@pytest.mark.parametrize("names", [["attempt_1.end.yaml"], ["attempt_1.end.yaml", "result.yaml"]])
def test_a_damaged_end_is_retried(scene: Scene, spoil: object, names: list[str]) -> None:
    scene.claim(1)
    for name in names:
        spoil(scene.path(1, name))  # type: ignore[operator]
    work(scene)
    before = loaded(scene)
    assert before.status is Status.FAILED
    assert before.result is not None
    assert before.damaged
    assert before.config == {"x": 0.1}
    assert retry(scene) == 0
    assert loaded(scene).status is Status.WAITING
    history = work(scene)
    trial = history.by_number[1]
    assert (trial.status, trial.config, trial.loss) == (Status.SUCCESS, before.config, 0.1)
    aside = [path.name for path in scene.path(1).iterdir() if ".damaged-" in path.name]
    assert sorted(name.partition(".damaged-")[0] for name in aside) == sorted(names)
    assert loaded(scene).spent == 1.0


@spoilings
def test_a_damaged_start_is_retried(scene: Scene, spoil: object) -> None:
    scene.claim(1)
    scene.folder(1).end_attempt(1, End.DIED, here())
    spoil(scene.path(1, "attempt_2.yaml"))  # type: ignore[operator]
    work(scene)
    assert loaded(scene).attempts == 2
    assert retry(scene) == 0
    trial = work(scene).by_number[1]
    assert (trial.status, trial.loss, trial.attempts) == (Status.SUCCESS, 0.1, 4)


def test_a_result_that_comes_to_light_counts(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    """Its attempt's start is torn, and nobody could tell which attempt is the last: no published result is lost."""
    scene.claim(1)
    scene.take_over(1, 1, here())
    scene.end(1, 2, loss=7.0)
    torn(scene.path(1, "result.yaml"))
    torn(scene.path(1, "attempt_2.yaml"))
    work(scene)
    assert loaded(scene).status is Status.FAILED
    assert retry(scene) == 0
    assert "its result was found" in capsys.readouterr().out
    assert (loaded(scene).status, loaded(scene).loss) == (Status.SUCCESS, 7.0)
    assert work(scene).by_number[1].loss == 7.0


def test_who_comes_too_late_leaves_a_running_attempt_alone(
    scene: Scene, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else has mended and reopened the trial since it was read, and a worker evaluates it by now."""
    scene.claim(1)
    torn(scene.path(1, "attempt_1.end.yaml"))
    work(scene)
    stale = neps.load(scene.root)
    assert retry(scene) == 0
    assert loaded(scene).attempts == 2
    assert scene.folder(1).open_attempt(3, here(), "left")
    before, loads = scene.snapshot(), iter([stale, neps.load(scene.root)])
    monkeypatch.setattr(retrying, "load", lambda _: next(loads))
    capsys.readouterr()
    assert retry(scene) == 1
    assert "trial 1: was reopened by another process meanwhile" in capsys.readouterr().out
    assert scene.snapshot() == before
    assert loaded(scene).status is Status.RUNNING


def test_what_is_whole_after_all_stays(scene: Scene) -> None:
    """A document that only the client of a moment ago couldn't read is put back, and never lost."""
    scene.claim(1)
    scene.end(1, loss=3.0)
    whole = scene.path(1, "attempt_1.end.yaml").read_bytes()
    looks = []

    def late(_: object, name: str, of: object, meant: str | None = None) -> str | None:
        looks.append(name)
        return "torn" if len(looks) == 1 else None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mending, "why_unreadable", late)
        assert mending._set_unreadable_aside(scene.folder(1), "attempt_1.end.yaml", None) == []
    assert len(looks) == 2
    assert scene.path(1, "attempt_1.end.yaml").read_bytes() == whole


@pytest.mark.parametrize("what", ["decision", "link", "file"])
def test_a_damaged_decision_is_not_retried_but_said(
    scene: Scene, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.claim(1)
    scene.end(1)
    if what == "decision":
        torn(scene.path(1, "trial.yaml"))
    else:
        scene.path(1).rename(scene.root / "elsewhere")
        scene.path(1).symlink_to("elsewhere") if what == "link" else scene.path(1).write_text("mine")
    work(scene)
    before = scene.snapshot()
    assert retry(scene) == 1
    said = capsys.readouterr().out
    assert "its number stays used up" in said.lower()
    assert "move the folder out of the root" in said
    assert {k: v for k, v in scene.snapshot().items() if ".neps" not in k} == {
        k: v for k, v in before.items() if ".neps" not in k
    }


NAMES = ["trial.yaml", "attempt_1.end.yaml+result.yaml", "config"]


@pytest.mark.parametrize("names", NAMES)
def test_one_story(
    scene: Scene, names: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """The worker that condemns, one that joins, status, load and retry say the same, with the path."""
    scene.claim(1)
    for name in names.split("+"):
        if name == "config":
            scene.path(1).rename(scene.root / "elsewhere")
            scene.path(1).symlink_to("elsewhere")
        else:
            torn(scene.path(1, name))
    with caplog.at_level(logging.WARNING, "neps"):
        work(scene)
        first = [record.getMessage() for record in caplog.records if "is damaged" in record.getMessage()]
        caplog.clear()
        scene.view(here("second"), lease=LEASE)
        second = [record.getMessage() for record in caplog.records if "is damaged" in record.getMessage()]
    assert len(set(first)) == 1
    assert first[:1] == second
    trial = loaded(scene)
    assert trial.error
    assert trial.error in first[0]
    assert str(scene.path(1)) in first[0]
    neps.status(scene.root)
    reason = trial.error.removeprefix(f"{scene.path(1)}/").removeprefix(f"{scene.root}/")
    assert f"  trial 1: {reason}\n    in {scene.path(1)}\n" in capsys.readouterr().out
    retry(scene)
    assert reason in capsys.readouterr().out


@pytest.mark.parametrize("names", NAMES)
def test_nobody_waits_for_a_lease_once_somebody_has(scene: Scene, names: str) -> None:
    """Not even where the trial's folder has no place left for the verdict."""
    scene.claim(1)
    for name in names.split("+"):
        if name == "config":
            scene.path(1).rename(scene.root / "elsewhere")
            scene.path(1).symlink_to("elsewhere")
        else:
            torn(scene.path(1, name))
    work(scene)
    view = scene.view(here("second"), lease=1e9)  # one look, as it joins
    assert view.trials[1].result is not None
    assert view.trials[1].damaged
    reader = scene.reader(lease=1e9)
    assert reader.trials[1].error == view.trials[1].error
    assert reader.trials[1].config == view.trials[1].config


def test_a_note_condemns_nobody_who_can_read(scene: Scene) -> None:
    scene.claim(1)
    whole = scene.path(1, "trial.yaml").read_bytes()
    for name in ("trial.yaml", "attempt_1.end.yaml", "result.yaml"):
        torn(scene.path(1, name))
    work(scene)
    note = scene.root / ".neps" / scene.layout.run / "damaged" / "1.yaml"
    assert "document: trial.yaml" in note.read_text()
    scene.path(1, "trial.yaml").write_bytes(whole)
    for name in ("attempt_1.end.yaml", "result.yaml"):
        scene.path(1, name).unlink()
    assert 1 in scene.view(here("second"), lease=1e9).pending


def test_a_torn_decision_is_named_before_it_is_damaged(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    torn_path = scene.path(1, "trial.yaml")
    scene.spoil(1, "trial.yaml")
    neps.status(scene.root)
    said = capsys.readouterr().out
    assert "not readable now (if this stays so, a worker declares it damaged after lease_seconds=0.2; start one" in said
    assert "  trial 1: trial.yaml: it has no end marker" in said
    assert f"    in {torn_path.parent}\n" in said
    assert main(["retry", str(scene.root), "--trial", "1"]) == 1
    refused = capsys.readouterr().out
    assert refused.startswith("trial 1: it can't be read now: trial.yaml: it has no end marker")
    assert "a worker declares the trial damaged after lease_seconds=0.2: start one if none runs" in refused


def test_a_dangling_link_is_damaged_and_nothing_is_written_through_a_link(scene: Scene) -> None:
    target = scene.root.parent / "outside"
    target.mkdir()
    scene.path(1).symlink_to("nowhere")
    scene.path(2).symlink_to(target)
    history = work(scene, trials=4)
    assert [str(trial.status) for trial in history.trials] == ["failed", "failed", "success", "success"]
    assert list(target.iterdir()) == []
    assert not scene.path(1).exists()
