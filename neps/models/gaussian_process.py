"""A Gaussian process with a Matérn 5/2 kernel, its posterior, and the gradient of that.

How hyperparameters are found is in `neps.models.fitting`. Needs scipy.linalg. Samplers call it.

Shapes: X is (n, d) in the unit cube, y (n,) standardised targets, Z (m, d) points to predict.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular

from neps.models.kernel import matern52, matern52_slope, squared_distances

__all__ = ["GaussianProcess", "Hyperparameters"]

_Array = NDArray[np.float64]
_SMALLEST_VARIANCE = 1e-12


@dataclasses.dataclass(frozen=True, slots=True)
class Hyperparameters:
    """Length scales (d,) in units of the cube's edge; variances of signal and noise in squared units of the targets."""

    lengthscales: _Array
    signal: float = 1.0
    noise: float = 1e-6


class GaussianProcess:
    """The posterior of a zero-mean Gaussian process, given noisy targets (Rasmussen and Williams 2006, algorithm 2.1).

    Args:
        X: (n, d), n at least 1.
        y: (n,).
        categorical: (d,), True where a dimension encodes a category.
        hyperparameters: length scales and variances; `noise` must be above 0.

    Example:
        >>> model = GaussianProcess(
        ...     np.array([[0.2], [0.8]]), np.array([1.0, -1.0]), np.array([False]), Hyperparameters(np.array([0.3]))
        ... )
        >>> mean, variance = model.predict(np.array([[0.2], [0.6]]))
        >>> mean.round(3).tolist(), variance.round(3).tolist()
        ([1.0, -0.436], [0.0, 0.406])
    """

    def __init__(self, X: _Array, y: _Array, categorical: NDArray[np.bool_], hyperparameters: Hyperparameters) -> None:
        self.X, self.y, self.categorical, self.hyperparameters = X, y, categorical, hyperparameters
        K = hyperparameters.signal * matern52(self._squared_distances(X))
        K[np.diag_indices_from(K)] += hyperparameters.noise
        self._cholesky: _Array = cholesky(K, lower=True, overwrite_a=True, check_finite=False)
        self._alpha: _Array = cho_solve((self._cholesky, True), y, check_finite=False)

    def predict(self, Z: _Array) -> tuple[_Array, _Array]:
        """Mean and variance, both (m,), of the noise-free function at Z (m, d)."""
        k = self.hyperparameters.signal * matern52(self._squared_distances(Z))
        v = solve_triangular(self._cholesky, k, lower=True, check_finite=False)
        variance = self.hyperparameters.signal - np.einsum("nm,nm->m", v, v)
        return k.T @ self._alpha, np.maximum(variance, _SMALLEST_VARIANCE)

    def predict_with_gradient(self, z: _Array) -> tuple[float, float, _Array, _Array]:
        """Mean, variance and their gradients (d,) at one point z (d,); 0 along categories."""
        signal, lengthscales = self.hyperparameters.signal, self.hyperparameters.lengthscales
        r2 = self._squared_distances(z[None, :])[:, 0]
        k = signal * matern52(r2)
        weights = cho_solve((self._cholesky, True), k, check_finite=False)
        direction = np.where(self.categorical, 0.0, z - self.X) / lengthscales**2
        dk = 2.0 * signal * matern52_slope(r2)[:, None] * direction
        variance = max(signal - float(k @ weights), _SMALLEST_VARIANCE)
        return float(k @ self._alpha), variance, self._alpha @ dk, -2.0 * weights @ dk

    def believing(self, X: _Array) -> GaussianProcess:
        """The same process, as if its mean had been observed at X too (kriging believer, Ginsbourger et al. 2010)."""
        mean, _ = self.predict(X)
        return GaussianProcess(
            np.concatenate([self.X, X]), np.concatenate([self.y, mean]), self.categorical, self.hyperparameters
        )

    def _squared_distances(self, Z: _Array) -> _Array:
        return squared_distances(self.X, Z, self.hyperparameters.lengthscales, self.categorical)
