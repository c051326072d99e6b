"""A Gaussian process that takes any of the ways: the model and the priors of neps, without its speed.

Shapes as in `kernels`; θ holds the logarithms of d length scales, a variance of each block, the noise's, and those of
main effects. `running` fits it.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize

from benchmarks.conditional.kernels import Array, Block, Kind, Way
from neps._models.kernel import active_count, matern52, matern52_slope
from neps._models.main_effects import DEGREES, MainEffects

__all__ = ["Process", "fit"]

_STARTS = (0.2, 1.0)
_ITERATIONS = 60
_IMPOSSIBLE = 1e10


class Process:
    """The process of a way: how probable θ is at X (n, d) with targets y (n,), and what it predicts there."""

    def __init__(self, way: Way, kind: Kind, X: Array, y: Array) -> None:
        self.way, self.kind, self.X, self.y = way, kind, X, y
        self.d = len(kind.choices)
        self.blocks = way.blocks(kind)
        self.active = active_count(X) if way.active else float(self.d)
        self._effects = MainEffects(kind.choices, self.active)
        self._differences, self._masks = self._squares(X, X), [self._mask(block, X, X) for block in self.blocks]
        self._phi = self._features(X)

    def negative_log_posterior(self, theta: Array) -> tuple[float, Array]:
        """And its gradient: those of `neps._models.fitting`, where there is one block."""
        K, parts, weights = self._covariance(theta)
        try:
            L = cholesky(K, lower=True)
        except np.linalg.LinAlgError:
            return _IMPOSSIBLE, np.zeros_like(theta)
        alpha, inverse = cho_solve((L, True), self.y), cho_solve((L, True), np.eye(len(K)))
        value = 0.5 * self.y @ alpha + np.log(np.diagonal(L)).sum() + 0.5 * len(K) * math.log(2.0 * math.pi)
        B, gradient = 0.5 * (inverse - np.outer(alpha, alpha)), np.zeros_like(theta)
        for index, (block, mask, (r2, part)) in enumerate(zip(self.blocks, self._masks, parts, strict=True)):
            slopes = B * mask * math.exp(theta[self.d + index]) * matern52_slope(r2)
            squares = np.tensordot(self._differences[block.axes], slopes, 2)
            gradient[block.axes] -= 2.0 * np.exp(-2.0 * theta[block.axes]) * squares
            gradient[self.d + index] = (B * part).sum()
        gradient[-DEGREES - 1] = math.exp(theta[-DEGREES - 1]) * np.trace(B)
        effects = weights * ((B @ self._phi) * self._phi).sum(axis=0)
        gradient[-DEGREES:] = np.bincount(self._effects.degrees, weights=effects, minlength=DEGREES)
        mean, sigma, itself = self._prior
        standard = (theta - mean) / sigma
        prior = float(np.sum(itself * theta + 0.5 * standard**2))
        return float(value) + prior, gradient + itself + standard / sigma

    def predict(self, theta: Array, Z: Array) -> tuple[Array, Array]:
        """Mean and variance (m,) of the noise-free function at Z (m, d)."""
        K, _, weights = self._covariance(theta)
        L, phi = cholesky(K, lower=True), self._features(Z)
        masks = [self._mask(block, self.X, Z) for block in self.blocks]
        cross = sum(part for _, part in self._parts(theta, self._squares(self.X, Z), masks))
        k = cross + (self._phi * weights) @ phi.T
        v = solve_triangular(L, k, lower=True)
        prior = phi**2 @ weights
        for index, block in enumerate(self.blocks):
            on = ~np.isnan(Z[:, block.axes[0]]) if block.where_active else np.ones(len(Z), dtype=np.bool_)
            prior += math.exp(theta[self.d + index]) * on
        return k.T @ cho_solve((L, True), self.y), np.maximum(prior - (v * v).sum(axis=0), 1e-12)

    @functools.cached_property
    def bounds(self) -> Array:
        """Within which θ is searched: (p, 2)."""
        blocks = len(self.blocks)
        signal = [math.log(0.05 if blocks == 1 else 0.002), math.log(20.0)]
        rest = [[math.log(1e-8), math.log(2.0)], *[[math.log(1e-6), math.log(50.0)]] * DEGREES]
        return np.array([[math.log(0.005), math.log(1e3)]] * self.d + [signal] * blocks + rest)

    @functools.cached_property
    def starts(self) -> list[Array]:
        """Where the search begins."""
        blocks, rest = len(self.blocks), [math.log(1e-3), *[math.log(0.2)] * DEGREES]
        scales = (math.log(start * self.active**0.5) for start in _STARTS)
        return [np.array([scale] * self.d + [-math.log(blocks)] * blocks + rest) for scale in scales]

    @functools.cached_property
    def _prior(self) -> tuple[Array, Array, Array]:
        """Means and deviations of θ, and whether its own density counts; several blocks share the signal."""
        blocks = len(self.blocks)
        median = 2.0**0.5 + 0.5 * math.log(self.active)
        mean = [median] * self.d + [1.0 - math.log(blocks)] * blocks + [-8.0] + [-4.0] * DEGREES
        sigma = [1.0] * (self.d + blocks) + [3.0] + [2.0] * DEGREES
        return np.array(mean), np.array(sigma), np.array([1.0] * (self.d + blocks + 1) + [0.0] * DEGREES)

    def _covariance(self, theta: Array) -> tuple[Array, list[tuple[Array, Array]], Array]:
        """That of the targets; squared distances and covariances of each block; and the effects' variances (p,)."""
        parts = self._parts(theta, self._differences, self._masks)
        weights = np.exp(theta[-DEGREES:])[self._effects.degrees]
        K = sum(part for _, part in parts) + (self._phi * weights) @ self._phi.T
        K[np.diag_indices(len(K))] += math.exp(theta[-DEGREES - 1])
        return K, parts, weights

    def _parts(self, theta: Array, differences: Array, masks: list[Array]) -> list[tuple[Array, Array]]:
        parts = []
        for index, (block, mask) in enumerate(zip(self.blocks, masks, strict=True)):
            r2 = np.tensordot(np.exp(-2.0 * theta[block.axes]), differences[block.axes], 1)
            parts.append((r2, math.exp(theta[self.d + index]) * mask * matern52(r2)))
        return parts

    def _squares(self, X: Array, Z: Array) -> Array:
        """Squared differences along each axis: (d, n, m)."""
        pairs = zip(self._columns(X), self._columns(Z), strict=True)
        return np.stack([((x[:, None, :] - z) ** 2).sum(axis=-1) for x, z in pairs])

    def _columns(self, X: Array) -> list[Array]:
        return [self.way.embedding(x, int(count)) for x, count in zip(X.T, self.kind.choices, strict=True)]

    def _mask(self, block: Block, X: Array, Z: Array) -> Array:
        """1 for the pairs that count: (n, m)."""
        if self.way.same_branch:
            return np.asarray((np.isnan(X)[:, None, :] == np.isnan(Z)).all(axis=-1), dtype=np.float64)
        if block.where_active:
            x, z = (~np.isnan(points[:, block.axes[0]]) for points in (X, Z))
            return np.asarray(x[:, None] & z, dtype=np.float64)
        return np.ones((len(X), len(Z)))

    def _features(self, X: Array) -> Array:
        if self.way.effects_at_centre:
            X = np.where(np.isnan(X), 0.5, X)
        return self._effects.features(X)


def fit(process: Process) -> Array:
    """The most probable θ."""
    found = [
        minimize(
            process.negative_log_posterior,
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=process.bounds,
            options={"maxiter": _ITERATIONS, "ftol": 1e-6},
        )
        for start in process.starts
    ]
    return np.asarray(min(found, key=lambda each: float(each.fun)).x)
