"""Main effects: what each dimension does to the loss by itself, as polynomials and as the effects of categories.

NumPy only. `GaussianProcess` adds their covariance to that of the Matérn kernel. Shapes are those of
`neps._models.kernel`; p is the number of features.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from numpy.typing import NDArray

from neps._models.kernel import has_inactive, one_hot

__all__ = ["DEGREES", "MainEffects"]

_Array = NDArray[np.float64]

DEGREES = 4
"""The highest degree of a polynomial. Each degree has a variance of its own."""


@dataclasses.dataclass(frozen=True, eq=False)
class MainEffects:
    """Features φ(x) of a sum of one-dimensional functions, Σ_j f_j(x_j), as in additive Gaussian processes.

    Loss surfaces of training runs are mostly sums of what each hyperparameter does by itself (Hutter et al. 2014, "An
    efficient approach for assessing hyperparameter importance"). A kernel of all dimensions at once can't know that,
    and needs points in number exponential in d to see it; a sum needs them in proportion to d (Duvenaud et al. 2011,
    "Additive Gaussian processes").

    A number has the Legendre polynomials of degree 1 to 4, orthonormal on [0, 1], so that an effect is prior to none
    in extent; categories have an indicator each, which counts as degree 1. Of an inactive parameter all are 0. They are
    divided by √`active`: with a variance of 1 for one degree, the sum has a variance of about 1.

    Args:
        choices: (d,), how many categories a dimension encodes; 0 where it is a number.
        active: how many parameters are active at once, on average; d where all are.
    """

    choices: NDArray[np.intp]
    active: float

    @functools.cached_property
    def degrees(self) -> NDArray[np.intp]:
        """Which variance a feature has, counted from 0: (p,)."""
        numbers, categories = int((self.choices == 0).sum()), int(self.choices.sum())
        return np.concatenate([np.repeat(np.arange(DEGREES), numbers), np.zeros(categories, dtype=np.intp)])

    def features(self, X: _Array) -> _Array:
        """φ(x) at X (n, d): (n, p)."""
        polynomials = _legendre(2.0 * X[:, self.choices == 0] - 1.0)
        categories = [one_hot(X[:, j], int(self.choices[j])) for j in np.flatnonzero(self.choices)]
        return _but_inactive(np.concatenate([*polynomials, *categories], axis=1) / self.active**0.5)

    def slopes(self, Z: _Array, weights: _Array) -> _Array:
        """The derivatives of φ(z)ᵀ w along each dimension, 0 along categories: Z (m, d), weights (m, p) → (m, d)."""
        numbers = self.choices == 0
        slopes = np.stack(_legendre_slopes(2.0 * Z[:, numbers] - 1.0)) / self.active**0.5
        polynomial_weights = weights[:, : DEGREES * numbers.sum()].reshape(len(Z), DEGREES, -1)
        along = np.zeros_like(Z)
        along[:, numbers] = np.einsum("kmj,mkj->mj", slopes, polynomial_weights)
        return np.where(np.isnan(Z), 0.0, along) if has_inactive(Z) else along


def _but_inactive(values: _Array) -> _Array:
    """The same features, with 0 for those of NaN."""
    return np.where(np.isnan(values), 0.0, values) if has_inactive(values) else values


def _legendre(u: _Array) -> list[_Array]:
    """√(2k + 1) P_k(u) for k = 1 … 4, of any shape, on [-1, 1]."""
    u2 = u * u
    return [
        3.0**0.5 * u,
        5.0**0.5 / 2.0 * (3.0 * u2 - 1.0),
        7.0**0.5 / 2.0 * (5.0 * u2 - 3.0) * u,
        3.0 / 8.0 * ((35.0 * u2 - 30.0) * u2 + 3.0),
    ]


def _legendre_slopes(u: _Array) -> list[_Array]:
    """Their derivatives by x, where u = 2 x - 1."""
    u2 = u * u
    return [
        np.full_like(u, 2.0 * 3.0**0.5),
        5.0**0.5 * 6.0 * u,
        7.0**0.5 * (15.0 * u2 - 3.0),
        3.0 * (35.0 * u2 - 15.0) * u,
    ]
