"""Which trial is better: one rule, however it is asked for."""

from __future__ import annotations

import itertools
import math
import random

import pytest

from neps import _ranking as ranking
from neps._outcome import Result
from neps._trial import Decision, Status, Trial


def trial(number: int, loss: float | None, fidelity: float | None = None, *, success: bool = True) -> Trial:
    decision = Decision(number=number, config={}, fidelity=fidelity)
    status = Status.SUCCESS if success else Status.FAILED
    return Trial(number=number, decision=decision, result=Result.of(success=success, loss=loss), status=status)


ORDER = [
    trial(7, 2.0, 9),
    trial(8, 2.0, 9),
    trial(3, -1.0, 3),
    trial(1, 0.5, 3),
    trial(4, 0.0),
    trial(2, math.nan, 9),
    trial(5, -math.inf, 3),
    trial(6, 0.0, 27, success=False),
    Trial(number=9, decision=None),
]
"""The best first. Failures and what runs come last, whatever their loss; what diverged comes before them."""


@pytest.mark.parametrize("seed", range(5))
def test_one_order(seed: int) -> None:
    mixed = random.Random(seed).sample(ORDER, len(ORDER))
    assert ranking.best_first(mixed) == ORDER
    assert ranking.best(mixed) is ORDER[0]
    kept: Trial | None = None
    for each, incumbent in zip(mixed, ranking.incumbents(mixed), strict=True):
        if ranking.better(each, kept):
            kept = each
        assert kept is (incumbent if ranking.ranks(incumbent) else None)
    assert kept is ORDER[0]


def test_what_does_not_rank_is_never_the_best() -> None:
    assert [each.number for each in ORDER if not ranking.ranks(each)] == [2, 5, 6, 9]
    assert ranking.best([None, *ORDER[5:]]) is None
    assert not any(ranking.better(each, None) for each in ORDER[5:])
    assert {ranking.rank_key(each) for each in ORDER[5:]} == {math.inf}


def test_at_one_rung_the_slot_breaks_ties_and_elsewhere_the_number() -> None:
    early, late = trial(9, 1.0), trial(2, 1.0)
    assert ranking.rung_key(early, 0) < ranking.rung_key(late, 1)  # type: ignore[operator]
    assert ranking.loss_key(late) < ranking.loss_key(early)
    assert ranking.rung_key(trial(1, math.nan), 0) is None


def test_a_trial_says_the_same() -> None:
    for one, other in itertools.pairwise(ORDER):
        assert one.incumbent_key < other.incumbent_key
        assert one.rank_key == ranking.rank_key(one)
