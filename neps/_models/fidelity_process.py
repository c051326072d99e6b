"""A Gaussian process over configuration and fidelity, and its posterior.

The loss at a lower fidelity is that at the highest plus a difference that grows on the way down. How hyperparameters
are found is in `neps._models.fidelity_fitting`. Needs scipy.linalg. Samplers call it.

Shapes: X is (n, d) in the unit cube; u (n,) how far each observation is from the highest fidelity, its distance, from 0
(there) to 1 (at the lowest, usually in logarithms); y (n,) standardised targets; Z (m, d) points to predict.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from neps._models.gaussian_process import GaussianProcess, Hyperparameters

__all__ = ["FidelityHyperparameters", "FidelityProcess", "growth"]

_Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, slots=True)
class FidelityHyperparameters:
    """What `neps._models.fidelity_fitting` finds.

    Args:
        top: those of the loss at the highest fidelity.
        walk: the variance of what a configuration's loss may wander on the way down, relative to that at the top.
        slope: the variance of its linear change on the way down, relative to that at the top.
        trend: the variance of what all configurations share on the way down.
        early_noise: the variance of the noise at the lowest fidelity, beyond that at the highest.
    """

    top: Hyperparameters
    walk: float = 0.1
    slope: float = 0.5
    trend: float = 0.5
    early_noise: float = 1e-3


class FidelityProcess(GaussianProcess):
    """The posterior at the highest fidelity, given noisy targets at any.

    The prior covariance of losses at (x, u) and (z, v) is

        k(x, z) · (1 + walk · min(u, v) + slope · u v) + trend · (min(u, v) + u v),

    where k is that of `GaussianProcess`, and the noise's variance at u is noise + early_noise · u². So at u = 0 it is
    k alone, and the loss there plus something that vanishes at the top, as in Kennedy and O'Hagan (2000, "Predicting
    the output from a complex computer code when fast approximations are available") and the truncated kernels of Wu et
    al. (2020, "Practical multi-fidelity Bayesian optimization for hyperparameter tuning"): a Wiener process on the way
    up, each of whose steps is independent of where it stands, and a slope that lower fidelities already show.
    All that `GaussianProcess` predicts is of u = 0.

    Args:
        X: (n, d), n at least 1.
        u: (n,).
        y: (n,).
        choices: (d,), how many categories a dimension encodes; 0 where it is a number.
        hyperparameters: length scales and variances; `top.noise` must be above 0.
        active: as of `GaussianProcess`.
    """

    def __init__(
        self,
        X: _Array,
        u: _Array,
        y: _Array,
        choices: NDArray[np.intp],
        hyperparameters: FidelityHyperparameters,
        active: float | None = None,
    ) -> None:
        self.u, self.over_fidelities = u, hyperparameters
        super().__init__(X, y, choices, hyperparameters.top, active)

    def _covariance(self) -> _Array:
        K = self._over_fidelities(self._between(self.X, self.X, self._phi), self.u, self.u)
        K[np.diag_indices_from(K)] += self.noise(self.u)
        return K

    def noise(self, u: _Array) -> _Array:
        """The noise's variance at u, of any shape."""
        return np.asarray(self.hyperparameters.noise + self.over_fidelities.early_noise * u * u)

    def joint(self, Z: _Array, u: _Array) -> tuple[_Array, _Array]:
        """Means (m, k) and covariances (m, k, k) of the noise-free losses of each point at distances u (k,).

        Rounding may leave variances a little below 0. Takes n² m k steps and n m k numbers.
        """
        n, m, k = len(self.X), len(Z), len(u)
        phi_z = self._effects.features(Z)
        top = self._between(self.X, Z, self._phi, phi_z)
        cross = self._over_fidelities(top[:, :, None], self.u, u, axis=1)
        means = np.einsum("nmk,n->mk", cross, self._alpha)
        v = solve_triangular(self._cholesky, cross.reshape(n, m * k), lower=True, check_finite=False)
        v = v.reshape(n, m, k).transpose(1, 2, 0)
        prior = self._over_fidelities(self._prior_variance(phi_z)[:, None, None], u, u, axis=0)
        return means, prior - v @ v.transpose(0, 2, 1)

    def believing_at(self, X: _Array, u: _Array) -> FidelityProcess:
        """The same process, as if its mean had been observed at X (q, d) with distances u (q,) too."""
        distances, which = np.unique(u, return_inverse=True)
        means = self.joint(X, distances)[0][np.arange(len(X)), which]
        return FidelityProcess(
            np.concatenate([self.X, X]),
            np.concatenate([self.u, u]),
            np.concatenate([self.y, means]),
            self.choices,
            self.over_fidelities,
            self._effects.active,
        )

    def _over_fidelities(self, top: _Array, u: _Array, v: _Array, axis: int | None = None) -> _Array:
        """The covariance at distances u (n,) and v (k,) of points whose covariance at the top is `top`.

        It is (n, k), or has one more axis, of points, at `axis`, to which `top` broadcasts.
        """
        h, (least, product) = self.over_fidelities, growth(u, v)
        factor, trend = 1.0 + h.walk * least + h.slope * product, h.trend * (least + product)
        if axis is not None:
            factor, trend = np.expand_dims(factor, axis), np.expand_dims(trend, axis)
        return np.asarray(top * factor + trend)


def growth(u: _Array, v: _Array) -> tuple[_Array, _Array]:
    """What grows on the way down: min(u, v) of a Wiener process, and u v of a slope; (n,), (k,) → (n, k) each."""
    return np.minimum(u[:, None], v), u[:, None] * v
