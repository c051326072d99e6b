"""Whether floats of numeric libraries have the same last digits here as where fingerprints were recorded.

They differ between processors, and between versions of NumPy, SciPy and what these call. Called by `recorded`.
"""

from __future__ import annotations

import functools
import hashlib

import numpy as np
from scipy.linalg import cho_solve, cholesky
from scipy.optimize import minimize
from scipy.special import log_ndtr

__all__ = ["bits_here"]

_SIZES = (5, 33, 140, 400)
"""Libraries compute small matrices otherwise than large ones."""


@functools.cache
def bits_here() -> str:
    """A digest of what a model computes: distances, exponentials, factors, solutions, and a search by gradients."""
    from neps._models.threads import one_thread

    digest = hashlib.sha256()
    with one_thread():
        for size in _SIZES:
            for result in _computed(size):
                digest.update(result.tobytes())
    return digest.hexdigest()[:10]


def _computed(size: int) -> list[np.ndarray]:
    points = (np.arange(5.0 * size).reshape(size, 5) * 0.6180339887498949) % 1.0
    squares = ((points[:, None, :] - points) ** 2).sum(axis=2)
    kernel = np.exp(-np.sqrt(squares)) + 0.01 * np.eye(size)
    losses = np.sin(7.0 * points).sum(axis=1)
    factor = cholesky(kernel, lower=True)
    weights = cho_solve((factor, True), losses)
    means = kernel @ weights

    def curve(x: np.ndarray) -> tuple[float, np.ndarray]:
        return float(np.log1p(((x - points[:3, 0]) ** 2).sum())), 2.0 * (x - points[:3, 0]) / (
            1.0 + ((x - points[:3, 0]) ** 2).sum()
        )

    found = minimize(curve, np.array([0.9, -0.4, 0.1]), jac=True, method="L-BFGS-B").x
    return [weights, means, np.log(np.diag(factor)), log_ndtr(losses - 3.0), np.power(10.0, points[:, 0]), found]
