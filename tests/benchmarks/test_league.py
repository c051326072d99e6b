"""The league: its driver still works for neps, its table is what was recorded, and neps has lost nothing there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from league import record
from league.contest import LIBRARIES, Contest
from league.scenarios import SCENARIOS

RECORDED = json.loads(record.RECORDED.read_text())


def test_the_driver_works_for_neps(tmp_path: Path) -> None:
    with Contest("neps", tmp_path) as contest:
        contest.start(2, budget=4, seconds=0.0)
        contest.wait()
        outcome = contest.outcome(4)
    assert (outcome.results, outcome.evaluations) == (4, 4)
    assert not contest.crashed()


def test_what_goes_wrong_is_counted(tmp_path: Path) -> None:
    with Contest("neps", tmp_path) as contest:
        contest.start(1, budget=3, seconds=0.0)
        contest.wait()
        (contest.root / "neps.yaml").unlink()
        contest.start(1, budget=3, seconds=0.0)
        contest.wait()
        outcome = contest.outcome(3)
    assert (outcome.lost, outcome.short, outcome.crashed) == (3, 3, 1)


def test_the_page_is_what_was_recorded() -> None:
    page = record.PAGE.read_text()
    assert record.written(page, RECORDED) == page


def test_all_was_tried_and_neps_has_lost_nothing() -> None:
    tried = {(each["scenario"], each["library"]) for each in RECORDED["outcomes"]}
    assert tried == {(scenario, library) for scenario in SCENARIOS for library in LIBRARIES}
    ours = [each for each in RECORDED["outcomes"] if each["library"] == "neps"]
    assert [record.wrong(each) for each in ours] == [""] * len(SCENARIOS)


@pytest.mark.parametrize("fault", ["lost", "stuck", "crashed", "hung"])
def test_a_fault_is_wrong_and_shown(fault: str) -> None:
    (one, *_) = (each for each in RECORDED["outcomes"] if each["library"] == "neps")
    spoilt = {**one, fault: 2}
    assert record.wrong(spoilt) == f"2 {fault}"
    assert f"2 {fault}" in record.section({**RECORDED, "outcomes": [spoilt]})
