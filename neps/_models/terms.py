"""What may be added to log expected improvement: how likely a prior thinks a point is, and what a model says it costs.

NumPy only. Samplers build them and hand them to `neps.samplers._model_based.proposal`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from neps._models.kernel import category

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from neps._models.gaussian_process import GaussianProcess

    _Array = NDArray[np.float64]

__all__ = ["LogPrior", "PredictedMean"]


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class LogPrior:
    """weight · log π(z), where π is a product of normals along numbers and of weights of categories.

    An inactive parameter counts as an active one does on average under the prior, by its entropy. A density of more
    dimensions is higher at its peak: if an inactive one counted nothing, where most parameters have priors would always
    be most probable, whatever the prior of the choice between the branches.

    Args:
        centres: (d,), where the prior of each number is highest.
        precisions: (d,), 1 / variance of each normal; 0 for categories and for what has no prior.
        tables: log π of each category, for each dimension that has categories and a prior.
        weight: the exponent of π.
        highest: log π at the centres, without the categories: normalises.
    """

    centres: _Array
    precisions: _Array
    tables: Mapping[int, _Array]
    weight: float = 1.0
    highest: float = 0.0

    def __call__(self, Z: _Array) -> _Array:
        """See `Acquisition`."""
        values = self.highest - 0.5 * self._squares(Z) @ self.precisions
        for j, table in self.tables.items():
            values = values + _looked_up(table, Z[:, j])
        return np.asarray(self.weight * values)

    def with_gradient(self, Z: _Array) -> tuple[_Array, _Array]:
        """See `Acquisition`."""
        slopes = -self.weight * self.precisions * (Z - self.centres)
        return self(Z), np.nan_to_num(slopes) if np.isnan(Z).any() else slopes

    def _squares(self, Z: _Array) -> _Array:
        """(z - centre)² of each coordinate, and the variance where it is inactive: (m, d)."""
        squares = (Z - self.centres) ** 2
        if (inactive := np.isnan(Z)).any():
            variances = np.divide(1.0, self.precisions, out=np.zeros_like(self.precisions), where=self.precisions > 0.0)
            squares = np.where(inactive, variances, squares)
        return np.asarray(squares)


def _looked_up(table: _Array, coordinates: _Array) -> _Array:
    """Log π of categories (m,), relative to uniform: of an inactive one its mean under π."""
    inactive = np.isnan(coordinates)
    found = table[category(np.where(inactive, 0.0, coordinates), len(table))]
    expected = np.exp(table) @ table / len(table)
    return np.where(inactive, expected, found)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class PredictedMean:
    """weight · what `process` predicts of its targets."""

    process: GaussianProcess
    weight: float

    def __call__(self, Z: _Array) -> _Array:
        """See `Acquisition`."""
        return self.weight * self.process.predict(Z)[0]

    def with_gradient(self, Z: _Array) -> tuple[_Array, _Array]:
        """See `Acquisition`."""
        mean, _, slope, _ = self.process.predict_with_gradient(Z)
        return self.weight * mean, self.weight * slope
