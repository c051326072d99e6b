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
        values = self.highest - 0.5 * (Z - self.centres) ** 2 @ self.precisions
        for j, table in self.tables.items():
            values = values + table[category(Z[:, j], len(table))]
        return np.asarray(self.weight * values)

    def with_gradient(self, Z: _Array) -> tuple[_Array, _Array]:
        """See `Acquisition`."""
        return self(Z), -self.weight * self.precisions * (Z - self.centres)


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
