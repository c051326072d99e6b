"""The benchmark of decisions over fidelities and of utilisation: what it computes, and one small run."""

from __future__ import annotations

import pytest

from benchmarks.decisions.__main__ import main
from benchmarks.decisions.pool import simulated
from benchmarks.decisions.real import real
from benchmarks.decisions.utilisation import utilisation


def test_only_what_lies_in_the_time_that_is_looked_at_counts() -> None:
    assert utilisation([(-1.0, 1.0), (2.0, 3.0), (8.0, 12.0), (10.0, 11.0)], workers=1, begin=0.0, end=10.0) == 0.4


@pytest.mark.parametrize("searcher", ["asha", "hyperband"])
def test_simulated_workers_always_find_something_to_do(searcher: str) -> None:
    share, idle = simulated(searcher, 8, 60)
    assert share == pytest.approx(1.0)
    assert idle == 0


def test_processes_evaluate_for_a_part_of_their_time() -> None:
    overall, later = real("asha", 2, 20, 0.05)
    assert 0.0 < overall <= 1.0
    assert 0.0 < later <= 1.0


def test_a_small_run_prints_its_tables(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--searchers", "asha", "--sizes", "40,80", "--workers", "4", "--evaluations", "30"])
    text = capsys.readouterr().out
    assert "| searcher | n = 40 | n = 80 | flat | all looked at |" in text
    assert "| asha | 100.0 % | 0 |" in text
