"""Rounding doesn't decide: sums, products and logarithms that are off by a last digit mean what they say."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from neps._rounding import has_reached, just_above, rounded_down, rounded_up


@pytest.mark.parametrize("count", [1, 5, 243])
def test_a_whole_number_stays_itself_with_a_wrong_last_digit(count: int) -> None:
    for near in (math.nextafter(count, 0), float(count), math.nextafter(count, math.inf)):
        assert rounded_down(near) == rounded_up(near) == count


def test_other_numbers_are_rounded() -> None:
    assert (rounded_down(2.999), rounded_up(2.001)) == (2, 3)


def test_an_amount_reaches_what_it_misses_by_rounding() -> None:
    exactly = 10 * Fraction(0.7)
    assert exactly < 7.0
    assert has_reached(exactly, 7.0)
    assert not has_reached(6.999, 7.0)


def test_an_equal_amount_is_not_above() -> None:
    assert 0.1 + 0.2 > 0.3
    assert 0.1 + 0.2 <= just_above(0.3) < 0.301
