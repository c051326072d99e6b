"""What the models learn: data that scikit-learn brings along, or that is made, always the same. Called by `training`.

Their number is a multiple of that of the folds. A table of one half has no data of the other half's.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from benchmarks.curves.data import house_prices
from benchmarks.problems.learning import Array, shuffled
from benchmarks.problems.model_tables import FOLDS

__all__ = ["data", "fold"]

_SEED = 0
_MADE = 600


@functools.cache
def data(name: str) -> tuple[Array, Array]:
    """Inputs (n, d) and targets (n,); classes are whole numbers from 0 on."""
    inputs, targets = _DATA[name]()
    number = len(targets) // FOLDS * FOLDS
    return inputs[:number], targets[:number]


def fold(number: int, place: int) -> tuple[Array, Array]:
    """Whom to train on and whom to validate on: that fold of so many, each order of which has folds of its own."""
    order, part = divmod(place, FOLDS)
    drawn = np.random.default_rng(order).permutation(number)
    unseen = np.arange(number) % FOLDS == part
    return drawn[~unseen], drawn[unseen]


def _rings() -> tuple[Array, Array]:
    """Four rings in three of five dimensions."""
    generator = np.random.default_rng(_SEED)
    inputs = generator.standard_normal((_MADE, 5))
    radius = (inputs[:, :3] ** 2).sum(axis=1) + 0.2 * generator.standard_normal(_MADE)
    return inputs * generator.lognormal(0, 1, 5), np.searchsorted(np.quantile(radius, [0.25, 0.5, 0.75]), radius)


def _sparse() -> tuple[Array, Array]:
    """Three classes, and eight of sixty features that tell them apart."""
    from sklearn.datasets import make_classification

    return make_classification(  # type: ignore[no-any-return]
        _MADE, 60, n_informative=8, n_redundant=4, n_classes=3, flip_y=0.05, class_sep=0.8, random_state=_SEED
    )


def _friedman1() -> tuple[Array, Array]:
    """Friedman's first function (1991) of five inputs, with noise, and seven inputs that don't matter."""
    from sklearn.datasets import make_friedman1

    return make_friedman1(_MADE, 12, noise=1.0, random_state=_SEED)  # type: ignore[no-any-return]


def _digits() -> tuple[Array, Array]:
    inputs, targets = shuffled("digits")
    return inputs[:_MADE], targets[:_MADE]


_DATA: dict[str, Callable[[], tuple[Array, Array]]] = {
    "cancer": lambda: shuffled("breast_cancer"),
    "rings": _rings,
    "friedman1": _friedman1,
    "sparse": _sparse,
    "diabetes": lambda: shuffled("diabetes"),
    "digits": _digits,
    "houses": lambda: house_prices(_MADE),
}
