"""A Gaussian process, its posterior, and the gradient of that.

How hyperparameters are found is in `neps._models.fitting`. Needs scipy.linalg. Samplers call it.

Shapes: X is (n, d) in the unit cube, y (n,) standardised targets, Z (m, d) points to predict, `choices` (d,) and NaN
where a parameter is inactive as in `neps._models.kernel`.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular

from neps._models.kernel import active_count, has_inactive, matern52, matern52_slope, squared_distances
from neps._models.main_effects import DEGREES, MainEffects

__all__ = ["GaussianProcess", "Hyperparameters"]

_Array = NDArray[np.float64]
_SMALLEST_VARIANCE = 1e-12
_JITTERS = (0.0, 1e-9, 1e-7, 1e-5, 1e-3, 0.1)  # of the signal's variance


@dataclasses.dataclass(frozen=True, slots=True)
class Hyperparameters:
    """What `fit` finds.

    Length scales (d,) are in units of the cube's edge; the variances of signal, noise and main effects (4,), one for
    each degree, in squared units of the targets.
    """

    lengthscales: _Array
    signal: float = 1.0
    noise: float = 1e-6
    effects: _Array = dataclasses.field(default_factory=lambda: np.zeros(DEGREES))


class GaussianProcess:
    """The posterior of a zero-mean Gaussian process, given noisy targets (Rasmussen and Williams 2006, algorithm 2.1).

    Its covariance is signal · Matérn 5/2 + Σ_k effects_k · (main effects of degree k).

    Args:
        X: (n, d), n at least 1.
        y: (n,).
        choices: (d,), how many categories a dimension encodes; 0 where it is a number.
        hyperparameters: length scales and variances; `noise` must be above 0.
        active: how many parameters are active at once, on average; None counts those of X.

    Example:
        >>> model = GaussianProcess(
        ...     np.array([[0.2], [0.8]]), np.array([1.0, -1.0]), np.array([0]), Hyperparameters(np.array([0.3]))
        ... )
        >>> mean, variance = model.predict(np.array([[0.2], [0.6]]))
        >>> mean.round(3).tolist(), variance.round(3).tolist()
        ([1.0, -0.436], [0.0, 0.406])
    """

    def __init__(
        self,
        X: _Array,
        y: _Array,
        choices: NDArray[np.intp],
        hyperparameters: Hyperparameters,
        active: float | None = None,
    ) -> None:
        self.X, self.y, self.choices, self.hyperparameters = X, y, choices, hyperparameters
        self._effects = MainEffects(choices, active_count(X) if active is None else active)
        self._weights: _Array = hyperparameters.effects[self._effects.degrees]
        self._phi: _Array = self._effects.features(X) * self._weights
        self._solve(self._factor(self._covariance()))

    def _covariance(self) -> _Array:
        """That of the targets, noise included: (n, n)."""
        K = self._between(self.X, self.X, self._phi)
        K[np.diag_indices_from(K)] += self.hyperparameters.noise
        return K

    def _solve(self, L: _Array) -> None:
        self._cholesky = L
        self._alpha: _Array = cho_solve((L, True), self.y, check_finite=False)

    def predict(self, Z: _Array) -> tuple[_Array, _Array]:
        """Mean and variance, both (m,), of the noise-free function at Z (m, d)."""
        phi_z = self._effects.features(Z)
        k = self._between(self.X, Z, self._phi, phi_z)
        v = solve_triangular(self._cholesky, k, lower=True, check_finite=False)
        variance = self._prior_variance(phi_z) - np.einsum("nm,nm->m", v, v)
        return k.T @ self._alpha, np.maximum(variance, _SMALLEST_VARIANCE)

    def log_density(self, first: int = 0) -> float:
        """How probable the targets from the first one on are, given those before: log p, but for a constant each."""
        whitened = solve_triangular(self._cholesky, self.y, lower=True, check_finite=False)[first:]
        return float(-0.5 * whitened @ whitened - np.log(np.diagonal(self._cholesky)[first:]).sum())

    def left_out(self) -> _Array:
        """How probable each target is, given all others: log p, but for a constant; (n,).

        Rasmussen and Williams 2006, equations 5.10 to 5.12, at the same hyperparameters.
        """
        precision = np.diagonal(cho_solve((self._cholesky, True), np.eye(len(self.y)), check_finite=False))
        return np.asarray(0.5 * (np.log(precision) - self._alpha**2 / precision))

    def differences(self, Z: _Array) -> _Array:
        """The prior variance of f(x) - f(z), noise left out, for each point x that it is given and Z (m, d): (n, m)."""
        phi, phi_z = self._effects.features(self.X), self._effects.features(Z)
        covariance = self._between(self.X, Z, self._phi, phi_z)
        return np.asarray(self._prior_variance(phi)[:, None] + self._prior_variance(phi_z) - 2.0 * covariance)

    def mean(self, Z: _Array) -> _Array:
        """The mean of `predict` alone, (m,), which costs n m, not n² m."""
        return np.asarray(self._between(self.X, Z, self._phi).T @ self._alpha)

    def predict_with_gradient(self, Z: _Array) -> tuple[_Array, _Array, _Array, _Array]:
        """Mean and variance, both (m,), and their gradients, both (m, d): 0 along categories and what is inactive."""
        signal, phi = self.hyperparameters.signal, self._phi
        phi_z = self._effects.features(Z)
        r2 = squared_distances(self.X, Z, self.hyperparameters.lengthscales, self.choices)
        k = signal * matern52(r2) + phi @ phi_z.T
        inverse_k = cho_solve((self._cholesky, True), k, check_finite=False)
        variance = self._prior_variance(phi_z) - np.einsum("nm,nm->m", k, inverse_k)
        slopes = 2.0 * signal * matern52_slope(r2)
        toward = np.where(self.choices > 0, 0.0, _apart(Z, self.X) / self.hyperparameters.lengthscales**2)
        d_mean = np.einsum("nm,mnj->mj", slopes * self._alpha[:, None], toward)
        d_mean += self._effects.slopes(Z, np.broadcast_to(self._alpha @ phi, phi_z.shape))
        d_variance = -2.0 * np.einsum("nm,mnj->mj", slopes * inverse_k, toward)
        d_variance += 2.0 * self._effects.slopes(Z, self._weights * phi_z - inverse_k.T @ phi)
        return k.T @ self._alpha, np.maximum(variance, _SMALLEST_VARIANCE), d_mean, d_variance

    def believing(self, X: _Array) -> GaussianProcess:
        """The same process, as if its mean had been observed at X too (kriging believer, Ginsbourger et al. 2010).

        The Cholesky factor grows by the rows of X: (q, d) costs n² q, not n³.
        """
        mean, _ = self.predict(X)
        longer = object.__new__(GaussianProcess)
        longer.X, longer.y = np.concatenate([self.X, X]), np.concatenate([self.y, mean])
        longer.choices, longer.hyperparameters = self.choices, self.hyperparameters
        longer._effects, longer._weights = self._effects, self._weights
        longer._phi = np.concatenate([self._phi, self._effects.features(X) * self._weights])
        longer._solve(self._extended(X))
        return longer

    def _extended(self, X: _Array) -> _Array:
        """The Cholesky factor of the covariance at all points, those of X after the others."""
        n, q = len(self.X), len(X)
        B = solve_triangular(self._cholesky, self._between(self.X, X, self._phi), lower=True, check_finite=False)
        K = self._between(X, X, self._effects.features(X) * self._weights) - B.T @ B
        K[np.diag_indices_from(K)] += self.hyperparameters.noise
        L = np.zeros((n + q, n + q))
        L[:n, :n], L[n:, :n] = np.tril(self._cholesky), B.T
        L[n:, n:] = self._factor(K)
        return L

    def _factor(self, K: _Array) -> _Array:
        """The Cholesky factor of K (n, n). Where rounding has left K indefinite, some more noise makes up for it."""
        for jitter in _JITTERS:
            try:
                more = self.hyperparameters.signal * jitter
                L: _Array = cholesky(K + more * np.eye(len(K)) if more else K, lower=True, check_finite=False)
            except np.linalg.LinAlgError:
                continue
            return L
        raise np.linalg.LinAlgError("no noise makes the covariance definite: a coordinate or hyperparameter is NaN")

    def _between(self, X: _Array, Z: _Array, phi: _Array, phi_z: _Array | None = None) -> _Array:
        """The covariance of X (n, d) and Z (m, d), whose features are phi (n, p), weighted, and phi_z (m, p)."""
        r2 = squared_distances(X, Z, self.hyperparameters.lengthscales, self.choices)
        phi_z = self._effects.features(Z) if phi_z is None else phi_z
        return self.hyperparameters.signal * matern52(r2) + phi @ phi_z.T

    def _prior_variance(self, phi: _Array) -> _Array:
        """(m,), from features (m, p)."""
        return self.hyperparameters.signal + (phi * phi) @ self._weights


def _apart(Z: _Array, X: _Array) -> _Array:
    """Z - x, or z less the centre where x is inactive, and 0 where z is: (m, d), (n, d) → (m, n, d)."""
    apart = Z[:, None, :] - X
    if has_inactive(apart):
        apart = np.where(np.isnan(Z)[:, None, :], 0.0, np.where(np.isnan(X), Z[:, None, :] - 0.5, apart))
    return apart
