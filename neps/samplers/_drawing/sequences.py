"""A scrambled Sobol sequence that gives any point by its index, without the points before it.

NumPy only: `scipy.stats.qmc` takes 0.6 s and 98 MB to import. Used by the Sobol sampler, by initial
designs, and to spread the candidates of an acquisition function.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from neps.samplers._drawing.direction_numbers import DIRECTION_NUMBERS

__all__ = ["BITS", "TABLE_DIMENSIONS", "SobolSequence", "sobol_sequence"]

BITS = 32
TABLE_DIMENSIONS = len(DIRECTION_NUMBERS) + 1

_Words = NDArray[np.uint64]
_UNIT = 2.0**-BITS


class SobolSequence:
    """A Sobol sequence in [0, 1)^dimensions, in Gray code order, with points that are multiples of 2^-32.

    Scrambled by random lower triangular matrices over GF(2) and a random digital shift (Matousek 1998), which keeps
    the balance: among each aligned block of 2^m points, every dimension has one point in each interval of length 2^-m.
    Past the first 64 dimensions Joe and Kuo's numbers are replaced by random ones: each of those dimensions is as
    balanced, and pairs of them are spread as random points are.

    Args:
        dimensions: how many, at least 0.
        seed: what the scrambling is drawn from, at least 0; None leaves the points unscrambled (up to 64 dimensions).

    Example:
        >>> SobolSequence(2, seed=None).points(0, 4).tolist()
        [[0.0, 0.0], [0.5, 0.5], [0.75, 0.25], [0.25, 0.75]]
    """

    def __init__(self, dimensions: int, seed: int | None) -> None:
        """See the class."""
        # Raw words, since NumPy promises the stream of a bit generator, and not what `Generator` makes of it.
        words = np.random.PCG64(np.random.SeedSequence(seed or 0, spawn_key=(0,)))
        extra = max(0, dimensions - TABLE_DIMENSIONS)
        columns = np.concatenate([_table_columns(dimensions - extra), _random_columns(words, extra)])
        self._shift: _Words = np.zeros(dimensions, dtype=np.uint64)
        if seed is not None:
            columns = _product(_random_matrices(words, dimensions), columns)
            self._shift = _draw(words, (dimensions,))
        self._columns = columns

    def point(self, index: int) -> NDArray[np.float64]:
        """Point number `index` (0 is the first): array (dimensions,). Costs 32 · dimensions at most."""
        gray = index ^ (index >> 1)
        chosen = [bit for bit in range(BITS) if gray >> bit & 1]
        word: _Words = np.bitwise_xor.reduce(self._columns[:, chosen], axis=1) ^ self._shift
        return word.astype(np.float64) * _UNIT

    def points(self, first: int, count: int) -> NDArray[np.float64]:
        """Points `first` … `first + count - 1`: array (count, dimensions)."""
        index = np.arange(first, first + count, dtype=np.uint64)
        gray = index ^ (index >> np.uint64(1))
        words = np.broadcast_to(self._shift, (count, self._shift.size))
        for bit in range((first + count).bit_length()):
            chosen = (gray >> np.uint64(bit)) & np.uint64(1)
            words = words ^ chosen[:, None] * self._columns[:, bit]
        return words.astype(np.float64) * _UNIT


@functools.lru_cache(maxsize=16)
def sobol_sequence(dimensions: int, seed: int) -> SobolSequence:
    """The scrambled sequence of a run, made once."""
    return SobolSequence(dimensions, seed)


def _table_columns(dimensions: int) -> _Words:
    """Unscrambled generator matrices: (dimensions, 32), one word a column."""
    rows = [_bratley_fox(*row) for row in ((1,), *DIRECTION_NUMBERS)[:dimensions]]
    return np.array(rows, dtype=np.uint64).reshape(dimensions, BITS)


def _bratley_fox(polynomial: int, *initial: int) -> list[int]:
    """Direction numbers of one dimension (Bratley and Fox 1988, equation 2), each shifted to the top of 32 bits."""
    degree = len(initial)
    numbers = list(initial) or [1] * BITS
    for k in range(len(numbers), BITS):
        number = numbers[k - degree]
        for j in range(1, degree + 1):
            if polynomial >> (degree - j) & 1:
                number ^= numbers[k - j] << j
        numbers.append(number)
    return [number << (BITS - 1 - k) for k, number in enumerate(numbers)]


def _random_columns(words: np.random.PCG64, dimensions: int) -> _Words:
    """Random upper triangular matrices with ones on the diagonal: any such dimension is balanced."""
    position = np.arange(BITS, dtype=np.uint64)
    diagonal = np.uint64(1) << (np.uint64(BITS - 1) - position)
    above = ~(diagonal | (diagonal - np.uint64(1))) & np.uint64(2**BITS - 1)
    drawn: _Words = _draw(words, (dimensions, BITS)) & above | diagonal
    return drawn


def _random_matrices(words: np.random.PCG64, dimensions: int) -> _Words:
    """Random lower triangular matrices with ones on the diagonal, as columns: (dimensions, 32)."""
    diagonal = np.uint64(1) << (np.uint64(BITS - 1) - np.arange(BITS, dtype=np.uint64))
    drawn: _Words = _draw(words, (dimensions, BITS)) & (diagonal - np.uint64(1)) | diagonal
    return drawn


def _product(left: _Words, right: _Words) -> _Words:
    """Products of square matrices over GF(2), each given and returned by columns: (dimensions, 32)."""
    product = np.zeros_like(right)
    for row in range(BITS):
        has_row = (right >> np.uint64(BITS - 1 - row)) & np.uint64(1)
        product ^= has_row * left[:, row, None]
    return product


def _draw(words: np.random.PCG64, shape: tuple[int, ...]) -> _Words:
    """Random words of 32 bits."""
    count = int(np.prod(shape))
    return (words.random_raw(count).astype(np.uint64) >> np.uint64(32)).reshape(shape)
