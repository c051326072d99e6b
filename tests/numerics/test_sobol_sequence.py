"""The Sobol sequence against scipy's, and its balance after scrambling."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import qmc

from neps.samplers._drawing.sequences import BITS, TABLE_DIMENSIONS, SobolSequence


@pytest.mark.parametrize("dimensions", [1, 2, 13, TABLE_DIMENSIONS])
def test_unscrambled_points_are_those_of_scipy(dimensions: int) -> None:
    expected = qmc.Sobol(dimensions, scramble=False, bits=BITS).random(2**12)
    np.testing.assert_array_equal(SobolSequence(dimensions, seed=None).points(0, 2**12), expected)


def test_a_late_point_is_that_of_scipy() -> None:
    late = 123_457
    reference = qmc.Sobol(20, scramble=False, bits=BITS).fast_forward(late)
    np.testing.assert_array_equal(SobolSequence(20, seed=None).point(late), reference.random(1)[0])


def test_a_point_is_the_same_alone_and_in_a_block() -> None:
    sequence = SobolSequence(7, seed=3)
    block = sequence.points(1000, 300)
    np.testing.assert_array_equal([sequence.point(1000 + index) for index in range(300)], block)


@pytest.mark.parametrize("dimensions", [3, TABLE_DIMENSIONS + 20])
@pytest.mark.parametrize("exponent", [1, 5, 10])
@pytest.mark.parametrize("seed", [0, 1])
def test_each_interval_has_one_point_in_every_aligned_block(dimensions: int, exponent: int, seed: int) -> None:
    count = 2**exponent
    for block in (0, 1, 5):
        points = SobolSequence(dimensions, seed).points(block * count, count)
        cells = np.sort(np.floor(points * count), axis=0)
        np.testing.assert_array_equal(cells, np.repeat(np.arange(count)[:, None], dimensions, axis=1))


def test_two_dimensions_stay_a_net_after_scrambling() -> None:
    points = SobolSequence(2, seed=11).points(0, 256)
    for bits in range(9):
        cells = np.floor(points * [2**bits, 2 ** (8 - bits)])
        assert len(np.unique(cells, axis=0)) == 256


def test_scrambling_depends_on_the_seed_and_removes_the_corner() -> None:
    firsts = np.array([SobolSequence(5, seed).point(0) for seed in range(50)])
    assert len(np.unique(firsts, axis=0)) == 50
    assert np.all(np.abs(firsts.mean(axis=0) - 0.5) < 0.2)


def test_scrambled_points_are_spread_more_evenly_than_random_ones() -> None:
    random = np.median([qmc.discrepancy(np.random.default_rng(seed).random((256, 6))) for seed in range(5)])
    scrambled = [qmc.discrepancy(SobolSequence(6, seed).points(0, 256)) for seed in range(5)]
    assert max(scrambled) < 0.2 * random


def test_the_scrambling_is_stable_over_versions() -> None:
    expected = [
        [0.5682854435872287, 0.8595669381320477, 0.4197125332430005],
        [0.48371273931115866, 0.3104493918363005, 0.8709187952335924],
    ]
    assert SobolSequence(3, seed=42).points(0, 2).tolist() == expected
