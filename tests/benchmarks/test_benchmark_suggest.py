"""The benchmark of many workers' suggestions: what it computes, on laps made by hand, and one small run."""

from __future__ import annotations

import pytest

from benchmarks.suggest import __main__ as command
from benchmarks.suggest import throughput as timing
from benchmarks.suggest.tables import throughput
from benchmarks.suggest.throughput import Lap, Turn


def _laps(*clocks: float, cost: float, decisions: int = 1, share: float = 0.5) -> list[Lap]:
    """Of a worker that always spends `cost` and so many decisions until the next, and decides part of the time."""
    return [Lap(clock, number * cost, share * clock, number * decisions) for number, clock in enumerate(clocks)]


def test_a_turn_counts_the_last_suggestions() -> None:
    turn = Turn.of([_laps(0.0, 0.1, 1.0, 2.0, 3.0, cost=0.75)], 2)
    assert turn == Turn(1, rate=1.0, cost=0.75, effort=1.0, share=0.5)
    assert turn.cores == 0.75


def test_a_turn_is_of_all_workers_together() -> None:
    slow, fast = _laps(0.5, 2.5, 4.5, cost=1.0, decisions=2, share=1.0), _laps(0.0, 1.0, 2.0, 3.0, 4.0, cost=0.5)
    turn = Turn.of([slow, fast], 5)
    assert turn.workers == 2
    assert turn.rate == pytest.approx(5 / 3.5)  # from the fast one's second to the slow one's last
    assert turn.cost == pytest.approx((1.0 + 3 * 0.5) / 4)
    assert turn.effort == pytest.approx((2 + 3) / 4)
    assert turn.share == pytest.approx((2.0 + 1.5) / 5.0)


def test_the_table_compares_turns_of_a_round() -> None:
    """The machine was ten times faster in one round: the ratio knows nothing of it."""
    rounds = [[Turn(1, 10 * speed, 0.02, 1.0, 0.9), Turn(8, 18 * speed, 0.02, 1.25, 0.75)] for speed in (1.0, 10.0)]
    rounds[1].reverse()
    text = str(throughput(rounds, cores=2))
    assert "| 1 | 55.0 (10.0 – 100.0) | 1.00 (1.00 – 1.00) | 1 |" in text
    assert "| 8 | 99.0 (18.0 – 180.0) | 1.80 (1.80 – 1.80) | 2 | 1.98 (0.36 – 3.60) |" in text
    assert "1.25 (1.25 – 1.25) | 75% (75% – 75%) |" in text


def test_the_order_of_turns_rotates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "take_turn", lambda _root, workers, *_: Turn(workers, 1.0, 1.0, 1.0, 1.0))
    rounds = timing.measure([1, 2, 8], 4, known=1, suggestions=1)
    assert [[turn.workers for turn in turns] for turns in rounds] == [[1, 2, 8], [2, 8, 1], [8, 1, 2], [1, 2, 8]]


def test_processes_make_suggestions_together() -> None:
    [[turn]] = timing.measure([2], 1, known=7, suggestions=6)
    assert turn.workers == 2
    assert turn.rate > 0
    assert turn.cost > 0
    assert turn.effort > 0
    assert 0 < turn.share < 1


def test_crowds_of_nobody_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["--workers", "0,8"])
    assert "0 workers make no suggestion" in capsys.readouterr().err
