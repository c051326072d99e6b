"""Each kind of document, spoiled in each way: a worker does what `neps doctor` has said, and loses and doubles nothing.

A run with trials that stand in all ways, one thing in it missing, torn, foreign, empty or no file at all. The doctor
looks, then a worker finishes the run, then the doctor looks again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import neps
from neps._doctor.examination import Report, examine
from neps._doctor.finding import Standing
from neps._ledger import definition
from neps._ledger.claims import Claim
from neps._ledger.pending_mark import PendingMark, mark_pending
from neps._ledger.records import End, result_fields
from neps._ledger.stopping import request_stop
from neps._trial import Result, Trial
from neps.errors import DirectoryError
from unit.ledger_scene import Scene, dead, here

TRIALS = 8
SPACE = {"x": neps.Float(0, 1)}
DOCUMENTS = {
    "decisions": [f"config_{number}/trial.yaml" for number in range(1, 7)],
    "results": [
        "config_1/result.yaml",
        "config_2/result.yaml",
        "config_3/attempt_1.end.yaml",
        "config_4/attempt_2.yaml",
    ],
    "ends": ["config_1/attempt_1.end.yaml", "config_2/attempt_1.end.yaml", "config_4/attempt_1.end.yaml"],
    "both": [
        *(f"config_{number}/{name}" for number in (1, 2) for name in ("result.yaml", "attempt_1.end.yaml")),
        *(f"config_4/{name}" for name in ("result.yaml", "attempt_2.end.yaml")),
        "config_5/attempt_1.pending.yaml",
        "config_7",
    ],
    "around": ["config_4/attempt_2.end.yaml", "cache", "stop"],
}
"""1 has succeeded, 2 failed, 3 was left, 4 died once and succeeded then, 5 waits for neps.tell, 6 is a dead worker's,
and 7 is a half claim. Those of one group are spoiled at once: mostly one of each trial, or both names of a result."""
HARMS = ["missing", "torn", "foreign", "empty", "no file"]
LEFT_TO_DO = {Standing.WAITING, Standing.DEAD, Standing.RESERVED}
LOST = {Standing.DAMAGED, Standing.UNREADABLE}


def build(scene: Scene) -> None:
    scene.define(lease_seconds=0.2)
    gone = dead()

    def claim(number: int) -> Claim:
        scene.folder(number).reserve()
        claimed = Claim.commit(scene.folder(number), scene.decision(number, gone), gone)
        assert claimed is not None
        return claimed

    def fields(number: int, attempt: int = 1, *, success: bool = True) -> dict[str, Any]:
        loss, error = (number / 10, None) if success else (None, "it broke")
        return result_fields(
            Result.of(success=success, loss=loss, error=error, cost=1.0, attempt=attempt, worker=gone.worker)
        )

    claim(1).publish(fields(1))
    claim(2).publish(fields(2, success=False))
    claim(3).leave("interrupted by SIGTERM")
    fourth = claim(4)
    scene.take_over(4, 1, gone, End.DIED)
    scene.folder(4).end_with_result(2, fields(4, 2), gone, fourth.decision)
    claim(5)
    mark_pending(scene.folder(5), PendingMark(attempt=1, worker=gone.worker), gone)
    claim(6)
    scene.folder(7).reserve()


def spoil(path: Path, harm: str) -> None:
    content = path.read_bytes() if path.is_file() else b""
    if path.is_dir():
        path.rmdir()
    else:
        path.unlink()
    if harm == "torn":
        path.write_bytes(content[: len(content) // 2])
    elif harm == "foreign":
        other = re.sub(rb"(?m)^(run|decision): .*$", lambda found: found[1] + b": 123", content)
        path.write_bytes(other if other != content else content.replace(b"version: 1\n", b"version: 99\n"))
    elif harm == "empty":
        path.touch()
    elif harm == "no file":
        os.mkfifo(path)


def spoiled(scene: Scene, document: str) -> Iterator[Path]:
    """The files that a document stands for."""
    if document == "cache":
        scene.view(here())
        yield from Path(scene.layout.results_cache).glob("*.jsonl")
    elif document == "stop":
        request_stop(scene.layout, [], here(), after_trial=False)
        yield from Path(scene.layout.stops).iterdir()
    else:
        yield scene.root / document


@pytest.mark.parametrize("details", [False, True], ids=["without details", "with details"])
@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("group", DOCUMENTS)
def test_a_worker_does_what_the_doctor_says(tmp_path: Path, group: str, harm: str, *, details: bool) -> None:
    scene = Scene(tmp_path / "root")
    build(scene)
    for path in [path for document in DOCUMENTS[group] for path in spoiled(scene, document)]:
        spoil(path, harm)
    evaluated: list[int] = []

    def run_pipeline(x: float) -> dict[str, float]:
        evaluated.append(neps.current_trial().number)
        return {"loss": x, "cost": 1}

    def work() -> Mapping[int, Trial]:
        budget: dict[str, Any] = {"max_evaluations_total": TRIALS} | ({"max_cost_total": 1000} if details else {})
        settings = {"searcher": "random_search", "progress": False, "post_run_summary": False, **budget}
        return neps.run(run_pipeline, scene.root, SPACE, **settings).by_number

    said = examine(str(scene.root), probe=False)
    trials = work()
    check(said, trials, evaluated)
    if group != "both":
        assert all(said.standings[number] not in LOST for number in (1, 2, 4) if group != "decisions"), "another has it"
    after = examine(str(scene.root), probe=False)
    assert {number: trial.damaged for number, trial in trials.items()} == {
        number: standing is Standing.DAMAGED or standing is Standing.UNREADABLE
        for number, standing in after.standings.items()
    }


def check(said: Report, trials: Mapping[int, Trial], evaluated: list[int]) -> None:
    """What came of each trial is what was said of it."""
    assert sorted(trials) == list(range(1, TRIALS + 1))
    assert len(evaluated) == len(set(evaluated)), "one was evaluated twice"
    for number, trial in trials.items():
        standing = said.standings.get(number)  # none: the number was free
        is_left_to_do = standing is None or standing in LEFT_TO_DO
        assert (number in evaluated) is is_left_to_do, (number, standing)
        assert trial.damaged is (standing in LOST), (number, standing)
        assert trial.awaits_tell is (standing is Standing.UNTOLD), (number, standing)
        assert trial.succeeded is (is_left_to_do or standing is Standing.SUCCESS), (number, standing)
        if standing is Standing.SUCCESS:
            assert trial.loss == number / 10
    lost = {number for number, standing in said.standings.items() if standing in LOST}
    assert lost <= {finding.trial for finding in said.findings if finding.wrong}
    for finding in said.findings:
        if finding.advice == "Nothing has to be done.":
            assert not finding.wrong, finding


@pytest.mark.parametrize("harm", HARMS)
def test_without_its_definition_there_is_no_run_for_anybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: str
) -> None:
    monkeypatch.setattr(definition, "_PATIENCE", 0.2)
    scene = Scene(tmp_path / "root")
    build(scene)
    spoil(scene.root / "neps.yaml", harm)
    with pytest.raises(DirectoryError):
        examine(str(scene.root), probe=False)
    with pytest.raises(DirectoryError):
        neps.run(lambda x: x, scene.root, SPACE, max_evaluations_total=TRIALS, searcher="random_search")
