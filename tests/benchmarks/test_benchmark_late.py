"""The benchmark of late decisions: small runs, in which both versions are this one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.late.__main__ import main
from benchmarks.regret.record import results_in


def test_both_have_the_same_trials_before_and_are_compared_run_by_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ["--first", "30", "--decisions", "2", "--problems", "mixed", "--seeds", "0-1"]
    assert main(["regret", "--against", sys.executable, *small, "--results", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "| mixed | 2 |" in text
    assert "Mean difference after 32: +0.000 [+0.000, +0.000]." in text
    here, other = (results_in(tmp_path).read(f"{name}-30") for name in ("here", "other"))
    assert [run.losses for run in here] == [run.losses for run in other]
    assert {len(run.losses) for run in here} == {32}


@pytest.mark.parametrize("searcher", ["cost_cooling", "priorband_bo", "freeze_thaw"])
def test_the_cost_of_a_decision_is_in_a_row(searcher: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "--searchers", searcher, "--sizes", "30"]) == 0
    assert f"| {searcher} | 30 | " in capsys.readouterr().out
