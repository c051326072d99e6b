"""Sobol search: trials fill the space evenly, without looking at results.

Used through `searcher="sobol"`. The sequence itself is in `neps.samplers._drawing.sequences`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from neps.samplers._drawing.initial_design import sobol_point
from neps.samplers._protocol import Sampler, Suggestion

if TYPE_CHECKING:
    import numpy as np

    from neps._budget import Budget
    from neps._history import History

__all__ = ["Sobol"]


@attrs.frozen
class Sobol(Sampler):
    """Trial N is point N - 1 of a Sobol sequence, scrambled by the run's seed.

    It covers the space more evenly than random search with the same number of trials: among the first 2^m trials, each
    numerical parameter has one value in each of 2^m equal parts of its scale. Of conditional parameters each has a
    coordinate that counts where they are active, and points whose configurations are forbidden are skipped. Priors are
    ignored.

    Example:
        >>> Sobol().settings()
        {}
    """

    independent: ClassVar[bool] = True

    def settings(self) -> dict[str, Any]:
        """It has none."""
        return {}

    def decide(
        self,
        history: History,
        number: int,
        budget: Budget,  # noqa: ARG002
        generator: np.random.Generator,
    ) -> Suggestion:
        """The configuration at point `number - 1`."""
        return Suggestion(config=sobol_point(history, number, generator))
