"""The Gaussian process of `neps._models` once more, in torch: dense, differentiable, written from the formulas alone.

Tests compare with it. Nothing of neps is imported. Shapes: X (n, d), Z (m, d), y (n,), `choices` (d,), and
theta (d + 6,), the logarithms of length scales, signal, noise, and of the variances of effects of degree 1 to 4.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.distributions import MultivariateNormal

__all__ = ["covariance", "log_marginal_likelihood", "posterior", "tensor"]


def tensor(array: NDArray[np.float64], *, differentiable: bool = False) -> Tensor:
    return torch.tensor(array, dtype=torch.float64, requires_grad=differentiable)


def covariance(X: Tensor, Z: Tensor, choices: NDArray[np.intp], theta: Tensor) -> Tensor:
    """signal · Matérn 5/2 + Σ_j (main effect of dimension j): (n, m)."""
    d = len(choices)
    values = theta.exp()
    lengthscales, signal, effects = values[:d], values[d], values[d + 2 :]
    r2 = torch.zeros(len(X), len(Z), dtype=torch.float64)
    main = torch.zeros_like(r2)
    for j, count in enumerate(choices):
        x, z = X[:, j, None], Z[None, :, j]
        if count:
            same = (torch.floor(x * count) == torch.floor(z * count)).double()
            r2 = r2 + (1.0 - same) / lengthscales[j] ** 2
            main = main + effects[0] * same / d
        else:
            r2 = r2 + ((x - z) / lengthscales[j]) ** 2
            products = zip(effects, _legendre(2.0 * x - 1.0), _legendre(2.0 * z - 1.0), strict=True)
            main = main + sum(effect * p * q for effect, p, q in products) / d
    r = (5.0 * r2 + 1e-30).sqrt()  # its derivative at 0 is infinite, and times 0 not a number
    total: Tensor = signal * (1.0 + r + r**2 / 3.0) * torch.exp(-r) + main
    return total


def log_marginal_likelihood(X: Tensor, y: Tensor, choices: NDArray[np.intp], theta: Tensor) -> Tensor:
    K = covariance(X, X, choices, theta) + theta[len(choices) + 1].exp() * torch.eye(len(X), dtype=torch.float64)
    value: Tensor = MultivariateNormal(torch.zeros_like(y), K).log_prob(y)
    return value


def posterior(X: Tensor, y: Tensor, Z: Tensor, choices: NDArray[np.intp], theta: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance at Z, both (m,)."""
    K = covariance(X, X, choices, theta) + theta[len(choices) + 1].exp() * torch.eye(len(X), dtype=torch.float64)
    k = covariance(X, Z, choices, theta)
    return k.T @ torch.linalg.solve(K, y), (covariance(Z, Z, choices, theta) - k.T @ torch.linalg.solve(K, k)).diag()


def _legendre(u: Tensor) -> list[Tensor]:
    """Degrees 1 to 4 by Bonnet's recursion, with a norm of 1 on [0, 1]."""
    polynomials = [torch.ones_like(u), u]
    for k in range(1, 4):
        polynomials.append(((2 * k + 1) * u * polynomials[k] - k * polynomials[k - 1]) / (k + 1))
    return [(2 * k + 1) ** 0.5 * polynomials[k] for k in range(1, 5)]
