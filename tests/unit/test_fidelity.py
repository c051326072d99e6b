"""Rungs, brackets and promotions against tables worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from neps._fidelity import (
    Bracket,
    asynchronous_promotion,
    hyperband_brackets,
    left_behind,
    rungs,
    successive_halving_bracket,
    synchronous_place,
)
from neps._fidelity.rungs import evenly_spaced, whole_powers
from neps._trial import Decision, Place, Result, Trial


def test_a_step_beyond_the_range_ends_at_the_highest_fidelity() -> None:
    assert evenly_spaced(1, 27, 1e300) == (1, 27)
    assert evenly_spaced(5, 5, 1e300) == (5,)


@pytest.mark.parametrize(
    ("lower", "upper", "eta", "expected"),
    [
        (1, 81, 3, (1, 3, 9, 27, 81)),
        (1, 243, 3, (1, 3, 9, 27, 81, 243)),
        (1, 1000, 10, (1, 10, 100, 1000)),
        (3, 100, 3, (3, 11, 33, 100)),
        (1, 100, 3, (1, 4, 11, 33, 100)),
        (2, 81, 3, (2, 9, 27, 81)),
        (1, 4, 1.2, (1, 2, 3, 4)),
        (5, 5, 3, (5,)),
        (30, 81, 3, (81,)),
        (27, 81, 3, (27, 81)),
        (1, 1024, 2, tuple(2**k for k in range(11))),
    ],
)
def test_rungs_of_whole_numbers(lower: int, upper: int, eta: float, expected: tuple[int, ...]) -> None:
    found = rungs(lower, upper, eta, whole=True)
    assert found == expected
    assert all(type(rung) is int for rung in found)


def test_rungs_of_real_numbers() -> None:
    assert rungs(3.0, 100.0, 3) == pytest.approx((3.0, 100 / 9, 100 / 3, 100.0))
    assert rungs(0.1, 0.9, 3) == pytest.approx((0.1, 0.3, 0.9))
    assert rungs(1.0, 10.0, 2.5) == pytest.approx((1.0, 4.0, 10.0))
    assert rungs(3.0, 100.0, 3)[0] == 3.0
    assert rungs(3.0, 100.0, 3)[-1] == 100.0


@pytest.mark.parametrize("eta", [1.1, 1.5, 2, 3, 4, 7, 10])
def test_whole_powers_are_not_lost_to_rounding(eta: float) -> None:
    for power in range(12):
        assert whole_powers(eta**power, eta) == power
        assert whole_powers(eta**power * 0.999, eta) == power - 1 or power == 0


# R = 81, eta = 3: the sizes of algorithm 1; the paper's own table has 27, 9 and 6 at the beginning of the second, third
# and fourth bracket.
TABLES: Mapping[tuple[int, float], list[tuple[int, ...]]] = {
    (5, 3): [(81, 27, 9, 3, 1), (34, 11, 3, 1), (15, 5, 1), (8, 2), (5,)],
    (4, 3): [(27, 9, 3, 1), (12, 4, 1), (6, 2), (4,)],
    (3, 4): [(16, 4, 1), (6, 1), (3,)],
    (4, 2): [(8, 4, 2, 1), (6, 3, 1), (4, 2), (4,)],
    (1, 3): [(1,)],
    (3, 2.5): [(7, 2, 1), (4, 1), (3,)],
}


@pytest.mark.parametrize(("rung_count", "eta"), TABLES)
def test_brackets(rung_count: int, eta: float) -> None:
    found = hyperband_brackets(rung_count, eta)
    assert [bracket.sizes for bracket in found] == TABLES[rung_count, eta]
    assert [bracket.lowest for bracket in found] == list(range(rung_count))
    assert [successive_halving_bracket(rung_count, eta, rate) for rate in range(rung_count)] == list(found)


@pytest.mark.parametrize("eta", [1.1, 1.3, 2, 2.7, 3, 5, 10])
def test_no_rung_of_a_bracket_is_empty_or_larger_than_the_one_below(eta: float) -> None:
    for rung_count in range(1, 8):
        for bracket in hyperband_brackets(rung_count, eta):
            sizes = bracket.sizes
            assert len(sizes) == rung_count - bracket.lowest
            assert min(sizes) >= 1
            assert list(sizes) == sorted(sizes, reverse=True)


# ------------------------------------------------------------------------------------------------------------ promotion


def _trial(number: int, rung: int, slot: int, loss: float | None = None, previous: int | None = None) -> Trial:
    """Ended with `loss` where there is one; failed where that is infinite."""
    decision = Decision(number=number, config={}, place=Place(rung, 0, slot), previous=previous)
    failed = loss == math.inf
    result = None if loss is None else Result.of(success=not failed, loss=None if failed else loss)
    return Trial(number=number, decision=decision, result=result)


SIX = Bracket(1, (6, 2, 1))


def test_free_places_come_before_promotions() -> None:
    known = [_trial(1, 1, 0, 0.1), _trial(2, 1, 2, 0.2)]
    place = synchronous_place(SIX, known)
    assert place is not None
    assert (place.rung, place.slot, place.previous) == (1, 1, None)


def test_a_rung_waits_for_its_last() -> None:
    known = [_trial(n, 1, n - 1, 0.1 * n) for n in range(1, 6)]
    assert synchronous_place(SIX, [*known, _trial(6, 1, 5)]) is None


def test_the_best_are_promoted_in_order_and_once() -> None:
    known = [_trial(n, 1, n - 1, loss) for n, loss in enumerate([0.6, 0.2, 0.5, 0.1, 0.3, 0.4], start=1)]
    promoted = []
    for number in (7, 8):
        place = synchronous_place(SIX, known)
        assert place is not None
        assert place.previous is not None
        promoted.append((place.rung, place.slot, place.previous.number))
        known.append(_trial(number, place.rung, place.slot, previous=place.previous.number))
    assert promoted == [(2, 0, 4), (2, 1, 2)]
    assert synchronous_place(SIX, known) is None
    known[6:] = [_trial(7, 2, 0, 0.9, 4), _trial(8, 2, 1, 0.8, 2)]
    last = synchronous_place(SIX, known)
    assert last is not None
    assert last.previous is known[7]
    assert synchronous_place(SIX, [*known, _trial(9, 3, 0, 0.1, 8)]) is None


def test_a_rung_is_left_behind_once_the_next_is_full_and_ended() -> None:
    known = [_trial(n, 1, n - 1, 0.1 * n) for n in range(1, 7)]
    assert left_behind(SIX, known) == set()
    assert left_behind(SIX, [*known, _trial(7, 2, 0, 0.1, 1), _trial(8, 2, 1, previous=2)]) == set()
    known += [_trial(7, 2, 0, 0.1, 1), _trial(8, 2, 1, math.inf, 2)]
    assert left_behind(SIX, known) == {3, 4, 5, 6}
    assert left_behind(SIX, [*known, _trial(9, 3, 0, 0.1, 7)]) == {3, 4, 5, 6, 8}


def test_failures_leave_places_empty_and_the_bracket_closes() -> None:
    losses = [math.inf, math.nan, math.inf, 0.5, math.inf, math.inf]
    known = [_trial(n, 1, n - 1, loss) for n, loss in enumerate(losses, start=1)]
    place = synchronous_place(SIX, known)
    assert place is not None
    assert place.previous is known[3]
    known.append(_trial(7, 2, 0, math.inf, previous=4))
    assert synchronous_place(SIX, known) is None
    assert synchronous_place(SIX, [_trial(n, 1, n - 1, math.inf) for n in range(1, 7)]) is None


def test_equal_losses_are_told_apart_by_slot_not_by_number() -> None:
    known = [_trial(n, 1, 6 - n, 0.5) for n in range(1, 7)]
    place = synchronous_place(SIX, known)
    assert place is not None
    assert place.previous is known[5]


def test_a_promotion_stands_though_a_retry_has_made_another_trial_better() -> None:
    known = [_trial(n, 1, n - 1, 0.1 * n) for n in range(1, 7)]
    known += [_trial(7, 2, 0, 0.1, previous=5), _trial(8, 2, 1, 0.2, previous=6)]
    place = synchronous_place(SIX, known)
    assert place is not None
    assert (place.rung, place.previous) == (3, known[6])


def test_asha_promotes_the_best_third_once() -> None:
    known = [_trial(n, 0, n - 1, 0.1 * n) for n in range(1, 3)]
    assert asynchronous_promotion(3, 3, known) is None
    known.append(_trial(3, 0, 2, 0.05))
    place = asynchronous_promotion(3, 3, known)
    assert place is not None
    assert (place.rung, place.slot, place.previous) == (1, 0, known[2])
    known.append(_trial(4, 1, 0, None, previous=3))
    assert asynchronous_promotion(3, 3, known) is None
    known += [_trial(n, 0, n - 2, loss) for n, loss in ((5, 0.01), (6, 9.0), (7, 9.0))]
    place = asynchronous_promotion(3, 3, known)
    assert place is not None
    assert (place.rung, place.slot, place.previous) == (1, 1, known[4])


def test_asha_promotes_from_the_highest_rung_first_and_nothing_from_the_top() -> None:
    known = [_trial(n, 0, n - 1, 0.1 * n) for n in range(1, 7)]
    known += [_trial(7 + n, 1, n, 0.5 - 0.1 * n, previous=n + 1) for n in range(3)]
    place = asynchronous_promotion(3, 3, known)
    assert place is not None
    assert (place.rung, place.previous) == (2, known[8])
    top = [_trial(n, 2, n, 0.1) for n in range(10, 19)]
    assert asynchronous_promotion(3, 3, top) is None


def test_asha_counts_failures_but_never_promotes_them() -> None:
    known = [_trial(1, 0, 0, math.inf), _trial(2, 0, 1, math.nan), _trial(3, 0, 2, math.inf)]
    assert asynchronous_promotion(2, 3, known) is None
    place = asynchronous_promotion(2, 3, [*known, _trial(4, 0, 3, 7.0)])
    assert place is not None
    assert place.previous is not None
    assert place.previous.number == 4
