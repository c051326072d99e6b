"""Which searchers have fingerprints, and with which settings beside their defaults.

A new searcher gets a line here; `scripts/bench fingerprints --write` then records what it decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["MODELLED", "SEARCHERS", "variants"]

Settings = Mapping[str, Any]

_FIRST = {"sample_default_first": True}
_AT_TARGET = {"sample_default_first": True, "sample_default_at_target": True}

SEARCHERS: Mapping[str, Sequence[Settings]] = {
    "random_search": ({"use_priors": True},),
    "sobol": (),
    "grid_search": ({"steps_per_parameter": 3},),
    "bayesian_optimization": (
        {"initial_design_size": 5, "random_interleave_prob": 0.5},
        {"initial_design_size": 2, "sample_default_first": True},
    ),
    "pibo": ({"prior_weight": 3.0, "prior_confidence": "low", "sample_default_first": False},),
    "cost_cooling": ({"initial_design_size": 4, "random_interleave_prob": 0.2},),
    "regularized_evolution": ({"population_size": 8, "sample_size": 3}, _FIRST),
    "successive_halving": ({"eta": 2.0, "early_stopping_rate": 1}, _FIRST),
    "successive_halving_prior": ({"eta": 4.0}, _AT_TARGET),
    "hyperband": ({"eta": 2.0}, _AT_TARGET),
    "hyperband_prior": ({"eta": 2.0, "sample_default_first": False},),
    "asha": ({"eta": 2.0, "early_stopping_rate": 1}, _FIRST),
    "asha_prior": ({"early_stopping_rate": 1}, _AT_TARGET),
    "async_hyperband": ({"eta": 2.0}, _FIRST),
    "async_hyperband_prior": ({"eta": 4.0}, _AT_TARGET),
    "mobster": ({"initial_design_size": 3, "random_interleave_prob": 0.3}, {"eta": 2.0}),
    "priorband": (
        {"prior_confidence": "low", "inc_mutation_rate": 0.9, "inc_mutation_std": 0.1},
        {"eta": 2.0, **_AT_TARGET},
    ),
    "priorband_bo": ({"initial_design_size": 5, "prior_weight": 10.0}, {"sample_default_first": False}),
    "freeze_thaw": ({"step": 0.25}, {"step": 1.0, "random_interleave_prob": 0.3}, {"eta": 2.0, **_FIRST}),
}
"""By name: settings other than the defaults, each of them a variant. A space that refuses them is left out."""

MODELLED = frozenset({"bayesian_optimization", "pibo", "cost_cooling", "mobster", "priorband_bo", "freeze_thaw"})
"""Those with a model, whose last digits depend on the processor and on numeric libraries."""


def variants(searcher: str) -> list[Settings]:
    """The defaults first."""
    return [{}, *SEARCHERS.get(searcher, ())]
