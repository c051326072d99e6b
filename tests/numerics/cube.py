"""Points of a unit cube as the model layer gets them. The tests of this folder share it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["points"]


def points(n: int, choices: NDArray[np.intp], seed: int = 0) -> NDArray[np.float64]:
    """Uniform, with categories at the middles of their parts: (n, d)."""
    X = np.random.default_rng(seed).random((n, len(choices)))
    return np.where(choices > 0, (np.floor(X * choices) + 0.5) / np.maximum(choices, 1), X)
